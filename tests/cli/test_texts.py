"""How the command line reads texts, and writes values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest

from findspot.cli import options
from findspot.cli.job_text import failure_text
from findspot.cli.json_values import plain
from findspot.cli.options import UsageMistake, moment, pairs
from findspot.cli.printing import age, duration, size
from findspot.cli.task_code import CodeFailed, short_failures
from findspot.core import records
from findspot.core.errors import CheckFailed
from findspot.core.records import Failure


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: float
    y: float


PLAIN: list[tuple[Any, Any]] = [
    ({"a": (1, 2.5, None, True)}, {"a": [1, 2.5, None, True]}),
    ({1: "x", None: "y", 2.5: "z"}, {"1": "x", "None": "y", "2.5": "z"}),
    ([math.nan, math.inf, -math.inf], [None, None, None]),
    ({3, 1, 2}, [1, 2, 3]),
    (Point(1, math.nan), {"x": 1, "y": None}),
    (Colour.RED, "red"),
    (Path("a/b"), "a/b"),
    (datetime(2026, 11, 21, tzinfo=UTC), "2026-11-21T00:00:00+00:00"),
    (timedelta(minutes=1), 60.0),
    (np.array([[1.5, np.nan]]), [[1.5, None]]),
    (np.int64(3), 3),
    (np.float32(0.5), 0.5),
    (pl.DataFrame({"a": [1, 2]}), [{"a": 1}, {"a": 2}]),
    (pl.Series([1, 2]), [1, 2]),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_values_as_plain_json(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, [lambda: 1], 1j, Point])
def test_values_that_have_no_json_form(value: Any) -> None:
    with pytest.raises(UsageMistake, match="has no JSON form"):
        plain(value)


def test_choices_are_those_of_the_records() -> None:
    assert get_args(options.Kind) == get_args(records.Kind)
    assert get_args(options.Status) == get_args(records.JobStatus)


def test_pairs() -> None:
    assert pairs(["a=1", "b=x=y", "c="], "--label") == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(CheckFailed) as caught:
        pairs(["a", "=1", "b=1", "b=2"], "--label")
    assert len(caught.value.problems) == 3


def test_moments() -> None:
    assert moment(None) is None
    assert moment("2026-11-21T08:00+00:00") == datetime(2026, 11, 21, 8, tzinfo=UTC)
    day = moment("2026-11-21")
    assert day is not None
    assert day.tzinfo is not None
    for text, span in (("90m", 90 * 60), ("1.5h", 5400), ("2d", 172_800), ("1w", 604_800)):
        found = moment(text)
        assert found is not None
        assert abs((datetime.now(UTC) - found).total_seconds() - span) < 120
    assert moment("99999999999999w") == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "h", "-1h", "1.2.3h", "2026-13-01", "²h"])
def test_texts_that_are_no_moment(text: str) -> None:
    with pytest.raises(UsageMistake):
        moment(text)


def test_sizes_ages_and_durations() -> None:
    assert [size(n) for n in (0, 999, 1000, 5 * 10**15)] == ["0 B", "999 B", "1.0 kB", "5000.0 TB"]
    now = datetime.now(UTC)
    spans = (5, 120, 7200, 200_000)
    assert [age(now - timedelta(seconds=s)) for s in spans] == [
        "5s ago",
        "2m ago",
        "2h ago",
        "2d ago",
    ]
    assert age(now + timedelta(hours=1)) == "0s ago"
    assert [duration(timedelta(seconds=s)) for s in (0.0123, 1.25, 62, 7260)] == [
        "12 ms",
        "1.2 s",
        "1 min 2 s",
        "2 h 1 min",
    ]


def test_only_users_code_is_blamed() -> None:
    with pytest.raises(CodeFailed) as caught, short_failures("flow.py"):
        raise KeyError("mine")
    assert caught.value.place.startswith(f"{__file__}:")
    with pytest.raises(ValueError, match="could not convert"), short_failures("flow.py"):
        size("many")  # type: ignore[arg-type]  # fails inside of Findspot
    with pytest.raises(UsageMistake), short_failures("flow.py"):
        moment("soon")


def test_a_failure_in_short() -> None:
    assert failure_text(Failure("E", "no more")) == "no more"
    trace = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in outer\n    inner()\n'
        '  File "b.py", line 2, in inner\n    raise E(\n          ^^\nE: no more\n'
    )
    assert failure_text(Failure("E", "no more", trace)) == "no more\n  b.py:2 in inner: raise E("
    bare = 'Traceback (most recent call last):\n  File "b.py", line 2, in inner\nE: no more\n'
    assert failure_text(Failure("E", "no more", bare)) == "no more\n  b.py:2 in inner"
    assert len(failure_text(Failure("E", "x" * 60_000))) < 2100


def test_a_failure_deep_in_a_library_names_the_user_s_line() -> None:
    deep = [
        ("/home/ada/fit.py", "fit(x)"),
        (np.__file__, "raise ValueError"),
        (options.__file__, "raise"),
        ("<frozen importlib._bootstrap>", "x"),
    ]
    frames = [f'  File "{file}", line 7, in f\n    {code}\n' for file, code in deep]
    found = failure_text(Failure("E", "no", "".join(frames)))
    assert found == "no\n  /home/ada/fit.py:7 in f: fit(x)"
    assert options.__file__ in failure_text(Failure("E", "no", frames[2]))
