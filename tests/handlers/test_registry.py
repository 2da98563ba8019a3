"""Which handler is found for a value, and what the error says where there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot.handlers import (
    Handler,
    HandlerFailed,
    HandlerRegistry,
    InvalidHandler,
    LoadFolder,
    NoHandler,
    SaveFolder,
    UnknownHandler,
    default_registry,
    python_type_name,
    representations_of,
    round_trip,
    selections_of,
)
from findspot.handlers.builtin import BUILTINS, FALLBACK
from findspot.handlers.hierarchy import public_name
from findspot.handlers.loading import RAW
from findspot.handlers.registry import ENTRY_POINTS


class Shape:
    pass


class Square(Shape):
    pass


class Silent(Handler):
    """Saves nothing; the tests here only ask who is found."""

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        folder.write("nothing", b"")

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return None


class ShapeHandler(Silent):
    name = "test.shape"
    types = (Shape,)


class SquareHandler(Silent):
    name = "test.square"
    types = (f"{__name__}.Square",)


class AnyShape(Silent):
    name = "test.any-shape"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Shape)


@pytest.fixture
def registry() -> HandlerRegistry:
    return HandlerRegistry(plugins=False)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "json"),
        (True, "json"),
        (1 << 90, "json"),
        pytest.param(1 << 15_000, "structure", id="long int"),
        (0.5, "json"),
        ([1, {"a": None}], "json"),
        ([1, (2,)], "structure"),
        ({1: 2}, "structure"),
        ((), "structure"),
        ("text", "text"),
        (b"bytes", "bytes"),
        (np.arange(3), "numpy.array"),
        (np.float64(1), "numpy.scalar"),
        (np.ma.masked_array([1]), "numpy.masked"),
        (np.array([object()]), "pickle"),
        (len, "pickle"),
    ],
)
def test_built_in_handlers_are_chosen_by_value(
    registry: HandlerRegistry, value: object, name: str
) -> None:
    assert registry.for_value(value).name == name


def test_the_exact_type_comes_before_its_bases(registry: HandlerRegistry) -> None:
    registry.register(SquareHandler)
    registry.register(ShapeHandler)
    assert registry.for_value(Square()).name == "test.square"
    assert registry.for_value(Shape()).name == "test.shape"


def test_a_base_comes_before_predicates_and_these_before_pickle(registry: HandlerRegistry) -> None:
    assert registry.for_value(Square()).name == "pickle"
    registry.register(AnyShape)
    assert registry.for_value(Square()).name == "test.any-shape"
    registry.register(ShapeHandler)
    assert registry.for_value(Square()).name == "test.shape"


def test_the_newest_handler_of_a_type_is_asked_first(registry: HandlerRegistry) -> None:
    class Mine(Silent):
        name = "test.mine"
        types = ("numpy.ndarray",)

        def accepts(self, value: Any) -> bool:
            return bool(value.ndim == 1)

    registry.register(Mine)
    assert registry.for_value(np.zeros(2)).name == "test.mine"
    assert registry.for_value(np.zeros((2, 2))).name == "numpy.array"


def test_registering_a_name_again_replaces_it(registry: HandlerRegistry) -> None:
    first = registry.register(ShapeHandler)
    second = registry.register(ShapeHandler)
    assert first is not second
    assert registry.for_value(Shape()) is second
    assert registry.by_name("test.shape") is second


def test_by_name_finds_built_in_handlers_and_suggests_near_names(registry: HandlerRegistry) -> None:
    assert registry.by_name("numpy.array").name == "numpy.array"
    with pytest.raises(UnknownHandler, match=r"Did you mean numpy\.array") as caught:
        registry.by_name("numpy.arry")
    assert caught.value.near[0] == "numpy.array"


def test_for_type_takes_public_and_private_names(registry: HandlerRegistry) -> None:
    for name in ("pandas.DataFrame", "pandas.core.frame.DataFrame"):
        found = registry.for_type(name)
        assert found is not None
        assert found.name == "pandas.dataframe"
    assert registry.for_type("nowhere.Thing") is None


def test_a_copy_does_not_change_its_original(registry: HandlerRegistry) -> None:
    copy = registry.copy()
    copy.register(ShapeHandler)
    assert copy.for_value(Shape()).name == "test.shape"
    assert registry.for_value(Shape()).name == "pickle"


def test_a_copied_structure_handler_asks_its_own_registry(registry: HandlerRegistry) -> None:
    copy = registry.copy()
    copy.register(ShapeHandler)
    assert round_trip([Shape()], registry=copy) == [None]


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ((i for i in range(3)), "list"),
        (iter([1]), "list"),
        (map(str, [1]), "list"),
        (threading.Lock(), "lock"),
        (sys, "module"),
    ],
)
def test_what_is_no_value_is_refused_with_advice(
    registry: HandlerRegistry, value: object, advice: str
) -> None:
    with pytest.raises(NoHandler) as caught:
        registry.for_value(value)
    assert advice in str(caught.value.how)
    assert ("pickle") in [name for name, _ in caught.value.tried]


def test_an_open_file_and_a_coroutine_are_refused(registry: HandlerRegistry) -> None:
    with Path(__file__).open() as file, pytest.raises(NoHandler, match="path"):
        registry.for_value(file)

    async def work() -> None: ...

    coroutine = work()
    with pytest.raises(NoHandler, match="await"):
        registry.for_value(coroutine)
    coroutine.close()


def test_the_error_lists_what_was_tried_and_shows_how_to_add_a_handler() -> None:
    registry = HandlerRegistry(builtins=False, plugins=False)

    class Picky(ShapeHandler):
        name = "test.picky"

        def accepts(self, value: Any) -> bool:
            return False

        def why_not(self, value: Any) -> str:
            return "it is not round"

    registry.register(Picky)
    with pytest.raises(NoHandler) as caught:
        registry.for_value(Square())
    message = str(caught.value)
    assert caught.value.tried == (("test.picky", "it is not round"),)
    assert "test.picky: it is not round" in message
    assert "def save(self, value, folder)" in message
    assert f"{__name__}.Square" in message


def test_a_handler_that_fails_while_it_is_asked_is_named(registry: HandlerRegistry) -> None:
    class Broken(ShapeHandler):
        name = "test.broken"

        def accepts(self, value: Any) -> bool:
            raise RuntimeError("oops")

    registry.register(Broken)
    with pytest.raises(HandlerFailed, match=r"test\.broken.*oops") as caught:
        registry.for_value(Shape())
    assert isinstance(caught.value.cause, RuntimeError)


def test_asking_imports_no_library() -> None:
    code = """
import sys
from findspot.handlers import default_registry
registry = default_registry()
for value in (None, 1, 1.5, "a", b"b", [1], {"a": 1}):
    handler = registry.for_value(value)
    handler.describe(value), handler.preview(value)
loaded = {"numpy", "pandas", "polars", "pyarrow", "matplotlib", "plotly", "PIL", "sklearn",
          "pydantic", "cloudpickle", "importlib.metadata"} & set(sys.modules)
assert not loaded, loaded
assert registry.for_value(len).name == "pickle"
loaded = {"numpy", "pandas", "pyarrow", "sklearn", "pydantic"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_a_missing_library_is_named_with_the_extra_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, registry: HandlerRegistry
) -> None:
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    monkeypatch.delitem(sys.modules, "findspot.handlers.sklearn_estimators", raising=False)
    from sklearn.linear_model import LinearRegression

    with pytest.raises(NoHandler, match=r"findspot\[sklearn\]"):
        registry.for_value(LinearRegression())
    with pytest.raises(UnknownHandler) as caught:
        registry.by_name("model.skops")
    assert caught.value.extra == "sklearn"


@pytest.mark.parametrize(
    ("members", "mistake"),
    [
        ({"types": (int,)}, "no method `save`"),
        ({"types": "int"}, "no tuple of classes"),
        ({"types": (3,)}, "neither a class nor a name"),
        ({"types": ()}, "neither `types` nor a method `accepts`"),
    ],
)
def test_a_class_that_is_no_handler_is_refused_with_its_mistakes(
    registry: HandlerRegistry, members: dict[str, Any], mistake: str
) -> None:
    with pytest.raises(InvalidHandler, match=r"no method `load`") as caught:
        registry.register(type("Wrong", (), members))
    assert any(mistake in found for found in caught.value.mistakes)


def test_names_of_classes_are_those_of_the_documentation() -> None:
    import pandas as pd
    import polars as pl
    from sklearn.linear_model import LinearRegression

    names = [
        python_type_name(value)
        for value in (1, np.zeros(1), pd.DataFrame(), pl.DataFrame(), Path(), LinearRegression())
    ]
    assert names == [
        "int",
        "numpy.ndarray",
        "pandas.DataFrame",
        "polars.DataFrame",
        "pathlib.Path",
        "sklearn.linear_model.LinearRegression",
    ]


def test_the_default_registry_is_one() -> None:
    assert default_registry() is default_registry()


# --------------------------------------------------------------------------- entry points


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path with two installed packages, one of them broken."""
    (tmp_path / "spam_handlers.py").write_text(
        "from findspot.handlers import Handler\n"
        "class SpamHandler(Handler):\n"
        "    name, types = 'spam', ('spam_handlers.Spam', 'int')\n"
        "    def save(self, value, folder): folder.write('spam', b'')\n"
        "    def load(self, folder): return Spam()\n"
        "class Spam: pass\n"
    )
    for package, text in {
        "spam": "spam = spam_handlers:SpamHandler",
        "eggs": "eggs = no_such_module:EggsHandler",
    }.items():
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[findspot.handlers]\n{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("spam_handlers", None)


def test_handlers_of_installed_packages_are_found_when_they_are_needed(installed: Path) -> None:
    registry = HandlerRegistry()
    assert registry.for_value(3).name == "json"
    assert "spam_handlers" not in sys.modules
    with pytest.warns(RuntimeWarning, match=r"'eggs' of the package eggs.*no_such_module"):
        assert registry.by_name("spam").name == "spam"
    spam = sys.modules["spam_handlers"].Spam()
    assert registry.for_value(spam).name == "spam"
    assert registry.for_value(3).name == "json", (
        "an installed package overrides no built-in handler"
    )


def test_a_handler_of_an_installed_package_is_found_by_value(installed: Path) -> None:
    import spam_handlers  # type: ignore[import-not-found]

    registry = HandlerRegistry()
    with pytest.warns(RuntimeWarning, match="eggs"):
        assert registry.for_value([spam_handlers.Spam()][0]).name == "spam"


def test_a_broken_package_is_named_where_its_handler_is_missed(installed: Path) -> None:
    registry = HandlerRegistry()
    with pytest.warns(RuntimeWarning, match="eggs"), pytest.raises(NoHandler) as caught:
        registry.for_value(iter([1]))
    assert ("eggs", "its package could not be loaded") in [
        (name, reason.partition(":")[0]) for name, reason in caught.value.tried
    ]
    with pytest.raises(UnknownHandler, match="no_such_module") as missing:
        registry.by_name("eggs")
    assert isinstance(missing.value.cause, ModuleNotFoundError)


def test_a_package_may_ask_for_handlers_while_it_is_loaded(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (installed / "spam_handlers.py").open("a") as file:
        file.write("FOUND = [REGISTRY.for_value(v).name for v in (1, Spam(), {1: 2}, len)]\n")
    registry = HandlerRegistry()
    monkeypatch.setattr("builtins.REGISTRY", registry, raising=False)
    with pytest.warns(RuntimeWarning, match="eggs"):
        assert registry.by_name("spam").name == "spam"
    assert sys.modules["spam_handlers"].FOUND == ["json", "pickle", "structure", "pickle"]


def test_entry_points_are_read_once(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    # Not importlib's own class where a library has brought its own finder of packages.
    kind: Any = type(next(iter(entry_points(group=ENTRY_POINTS))))
    load = kind.load

    def counted(self: EntryPoint) -> Any:
        loads.append(self.name)
        return load(self)

    monkeypatch.setattr(kind, "load", counted)
    registry = HandlerRegistry()
    with pytest.warns(RuntimeWarning, match="eggs"):
        registry.for_value(len)
    registry.for_value(object())
    assert sorted(name for name in loads if name in ("spam", "eggs")) == ["eggs", "spam"]


def test_plain_values_need_no_library_at_all() -> None:
    """Handlers that are asked for dicts and for unknown objects import nothing to answer."""
    code = (
        "import sys\n"
        "for name in ('numpy', 'pyarrow', 'pandas', 'torch', 'datasets', 'transformers'):\n"
        "    sys.modules[name] = None\n"
        "from findspot.handlers import round_trip, default_registry\n"
        "registry = default_registry()\n"
        "class Own: pass\n"
        "values = ({1: 2}, {'a': {1}}, (1, [2]), Own(), len)\n"
        "print([registry.for_value(value).name for value in values])\n"
        "print(round_trip({'a': (1, 2)}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['structure', 'structure', 'structure', 'pickle', 'pickle']",
        "{'a': (1, 2)}",
    ]


def test_every_built_in_handler_is_what_the_table_says() -> None:
    registry = HandlerRegistry(plugins=False)
    with_torch = {"torch.tensor", "torch.module"}
    for entry in (*BUILTINS, FALLBACK):
        if entry.name in with_torch and find_spec("torch") is None:
            with pytest.raises(UnknownHandler, match=r"findspot\[torch\]"):
                registry.by_name(entry.name)
            continue
        handler = registry.by_name(entry.name)
        assert handler.name == entry.name
        if entry.extra not in ("altair", None) and entry.types and not entry.only_by_name:
            assert {_name_of(each) for each in handler.types} == set(entry.types)
        if representations_of(handler) != RAW:
            assert getattr(type(handler), "load_as", None) is not Handler.load_as
        if selections_of(handler):
            assert getattr(type(handler), "load_part", None) is not Handler.load_part


def _name_of(kind: type | str) -> str:
    return public_name(f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else kind)
