"""Tables of pandas, Polars and Arrow: Parquet, and what Parquet does not hold."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from findspot.handlers import (
    BadFiles,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    round_trip,
)
from findspot.handlers.tables import TABLE_PREVIEW


def preview_of(value: Any) -> Any:
    shown = default_registry().for_value(value).preview(value)
    assert shown is not None
    assert shown.media_type == TABLE_PREVIEW
    return json.loads(shown.data)


# --------------------------------------------------------------------------- pandas

_DAYS = pd.date_range("2024-01-01", periods=2)
_COLUMNS: dict[str, Any] = {
    "float": [1.5, float("nan")],
    "text": ["a", None],
    "nullable": pd.array([1, None], dtype="Int64"),
    "boolean": pd.array([True, None], dtype="boolean"),
    "string": pd.array(["a", None], dtype="string"),
    "arrow": pd.array([1, 2], dtype="int64[pyarrow]"),
    "days": _DAYS,
    "seconds": _DAYS.as_unit("s"),
    "zone": _DAYS.tz_localize("Europe/Berlin"),
    "zone seconds": _DAYS.tz_localize("UTC").as_unit("s"),
    "spans": pd.to_timedelta([1, 2], unit="s"),
    "periods": pd.period_range("2024-01", periods=2, freq="M"),
    "intervals": pd.interval_range(0, 2),
    "category": pd.Categorical(["b", "a"], categories=["z", "b", "a"], ordered=True),
    "category of numbers": pd.Categorical([3, 1], categories=[5, 3, 1]),
    "half": np.array([1, 2], dtype="f2"),
    "complex": np.array([1, 2j]),
    "big-endian": np.array([1, 2], dtype=">f8"),
    "sparse": pd.arrays.SparseArray([0, 1]),
    "dates": [date(2024, 1, 1), None],
    "decimals": [Decimal("1.5"), Decimal("2.5")],
    "bytes": [b"a", b"b"],
    "text objects": pd.Series(["a", None], dtype=object),
    "text and nan": pd.Series(["a", float("nan")], dtype=object),
    "integer objects": pd.Series([1, None], dtype=object),
    "mixed": [1, "a"],
    "lists": [[1], [2, "x"]],
    "dicts": [{"a": 1}, {"b": 2}],
    "tuples": [(1,), (2, 3)],
    "sets": [{1}, {2}],
    "any objects": [len, Decimal],
}


@pytest.mark.parametrize("name", _COLUMNS)
def test_columns_of_pandas_come_back_as_they_were(name: str) -> None:
    frame = pd.DataFrame({name: _COLUMNS[name]})
    loaded = round_trip(frame)
    pd.testing.assert_frame_equal(loaded, frame)
    pd.testing.assert_frame_equal(round_trip(frame.assign(other=1)), frame.assign(other=1))
    series = round_trip(frame[name])
    pd.testing.assert_series_equal(series, frame[name])
    kinds = [type(item) for item in frame[name]]
    assert [type(item) for item in loaded[name]] == [type(item) for item in series] == kinds


def test_arrays_in_cells_come_back() -> None:
    frame = pd.DataFrame({"vector": [np.arange(3.0), np.arange(2.0)]})
    loaded = round_trip(frame)["vector"]
    assert [item.tolist() for item in loaded] == [[0.0, 1.0, 2.0], [0.0, 1.0]]
    assert {item.dtype for item in loaded} == {np.dtype("f8")}


_INDEXES: dict[str, pd.Index] = {
    "range": pd.RangeIndex(5, 11, 3, name="r"),
    "texts": pd.Index(["a", "b"], name="t"),
    "objects": pd.Index(["a", "b"], dtype=object),
    "mixed": pd.Index([1, "a"]),
    "days": pd.date_range("2024-01-01", periods=2, name="d"),
    "seconds": pd.date_range("2024-01-01", periods=2).as_unit("s"),
    "spans": pd.to_timedelta([1, 2], unit="s"),
    "periods": pd.period_range("2024-01", periods=2, freq="M"),
    "intervals": pd.interval_range(0, 2),
    "category": pd.CategoricalIndex(["x", "y"], categories=["y", "x"]),
    "named by a number": pd.Index([1, 2], name=0),
    "levels": pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["i", None]),
    "levels of objects": pd.MultiIndex.from_tuples([(1, "a"), ("x", 2)]),
    "same name as a column": pd.Index([1, 2], name="x"),
}


@pytest.mark.parametrize("name", _INDEXES)
def test_indexes_of_pandas_come_back_as_they_were(name: str) -> None:
    index = _INDEXES[name]
    frame = pd.DataFrame({"x": [1, 2]}, index=index)
    pd.testing.assert_frame_equal(round_trip(frame), frame)
    pd.testing.assert_series_equal(round_trip(frame["x"]), frame["x"])
    objects = pd.DataFrame({"x": [(1,), len]}, index=index)
    pd.testing.assert_frame_equal(round_trip(objects), objects)
    loaded = round_trip(index)
    pd.testing.assert_index_equal(loaded, index, exact=True)
    assert getattr(loaded, "freq", None) == getattr(index, "freq", None)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "a"],
        [0, 1],
        [1, "a"],
        [None, "a"],
        ["__index_level_0__", "x"],
        pd.Index(["a", "b"], dtype=object),
        pd.Index(["a", "b"], name="letters"),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["l", "n"]),
        pd.date_range("2024-01-01", periods=2),
    ],
    ids=range(9),
)
def test_column_labels_of_pandas_come_back_as_they_were(labels: Any) -> None:
    frame = pd.DataFrame([[1, "x"], [2, "y"]], columns=labels, index=[5, 6])
    pd.testing.assert_frame_equal(round_trip(frame), frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=[3, 4]),
        pd.DataFrame({"a": pd.Series([], dtype="f8")}),
        pd.DataFrame({"c": pd.Categorical([], categories=["a", "b"])}),
    ],
    ids=range(4),
)
def test_empty_frames(frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(round_trip(frame), frame)


@pytest.mark.parametrize(
    "attrs", [{"unit": "m"}, {"shape": (1, 2)}, {1: np.arange(2)}], ids=range(3)
)
def test_attrs_are_kept(attrs: dict[Any, Any]) -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = attrs
    for value in (frame, frame["a"]):
        loaded = round_trip(value)
        assert str(loaded.attrs) == str(attrs)
    assert frame.attrs is not None
    assert str(frame.attrs) == str(attrs), "saving changes nothing"


def test_names_of_series_are_kept() -> None:
    for name in (None, "a", 3, ("a", 1)):
        assert round_trip(pd.Series([1, 2], name=name)).name == name


def test_an_ordinary_frame_is_one_parquet_file_that_pandas_reads(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=pd.Index([3, 4], name="i"))
    round_trip(frame, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["frame.parquet"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "frame.parquet"), frame)


def test_pickled_columns_need_trust_and_others_do_not(tmp_path: Path) -> None:
    handler = default_registry().by_name("pandas.dataframe")
    for name, column in (("json", [1, "a"]), ("pickled", [1, len])):
        folder = tmp_path / name
        folder.mkdir()
        handler.save(pd.DataFrame({"a": column}), PlainSaveFolder(folder))
    untrusted = PlainLoadFolder(tmp_path / "json", trusted=False)
    assert handler.load(untrusted)["a"].tolist() == [1, "a"]
    with pytest.raises(Untrusted, match="pickle"):
        handler.load(PlainLoadFolder(tmp_path / "pickled", trusted=False))


def test_a_subclass_of_dataframe_is_not_flattened() -> None:
    class Mine(pd.DataFrame):
        pass

    assert default_registry().for_value(Mine()).name == "pickle"


def test_metadata_and_preview_of_pandas() -> None:
    frame = pd.DataFrame(
        {"n": range(100), "t": pd.Timestamp("2024-01-01"), "x": [float("nan"), *range(99)]},
        index=pd.Index([f"row {i}" for i in range(100)], name="key"),
    )
    handler = default_registry().for_value(frame)
    assert handler.kind == "table"
    described = dict(handler.describe(frame))
    assert described.pop("bytes") > 2400
    assert described == {
        "rows": 100,
        "columns": 3,
        "schema": {"n": "int64", "t": str(frame["t"].dtype), "x": "float64"},
        "index": ["key"],
    }
    shown = preview_of(frame)
    assert shown["columns"] == ["key", "n", "t", "x"]
    assert shown["rows"][0] == ["row 0", 0, "2024-01-01T00:00:00", None]
    assert (len(shown["rows"]), shown["total"]) == (20, 100)
    assert preview_of(frame["n"])["rows"][1] == ["row 1", 1]
    assert preview_of(pd.Index(["a"], name="i")) == {"columns": ["i"], "rows": [["a"]], "total": 1}
    wide = preview_of(pd.DataFrame(np.zeros((1, 80))))
    assert (len(wide["columns"]), len(wide["rows"][0]), wide["total_columns"]) == (50, 50, 80)


def test_a_frame_of_many_rows_and_row_groups() -> None:
    count = 1_200_000
    frame = pd.DataFrame(
        {
            "i": np.arange(count),
            "c": pd.Categorical.from_codes(list(range(3)) * 400_000, pd.Index(["z", "y", "x"])),
        }
    )
    loaded = round_trip(frame)
    assert loaded.equals(frame)
    assert (loaded.dtypes == frame.dtypes).all()


# --------------------------------------------------------------------------- Polars


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(),
        pl.DataFrame({"a": [1, None], "b": ["x", None], "c": [[1], []], "d": [{"k": 1}, {"k": 2}]}),
        pl.DataFrame({"d": [date(2024, 1, 1)], "t": [timedelta(1)], "n": [None]}),
        pl.DataFrame({"c": pl.Series(["x", "y"], dtype=pl.Categorical)}),
        pl.DataFrame({"e": pl.Series(["q"], dtype=pl.Enum(["p", "q"]))}),
        pl.DataFrame({"d": [Decimal("1.50")], "i": pl.Series([1], dtype=pl.Int128)}),
        pl.DataFrame({"a": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)), "b": [b"x"]}),
        pl.DataFrame({"n": range(300_000)}),
    ],
    ids=range(8),
)
def test_frames_of_polars_come_back_as_they_were(frame: pl.DataFrame) -> None:
    handler = default_registry().for_value(frame)
    assert (handler.name, handler.kind) == ("polars.dataframe", "table")
    loaded = round_trip(frame)
    assert loaded.schema == frame.schema
    assert loaded.equals(frame)
    described = handler.describe(frame)
    assert (described["rows"], described["columns"]) == frame.shape
    assert preview_of(frame)["total"] == frame.height
    for column in frame.iter_columns():
        series = round_trip(column)
        assert (series.name, series.dtype) == (column.name, column.dtype)
        assert series.equals(column)


def test_python_objects_in_polars_are_left_to_pickle() -> None:
    frame = pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)})
    assert default_registry().for_value(frame).name == "pickle"


# --------------------------------------------------------------------------- Arrow

_ARROW: list[Any] = [
    pa.table({"a": [1, None], "b": ["x", "y"]}),
    pa.table({"a": [1]}).replace_schema_metadata({"k": "v"}),
    pa.table({}),
    pa.table({"d": pa.array(["x", "y", "x"]).dictionary_encode()}),
    pa.table({"d": pa.array([5, 6, 5]).dictionary_encode()}),
    pa.table({"t": pa.array([1, 2], pa.timestamp("s")), "u": pa.array([1, 2], pa.time32("s"))}),
    pa.table({"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))}),
    pa.table({"u": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}),
    pa.table({"n": range(300_000)}),
    pa.record_batch({"a": [1, 2]}),
    pa.record_batch({"a": pa.array([], pa.int8())}),
    pa.array([1, None]),
    pa.array([], pa.string()),
    pa.array([{"a": [1]}]),
    pa.chunked_array([[1], [2, 3]]),
]


@pytest.mark.parametrize("value", _ARROW, ids=range(15))
def test_arrow_values_come_back_as_they_were(value: Any) -> None:
    handler = default_registry().for_value(value)
    loaded = round_trip(value)
    assert type(loaded) is type(value)
    assert loaded.equals(value)
    if isinstance(value, pa.Table | pa.RecordBatch):
        assert loaded.schema.equals(value.schema, check_metadata=True)
        assert handler.describe(value)["rows"] == value.num_rows
    assert preview_of(value)["total"] == len(value)


def test_arrow_tables_are_parquet_where_it_holds_them(tmp_path: Path) -> None:
    for number, value in enumerate((_ARROW[0], _ARROW[5])):
        (tmp_path / str(number)).mkdir()
        round_trip(value, folder=tmp_path / str(number))
    assert pq.read_table(tmp_path / "0" / "table.parquet").equals(_ARROW[0])
    with pa.ipc.open_file(tmp_path / "1" / "table.arrow") as file:
        assert file.read_all().equals(_ARROW[5])


# --------------------------------------------------------------------------- all


def _parquet(table: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"PAR1",
        lambda data: data[:-10],
        lambda data: b"x" * len(data),
        lambda data: data[:50] + b"\xff" * (len(data) - 70) + data[-20:],
    ],
    ids=range(5),
)
@pytest.mark.parametrize(
    ("handler", "name"),
    [
        ("pandas.dataframe", "frame.parquet"),
        ("pandas.series", "frame.parquet"),
        ("polars.dataframe", "frame.parquet"),
        ("polars.dataframe", "frame.arrow"),
        ("arrow.table", "table.parquet"),
        ("arrow.table", "table.arrow"),
    ],
)
def test_damaged_tables_give_a_clear_error(
    tmp_path: Path, handler: str, name: str, damage: Callable[[bytes], bytes]
) -> None:
    (tmp_path / name).write_bytes(damage(_parquet(pa.table({"a": range(1000), "b": ["x"] * 1000}))))
    with pytest.raises(BadFiles, match=name):
        default_registry().by_name(handler).load(PlainLoadFolder(tmp_path, trusted=True))


def test_a_version_without_its_table_is_damaged(tmp_path: Path) -> None:
    for handler in ("pandas.dataframe", "polars.series", "arrow.array"):
        with pytest.raises(BadFiles):
            default_registry().by_name(handler).load(PlainLoadFolder(tmp_path))


@pytest.mark.parametrize(
    "value", [pd.DataFrame({"a": [1, (2,)], "b": ["x", "y"]}), pl.DataFrame({"a": [1]}), _ARROW[0]]
)
def test_equal_tables_give_equal_bytes(tmp_path: Path, value: Any) -> None:
    digests = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        round_trip(value, folder=tmp_path / name)
        digests.append(PlainSaveFolder(tmp_path / name).files())
    assert digests[0] == digests[1]
