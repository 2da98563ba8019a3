"""Statistics of columns: equal for every table library, honest about what is missing or sampled."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from findspot.artifacts.kinds import statistics
from findspot.artifacts.kinds.statistics import as_columns, table_statistics

NUMBERS = [1.0, 2.0, 4.0, None, 0.0]
TEXTS = ["a", "b", "a", None, "c"]
FLAGS = [True, False, True, True, False]
DAYS = [date(2026, 1, d) for d in (3, 1, 2, 5, 4)]
COLUMNS: dict[str, list[Any]] = {"x": NUMBERS, "t": TEXTS, "f": FLAGS, "d": DAYS}


def known(table: Any) -> dict[str, dict[str, Any]]:
    found = table_statistics(table)
    assert found is not None
    # Statistics go into metadata, which are plain JSON.
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_every_library_gives_the_same(library: Any) -> None:
    found = known(library(COLUMNS))
    x = found["x"]
    assert (x["type"], x["count"], x["missing"], x["zeros"]) == ("number", 4, 1, 1)
    assert (x["min"], x["median"], x["max"], x["mean"]) == (0.0, 1.5, 4.0, 1.75)
    assert x["std"] == pytest.approx(np.std([1, 2, 4, 0], ddof=1))
    assert sum(x["histogram"]["counts"]) == 4
    assert len(x["histogram"]["edges"]) == len(x["histogram"]["counts"]) + 1
    t = found["t"]
    assert (t["count"], t["missing"], t["distinct"], t["top"][0]) == (4, 1, 3, ["a", 2])
    assert (found["f"]["true"], found["f"]["false"]) == (3, 2)
    assert found["d"]["min"].startswith("2026-01-01")
    assert found["d"]["max"].startswith("2026-01-05")


def test_infinities_are_counted_and_left_out() -> None:
    found = known(pd.DataFrame({"x": [1.0, math.inf, math.nan, -math.inf, 3.0]}))["x"]
    assert (found["count"], found["missing"], found["infinite"]) == (4, 1, 2)
    assert (found["min"], found["max"], found["mean"]) == (1.0, 3.0, 2.0)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [math.nan, math.nan],
        [1e308, -1e308],
        [5.0, 5.0],
        [5e-324, 1e-323],
        [1e16, 1e16 + 2],
        [math.inf],
    ],
)
def test_odd_numbers(values: list[float]) -> None:
    found = known(pd.DataFrame({"x": np.array(values, dtype=float)}))["x"]
    assert found["count"] + found["missing"] == len(values)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([object(), None, object()]),
        pd.Series(["a", 1, None]),
        pd.Series([1 + 2j, 3j, 0j]),
        pd.Series([[1], [2, 3], None]),
        pd.Series(["x", "y", None], dtype="category"),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series(pd.to_timedelta([1, 2, None], unit="s")),
        pd.Series(pd.to_datetime(["2026-01-01", "", "2026-01-02"], utc=True)),
        pd.Series(pd.period_range("2026-01", periods=3, freq="M")),
    ],
)
def test_every_type_has_counts(column: pd.Series[Any]) -> None:
    found = known(pd.DataFrame({"c": column}))["c"]
    assert found["count"] + found["missing"] == 3
    assert found["missing"] == int(column.isna().sum())


def test_arrays_have_their_columns_by_position() -> None:
    found = known(np.array([[1, 10], [3, 30]]))
    assert [found[name]["mean"] for name in ("0", "1")] == [2.0, 20.0]
    assert known(np.array([1, 2]))["0"]["type"] == "integer"
    assert known(np.array([(1, 2.5)], dtype=[("a", int), ("b", float)]))["b"]["max"] == 2.5
    assert known(np.array([300.0, 400.0], dtype=np.float16))["0"]["mean"] == 350.0
    assert known(np.array(["a", "b", "a"]))["0"]["distinct"] == 2


def test_repeated_names_are_told_apart() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert {name: s["mean"] for name, s in known(frame).items()} == {"a": 1.0, "a (2)": 2.0}


def test_what_is_no_table_has_none() -> None:
    assert table_statistics({"a": [1]}) is None
    assert table_statistics(np.zeros((2, 2, 2))) is None


def test_a_long_column_is_sampled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "EXACT_ROWS", 1000)
    monkeypatch.setattr(statistics, "SAMPLE_ROWS", 500)
    frame = pd.DataFrame({"x": np.arange(5000.0), "t": ["a", "b"] * 2500})
    first, again = known(frame), known(frame)
    assert first == again
    assert (first["x"]["sampled"], first["t"]["sampled"]) == (500, 500)
    assert (first["x"]["count"], first["x"]["max"], first["x"]["mean"]) == (5000, 4999.0, 2499.5)
    assert first["x"]["median"] == pytest.approx(2500, rel=0.1)


def test_as_rows() -> None:
    rows = as_columns(known(pd.DataFrame({"x": [1, 3], "t": ["a", "a"]})))
    assert rows[0]["column"] == "x"
    assert rows[0]["mean"] == 2.0
    assert rows[1]["distinct"] == 1
