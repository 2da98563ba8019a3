"""What a fingerprint notices, what it does not, and that every process agrees on it."""

from __future__ import annotations

import functools
import importlib
import linecache
import os
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from findspot.core.digests import hash_bytes
from findspot.engine.code.fingerprint import Fingerprint, fingerprint
from findspot.engine.code.project import is_project_module, stable_module
from findspot.plugins.importing import PluginPackage, install
from project_sources import (
    MODULE,
    WAYS,
    Load,
    changed_parts,
    forgotten_modules,
    from_file,
    from_text,
    loader,
)


@pytest.fixture(autouse=True)
def _forgetting() -> Iterator[None]:
    with forgotten_modules():
        yield


@pytest.fixture(params=WAYS)
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Load]:
    with forgotten_modules():
        yield loader(request.param, tmp_path)


def test_the_parts_say_what_changed(load: Load) -> None:
    source = """
    RATE = 1
    class Model:
        def fit(self): return RATE
    def helper(x): return x
    def main(x): return helper(Model())
"""
    before = fingerprint(load(source))
    assert {name.partition(":")[2] for name in before.parts} == {
        "RATE",
        "Model",
        "Model.fit",
        "helper",
        "main",
    }
    for old, new, part in (
        ("RATE = 1", "RATE = 2", "RATE"),
        ("return RATE", "return -RATE", "Model.fit"),
        ("def helper(x): return x", "def helper(x): return -x", "helper"),
    ):
        assert changed_parts(before, fingerprint(load(source.replace(old, new)))) == {part}


def test_helpers_in_other_modules_count(tmp_path: Path) -> None:
    def project(helper: str) -> Fingerprint:
        from_file(tmp_path, helper, f"{MODULE}_helpers")
        main = from_file(
            tmp_path,
            f"""
            import {MODULE}_helpers as h
            def main(x): return h.helper(x) + h.RATE
            """,
        )
        return fingerprint(main.main)

    source = "RATE = 1\ndef helper(x): return x\ndef unused(): return 1\n"
    first = project(source)
    assert f"{MODULE}_helpers:helper" in first.parts
    assert project(source.replace("unused(): return 1", "unused(): return 2")) == first
    assert project(source.replace("return x", "return -x")).digest != first.digest
    assert project(source.replace("RATE = 1", "RATE = 2")).digest != first.digest


@pytest.mark.parametrize(
    "body",
    [
        f"def main(x):\n    from {MODULE}_late import helper\n    return helper(x)",
        f"def main(x):\n    import {MODULE}_late\n    return {MODULE}_late.helper(x)",
        f"import {MODULE}_late as late\ndef main(x): return run(late, x)\ndef run(m, x): return m",
    ],
    ids=["from inside", "import inside", "a module as a value"],
)
def test_what_is_imported_late_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    def project(result: str) -> Fingerprint:
        sys.modules.pop(f"{MODULE}_late", None)
        folder = tmp_path / f"late {result}"
        folder.mkdir(exist_ok=True)
        (folder / f"{MODULE}_late.py").write_text(f"def helper(x): return {result}\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(folder))
            return fingerprint(from_file(tmp_path, body).main)

    first = project("1")
    assert project("1") == first
    assert project("2").digest != first.digest


def test_installed_code_counts_by_name_only() -> None:
    names = from_text(
        """
        import json, functools
        import numpy as np
        from collections import OrderedDict
        def main(x):
            import decimal
            from sklearn.linear_model import Ridge
            return json.dumps(np.sum(x)), OrderedDict(), Ridge, decimal, functools.reduce
        """
    )
    assert list(fingerprint(names["main"]).parts) == ["__main__:main"]
    replaced = from_text("import json\ndef main(x): return json.dumps(x)")
    other = from_text("import pickle as json\ndef main(x): return json.dumps(x)")
    assert fingerprint(replaced["main"]).digest != fingerprint(other["main"]).digest


def test_names_that_do_not_exist_yet_are_no_error(load: Load) -> None:
    before = fingerprint(load("def main(x): return later(x)"))
    after = fingerprint(load("def later(x): return x\ndef main(x): return later(x)"))
    assert before.digest != after.digest


def test_the_options_of_a_task_are_not_its_code(load: Load) -> None:
    given = "from findspot.graph.tasks import task\n"
    sources = [
        f"{given}@task\ndef main(x): return x",
        f"{given}@task(retries=3, cache=True)\ndef main(x): return x",
        "import findspot.graph.tasks as t\n@t.task(timeout=3)\ndef main(x): return x",
    ]
    digests = {fingerprint(load(source)).digest for source in sources}
    assert len(digests) == 1
    decorated = load(sources[0])
    assert fingerprint(decorated) is fingerprint(vars(decorated)["function"])


def test_a_task_that_a_task_calls_counts(load: Load) -> None:
    source = """
    from findspot.graph.tasks import task
    @task
    def helper(x): return 1
    def main(x): return helper(x)
"""
    changed = fingerprint(load(source.replace("return 1", "return 2")))
    assert changed_parts(fingerprint(load(source)), changed) == {"helper"}


def test_functions_from_a_file_that_was_edited_since_keep_what_is_loaded(tmp_path: Path) -> None:
    module = from_file(tmp_path, "def main(x): return x + 1\n")
    path = Path(str(module.__file__))
    path.write_text("def main(x): return x + 2\n")
    linecache.clearcache()
    stale = fingerprint(module.main)
    edited = from_file(tmp_path, "def main(x): return x + 2\n")
    assert stale.digest != fingerprint(edited.main).digest


def test_lines_that_moved_in_the_file_since_do_not_matter(tmp_path: Path) -> None:
    module = from_file(tmp_path, "def main(x): return x + 1\n")
    fresh = fingerprint(module.main)
    moved = from_file(tmp_path, "def main(x): return x + 1\n")
    Path(str(moved.__file__)).write_text("# A note.\n\ndef main(x): return x + 1\n")
    linecache.clearcache()
    assert fingerprint(moved.main) == fresh


def test_a_notebook_cell_has_source_without_a_file() -> None:
    def cell(number: int, source: str) -> Callable[..., Any]:
        name = f"<cell {number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(source, name, "exec"), names)
        function: Callable[..., Any] = names["main"]
        return function

    try:
        first = fingerprint(cell(1, "def main(x):\n    return x + 1\n"))
        second = fingerprint(cell(2, "def main(x):  # new\n    'New.'\n\n    return (x + 1)\n"))
        third = fingerprint(cell(3, "def main(x):\n    return x + 2\n"))
    finally:
        for number in (1, 2, 3):
            linecache.cache.pop(f"<cell {number}>", None)
    assert first == second
    assert first.digest != third.digest


def test_snapshots_of_a_plugin_with_the_same_code_agree(tmp_path: Path) -> None:
    source = """
    class Model:
        rate = 1
    MODEL = Model()
    def helper(x): return MODEL
    def main(x): return helper(x), Model
"""
    first, second = (
        fingerprint(
            from_file(tmp_path, source, f"findspot_plugins.scaling_{hexadecimal}.tasks").main
        )
        for hexadecimal in ("0123456789ab", "ba9876543210")
    )
    assert first == second
    assert "findspot_plugins.scaling.tasks:helper" in first.parts


@pytest.mark.parametrize(
    "statement",
    [
        "from scaling import helper",
        "from rescaling.scaling import helper",
        "from .scaling import *",
    ],
)
def test_what_a_plugin_imports_from_itself_counts(tmp_path: Path, statement: str) -> None:
    inside, above = (statement, "pass") if "*" not in statement else ("pass", statement)

    def snapshot(number: int, result: int) -> Fingerprint:
        contents = {
            "tasks.py": f"{above}\ndef main(x):\n    {inside}\n    return helper(x)\n".encode(),
            "scaling.py": f"def helper(x): return {result}\n".encode(),
        }
        root = tmp_path / str(number)
        for name, data in contents.items():
            root.mkdir(exist_ok=True)
            (root / name).write_bytes(data)
        digest = hash_bytes(b"".join([str(number).encode(), *contents.values()]))
        package = install(PluginPackage.of("rescaling", digest, root, contents))
        return fingerprint(importlib.import_module(package.module_of("tasks.py")).main)

    first = snapshot(1, 1)
    assert "findspot_plugins.rescaling.scaling:helper" in first.parts
    assert snapshot(2, 1) == first
    assert snapshot(3, 2).digest != first.digest


@pytest.mark.parametrize(
    ("name", "stable"),
    [
        ("findspot_plugins.a_0123456789ab", "findspot_plugins.a"),
        ("findspot_plugins.a_b_0123456789ab.c.d", "findspot_plugins.a_b.c.d"),
        ("findspot_plugins.a_0123", "findspot_plugins.a_0123"),
        ("package.a_0123456789ab", "package.a_0123456789ab"),
        (None, "__main__"),
    ],
)
def test_names_of_modules_are_the_same_everywhere(name: str | None, stable: str) -> None:
    assert stable_module(name) == stable


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("__main__", True),
        (__name__, True),
        ("json", False),
        ("sys", False),
        ("numpy", False),
        ("findspot.core.names", False),
        ("findspot_plugins.a_0123456789ab", True),
        ("importlib._bootstrap", False),
    ],
)
def test_which_modules_are_the_projects_own(name: str, own: bool) -> None:
    assert is_project_module(name) is own


EVERYTHING = """
import enum, logging, re, threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
import numpy as np
LOG = logging.getLogger("x")
LOCK = threading.Lock()
WORDS = {"a", "bb", "ccc", "dddd", "eeeee", "ffffff"}
NESTED = frozenset({("a", frozenset({"x", "y", "z"})), ("b", frozenset({"p", "q"}))})
PATTERN = re.compile("a+")
WEIGHTS = np.arange(12.0).reshape(3, 4)
HOME = Path("data") / "x"
class Colour(enum.Enum):
    RED = 1
    def bright(self): return self in {Colour.RED}
@dataclass(frozen=True)
class Settings:
    rate: float = 0.1
    names: list[str] = field(default_factory=list)
    def scaled(self): return self.rate * len(WORDS)
class Point(NamedTuple):
    x: int = 1
SETTINGS = Settings()
def loop(n, seen=WORDS): return loop(n - 1) if n else seen
def main(x):
    LOG.info("x")
    with LOCK:
        pass
    chosen = [w for w in x if w in {"p", "qq", "rrr"}]
    return NESTED, PATTERN, WEIGHTS, HOME, Colour.RED, SETTINGS, Point(), loop(3), chosen
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["file", "text"])
def test_processes_agree_whatever_their_hash_seed_and_folder(tmp_path: Path, way: str) -> None:
    digests = set()
    for seed in ("0", "1", "4711"):
        folder = tmp_path / seed
        folder.mkdir()
        (folder / f"{MODULE}.py").write_text(EVERYTHING, encoding="utf-8")
        program = (
            f"from {MODULE} import main"
            if way == "file"
            else f"exec(open('{MODULE}.py', encoding='utf-8').read())"
        )
        program += (
            "\nfrom findspot.engine.code.fingerprint import fingerprint"
            "\nfound = fingerprint(main)\nprint(found.digest, found.unfingerprintable)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    assert digests.pop().endswith(" ()\n")


def test_a_function_sent_to_another_process_keeps_its_fingerprint() -> None:
    main = from_text("RATE = 2\ndef helper(x): return x * RATE\ndef main(x): return helper(x)")[
        "main"
    ]
    sent = cloudpickle.loads(cloudpickle.dumps(main))
    assert sent is not main
    assert fingerprint(sent) == fingerprint(main)


class Connection:
    """Something that cannot be pickled, as an open connection."""

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("cannot pickle a connection")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Connection(), "cannot pickle a connection"),
        ([1, {"a": Connection()}], "cannot pickle a connection"),
        ((n for n in [1]), "cannot pickle 'generator' object"),
        (np.zeros(1 << 22), "an array of 32 MiB"),
        ([b"x" * (9 << 20), b"y" * (9 << 20)], "more than 16 MiB"),
        ([[n] for n in range(200_000)], "too large"),
    ],
    ids=["object", "inside", "generator", "large array", "much", "many"],
)
def test_what_has_no_fingerprint_is_named(value: object, reason: str) -> None:
    names = from_text("def main(x): return VALUE")
    names["VALUE"] = value
    (said,) = fingerprint(names["main"]).unfingerprintable
    assert said.startswith("__main__:VALUE (")
    assert reason in said


def test_an_open_file_has_no_fingerprint(tmp_path: Path) -> None:
    with open(tmp_path / "x", "w") as stream:
        names = from_text("def main(x): return VALUE")
        names["VALUE"] = stream
        assert fingerprint(names["main"]).unfingerprintable == ("__main__:VALUE (an open file)",)


@pytest.mark.parametrize(
    "value",
    [
        sys.__stdout__,
        threading.Lock(),
        threading.local(),
        object(),
        len,
        [].append,
        np.add,
        str.join,
        os.environ,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_state_of_interest_counts_by_name(value: object) -> None:
    names = from_text("def main(x): return VALUE")
    names["VALUE"] = value
    assert fingerprint(names["main"]).unfingerprintable == ()


class Absent:
    """A proxy of something that is not there: whatever is asked of it fails."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("not there")


def test_an_object_that_answers_nothing_is_named() -> None:
    names = from_text("def main(x): return VALUE")
    names["VALUE"] = Absent()
    (said,) = fingerprint(names["main"]).unfingerprintable
    assert said.startswith("__main__:VALUE (")


def test_values_that_hold_themselves_come_to_an_end() -> None:
    first = from_text("K = [1]\nK.append(K)\ndef main(x): return K")["main"]
    second = from_text("K = [2]\nK.append(K)\ndef main(x): return K")["main"]
    again = from_text("K = [1]\nK.append(K)\ndef main(x): return K")["main"]
    assert fingerprint(first).digest != fingerprint(second).digest
    assert fingerprint(first) == fingerprint(again)


def test_equal_names_in_two_namespaces_are_two_things() -> None:
    def project(first: int, second: int) -> Fingerprint:
        one = from_text(f"RATE = {first}\ndef main(): return RATE")
        two = from_text(f"RATE = {second}\ndef main(x): return RATE + x()")
        two["x"] = one["main"]
        return fingerprint(from_text_with("def main(): return two(one)", one=one["main"], **two))

    assert len({project(*pair).digest for pair in ((1, 2), (2, 1), (1, 1), (2, 2))}) == 4


def from_text_with(source: str, *, one: Any, main: Any, **_others: Any) -> Callable[..., Any]:
    names = from_text(source)
    names.update(one=one, two=main)
    function: Callable[..., Any] = names["main"]
    return function


def test_an_object_with_changing_state_is_looked_at_each_time() -> None:
    names = from_text(
        "class Adder:\n    def __init__(self, n): self.n = n\n    def add(self, x): return x"
    )
    adder = names["Adder"](1)
    before = fingerprint(adder.add)
    adder.n = 2
    assert fingerprint(adder.add).digest != before.digest


def test_a_function_with_very_many_constants_is_read_rightly(tmp_path: Path) -> None:
    # Beyond 255 constants or names the instructions have longer arguments.
    constants = ", ".join(f"'c{n}'" for n in range(300))
    names = "; ".join(f"n{n} = x" for n in range(300))
    source = f"""
def helper(x): return A
def main(x):
    {names}
    y = [{constants}]
    y = {{'a': 1.5, 'b': 2.5}}
    from {MODULE}_deep import deep
    return helper(x) or deep(x) or y
"""
    from_file(tmp_path, "def deep(x): return x", f"{MODULE}_deep")
    first = fingerprint(from_file(tmp_path, source.replace("A", "1")).main)
    second = fingerprint(from_file(tmp_path, source.replace("A", "2")).main)
    assert changed_parts(first, second) == {"helper"}
    assert f"{MODULE}_deep:deep" in first.parts
    texts = [
        fingerprint(from_text(text)["main"]).digest
        for text in (source, source.replace("def main(x):", 'def main(x):\n    "New."'))
    ]
    assert texts[0] == texts[1]


def test_any_callable_has_a_fingerprint() -> None:
    names = from_text(
        "class Adder:\n    def __init__(self, n): self.n = n\n    def __call__(self, x): return x"
    )
    one, two = names["Adder"](1), names["Adder"](2)
    assert fingerprint(one).digest == fingerprint(names["Adder"](1)).digest
    assert fingerprint(one).digest != fingerprint(two).digest
    assert fingerprint(len).digest != fingerprint(max).digest
    part = functools.partial(one, 1)
    assert fingerprint(part).digest != fingerprint(functools.partial(one, 2)).digest


@pytest.mark.parametrize(
    "change",
    [
        "helper = lambda x: 2",
        "RATE = 2",
        "Model.rate = 2",
        "Model.fit = lambda self: 2",
        "del RATE",
    ],
)
def test_replacing_what_it_uses_makes_the_fingerprint_anew(change: str) -> None:
    names = from_text(
        """
        RATE = 1
        class Model:
            rate = 1
            def fit(self): return 1
        def helper(x): return 1
        def main(x): return helper(x), RATE, Model()
        """
    )
    before = fingerprint(names["main"])
    assert fingerprint(names["main"]) is before
    exec(change, names)
    after = fingerprint(names["main"])
    assert after.digest != before.digest
    assert fingerprint(names["main"]) is after


def test_replacing_a_functions_own_parts_makes_the_fingerprint_anew() -> None:
    names = from_text("def main(x, y=1): return x\ndef other(x, y=1): return y")
    main = names["main"]
    digests = [fingerprint(main).digest]
    main.__defaults__ = (2,)
    digests.append(fingerprint(main).digest)
    main.__code__ = names["other"].__code__
    digests.append(fingerprint(main).digest)
    assert len(set(digests)) == 3


def test_a_variable_of_a_closure_that_changes_makes_the_fingerprint_anew() -> None:
    def make() -> tuple[Callable[[], int], Callable[[int], None]]:
        state = 1

        def get() -> int:
            return state

        def put(value: int) -> None:
            nonlocal state
            state = value

        return get, put

    get, put = make()
    before = fingerprint(get)
    assert fingerprint(get) is before
    put(2)
    assert fingerprint(get).digest != before.digest


def test_the_second_call_is_cheap() -> None:
    main = from_text("RATE = 2\ndef helper(x): return x * RATE\ndef main(x): return helper(x)")[
        "main"
    ]
    fingerprint(main)
    times = timeit.repeat(lambda: fingerprint(main), time.thread_time, number=1000, repeat=5)
    # 1 µs on a fast machine; of the processor's time, since it may be busy.
    assert min(times) / 1000 < 30e-6
