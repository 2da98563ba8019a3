"""Pickles that may call nothing but what listed modules define."""

from __future__ import annotations

import importlib
import io
import os
import pickle
import sys
from collections import OrderedDict, deque
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import listed_classes
from findspot.artifacts.listed_pickles import HARMLESS, REFUSED, check_modules, load_listed
from findspot.core.errors import CheckFailed
from findspot.handlers import Untrusted
from findspot.handlers.errors import BadFiles
from listed_classes import Point


def load(data: bytes, *modules: str) -> Any:
    return load_listed(io.BytesIO(data), modules)


def calling(module: str, name: str, *arguments: str) -> bytes:
    """A pickle that calls a function with texts."""
    parts = [b"\x80\x04", *(_text(part) for part in (module, name)), b"\x93("]
    return b"".join([*parts, *map(_text, arguments), b"tR."])


def _text(text: str) -> bytes:
    return b"\x8c" + bytes([len(text.encode())]) + text.encode()


def test_classes_of_listed_modules() -> None:
    value = {"points": [Point(1, 2), Point(3, 4)], "inner": Point.Inner}
    assert load(pickle.dumps(value), "listed_classes") == value
    assert load(pickle.dumps(value), "listed_classes.*") == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_need_no_list(protocol: int) -> None:
    value = {
        "a": [1, 2.5, None, True, "text", b"bytes", (1,), {1, 2}, frozenset({3}), 1 + 2j],
        "b": [OrderedDict(a=1), deque([1]), datetime(2026, 1, 1, tzinfo=UTC)],
        "c": [Decimal("1.5"), range(3), bytearray(b"x"), slice(1, 2)],
    }
    if protocol == 2:
        # Older pickles spell bytes and ranges by functions of other modules.
        value = {"a": [1, 2.5, None, True, "text", (1,)]}
    assert load(pickle.dumps(value, protocol)) == value


def test_arrays_with_the_modules_that_they_need() -> None:
    array = np.arange(5)
    data = pickle.dumps(array)
    loaded = load(data, "numpy", "numpy._core.numeric", "numpy._core.multiarray")
    assert np.array_equal(loaded, array)
    with pytest.raises(Untrusted, match="numpy"):
        load(data)


def test_what_is_asked_for_is_named_and_not_called(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    data = calling("os", "system", f"touch {trap}")
    with pytest.raises(Untrusted) as caught:
        load(data, "listed_classes")
    assert caught.value.types == ("os.system",)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        ("subprocess", "run"),
        ("importlib", "import_module"),
        ("functools", "partial"),
        ("operator", "attrgetter"),
        # what a listed module merely imported, or what hangs on it
        ("listed_classes", "system"),
        ("listed_classes", "run"),
        ("listed_classes", "os.system"),
        ("listed_classes", "os"),
        ("listed_classes", "subprocess.run"),
        ("listed_classes", "dataclass"),
        ("listed_classes", "EXECUTED"),
        ("listed_classes", "EXECUTED.append"),
        ("listed_classes", "Point.__init__.__globals__"),
        ("listed_classes", "Point.__eq__.__globals__.get"),
        ("listed_classes", "Point.kinds.append"),
        ("listed_classes", "note.__globals__.get"),
        ("listed_classes", "__builtins__.get"),
        ("listed_classes", "__loader__.load_module"),
        ("listed_classes", "__spec__"),
        ("listed_classes.inner", "note"),
        ("listed_classesx", "note"),
        ("__main__", "anything"),
    ],
)
def test_names_that_are_refused(module: str, name: str) -> None:
    with pytest.raises((Untrusted, BadFiles)):
        load(calling(module, name, "echo"), "listed_classes")
    assert listed_classes.EXECUTED == []


@pytest.mark.parametrize(("module", "name"), sorted(HARMLESS))
def test_what_needs_no_list_cannot_be_changed(module: str, name: str) -> None:
    with pytest.raises(BadFiles):
        load(marking(module, name))
    assert not hasattr(getattr(importlib.import_module(module), name), "mark")


def test_classes_of_listed_modules_can_be_changed() -> None:
    """Which shows that the test above would notice; who lists a module trusts the pickle's maker
    not to."""
    try:
        load(marking("listed_classes", "Point"), "listed_classes")
        assert Point.mark == 1  # type: ignore[attr-defined]
    finally:
        del Point.mark  # type: ignore[attr-defined]


def marking(module: str, name: str) -> bytes:
    """A pickle that sets an attribute of a class."""
    state = pickle.dumps((None, {"mark": 1}), 2)[2:-1]
    return b"\x80\x04" + _text(module) + _text(name) + b"\x93" + state + b"b."


def test_functions_of_a_listed_module_are_called() -> None:
    """Who lists a module trusts all that it defines."""
    try:
        assert load(calling("listed_classes", "note", "hello"), "listed_classes") == "hello"
        assert listed_classes.EXECUTED == ["hello"]
    finally:
        listed_classes.EXECUTED.clear()


def test_no_other_module_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "acts_on_import.py").write_text(f"open({str(trap)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Untrusted):
        load(calling("acts_on_import", "f"), "listed_classes")
    assert not trap.exists()
    assert "acts_on_import" not in sys.modules


@pytest.mark.parametrize(
    "data",
    [b"", b".", b"garbage", b"\x80\x04", b"\x80\x09K\x01.", b"Pid\n.", b"\x82\x01.", b"c\n\n."],
)
def test_bytes_that_are_no_pickle(data: bytes) -> None:
    with pytest.raises((BadFiles, Untrusted)):
        load(data, "listed_classes")


def test_a_missing_name() -> None:
    with pytest.raises(BadFiles, match="not here"):
        load(calling("listed_classes", "Gone"), "listed_classes")


def test_lists_that_are_wrong() -> None:
    with pytest.raises(CheckFailed) as caught:
        check_modules(["fine", "a-b", "", 3, "builtins", "os.path", "importlib.*", "*"])
    assert [problem.path for problem in caught.value.problems] == [
        f"trust.modules[{i}]" for i in range(1, 8)
    ]
    with pytest.raises(CheckFailed):
        check_modules("numpy")
    assert check_modules(["a", "a.b", "c.*"]) == ("a", "a.b", "c.*")
    assert os.__name__ in REFUSED
