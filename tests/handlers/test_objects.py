"""Dataclasses, named tuples, attrs and pydantic models: by the path of their class, with care."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections import namedtuple
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr

from findspot.handlers import (
    BadFiles,
    ClassNotFound,
    PlainLoadFolder,
    Untrusted,
    default_registry,
    round_trip,
)


@dataclass
class Point:
    x: float
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    weights: np.ndarray[Any, Any]
    start: Point
    notes: tuple[str, ...] = ()
    made: int = field(init=False, default=0)


@dataclass
class Counted:
    made = 0
    x: int

    def __post_init__(self) -> None:
        type(self).made += 1

    @cached_property
    def double(self) -> int:
        return 2 * self.x


class Pair(NamedTuple):
    left: Any
    right: Any = None


Old = namedtuple("Old", "a b")


attrs: Any = importlib.import_module("attrs")
"""Not asked for by Findspot itself: jsonschema brings it."""


class _Box:
    width: int
    content: Any = None


_Box.__name__ = _Box.__qualname__ = "Box"
Box: Any = attrs.define(_Box)


class Model(BaseModel):
    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    name: str
    size: int = 3
    array: Any = None
    _secret: int = PrivateAttr(default=0)


class Outer:
    @dataclass
    class Inner:
        x: int


@pytest.mark.parametrize(
    ("value", "handler"),
    [
        (Point(1.5, -0.0), "dataclass"),
        (Outer.Inner(3), "dataclass"),
        (Pair((1, 2), {3}), "namedtuple"),
        (Old(1, "b"), "namedtuple"),
        (Box(3, [Pair(1)]), "attrs"),
        (Model.model_validate({"name": "a", "other": (1, 2)}), "pydantic"),
        ({"points": [Point(1, 2), Point(3, 4)]}, "structure"),
    ],
    ids=range(7),
)
def test_objects_come_back_as_they_were(value: Any, handler: str, tmp_path: Path) -> None:
    assert default_registry().for_value(value).name == handler
    loaded = round_trip(value, folder=tmp_path)
    assert type(loaded) is type(value)
    assert loaded == value
    assert [path.name for path in tmp_path.iterdir()] == ["structure.json"]


def test_arrays_in_objects_are_parts() -> None:
    fit = Fit(np.arange(4), Point(1), ("a",))
    loaded = round_trip(fit)
    assert isinstance(loaded, Fit)
    assert (loaded.weights == fit.weights).all()
    assert (loaded.start, loaded.notes, loaded.made) == (fit.start, fit.notes, 0)


def test_pydantic_state_is_kept_and_not_validated_again() -> None:
    model = Model.model_validate({"name": "a", "other": 1})
    model._secret = 7
    model.array = np.arange(3)
    model.__dict__["size"] = "no integer"
    loaded = round_trip(model)
    assert loaded._secret == 7
    assert loaded.size == "no integer"
    assert loaded.model_extra == {"other": 1}
    assert loaded.model_fields_set == {"name", "other", "array"}
    assert (loaded.array == model.array).all()


def test_loading_calls_nothing_of_the_class() -> None:
    counted = Counted(3)
    assert counted.double == 6
    before = Counted.made
    assert round_trip(counted) == counted
    assert Counted.made == before


def test_what_is_more_than_its_fields_is_left_to_pickle() -> None:
    point = Point(1)
    point.extra = "surplus"  # type: ignore[attr-defined]
    assert default_registry().for_value(point).name == "pickle"
    assert round_trip(point).extra == "surplus"

    @dataclass
    class Local:
        x: int

    assert default_registry().for_value(Local(1)).name == "pickle"
    assert dataclasses.asdict(round_trip(Local(1))) == {"x": 1}


# --------------------------------------------------------------------------- loading elsewhere


def saved(folder: Path, value: Any, **changes: Any) -> PlainLoadFolder:
    """The value's files, its node changed by ``changes``, as bytes from elsewhere."""
    round_trip(value, folder=folder)
    path = folder / "structure.json"
    document = json.loads(path.read_bytes())
    document["value"].update(changes)
    path.write_text(json.dumps(document))
    return PlainLoadFolder(folder, trusted=False)


def test_a_class_of_a_loaded_module_needs_no_trust(tmp_path: Path) -> None:
    assert default_registry().by_name("dataclass").load(saved(tmp_path, Point(1))) == Point(1)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"{__name__}:Missing", "has no class"),
        (f"{__name__}:Pair", "no dataclass"),
        (f"{__name__}:Path", "another class"),
        (f"{__name__}:dataclasses.Field", "has no class"),
        (f"{__name__}:saved", "has no class"),
        ("os:system", "has no class"),
        ("builtins:eval", "has no class"),
        ("subprocess:Popen", "no dataclass"),
        ("no.such.module.anywhere:X", "no.such"),
        ("../../etc/passwd:X", "no path of a class"),
        ("os:", "no path of a class"),
        ("", "no path of a class"),
    ],
)
def test_a_forged_class_path_runs_nothing(tmp_path: Path, path: str, reason: str) -> None:
    folder = saved(tmp_path, Point(1.5), **{"class": path})
    handler = default_registry().by_name("dataclass")
    if reason.startswith("no.such"):
        with pytest.raises(Untrusted, match=reason):
            handler.load(folder)
        folder.trusted = True
    with pytest.raises(ClassNotFound, match=reason) as caught:
        handler.load(folder)
    assert caught.value.fields == {"x": 1.5, "y": 0.0}


def test_a_module_that_is_not_loaded_is_imported_only_with_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far_away.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: float\n    y: float\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    files = tmp_path / "files"
    files.mkdir()
    folder = saved(files, Point(1.5), **{"class": "far_away:Point"})
    handler = default_registry().by_name("dataclass")
    with pytest.raises(Untrusted, match="far_away") as caught:
        handler.load(folder)
    assert caught.value.types == ("far_away:Point",)
    assert "far_away" not in sys.modules
    folder.trusted = True
    try:
        loaded = handler.load(folder)
        assert (type(loaded).__module__, loaded.x) == ("far_away", 1.5)
    finally:
        sys.modules.pop("far_away", None)


def test_a_field_that_was_added_since_takes_its_default(tmp_path: Path) -> None:
    folder = saved(tmp_path, Point(1.5, 2.5), fields={"x": 4.0})
    assert default_registry().by_name("dataclass").load(folder) == Point(4.0, 0.0)


@pytest.mark.parametrize(
    ("value", "fields", "reason"),
    [
        (Point(1), {"y": 1.0}, "the saved object has no x"),
        (Point(1), {"x": 1, "y": 2, "z": 3}, "it has no field z"),
        (Pair(1), {"right": 1}, "the saved object has no left"),
        (Box(1), {"width": 1, "content": None, "lid": 2}, "it has no field lid"),
    ],
    ids=range(4),
)
def test_fields_that_do_not_fit_give_the_plain_data(
    tmp_path: Path, value: Any, fields: dict[str, Any], reason: str
) -> None:
    folder = saved(tmp_path, value, fields=fields)
    with pytest.raises(ClassNotFound, match=reason) as caught:
        default_registry().by_name("dataclass").load(folder)
    assert caught.value.fields == fields


def test_damaged_fields_give_a_clear_error(tmp_path: Path) -> None:
    folder = saved(tmp_path, Point(1), fields=3)
    with pytest.raises(BadFiles, match="damaged"):
        default_registry().by_name("dataclass").load(folder)


def test_metadata_and_preview() -> None:
    handler = default_registry().by_name("dataclass")
    assert handler.describe(Point(1)) == {"class": f"{__name__}:Point", "fields": ["x", "y"]}
    shown = handler.preview(Fit(np.zeros(3), Point(1.5)))
    assert shown is not None
    assert shown.data.decode() == (
        "Fit(weights=<numpy.ndarray (3,)>, start=Point(x=1.5, y=0.0), notes=(), made=0)"
    )
