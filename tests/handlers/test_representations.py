"""Saved values loaded as other types, and only in part."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from PIL import Image

from findspot.handlers import (
    BadFiles,
    BadSelection,
    CannotConvert,
    Handler,
    LoadFolder,
    PlainLoadFolder,
    PlainSaveFolder,
    SaveFolder,
    default_registry,
    load_value,
    python_type_name,
    representations_of,
    runs_code,
    selections_of,
)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    """Save a value, and load it as a type or in part."""
    count = iter(range(100))

    def loaded(
        value: Any, as_type: Any = None, *, saved_with: dict[str, Any] | None = None, **what: Any
    ) -> Any:
        root = tmp_path / str(next(count))
        root.mkdir()
        handler = default_registry().for_value(value)
        handler.save(value, PlainSaveFolder(root), **(saved_with or {}))
        return load_value(
            handler,
            PlainLoadFolder(root),
            as_type=as_type,
            python_type=python_type_name(value),
            what=what,
        )

    return loaded


FRAME = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1.5, 2.5, 3.5, 4.5], "c": ["w", "x", "y", "z"]})
TABLES: dict[str, Any] = {
    "pandas": FRAME,
    "polars": pl.from_pandas(FRAME),
    "arrow": pa.Table.from_pandas(FRAME, preserve_index=False),
    "records": FRAME.to_dict(orient="records"),
    "columns": FRAME.to_dict(orient="list"),
}


# --------------------------------------------------------------------------- tables


@pytest.mark.parametrize("saved", TABLES)
def test_a_table_is_loaded_as_the_table_of_any_library(
    saved: str, load: Callable[..., Any]
) -> None:
    value = TABLES[saved]
    pd.testing.assert_frame_equal(load(value, pd.DataFrame), FRAME)
    assert load(value, pl.DataFrame).equals(TABLES["polars"])
    assert load(value, "pyarrow.Table").to_pydict() == TABLES["columns"]


@pytest.mark.parametrize("saved", ["pandas", "polars", "arrow"])
def test_a_table_is_loaded_as_plain_values(saved: str, load: Callable[..., Any]) -> None:
    value = TABLES[saved]
    assert load(value, dict) == TABLES["columns"]
    assert load(value, list) == TABLES["records"]
    numbers = load(value, np.ndarray, columns=["b", "a"])
    assert numbers.tolist() == [[1.5, 1], [2.5, 2], [3.5, 3], [4.5, 4]]
    lazy = load(value, pl.LazyFrame, rows=slice(1, 3))
    assert lazy.filter(pl.col("a") > 2).collect().to_dicts() == [{"a": 3, "b": 3.5, "c": "y"}]


_RANGES = [
    slice(1, 3),
    slice(-1, None),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(3, 0, -2),
    slice(2, 2),
    slice(10, 20),
    range(1, 4, 2),
    range(3, -1, -1),
]


@pytest.mark.parametrize("rows", _RANGES, ids=str)
@pytest.mark.parametrize("saved", ["pandas", "polars", "arrow"])
def test_rows_and_columns_are_those_that_pandas_would_select(
    saved: str, rows: Any, load: Callable[..., Any]
) -> None:
    numbers = list(rows) if isinstance(rows, range) else list(range(4))[rows]
    expected = FRAME[["c", "a"]].iloc[numbers]
    part = load(TABLES[saved], columns=["c", "a"], rows=rows)
    assert type(part) is type(TABLES[saved])
    if saved == "pandas":
        pd.testing.assert_frame_equal(part, FRAME[["c", "a"]].iloc[numbers])
        assert list(part.index) == numbers
    else:
        found = part.to_pandas() if saved == "arrow" else pl.DataFrame(part).to_pandas()
        pd.testing.assert_frame_equal(found, expected.reset_index(drop=True))


_INDEXES: dict[str, pd.Index] = {
    "range": pd.RangeIndex(10, 50, 10, name="r"),
    "texts": pd.Index(["k", "l", "m", "n"], name="t"),
    "days": pd.date_range("2024-01-01", periods=4, name="d"),
    "seconds": pd.date_range("2024-01-01", periods=4, tz="Europe/Berlin").as_unit("s"),
    "levels": pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]),
    "objects": pd.Index([1, "a", None, 2.5]),
}


@pytest.mark.parametrize("name", _INDEXES)
@pytest.mark.parametrize("rows", [slice(1, 3), slice(None, None, 2), slice(None, None, -1)])
def test_parts_of_a_frame_keep_index_types_and_attributes(
    name: str, rows: slice, load: Callable[..., Any]
) -> None:
    frame = FRAME.set_index(_INDEXES[name]).assign(
        span=pd.to_timedelta([1, 2, 3, 4], unit="s").to_numpy(),
        text=np.array(["a", None, "b", "c"], dtype=object),
        kind=pd.Categorical(["u", "v", "u", "v"]),
    )
    frame.attrs = {"source": "test"}
    part = load(frame, columns=["kind", "text", "span"], rows=rows)
    expected = frame[["kind", "text", "span"]].iloc[rows]
    pd.testing.assert_frame_equal(part, expected, check_freq=True)
    assert part.attrs == frame.attrs
    assert getattr(part.index, "freq", None) == getattr(expected.index, "freq", None)
    series = load(frame["text"], rows=rows)
    pd.testing.assert_series_equal(series, frame["text"].iloc[rows])


def test_columns_that_parquet_does_not_hold_can_be_chosen(load: Callable[..., Any]) -> None:
    frame = FRAME.assign(
        half=np.arange(4, dtype="f2"), sets=pd.Series([{1}, {2}, {3}, {4}], dtype=object)
    )
    with pytest.raises(Exception, match="pickle"):
        load(frame, columns=["sets"])
    frame = FRAME.assign(phase=np.array([1j, 2, 3, 4]))
    pd.testing.assert_frame_equal(
        load(frame, columns=["phase"], rows=slice(2)), frame[["phase"]].iloc[:2]
    )


def test_an_index_becomes_columns_of_other_tables(load: Callable[..., Any]) -> None:
    frame = FRAME[["a"]].set_index(_INDEXES["levels"])
    assert load(frame, pl.DataFrame).columns == ["x", "level_1", "a"]
    assert load(FRAME[["a"]].set_index(_INDEXES["texts"]), dict, rows=slice(1)) == {
        "t": ["k"],
        "a": [1],
    }
    named = FRAME[["a"]].set_index(pd.Index(range(1, 5), name="a"))
    assert load(named, pl.DataFrame).columns == ["a_index", "a"]


def test_only_the_row_groups_that_hold_the_rows_are_read(tmp_path: Path) -> None:
    """Bytes of other row groups may be anything at all."""
    table = pa.table({"n": np.arange(4000), "x": np.random.default_rng(0).random(4000)})
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, row_group_size=1000, compression="none")
    metadata = pq.ParquetFile(path).metadata
    data = bytearray(path.read_bytes())
    for group in (0, 1, 3):
        for column in (0, 1):
            about = metadata.row_group(group).column(column)
            start = about.dictionary_page_offset or about.data_page_offset
            data[start : start + about.total_compressed_size] = b"\xff" * (
                about.total_compressed_size
            )
    path.write_bytes(data)
    handler = default_registry().by_name("arrow.table")
    part = load_value(handler, PlainLoadFolder(tmp_path), what={"rows": slice(2100, 2103)})
    assert part.column("n").to_pylist() == [2100, 2101, 2102]
    assert part.equals(table.slice(2100, 3))


def test_large_polars_files_are_scanned(load: Callable[..., Any]) -> None:
    frame = pl.DataFrame({"n": np.arange(200_000), "x": np.linspace(0, 1, 200_000)})
    part = load(frame, columns=["x"], rows=slice(-5, None))
    assert part.equals(frame.select("x").tail(5))
    lazy = load(frame, pl.LazyFrame, columns=["n"])
    assert "PARQUET SCAN" in lazy.explain().upper()
    assert lazy.sum().collect().item() == 200_000 * 199_999 // 2


@pytest.mark.parametrize("saved", ["pandas", "arrow"])
def test_large_parquet_files_of_others_are_scanned_by_polars(
    saved: str, load: Callable[..., Any]
) -> None:
    frame = pd.DataFrame({"n": np.arange(200_000), "x": np.linspace(0, 1, 200_000)})
    value = frame if saved == "pandas" else pa.Table.from_pandas(frame, preserve_index=False)
    lazy = load(value, pl.LazyFrame, rows=slice(10, 20))
    assert "PARQUET SCAN" in lazy.explain().upper()
    assert lazy.collect()["n"].to_list() == list(range(10, 20))
    assert lazy.collect_schema().names() == ["n", "x"]


def test_columns_are_loaded_as_arrays_of_any_library(load: Callable[..., Any]) -> None:
    for value in (
        pd.Series([1.5, 2.5, 3.5], name="v"),
        pl.Series("v", [1.5, 2.5, 3.5]),
        pa.array([1.5, 2.5, 3.5]),
        pa.chunked_array([[1.5], [2.5, 3.5]]),
        np.array([1.5, 2.5, 3.5]),
    ):
        assert load(value, list) == [1.5, 2.5, 3.5]
        assert load(value, list, rows=slice(1, None)) == [2.5, 3.5]
        assert load(value, pd.Series).tolist() == [1.5, 2.5, 3.5]
        assert load(value, pl.Series).to_list() == [1.5, 2.5, 3.5]
        assert load(value, "pyarrow.Array").to_pylist() == [1.5, 2.5, 3.5]
        assert load(value, np.ndarray).tolist() == [1.5, 2.5, 3.5]
    assert load(pd.date_range("2024-01-01", periods=2), list)[1].day == 2


@pytest.mark.parametrize("saved", ["pandas", "polars", "arrow"])
def test_wrong_columns_and_rows_are_refused_with_what_there_is(
    saved: str, load: Callable[..., Any]
) -> None:
    with pytest.raises(BadSelection, match="'bb' is not there") as caught:
        load(TABLES[saved], columns=["bb", "a", "a", "zzz"])
    assert "did you mean 'b'" in str(caught.value)
    assert "'a' is asked for twice; 'zzz' is not there" in str(caught.value)
    assert "It has: 'a', 'b', 'c'." in str(caught.value)
    with pytest.raises(BadSelection, match="Give a list of names"):
        load(TABLES[saved], columns="a")
    with pytest.raises(BadSelection, match="Give a slice or a range"):
        load(TABLES[saved], rows=[1, 2])
    with pytest.raises(BadSelection, match="no range of rows"):
        load(TABLES[saved], rows=slice("a", "b"))
    with pytest.raises(BadSelection, match="no range of rows"):
        load(TABLES[saved], rows=slice(0, 2, 0))
    with pytest.raises(BadSelection, match="Did you mean 'columns'"):
        load(TABLES[saved], colums=["a"])


def test_a_matrix_takes_numbers_only(load: Callable[..., Any]) -> None:
    with pytest.raises(CannotConvert, match=r"'c' is .*string"):
        load(TABLES["arrow"], np.ndarray)


# --------------------------------------------------------------------------- arrays, files


def test_a_slice_of_a_large_array_is_read_alone(load: Callable[..., Any]) -> None:
    array = np.arange(400_000.0).reshape(1000, 400)
    part = load(array, rows=slice(10, 12))
    assert part.tolist() == array[10:12].tolist()
    assert part.flags.writeable
    assert load(array, index=np.s_[-1, ::100]).tolist() == array[-1, ::100].tolist()
    assert load(array, index=np.s_[..., 5]).shape == (1000,)
    mapped = load(array, rows=slice(0, 900))
    assert not mapped.flags.writeable
    assert load(np.empty((0, 3)), rows=slice(2)).shape == (0, 3)
    assert load(array, list, index=np.s_[3, 1:3]) == [1201.0, 1202.0]
    assert load(np.eye(2), pd.DataFrame).to_numpy().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"index": 5}, "no such part"),
        ({"index": (0, 0, 0)}, "no such part"),
        ({"index": [0, 1]}, "whole numbers, slices"),
        ({"index": True}, "whole numbers, slices"),
        ({"index": 0, "rows": slice(1)}, "Both rows and index"),
        ({"rows": 1}, "Give a slice or a range"),
        ({"columns": ["a"]}, "no selection 'columns'"),
    ],
)
def test_parts_that_an_array_does_not_have(
    what: dict[str, Any], message: str, load: Callable[..., Any]
) -> None:
    with pytest.raises(BadSelection, match=message):
        load(np.eye(3), **what)


def test_an_array_of_three_dimensions_is_no_table(load: Callable[..., Any]) -> None:
    with pytest.raises(CannotConvert, match=r"shape \(2, 2, 2\)"):
        load(np.zeros((2, 2, 2)), pl.DataFrame)


def test_one_file_of_a_folder_is_loaded_alone(tmp_path: Path, load: Callable[..., Any]) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a.txt").write_text("é")
    (source / "b.bin").write_bytes(b"\xff")
    assert load(source, file="deep/a.txt").read_text() == "é"
    assert load(source, str, file="deep/a.txt") == "é"
    assert load(source, bytes, file="b.bin") == b"\xff"
    with pytest.raises(CannotConvert, match="no UTF-8"):
        load(source, str, file="b.bin")
    with pytest.raises(BadSelection, match=r"did you mean 'deep/a\.txt'"):
        load(source, file="deep/b.txt")
    with pytest.raises(BadSelection, match="is not there"):
        load(source, file="../source/b.bin")
    with pytest.raises(CannotConvert, match="say which file"):
        load(source, bytes)


def test_entries_of_a_dict_are_read_alone(tmp_path: Path) -> None:
    value = {"a": np.arange(3), "b": (1, 2), "c": np.arange(5)}
    handler = default_registry().for_value(value)
    handler.save(value, PlainSaveFolder(tmp_path))
    (tmp_path / "parts" / "1" / "array.npy").write_bytes(b"damaged")
    folder = PlainLoadFolder(tmp_path)
    part = load_value(handler, folder, what={"keys": ["b", "a"]})
    assert list(part) == ["b", "a"]
    assert part["a"].tolist() == [0, 1, 2]
    with pytest.raises(BadFiles, match="no npy file"):
        load_value(handler, folder, what={"keys": ["c"]})
    with pytest.raises(BadSelection, match="'d' is not there"):
        load_value(handler, folder, what={"keys": ["d"]})


def test_entries_of_json(load: Callable[..., Any]) -> None:
    assert load({"a": 1, "b": [2]}, keys=["b"]) == {"b": [2]}
    assert load({"a": [1, 2], "b": 3}, pd.DataFrame, keys=["a"])["a"].tolist() == [1, 2]
    with pytest.raises(BadSelection, match="not a dict"):
        load([1], keys=["a"])


def test_a_structure_without_text_keys_is_loaded_whole(load: Callable[..., Any]) -> None:
    for value in ((1, 2), {1: np.eye(2)}, {"$": {1}}):
        with pytest.raises(BadSelection, match="no dict with text keys"):
            load(value, keys=["a"])


def test_figures_and_images_as_pictures_and_numbers(load: Callable[..., Any]) -> None:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    assert load(figure, bytes).startswith(b"\x89PNG")
    assert load(figure, str).startswith("<?xml")
    assert load(figure, Image.Image).size == (200, 100)
    image = Image.new("RGB", (3, 2), (1, 2, 3))
    assert load(image, np.ndarray).shape == (2, 3, 3)
    drawn = plotly.graph_objects.Figure(data=[plotly.graph_objects.Bar(y=[1, 2])])
    # Pictures would be drawn by a browser, whose start takes seconds.
    assert load(drawn, dict, saved_with={"pictures": False})["data"][0]["type"] == "bar"


# --------------------------------------------------------------------------- any version


def test_every_version_is_a_path_and_one_file_is_bytes(load: Callable[..., Any]) -> None:
    assert load({"a": 1}, Path).read_bytes() == b'{"a":1}'
    assert load({"a": 1}, bytes) == b'{"a":1}'
    array = np.load(io.BytesIO(load(np.arange(3), bytes)))
    assert array.tolist() == [0, 1, 2]
    with pytest.raises(CannotConvert, match="it has 2 files"):
        load([np.arange(2)], bytes)
    assert {path.name for path in load([np.arange(2)], Path).iterdir()} == {
        "structure.json",
        "parts",
    }


def test_text_and_bytes_become_each_other(load: Callable[..., Any]) -> None:
    assert load("é", bytes) == "é".encode()
    assert load("é".encode(), str) == "é"
    assert load(b"ab", bytearray) == bytearray(b"ab")
    assert load(bytearray(b"ab"), bytes) == b"ab"
    assert load({"a": [1, None]}, str) == '{"a":[1,null]}'
    with pytest.raises(CannotConvert, match="no UTF-8"):
        load(b"\xff", str)
    with pytest.raises(CannotConvert, match="list of records"):
        load([1, 2], pd.DataFrame)


def test_what_cannot_be_lists_what_can(load: Callable[..., Any]) -> None:
    with pytest.raises(CannotConvert) as caught:
        load(np.eye(2), dict)
    assert caught.value.as_type == "dict"
    assert "torch.Tensor" in caught.value.possible
    assert "numpy.ndarray (as it was saved), list" in str(caught.value)
    with pytest.raises(BadSelection, match="no class"):
        load(1, 5)


def test_a_missing_library_is_named(
    load: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CannotConvert, match="torch is not installed"):
        load(np.eye(2), "torch.Tensor")


def test_files_of_a_pickle_need_no_trust(load: Callable[..., Any]) -> None:
    pickle = default_registry().by_name("pickle")
    assert runs_code(pickle)
    assert runs_code(pickle, object)
    assert not runs_code(pickle, Path)
    assert not runs_code(pickle, bytes)
    assert load(print, bytes).startswith(b"\x80")


def test_handlers_without_views_have_only_the_files(tmp_path: Path) -> None:
    class Own(Handler):
        types = (complex,)

        def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
            folder.write("value.txt", str(value).encode())

        def load(self, folder: LoadFolder, /, **args: Any) -> complex:
            return complex(folder.read("value.txt").decode())

    own: Any = Own()
    own.save(1j, PlainSaveFolder(tmp_path))
    folder = PlainLoadFolder(tmp_path)
    assert representations_of(own) == ("pathlib.Path", "bytes")
    assert selections_of(own) == ()
    assert load_value(own, folder, as_type=complex, python_type="complex") == 1j
    assert load_value(own, folder, as_type=bytes, what={"rows": None}) == b"1j"
    with pytest.raises(BadSelection, match="only be loaded whole"):
        load_value(own, folder, what={"rows": slice(2)})


def test_declared_names_are_true(load: Callable[..., Any]) -> None:
    """Every representation of the tables can in fact be loaded."""
    for value in (FRAME[["a", "b"]], TABLES["polars"][["a"]], TABLES["arrow"].select(["b"])):
        handler = default_registry().for_value(value)
        for name in representations_of(handler):
            loaded = load(value, name)
            found = python_type_name(loaded)
            assert found == name
