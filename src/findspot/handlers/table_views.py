"""Tables as the tables of other libraries, and parts of stored tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from findspot.handlers.errors import BadFiles, CannotConvert
from findspot.handlers.protocol import LoadFolder
from findspot.handlers.selecting import chosen_names, covering, row_range
from findspot.handlers.tables import read_arrow, source_of

TABLES = (
    "pandas.DataFrame",
    "polars.DataFrame",
    "polars.LazyFrame",
    "pyarrow.Table",
    "numpy.ndarray",
    "dict",
    "list",
)
"""What every stored table can be loaded as."""

ARRAYS = (
    "numpy.ndarray",
    "pandas.Series",
    "polars.Series",
    "pyarrow.Array",
    "pyarrow.ChunkedArray",
    "list",
)
"""What every stored column can be loaded as."""


def table_part(table: Any, what: Mapping[str, Any]) -> Any:
    """Columns and rows of an Arrow table in memory."""
    if "columns" in what:
        table = table.select(chosen_names(what["columns"], table.column_names))
    if "rows" not in what:
        return table
    chosen = row_range(what["rows"], table.num_rows)
    first, end = covering(chosen)
    return _thinned(table.slice(first, end - first), chosen, first)


def read_parquet_part(
    folder: LoadFolder, name: str, what: Mapping[str, Any], also: Sequence[str] = ()
) -> Any:
    """Columns and rows of a Parquet file; only the row groups that hold them are read.

    Args:
        also: columns that are read besides the chosen ones (an index).
    """
    try:
        with pq.ParquetFile(source_of(folder, name), memory_map=True, pre_buffer=True) as file:
            columns = None
            if "columns" in what:
                present = file.schema_arrow.names
                columns = chosen_names(what["columns"], present)
                columns += [extra for extra in also if extra not in columns]
            chosen = row_range(what.get("rows", slice(None)), file.metadata.num_rows)
            first, end = covering(chosen)
            groups, before = _groups(file.metadata, first, end)
            table = file.read_row_groups(groups, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise BadFiles(f"it is no Parquet file, or a damaged one: {error}", where=name) from error
    if columns is not None:
        table = table.select(columns)
    return _thinned(table.slice(first - before, end - first), chosen, first)


def read_table_part(folder: LoadFolder, name: str, what: Mapping[str, Any]) -> Any:
    """Columns and rows of a Parquet or Arrow file, by the ending of its name."""
    if name.endswith(".parquet"):
        return read_parquet_part(folder, name, what)
    return table_part(read_arrow(folder, name), what)


def scan_parquet(folder: LoadFolder, name: str, what: Mapping[str, Any]) -> Any:
    """A lazy frame of Polars over a Parquet file, of which it reads what it is asked for."""
    import polars as pl

    from findspot.handlers.polars_tables import narrowed

    source = source_of(folder, name)
    if isinstance(source, pa.BufferReader):
        frame: Any = pl.from_arrow(read_parquet_part(folder, name, {}))
        return narrowed(frame.lazy(), what)
    return narrowed(pl.scan_parquet(source, glob=False, hive_partitioning=False), what)


def _groups(metadata: Any, first: int, end: int) -> tuple[list[int], int]:
    """The row groups that hold rows ``first`` to ``end``, and how many rows come before them."""
    groups: list[int] = []
    before = start = 0
    for number in range(metadata.num_row_groups):
        rows = metadata.row_group(number).num_rows
        if start < end and start + rows > first:
            if not groups:
                before = start
            groups.append(number)
        start += rows
    return groups, before if groups else first


def _thinned(table: Any, chosen: range, first: int) -> Any:
    if chosen.step == 1 or not chosen:
        return table
    return table.take(pa.array([row - first for row in chosen]))


def table_as(table: Any, as_type: str, handler: str) -> Any:
    """An Arrow table as one of `TABLES`."""
    if as_type == "pyarrow.Table":
        return table
    if as_type == "pandas.DataFrame":
        return table.to_pandas()
    if as_type in ("polars.DataFrame", "polars.LazyFrame"):
        import polars as pl

        frame: Any = pl.from_arrow(table)
        return frame if as_type == "polars.DataFrame" else frame.lazy()
    if as_type == "numpy.ndarray":
        return _matrix(table, handler)
    return table.to_pydict() if as_type == "dict" else table.to_pylist()


def _matrix(table: Any, handler: str) -> Any:
    """Columns of numbers side by side."""
    import numpy as np

    wrong = [
        f"{field.name!r} is {field.type}"
        for field in table.schema
        if not (
            pa.types.is_integer(field.type)
            or pa.types.is_floating(field.type)
            or pa.types.is_boolean(field.type)
        )
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise CannotConvert(
            handler,
            "numpy.ndarray",
            TABLES,
            reason=f"an array takes columns of numbers, and {', '.join(wrong[:5])}{more}; "
            "choose others by columns=[...]",
        )
    if not table.num_columns:
        return np.empty((table.num_rows, 0))
    return np.column_stack([table.column(i).to_numpy() for i in range(table.num_columns)])


def array_as(column: Any, as_type: str, name: str | None = None) -> Any:
    """An Arrow array or chunked array as one of `ARRAYS`; missing numbers are NaN in NumPy's."""
    if as_type == "list":
        return column.to_pylist()
    if as_type == "numpy.ndarray":
        if isinstance(column, pa.ChunkedArray):
            return column.to_numpy()
        return column.to_numpy(zero_copy_only=False)
    if as_type == "pandas.Series":
        series = column.to_pandas()
        series.name = name
        return series
    if as_type == "polars.Series":
        import polars as pl

        return pl.Series(name or "", column)
    if as_type == "pyarrow.ChunkedArray":
        return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if isinstance(column, pa.ChunkedArray):
        whole = column.combine_chunks()
        return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return column
