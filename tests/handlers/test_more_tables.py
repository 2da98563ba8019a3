"""Datasets of many files, lazy frames, single values of pandas and Arrow, geometries, and Hugging
Face's datasets and folders."""

from __future__ import annotations

import datetime
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from findspot.handlers import (
    BadFiles,
    BadSelection,
    BadValue,
    CannotConvert,
    ClassNotFound,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    load_value,
    python_type_name,
    round_trip,
)

datasets: Any = import_module("datasets")
gpd: Any = import_module("geopandas")
shapely: Any = import_module("shapely")


def saved(value: Any, folder: Path, **args: Any) -> Any:
    """Save a value; what is returned loads it as a type or in part."""
    folder.mkdir(exist_ok=True)
    found = default_registry().for_value(value)
    found.save(value, PlainSaveFolder(folder), **args)

    def load(as_type: Any = None, **what: Any) -> Any:
        return load_value(found, PlainLoadFolder(folder), as_type=as_type, what=what)

    return load


# --------------------------------------------------------------------------- datasets of files


def many_files(folder: Path) -> Any:
    table = pa.table({"n": np.arange(1200), "x": np.linspace(0, 1, 1200), "k": ["a", "b"] * 600})
    folder.mkdir()
    paths = [folder / f"{number}.parquet" for number in range(12)]
    for number, path in enumerate(paths):
        pq.write_table(table.slice(100 * number, 100), path, row_group_size=30)
    return table, pads.dataset([str(path) for path in paths])


def test_a_dataset_of_many_files_keeps_rows_and_order(tmp_path: Path) -> None:
    table, dataset = many_files(tmp_path / "source")
    handler = default_registry().for_value(dataset)
    assert (handler.name, handler.kind) == ("arrow.dataset", "dataset")
    load = saved(dataset, tmp_path / "saved", rows_per_file=70)
    assert len(list((tmp_path / "saved" / "data").iterdir())) == 18
    loaded = load()
    assert python_type_name(loaded) == "pyarrow.dataset.FileSystemDataset"
    assert loaded.to_table().equals(table)
    assert handler.describe(dataset)["rows"] == 1200
    for as_type in (pl.DataFrame, pd.DataFrame, "pyarrow.Table"):
        assert len(load(as_type, rows=slice(0, 3), columns=["n"])["n"]) == 3
    assert load(pl.LazyFrame).filter(pl.col("n") == 7).collect()["x"].item() == 7 / 1199


@pytest.mark.parametrize(
    "rows", [slice(150, 350), slice(-3, None), slice(None, None, -400), slice(5, 5)], ids=str
)
def test_rows_of_a_dataset_are_read_from_their_files_alone(rows: slice, tmp_path: Path) -> None:
    table, dataset = many_files(tmp_path / "source")
    load = saved(dataset, tmp_path / "saved", rows_per_file=100)
    part = load(rows=rows, columns=["x", "n"]).to_table()
    assert part["n"].to_pylist() == list(range(1200))[rows]
    assert part.column_names == ["x", "n"]
    assert part["x"].to_pylist() == table["x"].to_pylist()[rows]
    if rows == slice(150, 350):
        # Data of other files may be anything at all; their footers say how many rows they have.
        for number in (0, 5, 11):
            path = tmp_path / "saved" / "data" / f"part-{number}.parquet"
            data = bytearray(path.read_bytes())
            data[4:200] = b"\xff" * 196
            path.write_bytes(data)
        assert load(dict, rows=rows, columns=["n"]) == {"n": list(range(150, 350))}


def test_filtered_partitioned_and_empty_datasets(tmp_path: Path) -> None:
    table, dataset = many_files(tmp_path / "source")
    few = round_trip(dataset.filter(pads.field("n") < 3))
    assert few.to_table()["n"].to_pylist() == [0, 1, 2]
    none = round_trip(dataset.filter(pads.field("n") < 0))
    assert none.count_rows() == 0
    assert none.schema.names == ["n", "x", "k"]
    parted = tmp_path / "parted"
    pads.write_dataset(table, parted, format="csv", partitioning=["k"])
    loaded = round_trip(pads.dataset(parted, format="csv", partitioning=["k"]))
    assert sorted(set(loaded.to_table()["k"].to_pylist())) == ["a", "b"]
    assert loaded.count_rows() == 1200
    memory = pads.dataset(table)
    assert round_trip(memory).to_table().equals(table)


# --------------------------------------------------------------------------- lazy frames


def test_a_lazy_frame_is_computed_once_and_scanned_later(tmp_path: Path) -> None:
    counted = []

    def count(series: pl.Series) -> pl.Series:
        counted.append(len(series))
        return series * 2

    lazy = pl.LazyFrame({"n": np.arange(200_000), "x": np.linspace(0, 1, 200_000)}).with_columns(
        twice=pl.col("n").map_batches(count, return_dtype=pl.Int64)
    )
    load = saved(lazy, tmp_path)
    assert sum(counted) == 200_000
    loaded = load()
    assert isinstance(loaded, pl.LazyFrame)
    assert "PARQUET SCAN" in loaded.explain().upper()
    assert loaded.select("twice").tail(1).collect().item() == 399_998
    assert load(columns=["n"], rows=slice(5, 7)).collect()["n"].to_list() == [5, 6]
    assert load(pl.DataFrame, rows=slice(2)).height == 2
    assert sum(counted) == 200_000
    handler = default_registry().for_value(lazy)
    assert handler.preview(lazy) is None
    assert handler.describe(lazy)["columns"] == 3


def test_small_lazy_frames_and_types_that_parquet_lacks_come_back() -> None:
    for value in (
        pl.LazyFrame({"a": [1, None]}),
        pl.LazyFrame({"t": [datetime.timedelta(seconds=1)]}),
        pl.LazyFrame({"w": pl.Series([None], dtype=pl.Null)}),
        pl.LazyFrame({"e": pl.Series(["a"], dtype=pl.Enum(["a", "b"]))}),
    ):
        assert round_trip(value).collect().equals(value.collect())
        assert round_trip(value).collect_schema() == value.collect_schema()


# --------------------------------------------------------------------------- single values

_MOMENT = pd.Timestamp("2024-03-31 01:30:00.123456789")
_SCALARS: list[Any] = [
    _MOMENT,
    _MOMENT.tz_localize("Europe/Berlin"),
    _MOMENT.tz_localize("UTC"),
    _MOMENT.tz_localize(datetime.timezone(datetime.timedelta(hours=2))),
    pd.Timestamp("2024-10-27 01:30:00", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timestamp("0001-01-01").as_unit("s"),
    pd.Timestamp("2024-01-01").as_unit("ms"),
    pd.Timedelta(days=-3, nanoseconds=7),
    pd.Timedelta(5, "s").as_unit("s"),
    pd.Period("2024-05", freq="M"),
    pd.Period("2024-05-07 13:00", freq="h"),
    pd.Interval(1, 2.5, closed="both"),
    pd.Interval(_MOMENT, _MOMENT + pd.Timedelta("1D")),
]


@pytest.mark.parametrize("value", _SCALARS, ids=range(len(_SCALARS)))
def test_single_values_of_pandas_come_back(value: Any) -> None:
    for loaded in (round_trip(value), round_trip({"a": [value]})["a"][0]):
        assert type(loaded) is type(value)
        assert loaded == value
        assert str(loaded) == str(value)
        for attribute in ("unit", "tzinfo", "freqstr", "closed"):
            assert getattr(loaded, attribute, None) == getattr(value, attribute, None)
    assert default_registry().for_value(value).name == "pandas.scalar"


def test_what_is_missing_in_pandas_is_the_same_object() -> None:
    assert round_trip(pd.NaT) is pd.NaT
    assert round_trip(pd.NA) is pd.NA
    assert round_trip([pd.NaT, pd.NA, 1]) == [pd.NaT, pd.NA, 1]


@pytest.mark.parametrize(
    "value",
    [
        pa.scalar(5, pa.int8()),
        pa.scalar(None, pa.string()),
        pa.scalar("é"),
        pa.scalar(_MOMENT.to_datetime64()),
        pa.scalar({"a": [1, 2]}),
        pa.scalar("x", pa.dictionary(pa.int8(), pa.string())),
        pa.scalar(None),
    ],
    ids=str,
)
def test_scalars_of_arrow_come_back(value: Any) -> None:
    loaded = round_trip(value)
    assert loaded.type == value.type
    assert loaded.as_py() == value.as_py()
    assert default_registry().for_value(value).name == "arrow.scalar"


# --------------------------------------------------------------------------- geometries


def places() -> Any:
    return gpd.GeoDataFrame(
        {"name": ["Ulm", "Köln"], "count": [1, 2]},
        geometry=[shapely.Point(10, 48.4), shapely.Point(6.96, 50.94)],
        crs="EPSG:4326",
    )


def test_frames_with_geometries_come_back(tmp_path: Path) -> None:
    frame = places()
    handler = default_registry().for_value(frame)
    assert (handler.name, handler.kind) == ("geopandas.dataframe", "table")
    load = saved(frame, tmp_path / "a")
    loaded = load()
    pd.testing.assert_frame_equal(pd.DataFrame(loaded), pd.DataFrame(frame))
    assert loaded.crs == frame.crs
    assert loaded.active_geometry_name == "geometry"
    assert load(columns=["geometry"], rows=slice(1))["geometry"].iloc[0].x == 10
    assert load("pandas.DataFrame")["geometry"].tolist() == [
        "POINT (10 48.4)",
        "POINT (6.96 50.94)",
    ]
    assert load(dict)["features"][0]["geometry"]["type"] == "Point"
    with pytest.raises(BadSelection, match="did you mean 'name'"):
        load(columns=["nam"])
    described = handler.describe(frame)
    assert described["bounds"] == [6.96, 48.4, 10.0, 50.94]
    json.dumps(described)
    saved(places(), tmp_path / "b")
    assert PlainSaveFolder(tmp_path / "a").files() == PlainSaveFolder(tmp_path / "b").files()
    (tmp_path / "a" / "frame.geoparquet").write_bytes(b"PAR1")
    with pytest.raises(BadFiles, match="no GeoParquet"):
        load()


def test_series_of_geometries_come_back(tmp_path: Path) -> None:
    series = places().geometry.rename("where")
    loaded = round_trip(series)
    assert loaded.name == "where"
    assert loaded.crs == series.crs
    assert loaded.geom_equals(series).all()
    assert round_trip(series.rename(None)).name is None
    with pytest.raises(BadValue, match="GeoParquet does not take it"):
        round_trip(places().assign(things=[{1}, [2]]))


# --------------------------------------------------------------------------- Hugging Face


@pytest.fixture
def quiet_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("quiet_datasets")
def test_datasets_of_hugging_face_come_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 0], "vector": [[1.0], [2.0, 3.0], []]}
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "vector": datasets.List(datasets.Value("float32")),
        }
    )
    dataset = datasets.Dataset.from_dict(rows, features=features)
    load = saved(dataset, tmp_path / "one")
    loaded = load()
    assert loaded.features == features
    assert loaded[:] == rows
    assert load(columns=["text"], rows=slice(1, None))[:] == {"text": ["b", "c"]}
    assert load(pd.DataFrame, rows=slice(1))["text"].tolist() == ["a"]
    assert load(list, columns=["label"], rows=slice(None, None, -2)) == [{"label": 0}, {"label": 0}]
    with pytest.raises(BadSelection, match="did you mean 'label'"):
        load(columns=["labels"])
    splits = datasets.DatasetDict({"train": dataset, "test": dataset.select([0])})
    both = saved(splits, tmp_path / "two")
    assert {name: len(part) for name, part in both().items()} == {"train": 3, "test": 1}
    assert both(split="test")[:]["text"] == ["a"]
    assert both(rows=slice(1))["train"].num_rows == 1
    with pytest.raises(CannotConvert, match="choose one: split='test'"):
        both(pd.DataFrame)
    assert default_registry().for_value(splits).describe(splits) == {
        "splits": {"train": 3, "test": 1}
    }
    assert capfd.readouterr() == ("", "")


class Tokenizer:
    """Saves itself as those of transformers do."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def save_pretrained(self, folder: str) -> None:
        Path(folder, "vocabulary.json").write_text(json.dumps(self.words))

    @classmethod
    def from_pretrained(cls, folder: str) -> Tokenizer:
        return cls(json.loads(Path(folder, "vocabulary.json").read_text()))


def test_what_saves_itself_to_a_folder_comes_back_where_it_is_trusted(tmp_path: Path) -> None:
    loaded = round_trip(Tokenizer(["a", "b"]))
    assert type(loaded) is Tokenizer
    assert loaded.words == ["a", "b"]
    handler = default_registry().for_value(Tokenizer([]))
    assert (handler.name, handler.kind) == ("huggingface.pretrained", "model")
    handler.save(Tokenizer(["c"]), PlainSaveFolder(tmp_path))
    with pytest.raises(Untrusted, match="Tokenizer"):
        handler.load(PlainLoadFolder(tmp_path))
    (tmp_path / "class.json").write_text('{"class": "os:system"}')
    with pytest.raises(ClassNotFound, match="has no class"):
        handler.load(PlainLoadFolder(tmp_path, trusted=True))


def test_parquet_files_of_pyarrow_are_read_by_others(tmp_path: Path) -> None:
    table, dataset = many_files(tmp_path / "source")
    saved(dataset, tmp_path / "saved")
    assert pq.read_table(tmp_path / "saved" / "data" / "part-0.parquet").equals(table)
