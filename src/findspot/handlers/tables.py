"""What the handlers of all table libraries share: Parquet and Arrow files, the table preview."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from findspot.core.records import Preview
from findspot.handlers.column_labels import shortened
from findspot.handlers.errors import BadFiles
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.values import encode_json

TABLE_PREVIEW = "application/vnd.findspot.table+json"
SHOWN_ROWS = 20
SHOWN_COLUMNS = 50
SHOWN_BYTES = 200
_IN_MEMORY = 1 << 20


def write_parquet(folder: SaveFolder, name: str, table: Any) -> None:
    """Write an Arrow table as Parquet with pyarrow's own settings."""
    if table.nbytes < _IN_MEMORY:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        folder.write(name, memoryview(sink.getvalue()))
        return
    # To a path, since pyarrow then writes by itself, many times faster than through Python.
    pq.write_table(table, folder.path(name))


def read_parquet(folder: LoadFolder, name: str) -> Any:
    """An Arrow table from Parquet; `BadFiles` if it is damaged."""
    try:
        with pq.ParquetFile(source_of(folder, name), memory_map=True, pre_buffer=True) as file:
            return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadFiles(f"it is no Parquet file, or a damaged one: {error}", where=name) from error


def write_arrow(folder: SaveFolder, name: str, table: Any) -> None:
    """Write an Arrow table as an Arrow IPC file, which holds every type that Arrow has."""
    if table.nbytes < _IN_MEMORY:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        folder.write(name, memoryview(sink.getvalue()))
        return
    with (
        pa.OSFile(str(folder.path(name)), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)


def read_arrow(folder: LoadFolder, name: str) -> Any:
    """An Arrow table from an IPC file; a large one is mapped, and its memory is the file's."""
    source = source_of(folder, name)
    try:
        opened = source if isinstance(source, pa.BufferReader) else pa.memory_map(str(source))
        return pa.ipc.open_file(opened).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadFiles(f"it is no Arrow file, or a damaged one: {error}", where=name) from error


def source_of(folder: LoadFolder, name: str) -> Any:
    """What Arrow and Polars read from: a path for a large file, its bytes for a small one."""
    size = next((entry.size for entry in folder.files if entry.path == name), None)
    if size is None:
        raise BadFiles(f"there is no file {name!r}")
    if size < _IN_MEMORY:
        return pa.BufferReader(folder.read(name))
    path: Path = folder.path(name)
    return path


def parquet_holds(schema: Any) -> bool:
    """Whether a table of this Arrow schema comes back from Parquet with the same schema."""
    sink = io.BytesIO()
    try:
        pq.write_table(schema.empty_table(), sink)
        sink.seek(0)
        return bool(pq.read_table(sink).schema.equals(schema, check_metadata=True))
    except (pa.ArrowException, TypeError, ValueError):
        return False


def file_of(folder: LoadFolder, names: Sequence[str]) -> str:
    """The first of ``names`` that the version has."""
    found = {entry.path for entry in folder.files}
    for name in names:
        if name in found:
            return name
    raise BadFiles(f"there is none of the files {', '.join(names)}")


def table_preview(columns: Sequence[Any], rows: Iterable[Iterable[Any]], total: int) -> Preview:
    """The head of a table: at most 20 rows and 50 columns of JSON scalars.

    Args:
        columns: the names of all columns; more than 50 are cut off, in the rows too.
        rows: the first rows.
        total: how many rows the table has.
    """
    head = {
        "columns": [shortened(str(name)) for name in columns[:SHOWN_COLUMNS]],
        "rows": [[cell(item) for item in list(row)[:SHOWN_COLUMNS]] for row in rows],
        "total": total,
    }
    if len(columns) > SHOWN_COLUMNS:
        head["total_columns"] = len(columns)
    return Preview(TABLE_PREVIEW, encode_json(head))


def cell(value: Any) -> bool | int | float | str | None:
    """A value as a table shows it: None for what is missing, text for what JSON has no form for."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return shortened(str(value))
    if isinstance(value, int):
        # JavaScript's numbers end here.
        return int(value) if abs(value) < 1 << 53 else str(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return None if math.isnan(value) else str(value)
    if isinstance(value, bytes):
        return shortened(value[:SHOWN_BYTES].hex(" "))
    if isinstance(value, datetime | date | time):
        # pandas' NaT is a datetime too, and writes itself so.
        return None if str(value) == "NaT" else value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "shape", None) == ():
        return cell(item())
    text = str(value)
    return None if text in ("<NA>", "NaT") else shortened(text)
