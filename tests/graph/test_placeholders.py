"""Placeholders: what a pipeline's own code may not do with values that do not exist yet."""

from __future__ import annotations

import math
import operator
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from findspot.graph.placeholders import Placeholder, PlaceholderUsed
from findspot.graph.tasks import ACTIVE
from findspot.graph.tracing import InvalidPipeline, trace
from named_tasks import increase
from source_lines import line_of

HERE = Path(__file__).name


@dataclass
class Settings:
    rate: float


class Point(NamedTuple):
    x: int
    y: int


USES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "if": (lambda x: 1 if x else 2, "tested in a condition"),
    "not": (operator.not_, "tested in a condition"),
    "equal": (lambda x: x == 1, "compared"),
    "unequal": (lambda x: x != 1, "compared"),
    "less": (lambda x: x < 1, "compared"),
    "between": (lambda x: 1 < x < 2, "compared"),
    "for": (lambda x: [1 for _ in x], "iterated over"),
    "unpacking": (lambda x: (lambda a, b: a)(*x), "iterated over or unpacked"),
    "in": (lambda x: 1 in x, "searched"),
    "len": (len, "measured"),
    "sum": (lambda x: x + 1, "calculated with"),
    "sum, reflected": (lambda x: 1 + x, "calculated with"),
    "power": (lambda x: x**2, "calculated with"),
    "negative": (operator.neg, "calculated with"),
    "matrix product": (lambda x: x @ x, "calculated with"),
    "and": (lambda x: operator.and_(x, 1), "calculated with"),
    "absolute": (abs, "calculated with"),
    "round": (round, "calculated with"),
    "floor": (math.floor, "calculated with"),
    "index": (lambda x: x[0], "indexed"),
    "as index": (lambda x: [1, 2][x], "used as an index"),
    "range": (range, "used as an index"),
    "set item": (lambda x: operator.setitem(x, 0, 1), "changed"),
    "int": (int, "made into a number"),
    "float": (float, "made into a number"),
    "str": (str, "made into text"),
    "f-string": (lambda x: f"{x}", "made into text"),
    "format": (lambda x: "{:.2f}".format(x), "made into text"),  # noqa: UP032
    "print": (lambda x: print(x, end=""), "made into text"),  # noqa: T201
    "path": (lambda x: Path("a") / x, "used as a path"),
    "open": (lambda x: open(x), "used as a path"),  # noqa: SIM115
    "attribute": (lambda x: x.shape, "asked for its attribute 'shape'"),
    "method": (lambda x: x.mean(), "asked for its attribute 'mean'"),
    "set attribute": (lambda x: setattr(x, "shape", 1), "given the attribute 'shape'"),
    "call": (lambda x: x(), "called"),
    "with": (lambda x: x.__enter__(), "entered"),
    "numpy array": (np.asarray, "calculated with"),
    "numpy function": (np.sin, "calculated with"),
    "numpy reduction": (np.sum, "calculated with"),
    "numpy operator": (lambda x: np.arange(3) + x, "calculated with"),
    "pickle": (pickle.dumps, "copied or sent elsewhere"),
}


@pytest.mark.parametrize(("use", "said"), USES.values(), ids=USES.keys())
def test_using_a_value_that_does_not_exist_yet_is_refused(
    use: Callable[[Any], Any], said: str
) -> None:
    def function(x: int = 0) -> None:
        use(increase(x))

    with pytest.raises(PlaceholderUsed) as caught:
        trace(function)
    assert said in caught.value.use
    assert caught.value.placeholder == "$increase"
    assert "Move this line into a task" in str(caught.value)
    assert ACTIVE.get() is None


def test_the_place_of_such_a_use_is_said() -> None:
    def function(x: float = 0.5) -> Any:
        if x > 1:
            return increase(1)
        return None

    with pytest.raises(PlaceholderUsed) as caught:
        trace(function)
    line = line_of(function, "if x > 1:")
    assert str(caught.value.where).endswith(f"{HERE}:{line}")


def test_the_place_is_the_pipelines_also_if_a_library_used_the_value() -> None:
    def function(x: int = 0) -> Any:
        return Path("a") / increase(x)  # type: ignore[operator]

    with pytest.raises(PlaceholderUsed) as caught:
        trace(function)
    assert str(caught.value.where).endswith(f"{HERE}:{line_of(function, 'return Path')}")


def test_every_operator_is_covered() -> None:
    numbers = {name for name in dir(int) if name.startswith("__")}
    lists = {name for name in dir(list) if name.startswith("__")}
    harmless = set(dir(object)) | {"__getnewargs__", "__class_getitem__"}
    missing = [n for n in sorted((numbers | lists) - harmless) if n not in vars(Placeholder)]
    assert missing == []


@pytest.mark.parametrize(
    "hide",
    [
        lambda x: {x},
        lambda x: Settings(x),
        lambda x: OrderedDict(a=x),
        lambda x: Point(x, 1),
    ],
)
def test_a_placeholder_inside_an_object_is_refused(hide: Callable[[Any], Any]) -> None:
    def function(x: int = 0) -> None:
        increase(hide(x))

    with pytest.raises(PlaceholderUsed, match="put into a"):
        trace(function)


def test_a_placeholder_of_another_pipeline_is_refused() -> None:
    kept: list[Any] = []

    def first(x: int = 0) -> None:
        kept.append(x)

    def second() -> None:
        increase(kept[0])

    trace(first)
    with pytest.raises(InvalidPipeline, match="comes from another pipeline"):
        trace(second)


def test_placeholders_can_be_told_apart_and_looked_at() -> None:
    kept: list[Any] = []

    def function(x: int = 0, y: int = 0) -> None:
        kept.extend([x, y, {x: 1, y: 2}[y], x is y, repr(x), hasattr(x, "__len__")])

    trace(function)
    assert kept[2:] == [2, False, "<placeholder $x>", True]
