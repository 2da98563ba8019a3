"""What a record says of hostile tables: bounded, unambiguous, and always JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from findspot.artifacts.kinds.statistics import table_statistics
from findspot.handlers import default_registry

LONG = "x" * 1_000_000
CATEGORIES = [f"category {number}" for number in range(20_000)]


def frame_with_doubles() -> pd.DataFrame:
    return pd.DataFrame([[1, "a", 2.5]], columns=["a", "a", "a"])


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({LONG: [LONG]}),
        pd.DataFrame({"a": [1]}, index=pd.Index([3], name=LONG)),
        pl.DataFrame({LONG: [LONG]}),
        pl.DataFrame({"a": pl.Series(["category 7"], dtype=pl.Enum(CATEGORIES))}),
        pl.LazyFrame({LONG: [1]}),
        pa.table({LONG: [LONG]}),
        pa.table({"a": pa.array([dict.fromkeys(CATEGORIES, 1)])}),
        pd.DataFrame(np.zeros((1, 3000))),
        pd.DataFrame({"a": [LONG.encode()]}),
    ],
    ids=["pandas", "index", "polars", "enum", "lazy", "arrow", "struct", "wide", "bytes"],
)
def test_what_a_record_says_of_a_table_is_small(table: Any) -> None:
    handler = default_registry().for_value(table)
    described = json.dumps(dict(handler.describe(table)))
    assert len(described) < 20_000
    preview = handler.preview(table)
    assert preview is None or len(preview.data) < 20_000
    statistics = None if isinstance(table, pl.LazyFrame) else table_statistics(table)
    assert len(json.dumps(statistics)) < 200_000


@pytest.mark.parametrize(
    "table",
    [frame_with_doubles(), pa.Table.from_arrays([[1], ["a"], [2.5]], names=["a", "a", "a"])],
    ids=["pandas", "arrow"],
)
def test_no_column_of_a_doubled_name_is_lost(table: Any) -> None:
    described = default_registry().for_value(table).describe(table)
    names = ["a", "a (2)", "a (3)"]
    assert list(described["schema"]) == names
    statistics = table_statistics(table)
    assert statistics is not None
    assert [statistics[name]["type"] for name in names] == ["integer", "text", "number"]


def test_texts_that_utf8_does_not_hold_are_shown() -> None:
    table = pd.DataFrame({"a": ["\udfff", 1]})
    handler = default_registry().for_value(table)
    preview = handler.preview(table)
    assert preview is not None
    assert json.loads(preview.data) == {"columns": ["a"], "rows": [["?"], [1]], "total": 2}


def test_complex_numbers_are_counted() -> None:
    statistics = table_statistics(np.array([1j, np.nan, 2]))
    assert statistics == {"0": {"type": "complex128", "count": 2, "missing": 1}}
