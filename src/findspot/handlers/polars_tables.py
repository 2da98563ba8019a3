"""Polars data frames and series: Parquet where it holds their types, else Arrow's files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from findspot.core.records import Preview
from findspot.handlers.column_labels import schema_of
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_names, covering, row_range
from findspot.handlers.tables import SHOWN_COLUMNS, SHOWN_ROWS, file_of, table_preview

_IN_MEMORY = 1 << 20
_PARQUET, _ARROW = "frame.parquet", "frame.arrow"
# As `table_views` has them, which imports pyarrow: Polars alone needs none.
_TABLES = (
    *("pandas.DataFrame", "polars.LazyFrame", "polars.DataFrame"),
    *("pyarrow.Table", "numpy.ndarray", "dict", "list"),
)
_ARRAYS = ("numpy.ndarray", "pandas.Series", "pyarrow.Array", "pyarrow.ChunkedArray", "list")


class DataFrameHandler(Handler):
    """Polars data frames, with Polars' own writers: ``frame.parquet``, or ``frame.arrow`` where
    Parquet would change a type. Frames with Python objects in them are left to pickle."""

    name = "polars.dataframe"
    types = ("polars.DataFrame",)
    kind = "table"
    representations = _TABLES
    selections = ("columns", "rows")

    def accepts(self, value: Any) -> bool:
        return type(value) is pl.DataFrame and _format(value) is not None

    def why_not(self, value: Any) -> str:
        return "it has columns of Python objects, which no file format of Polars holds"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        _write(value, folder)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return _read(folder)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        lazy = _scan(folder, what)
        if as_type == "polars.LazyFrame":
            return lazy
        frame = _collected(lazy, folder)
        if as_type == "polars.DataFrame":
            return frame
        if as_type in ("dict", "list"):
            return frame.to_dict(as_series=False) if as_type == "dict" else frame.to_dicts()
        from findspot.handlers.table_views import table_as

        return table_as(frame.to_arrow(), as_type, self.name)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        return _collected(_scan(folder, what), folder)

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {
            "rows": value.height,
            "columns": value.width,
            "bytes": int(value.estimated_size()),
            "schema": schema_of(value.schema.items()),
        }

    def preview(self, value: Any) -> Preview | None:
        head = value[:SHOWN_ROWS, :SHOWN_COLUMNS]
        return table_preview(value.columns, head.rows(), value.height)


class LazyFrameHandler(DataFrameHandler):
    """Polars' lazy frames: what they compute is computed when they are saved, and written batch by
    batch where Parquet holds its types. They come back as lazy frames that scan the stored file,
    so a later step reads only the columns and rows that it uses.
    """

    name = "polars.lazyframe"
    types = ("polars.LazyFrame",)

    def accepts(self, value: Any) -> bool:
        return type(value) is pl.LazyFrame

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        empty = pl.DataFrame(schema=value.collect_schema())
        if _format(empty) == _PARQUET:
            value.sink_parquet(folder.path(_PARQUET))
        else:
            _write(value.collect(), folder)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return _scan(folder, {})

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        return _scan(folder, what)

    def describe(self, value: Any) -> Mapping[str, Any]:
        """The schema; the rows would have to be computed again."""
        schema = value.collect_schema()
        return {
            "columns": len(schema),
            "schema": schema_of(schema.items()),
        }

    def preview(self, value: Any) -> Preview | None:
        """None: to see rows is to compute them again."""
        return None


class SeriesHandler(Handler):
    """Polars series, as a frame of one column of the series' name."""

    name = "polars.series"
    types = ("polars.Series",)
    kind = "dataset"
    representations = _ARRAYS
    selections = ("rows",)

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

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        series = _collected(_scan(folder, what), folder).to_series()
        if as_type == "list":
            return series.to_list()
        if as_type == "numpy.ndarray":
            return series.to_numpy()
        from findspot.handlers.table_views import array_as

        return array_as(series.to_arrow(), as_type, series.name)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        return _collected(_scan(folder, what), folder).to_series()

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


def _scan(folder: LoadFolder, what: Mapping[str, Any]) -> pl.LazyFrame:
    """Columns and rows of the stored file, not read yet."""
    name = file_of(folder, (_PARQUET, _ARROW))
    size = next(entry.size for entry in folder.files if entry.path == name)
    try:
        if size < _IN_MEMORY:
            lazy = _read(folder).lazy()
        elif name == _PARQUET:
            lazy = pl.scan_parquet(folder.path(name), glob=False, hive_partitioning=False)
        else:
            lazy = pl.scan_ipc(folder.path(name))
        return narrowed(lazy, what)
    except (PolarsError, OSError) as error:
        raise BadFiles(f"it is damaged: {error}", where=name) from error


def narrowed(lazy: pl.LazyFrame, what: Mapping[str, Any]) -> pl.LazyFrame:
    """The chosen columns and rows of a lazy frame."""
    if "columns" in what:
        lazy = lazy.select(chosen_names(what["columns"], lazy.collect_schema().names()))
    if "rows" in what:
        total = lazy.select(pl.len()).collect().item() if lazy.collect_schema() else 0
        chosen = row_range(what["rows"], total)
        first, end = covering(chosen)
        lazy = lazy.slice(first, end - first)
        if chosen.step != 1 and chosen:
            lazy = (lazy.reverse() if chosen.step < 0 else lazy).gather_every(abs(chosen.step))
    return lazy


def _collected(lazy: pl.LazyFrame, folder: LoadFolder) -> pl.DataFrame:
    try:
        return lazy.collect()
    except (PolarsError, OSError) as error:
        where = file_of(folder, (_PARQUET, _ARROW))
        raise BadFiles(f"it is damaged: {error}", where=where) from error
