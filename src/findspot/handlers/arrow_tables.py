"""Arrow tables, record batches, arrays: Parquet where it holds their types, else Arrow's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from findspot.core.records import Preview
from findspot.handlers.column_labels import schema_of
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.table_views import (
    ARRAYS,
    TABLES,
    array_as,
    read_table_part,
    scan_parquet,
    table_as,
)
from findspot.handlers.tables import (
    SHOWN_COLUMNS,
    SHOWN_ROWS,
    file_of,
    parquet_holds,
    read_arrow,
    read_parquet,
    table_preview,
    write_arrow,
    write_parquet,
)

_TABLES = ("table", "batch")
_COLUMNS = ("array", "chunked")


class TableHandler(Handler):
    """Arrow tables and record batches with their schema and its metadata; chunks may be joined.

    One file: ``table.parquet`` or ``batch.parquet``; ending in ``.arrow`` where Parquet would
    change a type.
    """

    name = "arrow.table"
    types = ("pyarrow.Table", "pyarrow.RecordBatch")
    kind = "table"
    representations = TABLES
    selections = ("columns", "rows")

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        if isinstance(value, pa.RecordBatch):
            _write(folder, "batch", pa.Table.from_batches([value]))
        else:
            _write(folder, "table", value)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        stem, table = _read(folder, _TABLES)
        return _one_batch(table) if stem == "batch" else table

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        name = _file(folder, _TABLES)
        if as_type == "polars.LazyFrame" and name.endswith(".parquet"):
            return scan_parquet(folder, name, what)
        table = read_table_part(folder, name, what)
        return table_as(table, as_type, self.name)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        name = _file(folder, _TABLES)
        table = read_table_part(folder, name, what)
        return _one_batch(table) if name.startswith("batch") else table

    def describe(self, value: Any) -> Mapping[str, Any]:
        return describe_arrow(value)

    def preview(self, value: Any) -> Preview | None:
        head = value.slice(0, SHOWN_ROWS).select(list(range(min(value.num_columns, SHOWN_COLUMNS))))
        columns = [head.column(i).to_pylist() for i in range(head.num_columns)]
        return table_preview(value.schema.names, zip(*columns, strict=True), value.num_rows)


class ArrayHandler(Handler):
    """Arrow arrays and chunked arrays, as a table of one column ``values``."""

    name = "arrow.array"
    types = ("pyarrow.Array", "pyarrow.ChunkedArray")
    kind = "dataset"
    representations = ARRAYS
    selections = ("rows",)

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        stem = "chunked" if isinstance(value, pa.ChunkedArray) else "array"
        _write(folder, stem, pa.table({"values": value}))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        stem, table = _read(folder, _COLUMNS)
        return _column(stem, table)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        table = read_table_part(folder, _file(folder, _COLUMNS), what)
        return array_as(table.column("values"), as_type)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        name = _file(folder, _COLUMNS)
        return _column(name.partition(".")[0], read_table_part(folder, name, what))

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {"length": len(value), "dtype": str(value.type), "missing": value.null_count}

    def preview(self, value: Any) -> Preview | None:
        rows = [[item] for item in value.slice(0, SHOWN_ROWS).to_pylist()]
        return table_preview(["values"], rows, len(value))


class ScalarHandler(Handler):
    """Arrow's scalars with their type, as an array of one."""

    name = "arrow.scalar"
    types = ("pyarrow.Scalar",)
    representations = ("str",)

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        column = pa.repeat(value, 1) if value.is_valid else pa.nulls(1, value.type)
        _write(folder, "scalar", pa.table({"values": column}))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        _, table = _read(folder, ("scalar",))
        if table.shape != (1, 1):
            raise BadFiles(f"a scalar is one value, this has the shape {table.shape}")
        return table.column(0)[0]

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> str:
        return str(self.load(folder))

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {"dtype": str(value.type)}

    def preview(self, value: Any) -> Preview | None:
        return text_preview(str(value))


def describe_arrow(table: Any) -> dict[str, Any]:
    """Rows, columns, bytes in memory, and the type of each of the first 200 columns."""
    return {
        "rows": table.num_rows,
        "columns": table.num_columns,
        "bytes": table.nbytes,
        "schema": schema_of((field.name, field.type) for field in table.schema),
    }


def _write(folder: SaveFolder, stem: str, table: Any) -> None:
    if parquet_holds(table.schema):
        write_parquet(folder, f"{stem}.parquet", table)
    else:
        write_arrow(folder, f"{stem}.arrow", table)


def _read(folder: LoadFolder, stems: tuple[str, ...]) -> tuple[str, Any]:
    name = _file(folder, stems)
    stem, _, ending = name.partition(".")
    read = read_parquet if ending == "parquet" else read_arrow
    return stem, read(folder, name)


def _file(folder: LoadFolder, stems: tuple[str, ...]) -> str:
    return file_of(folder, [f"{stem}.{end}" for stem in stems for end in ("parquet", "arrow")])


def _column(stem: str, table: Any) -> Any:
    column = table.column("values")
    return column if stem == "chunked" else array_as(column, "pyarrow.Array")


def _one_batch(table: Any) -> Any:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
