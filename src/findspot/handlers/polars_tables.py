"""Polars data frames and series: Parquet where it holds their types, else Arrow's files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.tables import SHOWN_COLUMNS, SHOWN_ROWS, file_of, table_preview

_SCHEMA_SHOWN = 200
_IN_MEMORY = 1 << 20
_PARQUET, _ARROW = "frame.parquet", "frame.arrow"


class DataFrameHandler(Handler):
    """Polars data frames, with Polars' own writers: ``frame.parquet``, or ``frame.arrow`` where
    Parquet would change a type. Frames with Python objects in them are left to pickle."""

    name = "polars.dataframe"
    types = ("polars.DataFrame",)
    kind = "table"

    def accepts(self, value: Any) -> bool:
        return type(value) is pl.DataFrame and _format(value) is not None

    def why_not(self, value: Any) -> str:
        return "it has columns of Python objects, which no file format of Polars holds"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        _write(value, folder)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return _read(folder)

    def describe(self, value: Any) -> Mapping[str, Any]:
        schema = list(value.schema.items())[:_SCHEMA_SHOWN]
        return {
            "rows": value.height,
            "columns": value.width,
            "bytes": int(value.estimated_size()),
            "schema": {name: str(dtype) for name, dtype in schema},
        }

    def preview(self, value: Any) -> Preview | None:
        head = value[:SHOWN_ROWS, :SHOWN_COLUMNS]
        return table_preview(value.columns, head.rows(), value.height)


class SeriesHandler(Handler):
    """Polars series, as a frame of one column of the series' name."""

    name = "polars.series"
    types = ("polars.Series",)
    kind = "dataset"

    def accepts(self, value: Any) -> bool:
        return type(value) is pl.Series and _format(value.to_frame()) is not None

    def why_not(self, value: Any) -> str:
        return "it holds Python objects"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        _write(value.to_frame(), folder)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        frame = _read(folder)
        if frame.width != 1:
            raise BadFiles(f"a series has one column, this has {frame.width}")
        return frame.to_series()

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {
            "length": len(value),
            "dtype": str(value.dtype),
            "missing": value.null_count(),
            "name": value.name,
        }

    def preview(self, value: Any) -> Preview | None:
        rows = [[item] for item in value.head(SHOWN_ROWS).to_list()]
        return table_preview([value.name or "values"], rows, len(value))


def _format(frame: pl.DataFrame) -> str | None:
    """The name of the file that holds the frame's types; None if no file does."""
    empty = frame.clear()
    for name, write, read in (
        (_PARQUET, empty.write_parquet, pl.read_parquet),
        (_ARROW, empty.write_ipc, pl.read_ipc),
    ):
        sink = io.BytesIO()
        try:
            write(sink)
            sink.seek(0)
            if read(sink).schema == frame.schema:
                return name
        except (PolarsError, PanicException, TypeError, NotImplementedError):
            continue
    return None


def _write(frame: pl.DataFrame, folder: SaveFolder) -> None:
    name = _format(frame)
    if name is None:
        raise BadFiles("no file format of Polars holds the frame's types")
    small = frame.estimated_size() < _IN_MEMORY
    target: Any = io.BytesIO() if small else folder.path(name)
    if name == _PARQUET:
        frame.write_parquet(target)
    else:
        frame.write_ipc(target, compression="uncompressed")
    if small:
        folder.write(name, target.getvalue())


def _read(folder: LoadFolder) -> pl.DataFrame:
    name = file_of(folder, (_PARQUET, _ARROW))
    size = next(entry.size for entry in folder.files if entry.path == name)
    source: Any = io.BytesIO(folder.read(name)) if size < _IN_MEMORY else folder.path(name)
    try:
        if name == _PARQUET:
            return pl.read_parquet(source, glob=False, hive_partitioning=False)
        return pl.read_ipc(source)
    except (PolarsError, OSError, ValueError) as error:
        raise BadFiles(f"it is damaged: {error}", where=name) from error
