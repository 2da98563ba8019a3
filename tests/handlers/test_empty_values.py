"""Values of which nothing is left, and arrays as tables."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from findspot.handlers import (
    BadValue,
    PlainLoadFolder,
    PlainSaveFolder,
    default_registry,
    load_value,
    round_trip,
)

datasets: Any = import_module("datasets")
gpd: Any = import_module("geopandas")


def test_datasets_without_rows_keep_their_columns() -> None:
    features = datasets.Features({"a": datasets.Value("int64"), "b": datasets.Value("string")})
    empty = datasets.Dataset.from_dict({"a": [], "b": []}, features=features)
    full = datasets.Dataset.from_dict({"a": [1], "b": ["x"]}, features=features)
    loaded = round_trip(empty)
    assert (len(loaded), loaded.features) == (0, features)
    split = round_trip(datasets.DatasetDict({"train": full, "test": empty}))
    assert split["train"].to_dict() == {"a": [1], "b": ["x"]}
    assert split["test"].features == features


def test_a_frame_without_a_geometry_is_refused_with_advice() -> None:
    for frame in (gpd.GeoDataFrame(), gpd.GeoDataFrame({"a": [1]})):
        with pytest.raises(BadValue, match=r"no geometry \(pandas\.DataFrame\(frame\)"):
            round_trip(frame)


@pytest.mark.parametrize("data", [[1, 2], [1.5, 2.5], [[1, 2], [3, 4]], ["a", "b"]])
def test_arrays_of_which_all_is_masked_are_shown(data: Any) -> None:
    value = np.ma.masked_array(data, np.ones(np.shape(data), bool))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preview = default_registry().for_value(value).preview(value)
    assert preview is not None
    assert preview.data.decode().count("--") == value.size


@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (np.array([[1, 2], [3, 4]]), [{"0": 1, "1": 2}, {"0": 3, "1": 4}]),
        (np.array([1.5, 2.5]), [{"0": 1.5}, {"0": 2.5}]),
        (np.array([(1, "x")], dtype=[("n", "i4"), ("t", "U1")]), [{"n": 1, "t": "x"}]),
    ],
)
def test_an_array_is_loaded_as_a_table_of_arrow(array: Any, rows: Any, tmp_path: Path) -> None:
    handler = default_registry().for_value(array)
    handler.save(array, PlainSaveFolder(tmp_path))
    table = load_value(handler, PlainLoadFolder(tmp_path), as_type=pa.Table)
    assert table.to_pylist() == rows
    assert len(load_value(handler, PlainLoadFolder(tmp_path), as_type=pd.DataFrame)) == len(rows)


def test_an_array_without_rows_is_a_table_without_rows(tmp_path: Path) -> None:
    handler = default_registry().for_value(np.zeros((0, 2)))
    handler.save(np.zeros((0, 2)), PlainSaveFolder(tmp_path))
    table = load_value(handler, PlainLoadFolder(tmp_path), as_type=pa.Table)
    assert (table.num_rows, table.column_names) == (0, ["0", "1"])
