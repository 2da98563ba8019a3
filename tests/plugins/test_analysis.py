"""What is found in a plugin's source, and every mistake in it, without running any of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from findspot.core.canonical import canonical_json
from findspot.core.errors import InvalidName, NotFound, Problem
from findspot.core.types import INTEGER, NUMBER, STRING, UNKNOWN, Simple
from findspot.graph.spec import InputSpec, OutputSpec
from findspot.plugins.analysis import analyse
from findspot.plugins.specs_json import task_to_json

WritePlugin = Callable[[str, Mapping[str, str]], Path]
NDARRAY = Simple("numpy.ndarray", (), "numpy.ndarray")

ARRAYS = """\
    from pathlib import Path
    import numpy as np
    from findspot.plugins import ArtifactTask

    class ArrayTask(ArtifactTask):
        @staticmethod
        def serialize(working_dir: Path, name: str, contents: np.ndarray, **kwargs) -> Path: ...
        @staticmethod
        def deserialize(working_dir: Path, path: str, **kwargs) -> np.ndarray: ...
        @staticmethod
        def validation():
            '''Compression only.'''
            return {"compressed": {"type": "boolean"}, "level": {"enum": (1, 2)}}
    """


def problem_of(folder: Path) -> Problem:
    """The only problem of a plugin."""
    (problem,) = analyse(folder).problems
    return problem


def test_a_task_has_the_inputs_and_outputs_of_its_signature(write_plugin: WritePlugin) -> None:
    folder = write_plugin(
        "stats",
        {
            "a.py": """\
                import numpy as np
                from typing import Annotated
                from findspot import JobContext
                from findspot.plugins import register

                @register
                def describe(x: np.ndarray, /, scale: float = 1.0, *more: int, name: str,
                             note=None, ctx: JobContext, **rest: str) -> Annotated[float, "mean"]:
                    ...

                @register("halves")
                def split(x: list) -> tuple[Annotated[np.ndarray, "low"], Annotated[int, "count"]]:
                    ...

                @register(outputs=["a", "b"])
                def pair(x) -> tuple[int, str]: ...

                @register(outputs="whole")
                def one(x) -> tuple[int, str]: ...

                @register
                def nothing(x) -> None: ...

                def not_a_task(x): ...
                """
        },
    )
    found = analyse(folder)
    assert found.problems == ()
    assert set(found.tasks) == {"describe", "halves", "pair", "one", "nothing"}

    describe = found.tasks["describe"]
    assert describe.source == "plugin:stats/a.py:describe"
    assert describe.location == "stats/a.py:7"
    ctx = describe.inputs[5]
    assert (ctx.name, ctx.injected, ctx.keyword_only) == ("ctx", True, True)
    assert [i for i in describe.inputs if i is not ctx] == [
        InputSpec("x", NDARRAY, positional_only=True),
        InputSpec("scale", NUMBER, required=False),
        InputSpec("more", INTEGER, required=False, variadic="args"),
        InputSpec("name", STRING, keyword_only=True),
        InputSpec("note", UNKNOWN, required=False, keyword_only=True),
        InputSpec("rest", STRING, required=False, variadic="kwargs"),
    ]
    assert describe.outputs == (OutputSpec("mean", NUMBER),)
    assert not describe.unpack

    halves = found.tasks["halves"]
    assert halves.source == "plugin:stats/a.py:split"
    assert halves.outputs == (OutputSpec("low", NDARRAY), OutputSpec("count", INTEGER))
    assert halves.unpack
    assert found.tasks["pair"].outputs == (OutputSpec("a", INTEGER), OutputSpec("b", STRING))
    assert found.tasks["pair"].unpack
    assert [o.name for o in found.tasks["one"].outputs] == ["whole"]
    assert not found.tasks["one"].unpack
    assert found.tasks["nothing"].outputs == ()


@pytest.mark.parametrize(
    ("imports", "decorator"),
    [
        ("import findspot.plugins", "findspot.plugins.register"),
        ("from findspot import plugins as p", "p.register()"),
        ("from findspot.plugins import pyplugs", "pyplugs.register"),
        ("from findspot.plugins.dioptra import pyplugs", "pyplugs.register"),
        ("from findspot.plugins import register as enter", "enter"),
        ("from findspot import task", "task(cache=False)"),
    ],
)
def test_a_registration_is_recognised_however_it_is_imported(
    imports: str, decorator: str, write_plugin: WritePlugin
) -> None:
    folder = write_plugin("p", {"a.py": f"{imports}\n@{decorator}\ndef f(x: int) -> str: ...\n"})
    assert list(analyse(folder).tasks) == ["f"]


def test_an_artifact_task_has_its_type_and_schema(write_plugin: WritePlugin) -> None:
    handler = analyse(write_plugin("files", {"a.py": ARRAYS})).handlers["ArrayTask"]
    assert handler.source == "plugin:files/a.py:ArrayTask"
    assert handler.type == NDARRAY
    assert handler.schema == {"compressed": {"type": "boolean"}, "level": {"enum": [1, 2]}}
    assert handler.location == "files/a.py:5"


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        ("return None", None),
        ("pass", None),
        ("return {}", {}),
        ("return SCHEMA", ...),
        ("x = {}\n        return x", ...),
        ("return {1: 2}", ...),
        ("return {'a': {1, 2}}", ...),
        ("return {'a': '\\ud800'}", ...),
    ],
)
def test_a_schema_that_only_running_could_tell_is_left_open(
    body: str, schema: object, write_plugin: WritePlugin
) -> None:
    text = f"""\
from findspot.plugins.dioptra import ArtifactTaskInterface
class Base(ArtifactTaskInterface):
    @staticmethod
    def deserialize(working_dir, path, **kwargs): ...
class Saved(Base):
    @staticmethod
    def serialize(working_dir, name, contents, **kwargs): ...
    @staticmethod
    def validation():
        {body}
"""
    found = analyse(write_plugin("p", {"a.py": text}))
    assert found.problems == ()
    assert {name: h.schema for name, h in found.handlers.items()} == {"Saved": schema}
    assert found.handlers["Saved"].type == UNKNOWN


def test_nothing_of_a_plugin_is_run(write_plugin: WritePlugin, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    text = f"""\
from pathlib import Path
from findspot.plugins import register
Path({str(trace)!r}).touch()
@register
def f(x: int = Path({str(trace)!r}).touch()) -> int: ...
"""
    modules = set(sys.modules)
    found = analyse(write_plugin("loud", {"__init__.py": text, "a.py": text.replace("f(", "g(")}))
    assert set(found.tasks) == {"f", "g"}
    assert not trace.exists()
    assert not {name for name in set(sys.modules) - modules if "loud" in name}


@pytest.mark.parametrize(
    ("text", "location", "says"),
    [
        ("def f(:\n", "p/a.py:1", "not valid Python"),
        ("x = 1\n\nx = = 2\n", "p/a.py:3", "not valid Python"),
        ("x = '\0'\n", "p/a.py:1", "not valid Python"),
        ("@register\nasync def f(x): ...", "p/a.py:3", "async"),
        ("@register\ndef f(x):\n    yield x", "p/a.py:3", "generator"),
        ("def g():\n    @register\n    def f(x): ...", "p/a.py:4", "inside a function"),
        ("class C:\n    @register\n    def f(x): ...", "p/a.py:4", "inside a function or class"),
        ("@register(NAME)\ndef f(x): ...", "p/a.py:3", "its name is an expression, NAME"),
        ("@register(outputs=[1])\ndef f(x): ...", "p/a.py:3", "not a list of names"),
        ("@register(outputs=['a', 'a'])\ndef f(x): ...", "p/a.py:3", "one name: a, a"),
        ("@register('a/b')\ndef f(x): ...", "p/a.py:3", "'a/b' is no task name"),
        ("@register('\\ud800')\ndef f(x): ...", "p/a.py:3", "is no task name"),
        ("@register(outputs='x:y')\ndef f(x): ...", "p/a.py:3", "'x:y' is no output name"),
        ("class S(ArtifactTask): ...", "p/a.py:2", "has no serialize()"),
        (
            "class S(ArtifactTask):\n    def serialize(self, working_dir, name, contents): ...\n"
            "    @staticmethod\n    def deserialize(working_dir, path, **kwargs): ...",
            "p/a.py:3",
            "no static method",
        ),
        (
            "class S(ArtifactTask):\n    @staticmethod\n    def serialize(folder): ...\n"
            "    @staticmethod\n    def deserialize(working_dir, path, **kwargs): ...",
            "p/a.py:4",
            "does not take 'working_dir', 'name', 'contents'",
        ),
        ("from dioptra import pyplugs\n@pyplugs.register\ndef f(x): ...", "p/a.py:4", "dioptra"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(
    text: str, location: str, says: str, write_plugin: WritePlugin
) -> None:
    header = "from findspot.plugins import ArtifactTask, register\n"
    source = text if "not valid" in says else header + text
    problem = next(p for p in analyse(write_plugin("p", {"a.py": source})).problems)
    assert problem.location == location
    assert says in problem.message


def test_all_mistakes_of_all_files_are_listed(write_plugin: WritePlugin) -> None:
    header = "from findspot.plugins import ArtifactTask, register\n"
    folder = write_plugin(
        "p",
        {
            "a.py": f"{header}@register\ndef f(x): ...\n@register\ndef g(x): ...\n",
            "b.py": f"{header}@register\ndef f(x): ...\n",
            "c.py": "def (\n",
            "not-a-module.py": f"{header}@register\ndef h(x): ...\n",
            "d.py": ARRAYS.replace("ArrayTask", "g"),
        },
    )
    found = analyse(folder)
    assert sorted(p.location for p in found.problems) == [
        "p/b.py:3",
        "p/c.py:1",
        "p/d.py:5",
        "p/not-a-module.py:3",
    ]
    twice = next(p for p in found.problems if p.location == "p/b.py:3")
    assert "two tasks of the name 'f'" in twice.message
    assert twice.found == "the other one at p/a.py:3"


def test_text_that_is_not_utf8_is_a_mistake_of_its_line(write_plugin: WritePlugin) -> None:
    folder = write_plugin("p", {"a.py": ""})
    (folder / "a.py").write_bytes(b"x = 1\ny = '\xff'\n")
    problem = problem_of(folder)
    assert (problem.location, problem.found) == ("p/a.py:2", "byte 0xff")


def test_source_that_is_nested_without_end_is_a_mistake(write_plugin: WritePlugin) -> None:
    folder = write_plugin("p", {"a.py": "x = " + "(" * 5000 + ")" * 5000})
    assert "not valid Python" in problem_of(folder).message


def test_one_file_is_a_plugin_too(write_plugin: WritePlugin) -> None:
    text = "from findspot.plugins import register\n@register\ndef f(x: int) -> None: ...\n"
    folder = write_plugin("p", {"alone.py": text, "other.py": text})
    found = analyse(folder / "alone.py")
    assert (found.name, found.files) == ("alone", ("alone.py",))
    assert found.tasks["f"].source == "plugin:alone/alone.py:f"
    assert found.tasks["f"].inputs[0].type == INTEGER


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="plugin folder"):
        analyse(tmp_path / "none")
    (tmp_path / ".hidden").mkdir()
    with pytest.raises(InvalidName, match="begins with a dot"):
        analyse(tmp_path / ".hidden")


def test_a_folder_without_python_is_no_plugin(write_plugin: WritePlugin) -> None:
    assert "no Python file" in problem_of(write_plugin("p", {"readme.txt": ""})).message


def test_junk_is_left_out_and_data_is_kept(write_plugin: WritePlugin) -> None:
    folder = write_plugin(
        "p",
        {
            "a.py": "",
            "words/stop.txt": "the\n",
            "__pycache__/a.pyc": "",
            ".git/config": "",
            ".secret": "",
            "old.pyc": "",
        },
    )
    found = analyse(folder)
    assert (found.files, found.problems) == (("a.py", "words/stop.txt"), ())


def test_links_that_leave_the_folder_are_refused(write_plugin: WritePlugin, tmp_path: Path) -> None:
    folder = write_plugin("p", {"a.py": "", "sub/b.py": ""})
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "dangling.txt").symlink_to(tmp_path / "nothing")
    (folder / "loop").symlink_to(folder)
    (folder / "inside.py").symlink_to(folder / "a.py")
    os.mkfifo(folder / "pipe")
    found = analyse(folder)
    assert found.files == ("a.py", "inside.py", "sub/b.py")
    assert {p.path: p.message.partition(";")[0] for p in found.problems} == {
        "p/out.txt": "It is a link that leaves the plugin's folder.",
        "p/dangling.txt": "It is a link to nothing.",
        "p/loop": "It is a link to a folder",
        "p/pipe": "It is neither a file nor a folder",
    }


def test_a_plugin_has_a_limit(write_plugin: WritePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_plugin("p", {"a.py": "", "data.bin": "x" * 1000})
    monkeypatch.setattr("findspot.plugins.source_files.MAX_BYTES", 999)
    problem = problem_of(folder)
    assert (problem.path, problem.message) == ("p/data.bin", "The plugin is too large.")
    monkeypatch.undo()
    monkeypatch.setattr("findspot.plugins.source_files.MAX_FILES", 1)
    assert problem_of(folder).message == "The plugin is too large."


HOSTILE = {
    "a registration that is a long sum": "@register(" + "+".join(["a"] * 900) + ")\ndef f(x): ...",
    "a long sum": "x = " + "+".join(["1"] * 900),
    "a long chain of elif": "if x: pass\n" + "elif x: pass\n" * 900,
    "an alias that doubles": "A0 = int\n"
    + "".join(f"A{i + 1} = tuple[A{i}, A{i}]\n" for i in range(60))
    + "@register\ndef f(x: A60): ...",
    "classes that double": "class C0: ...\n"
    + "".join(f"class C{i + 1}(C{i}, C{i}): ...\n" for i in range(60))
    + "@register\ndef f(x: C60): ...\nclass H(ArtifactTask, C60): ...",
    "records that double": "class R0(TypedDict):\n    a: int\n"
    + "".join(
        f"class R{i + 1}(TypedDict):\n    a: R{i}\n    b: 'R{i}'\n    c: 'R{i + 1}'\n"
        for i in range(60)
    )
    + "@register\ndef f(x: R60): ...",
    "classes in a circle": "class A(B): ...\nclass B(A): ...\nclass H(ArtifactTask, A): ...\n"
    "@register\ndef f(x: A, y: list[B]): ...",
    "a deep annotation": "@register\ndef f(x: " + "list[" * 150 + "int" + "]" * 150 + "): ...",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_source_takes_neither_long_nor_much(what: str, write_plugin: WritePlugin) -> None:
    header = "from findspot.plugins import ArtifactTask, register\nfrom typing import TypedDict\n"
    found = analyse(write_plugin("p", {"a.py": header + HOSTILE[what]}))
    written = canonical_json([task_to_json(task) for task in found.tasks.values()])
    assert len(written) < 100_000
