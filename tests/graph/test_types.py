"""Which types fit which, which values are of which, and the names of classes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest

from findspot.core.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    UNKNOWN,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.classes import class_type, classes_in, find_class, simple_types_in
from findspot.graph.compatibility import explain, fits
from findspot.graph.hierarchy import ImportedHierarchy, LoadedHierarchy
from findspot.graph.inference import infer, value_fits
from findspot.graph.paths import child, locate
from findspot.graph.spec import Opaque, Ref
from findspot.graph.suggestions import suggestion

EMPTY = Union(())
DISTANCE = Simple("distance", (NUMBER,))
LENGTH = Simple("length", (DISTANCE,))
ARRAY = class_type("numpy.ndarray")
TEXTS = Union((STRING, NULL))

FITTING: list[tuple[Type, Type]] = [
    (STRING, STRING),
    (STRING, ANY),
    (ANY, ANY),
    (INTEGER, NUMBER),
    (UNKNOWN, ARRAY),
    (ARRAY, UNKNOWN),
    (ListOf(UNKNOWN), ListOf(STRING)),
    (LENGTH, DISTANCE),
    (LENGTH, NUMBER),
    (LENGTH, Union((STRING, NUMBER))),
    (STRING, TEXTS),
    (TEXTS, Union((NULL, STRING, NUMBER))),
    (EMPTY, STRING),
    (EMPTY, EMPTY),
    (ListOf(INTEGER), ListOf(NUMBER)),
    (TupleOf((INTEGER, NUMBER)), ListOf(NUMBER)),
    (TupleOf(()), ListOf(STRING)),
    (TupleOf((INTEGER, STRING)), TupleOf((NUMBER, ANY))),
    (Record({"a": INTEGER, "b": STRING}), Record({"b": STRING, "a": NUMBER})),
    (Record({"a": INTEGER}), MappingOf(STRING, NUMBER)),
    (Record({}), MappingOf(STRING, NUMBER)),
    (Record({}), Record({})),
    (MappingOf(INTEGER, INTEGER), MappingOf(NUMBER, NUMBER)),
    (ListOf(STRING, "names"), ListOf(STRING)),
    (ListOf(STRING), ListOf(STRING, "names")),
    (ListOf(STRING, "names"), ListOf(STRING, "names")),
    (Simple("ndarray", python="numpy.ndarray"), ARRAY),
    (class_type("pandas.core.frame.DataFrame"), class_type("pandas.DataFrame")),
]
UNFITTING: list[tuple[Type, Type, str]] = [
    (ANY, STRING, "A value of type any may be anything, so it fits only any."),
    (NUMBER, INTEGER, "number is not integer."),
    (BOOLEAN, INTEGER, "boolean is not integer."),
    (NULL, STRING, "null is not string."),
    (NUMBER, DISTANCE, "number is not distance."),
    (DISTANCE, LENGTH, "distance is not length."),
    (TEXTS, STRING, "It may be null, and null is not string."),
    (INTEGER, TEXTS, "integer fits none of string, null."),
    (STRING, EMPTY, "No value has the empty union's type."),
    (ListOf(STRING), TupleOf((STRING,)), "A list is not a tuple."),
    (TupleOf((STRING, INTEGER)), ListOf(STRING), "Element 1 is of type integer, and integer is"),
    (TupleOf((STRING,)), TupleOf((STRING, STRING)), "The number of elements is 1, not 2."),
    (Record({"a": STRING}), Record({"b": STRING}), "It lacks the property 'b'."),
    (Record({"a": STRING, "b": STRING}), Record({"a": STRING}), "It has the surplus property 'b'."),
    (Record({"a": STRING}), MappingOf(INTEGER, STRING), "Its keys are text, not integer."),
    (Record({"a": STRING}), MappingOf(STRING, NUMBER), "The property 'a' is of type string"),
    (MappingOf(STRING, STRING), Record({}), "A mapping with free keys is not a mapping with"),
    (MappingOf(STRING, STRING), MappingOf(STRING, NUMBER), "A value is of type string"),
    (ListOf(STRING, "a"), ListOf(STRING, "b"), "a and b are two different named types."),
    (ARRAY, class_type("pandas.DataFrame"), "numpy.ndarray is not pandas.DataFrame."),
    (ListOf(ListOf(STRING)), ListOf(ListOf(NUMBER)), "An element is of type list[string], and an"),
    (ListOf(STRING), STRING, "list[string] is not string."),
]


@pytest.mark.parametrize(("a", "b"), FITTING, ids=lambda t: str(t))
def test_types_that_fit(a: Type, b: Type) -> None:
    assert fits(a, b)
    assert explain(a, b) == ""


@pytest.mark.parametrize(("a", "b", "reason"), UNFITTING, ids=lambda t: str(t))
def test_types_that_do_not_fit(a: Type, b: Type, reason: str) -> None:
    assert not fits(a, b)
    assert explain(a, b).startswith(reason)


def test_classes_fit_their_bases_where_somebody_knows_them() -> None:
    leaf, stem = class_type("pathlib.PosixPath"), class_type("pathlib.PurePath")
    assert not fits(leaf, stem)
    for hierarchy in (LoadedHierarchy(), ImportedHierarchy()):
        assert fits(leaf, stem, hierarchy)
        assert not fits(stem, leaf, hierarchy)


def test_only_installed_libraries_are_imported_to_know_a_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_project_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    asked = ImportedHierarchy()
    assert asked.find("own_project_module.Model") is None
    assert "own_project_module" not in sys.modules
    assert asked.find("graphlib.TopologicalSorter") is not None
    assert asked.find("no.such.Thing") is None
    assert asked.find("os; import x") is None
    assert asked.find("this.Zen") is None
    assert "this" not in sys.modules
    assert LoadedHierarchy().find("xml.sax.handler.NoSuch") is None


LITERALS: list[tuple[Any, Type]] = [
    ("x", STRING),
    (True, BOOLEAN),
    (1, INTEGER),
    (1.0, NUMBER),
    (None, NULL),
    ([1, "x"], TupleOf((INTEGER, STRING))),
    ((), TupleOf(())),
    ({"a": [1]}, Record({"a": TupleOf((INTEGER,))})),
    ({}, Record({})),
    ({1: "a", 2: 3}, MappingOf(INTEGER, Union((STRING, INTEGER)))),
    ({1: "a", 2: "b"}, MappingOf(INTEGER, STRING)),
    ({1: "a", "b": 2}, ANY),
    ({True: 1}, ANY),
    (Ref("x"), UNKNOWN),
    (Opaque(object(), ARRAY), ARRAY),
    (b"x", Simple("bytes", python="builtins.bytes")),
]


@pytest.mark.parametrize(("value", "type_"), LITERALS, ids=range(len(LITERALS)))
def test_types_of_literals(value: Any, type_: Type) -> None:
    assert infer(value) == type_


def test_references_are_resolved_with_their_places() -> None:
    seen: list[str] = []

    def resolve(ref: Ref, path: str) -> Type:
        seen.append(f"{path} {ref}")
        return NUMBER

    found = infer([Ref("a"), {"k": [Ref("b", "c")]}], resolve, "$.args")
    assert found == TupleOf((NUMBER, Record({"k": TupleOf((NUMBER,))})))
    assert seen == ["$.args[0] $a", "$.args[1].k[0] $b.c"]


VALUES: list[tuple[Any, Type, bool]] = [
    ("x", STRING, True),
    (True, INTEGER, False),
    (np.int64(3), INTEGER, True),
    (np.float32(3), NUMBER, True),
    (np.True_, BOOLEAN, True),
    (3, NUMBER, True),
    (3.0, INTEGER, False),
    (None, NULL, True),
    (object(), ANY, True),
    (object(), UNKNOWN, True),
    (3, DISTANCE, True),
    ("x", DISTANCE, False),
    ("x", Simple("free"), True),
    (np.zeros(2), ARRAY, True),
    ([1.0], ARRAY, False),
    (Path("x"), class_type("pathlib.PurePath"), True),
    (PurePath("x"), class_type("pathlib.Path"), False),
    ([1, 2], ListOf(INTEGER), True),
    ([1, "x"], ListOf(INTEGER), False),
    ("ab", ListOf(STRING), False),
    ((1, "x"), TupleOf((INTEGER, STRING)), True),
    ((1,), TupleOf((INTEGER, STRING)), False),
    ({"a": 1}, Record({"a": INTEGER}), True),
    ({"a": 1, "b": 2}, Record({"a": INTEGER}), False),
    (OrderedDict(a=1), MappingOf(STRING, INTEGER), True),
    ({1: 1}, MappingOf(STRING, INTEGER), False),
    (None, TEXTS, True),
    (1, TEXTS, False),
    (iter([1]), ListOf(INTEGER), False),
]


@pytest.mark.parametrize(("value", "type_", "good"), VALUES)
def test_values_of_types(value: Any, type_: Type, good: bool) -> None:
    assert value_fits(value, type_) is good


def test_only_the_first_elements_of_long_values_may_be_looked_at() -> None:
    values = [*range(10), "x"]
    assert not value_fits(values, ListOf(INTEGER))
    assert value_fits(values, ListOf(INTEGER), limit=10)


NAMES: list[tuple[str, list[str]]] = [
    ("numpy.ndarray", ["numpy.ndarray"]),
    ("np.ndarray", ["numpy.ndarray"]),
    ("plt.Figure", ["matplotlib.figure.Figure"]),
    ("Figure", ["shop.Figure"]),
    ("Basket", ["shop.Basket", "farm.Basket"]),
    ("shop.Basket", ["shop.Basket"]),
    ("Nothing", []),
    ("np.nothing", []),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_names_of_classes(name: str, expected: list[str]) -> None:
    seen = [class_type(n) for n in ("shop.Basket", "farm.Basket", "shop.Figure")]
    assert [found.name for found in find_class(name, seen)] == expected


def test_classes_are_found_inside_of_types() -> None:
    below = Simple("below", (ARRAY,))
    types: list[Type] = [
        ListOf(below),
        TupleOf((UNKNOWN, Record({"a": MappingOf(STRING, Union((ARRAY,)))}))),
    ]
    assert classes_in(types) == [ARRAY]
    assert simple_types_in(types) == [below, ARRAY]


def test_places() -> None:
    assert child("$", "a b") == "$['a b']"
    assert child(child("$.graph", "Größe"), 3) == "$.graph.Größe[3]"
    known = {"$.a": "x:1", "$.a.b[0]": "x:2"}
    assert locate(known, "$.a.b[0].c['d.e']") == "x:2"
    assert locate(known, "$.a.b[1]") == "x:1"
    assert locate(known, "$.c") == ""


def test_suggestions() -> None:
    assert suggestion("SCALE", ["scale"]) == "Did you mean 'scale'?"
    assert suggestion("scal", ["scale", "scala"]) in (
        "Did you mean 'scale' or 'scala'?",
        "Did you mean 'scala' or 'scale'?",
    )
    assert suggestion("x", [], role="tasks") == "There are no tasks."
    assert suggestion("x", ["aaa"]) == ""
    assert suggestion("x" * 100_000, ["y" * 9] * 100_000, role="tasks") == ""
