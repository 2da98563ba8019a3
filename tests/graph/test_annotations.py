"""What Python annotations mean as types of task graphs."""

from __future__ import annotations

import collections
import collections.abc
import datetime
import enum
import functools
import pathlib
import typing
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
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
from findspot.graph.annotations import (
    Unresolved,
    annotations_of,
    class_type,
    from_annotation,
    generic_type,
    named_type,
    public_name,
    union_of,
)

ARRAY = Simple("numpy.ndarray", python="numpy.ndarray")
FRAME = class_type(pd.DataFrame)

Metres = NewType("Metres", float)
T = typing.TypeVar("T")
Bound = typing.TypeVar("Bound", bound=int)
Either = typing.TypeVar("Either", int, str)


class Scores(TypedDict):
    accuracy: float
    labels: list[str]


class Partial(TypedDict, total=False):
    accuracy: float
    name: str


class Itself(TypedDict):
    inner: list[Itself]


class Point(NamedTuple):
    x: int
    y: float


Pair = collections.namedtuple("Pair", "a b")


class Model:
    pass


class Tree(Model):
    pass


class Box(Generic[T]):
    pass


class Names(list[str]):
    pass


class Level(int):
    pass


class Colour(enum.Enum):
    RED = 1


class Word(enum.StrEnum):
    RED = "red"


class Sized(typing.Protocol):
    size: int


MODEL = Simple(f"{__name__}.Model", python=f"{__name__}.Model")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, INTEGER),
        (float, NUMBER),
        (str, STRING),
        (bool, BOOLEAN),
        (None, NULL),
        (type(None), NULL),
        (object, ANY),
        (Any, UNKNOWN),
        (bytes, Simple("bytes", python="builtins.bytes")),
        (complex, Simple("complex", python="builtins.complex")),
        (list, ListOf(UNKNOWN)),
        (list[int], ListOf(INTEGER)),
        (typing.List[int], ListOf(INTEGER)),  # noqa: UP006
        (collections.abc.Sequence[str], ListOf(STRING)),
        (typing.Sequence, ListOf(UNKNOWN)),
        (dict, MappingOf(UNKNOWN, UNKNOWN)),
        (dict[str, float], MappingOf(STRING, NUMBER)),
        (typing.Dict[str, Any], MappingOf(STRING, UNKNOWN)),  # noqa: UP006
        (collections.abc.Mapping[str, int], MappingOf(STRING, INTEGER)),
        (collections.OrderedDict[str, int], MappingOf(STRING, INTEGER)),
        (tuple, UNKNOWN),
        (tuple[()], TupleOf(())),
        (tuple[int, str], TupleOf((INTEGER, STRING))),
        (tuple[int, ...], ListOf(INTEGER)),
        (int | None, Union((INTEGER, NULL))),
        (Optional[int], Union((INTEGER, NULL))),  # noqa: UP045
        (typing.Union[int, str, int], Union((INTEGER, STRING))),  # noqa: UP007
        (int | (str | None), Union((INTEGER, STRING, NULL))),
        (int | Any, UNKNOWN),
        (int | object, ANY),
        (Literal["a", "b"], STRING),
        (Literal["a", 1, None], Union((STRING, INTEGER, NULL))),
        (Annotated[int, "name"], INTEGER),
        (Annotated[list[Annotated[int, "x"]], {}], ListOf(INTEGER)),
        (typing.Final[int], INTEGER),
        (Metres, NUMBER),
        (T, UNKNOWN),
        (Bound, INTEGER),
        (Either, Union((INTEGER, STRING))),
        (Scores, Record({"accuracy": NUMBER, "labels": ListOf(STRING)})),
        (Partial, MappingOf(STRING, Union((NUMBER, STRING)))),
        (Point, TupleOf((INTEGER, NUMBER))),
        (Pair, TupleOf((UNKNOWN, UNKNOWN))),
        (np.ndarray, ARRAY),
        (npt.NDArray[np.float64], ARRAY),
        (dict[str, np.ndarray], MappingOf(STRING, ARRAY)),
        (pd.DataFrame, FRAME),
        (np.float64, NUMBER),
        (Model, MODEL),
        (Tree, Simple(f"{__name__}.Tree", (MODEL,), f"{__name__}.Tree")),
        (Box[int], Simple(f"{__name__}.Box", (), f"{__name__}.Box")),
        (Names, ListOf(UNKNOWN)),
        (Level, INTEGER),
        (Word, STRING),
        (datetime.date, Simple("datetime.date", python="datetime.date")),
        (Callable[[int], str], UNKNOWN),
        (Callable, UNKNOWN),
        (type[int], UNKNOWN),
        (Sized, UNKNOWN),
        (collections.abc.Iterable[int], UNKNOWN),
        (typing.AnyStr, Union((Simple("bytes", python="builtins.bytes"), STRING))),
        (typing.LiteralString, STRING),
        (typing.Never, Union(())),
        ("no type", UNKNOWN),
        (3, UNKNOWN),
        (Annotated[int, []], INTEGER),  # cannot be hashed
        ([], UNKNOWN),
        (typing.ForwardRef("int"), UNKNOWN),
    ],
    ids=str,
)
def test_an_annotation_means_a_type(annotation: Any, expected: Type) -> None:
    assert from_annotation(annotation) == expected
    assert from_annotation(annotation) == expected  # as remembered, too


def test_a_type_that_holds_itself_comes_to_an_end() -> None:
    assert isinstance(from_annotation(Itself), Record)


def test_classes_go_by_the_name_they_are_imported_by() -> None:
    assert public_name(pd.DataFrame) == "pandas.DataFrame"
    assert public_name(pathlib.PosixPath) == "pathlib.PosixPath"
    assert public_name(Model) == f"{__name__}.Model"


def test_an_enumeration_is_below_no_builtin_type() -> None:
    found = from_annotation(Colour)
    assert isinstance(found, Simple)
    assert found.python == f"{__name__}.Colour"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("int", INTEGER),
        ("builtins.int", INTEGER),
        ("None", NULL),
        ("typing.Any", UNKNOWN),
        ("typing_extensions.LiteralString", STRING),
        ("list", ListOf(UNKNOWN)),
        ("typing.Mapping", MappingOf(UNKNOWN, UNKNOWN)),
        ("numpy.ndarray", ARRAY),
        ("numpy.typing.NDArray", ARRAY),
        ("collections.abc.Iterator", UNKNOWN),
        ("bytes", Simple("bytes", python="builtins.bytes")),
        ("Undefined", Simple("Undefined")),
    ],
)
def test_a_name_alone_means_a_type(name: str, expected: Type) -> None:
    assert named_type(name) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("list", [INTEGER], ListOf(INTEGER)),
        ("typing.Dict", [STRING, INTEGER], MappingOf(STRING, INTEGER)),
        ("typing.Optional", [INTEGER], Union((INTEGER, NULL))),
        ("typing.Union", [INTEGER, STRING], Union((INTEGER, STRING))),
        ("tuple", [INTEGER, STRING], TupleOf((INTEGER, STRING))),
        ("typing.Annotated", [INTEGER], INTEGER),
        ("numpy.typing.NDArray", [NUMBER], ARRAY),
        ("list", [INTEGER, STRING], ListOf(UNKNOWN)),
    ],
)
def test_a_name_with_arguments_means_a_type(
    name: str, arguments: list[Type], expected: Type
) -> None:
    assert generic_type(name, arguments) == expected


def test_a_variadic_tuple_is_a_list() -> None:
    assert generic_type("tuple", [INTEGER], variadic=True) == ListOf(INTEGER)


def test_a_union_is_flat_and_has_each_member_once() -> None:
    assert union_of([INTEGER, Union((STRING, INTEGER)), NULL]) == Union((INTEGER, STRING, NULL))
    assert union_of([INTEGER, INTEGER]) == INTEGER
    named = Union((STRING, INTEGER), name="text or count")
    assert union_of([named, NULL]) == Union((named, NULL))


# Annotations of functions: all of this file's are text (see its first import).


def test_postponed_annotations_are_evaluated_one_by_one() -> None:
    def function(a: int, b: Missing, c: list[Nowhere | None], d: Model) -> Annotated[str, "x"]:  # type: ignore[name-defined]  # noqa: F821
        raise NotImplementedError

    found = annotations_of(function)
    assert found.hints["a"] is int
    assert found.hints["d"] is Model
    assert found.hints["return"] == Annotated[str, "x"]
    assert isinstance(found.hints["b"], Unresolved)
    assert found.hints["b"].text == "Missing"
    assert from_annotation(found.hints["c"]) == UNKNOWN
    assert [note.split(": ")[1] for note in found.notes] == [
        "Missing is not defined at run time.",
        "Nowhere is not defined at run time.",
    ]


def test_names_of_the_enclosing_function_are_known() -> None:
    class Local:
        pass

    def function(x: Local) -> list[Local]:
        return [x, Local()]

    hints = annotations_of(function).hints
    assert hints["x"] is Local
    assert hints["return"] == list[Local]


def test_annotations_that_fail_when_evaluated_are_unknown() -> None:
    def function(x: 1 / 0, y: int) -> None:  # type: ignore[valid-type]
        raise NotImplementedError

    found = annotations_of(function)
    assert from_annotation(found.hints["x"]) == UNKNOWN
    assert found.hints["y"] is int
    assert "division by zero" in found.notes[0]


def test_annotations_below_a_decorator_and_a_partial_are_found() -> None:
    def function(x: Model, y: int = 1) -> str:
        return f"{x}{y}"

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    for other in (wrapper, functools.partial(function, y=2)):
        assert annotations_of(other).hints["x"] is Model


def test_what_has_no_annotations_has_none() -> None:
    assert annotations_of(len).hints == {}
    assert annotations_of(lambda x: x).hints == {}
