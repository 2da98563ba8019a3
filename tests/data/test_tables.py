"""Items as data frames and arrays."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import ipc

from findspot.core.errors import FindspotError
from findspot.data import BadTable, MissingLibrary, UnknownFormat, get_dataitem
from http_files import WebServer

ROWS = {"name": ["ä", "b", "c"], "count": [1, 2, 3], "share": [0.5, 0.25, 0.125]}


def excel(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_excel(sink, index=False)
    return sink.getvalue()


def arrow(frame: pd.DataFrame, open_writer: Callable[..., Any]) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = io.BytesIO()
    with open_writer(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def files() -> dict[str, bytes]:
    """One table in every format, by file name."""
    frame = pd.DataFrame(ROWS)
    csv = frame.to_csv(index=False).encode()
    lines = frame.to_json(orient="records", lines=True).encode()
    return {
        "t.csv": csv,
        "T.CSV": csv,
        "t.csv.gz": gzip.compress(csv),
        "t.csv.bz2": bz2.compress(csv),
        "t.csv.xz": lzma.compress(csv),
        "t.tsv": frame.to_csv(index=False, sep="\t").encode(),
        "t.parquet": frame.to_parquet(index=False),
        "t.json": frame.to_json(orient="records").encode(),
        "t.jsonl": lines,
        "t.ndjson": lines,
        "t.jsonl.gz": gzip.compress(lines),
        "t.arrow": arrow(frame, ipc.new_file),
        "t.feather": arrow(frame, ipc.new_file),
        "t.arrows": arrow(frame, ipc.new_stream),
        "t.xlsx": excel(frame),
    }


FILES = files()


@pytest.mark.parametrize("place", ["file", "http"])
@pytest.mark.parametrize("name", FILES)
def test_every_format(name: str, place: str, tmp_path: Path, web: WebServer) -> None:
    if place == "file":
        (tmp_path / name).write_bytes(FILES[name])
        item = get_dataitem(tmp_path / name)
    else:
        item = get_dataitem(web.add(f"/{name}", FILES[name]))
    frame = item.as_df()
    assert isinstance(frame, pd.DataFrame)
    assert frame.to_dict("list") == ROWS
    assert list(item.as_df(columns=["share", "name"]).columns) == ["share", "name"]
    other = item.as_df(engine="polars")
    assert isinstance(other, pl.DataFrame)
    assert other.to_dict(as_series=False) == ROWS
    assert item.as_df(columns=["share", "name"], engine="polars").columns == ["share", "name"]


def test_the_format_may_be_told(tmp_path: Path, web: WebServer) -> None:
    (tmp_path / "data.txt").write_bytes(FILES["t.csv"])
    item = get_dataitem(tmp_path / "data.txt")
    for format in ("csv", "CSV", ".csv"):
        assert item.as_df(format).to_dict("list") == ROWS
    with pytest.raises(UnknownFormat, match=r"'\.txt' tells no format") as caught:
        item.as_df()
    assert "csv, tsv, parquet" in str(caught.value)
    with pytest.raises(UnknownFormat, match="no format 'toml'"):
        item.as_df("toml")
    told = get_dataitem(web.add("/query?as=csv", FILES["t.csv"], media_type="text/csv; charset=x"))
    assert told.as_df().to_dict("list") == ROWS
    silent = get_dataitem(web.add("/query", FILES["t.csv"], media_type=None))
    with pytest.raises(UnknownFormat, match="without an ending"):
        silent.as_df()


def test_options_go_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;2\n3;4\n")
    item = get_dataitem(tmp_path / "t.csv")
    assert item.as_df(sep=";", nrows=1).to_dict("list") == {"a": [1], "b": [2]}
    frame = item.as_df(engine="polars", separator=";", n_rows=1)
    assert frame.to_dict(as_series=False) == {"a": [1], "b": [2]}


def test_only_the_columns_of_a_remote_parquet_file_travel(web: WebServer) -> None:
    wide = pd.DataFrame({f"c{i}": np.random.default_rng(i).random(50_000) for i in range(20)})
    data = wide.to_parquet(index=False)
    item = get_dataitem(web.add("/wide.parquet", data))
    assert item.as_df(columns=["c7"]).equals(wide[["c7"]])
    spans = [seen.headers["Range"][6:] for seen in web.requests if "Range" in seen.headers]
    asked = sum(int(end) - int(start) + 1 for start, _, end in (s.partition("-") for s in spans))
    assert 0 < asked < len(data) / 2


@pytest.mark.parametrize("engine", ["pandas", "polars"])
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.arrow", "t.json", "t.xlsx", "t.jsonl"])
def test_bad_files(name: str, engine: Any, tmp_path: Path) -> None:
    bad = b'{"a": [' if "json" in name else b""
    (tmp_path / name).write_bytes(bad)
    with pytest.raises(BadTable, match=f"{name}: It cannot be read as"):
        get_dataitem(tmp_path / name).as_df(engine=engine)


@pytest.mark.parametrize("engine", ["pandas", "polars"])
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.arrow", "t.json"])
def test_columns_that_there_are_not(name: str, engine: Any, tmp_path: Path, web: WebServer) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    for place in (tmp_path / name, web.add(f"/{name}", FILES[name])):
        with pytest.raises(BadTable, match="height"):
            get_dataitem(place).as_df(columns=["height"], engine=engine)


def test_engines_that_there_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_bytes(FILES["t.csv"])
    item = get_dataitem(tmp_path / "t.csv")
    with pytest.raises(FindspotError, match="pandas or polars"):
        item.as_df(engine="spark")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingLibrary, match=r"findspot\[polars\]"):
        item.as_df(engine="polars")


def test_excel_needs_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.xlsx").write_bytes(FILES["t.xlsx"])
    for library in ("openpyxl", "python_calamine", "fastexcel"):
        monkeypatch.setitem(sys.modules, library, None)
    for engine in ("pandas", "polars"):
        with pytest.raises(MissingLibrary, match="pip install openpyxl"):
            get_dataitem(tmp_path / "t.xlsx").as_df(engine=engine)


@pytest.mark.parametrize("place", ["file", "memory"])
def test_arrays(place: str, tmp_path: Path) -> None:
    folder = str(tmp_path) if place == "file" else f"memory://{tmp_path.name}"
    values = np.arange(12.0).reshape(3, 4)
    sink = io.BytesIO()
    np.save(sink, values)
    item = get_dataitem(f"{folder}/a.npy")
    item.put(sink.getvalue())
    assert np.array_equal(item.as_array(), values)
    assert isinstance(item.as_array(mmap_mode="r"), np.memmap)

    sink = io.BytesIO()
    np.savez(sink, values)
    get_dataitem(f"{folder}/one.npz").put(sink.getvalue())
    assert np.array_equal(get_dataitem(f"{folder}/one.npz").as_array(), values)
    sink = io.BytesIO()
    np.savez(sink, first=values, second=values * 2)
    two = get_dataitem(f"{folder}/two.npz")
    two.put(sink.getvalue())
    assert np.array_equal(two.as_array(name="second"), values * 2)
    for name in (None, "third"):
        with pytest.raises(FindspotError, match="one of first, second"):
            two.as_array(name=name)

    for text in ("1,2\n3,4\n", "x,y\n1,2\n3,4\n"):
        table = get_dataitem(f"{folder}/t.csv")
        table.put(text)
        assert table.as_array().tolist() == [[1, 2], [3, 4]]
    get_dataitem(f"{folder}/t.txt").put("1\t2\n")
    assert get_dataitem(f"{folder}/t.txt").as_array("tsv").tolist() == [[1, 2]]


def test_bad_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    item = get_dataitem(tmp_path / "objects.npy")
    with pytest.raises(BadTable, match="pickle"):
        item.as_array()
    with pytest.raises(BadTable, match="pickle"):
        item.as_array(allow_pickle=True)
    (tmp_path / "bad.npy").write_bytes(b"x")
    with pytest.raises(BadTable, match=r"bad\.npy"):
        get_dataitem(tmp_path / "bad.npy").as_array()
    (tmp_path / "words.csv").write_text("a,b\nc,d\n")
    with pytest.raises(BadTable):
        get_dataitem(tmp_path / "words.csv").as_array()
    with pytest.raises(UnknownFormat, match="npy, npz"):
        get_dataitem(tmp_path / "a.txt").as_array()
    with pytest.raises(UnknownFormat, match="no ending"):
        get_dataitem(tmp_path / "a").as_array()
