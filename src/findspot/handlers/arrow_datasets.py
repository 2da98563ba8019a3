"""pyarrow's datasets of many files, as a folder of Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_names, covering, row_range
from findspot.handlers.table_views import TABLES, table_as
from findspot.handlers.tables import SHOWN_COLUMNS, SHOWN_ROWS, table_preview

_FOLDER = "data"
ROWS_PER_FILE = 1 << 22
_ROWS_PER_GROUP = 1 << 20
_SCHEMA_SHOWN = 200


class DatasetHandler(Handler):
    """Datasets of pyarrow, whatever files they are in, with the filter they have: Parquet files
    ``data/part-0.parquet`` and so on, in the order of rows. Partitions become columns.

    Rows pass through in batches, so a dataset may be larger than memory; it is loaded as a dataset
    over the stored files. Keyword argument of `save`: ``rows_per_file``, 4,194,304 by default.
    """

    name = "arrow.dataset"
    types = ("pyarrow.dataset.Dataset",)
    kind = "dataset"
    representations = TABLES
    selections = ("columns", "rows")

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        path = folder.path(_FOLDER)
        path.mkdir(parents=True, exist_ok=True)
        # `pyarrow.dataset.write_dataset` numbers its files in no fixed order.
        scanner = value.scanner(use_threads=False, batch_size=_ROWS_PER_GROUP)
        rows = max(1, int(args.get("rows_per_file", ROWS_PER_FILE)))
        schema = scanner.projected_schema
        for number, tables in enumerate(_files(scanner.to_batches(), schema, rows)):
            with pq.ParquetWriter(path / f"part-{number}.parquet", schema) as writer:
                for table in tables:
                    writer.write_table(table)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        try:
            return pads.dataset([str(path) for path in _paths(folder)], format="parquet")
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BadFiles(f"it is damaged: {error}", where=_FOLDER) from error

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """A dataset of the part, in memory."""
        return pads.dataset(self._part(folder, what))

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        if as_type == "polars.LazyFrame" and not what:
            import polars as pl

            return pl.scan_parquet(_paths(folder), glob=False, hive_partitioning=False)
        return table_as(self._part(folder, what), as_type, self.name)

    def _part(self, folder: LoadFolder, what: Mapping[str, Any]) -> Any:
        dataset = self.load(folder)
        columns = None
        if "columns" in what:
            columns = chosen_names(what["columns"], dataset.schema.names)
        if "rows" not in what:
            return dataset.to_table(columns=columns)
        counts = [fragment.count_rows() for fragment in dataset.get_fragments()]
        chosen = row_range(what["rows"], sum(counts))
        first, end = covering(chosen)
        start, before, needed = 0, None, []
        for fragment, count in zip(dataset.get_fragments(), counts, strict=True):
            if start < end and start + count > first:
                before = start if before is None else before
                needed.append(fragment)
            start += count
        tables = [each.to_table(schema=dataset.schema, columns=columns) for each in needed]
        if not tables:
            return dataset.head(0, columns=columns)
        offset = before or 0
        rows = pa.array([row - offset for row in chosen], pa.int64())
        whole = pa.concat_tables(tables)
        if chosen.step == 1:
            return whole.slice(first - offset, end - first)
        return whole.take(rows)

    def describe(self, value: Any) -> Mapping[str, Any]:
        fields = list(value.schema)
        return {
            "rows": int(value.count_rows()),
            "columns": len(fields),
            "schema": {field.name: str(field.type) for field in fields[:_SCHEMA_SHOWN]},
            "files": len(getattr(value, "files", ())),
        }

    def preview(self, value: Any) -> Preview | None:
        names = value.schema.names
        head = value.head(SHOWN_ROWS).select(list(range(min(len(names), SHOWN_COLUMNS))))
        columns = [head.column(i).to_pylist() for i in range(head.num_columns)]
        return table_preview(names, zip(*columns, strict=True), value.count_rows())


def _files(batches: Iterable[Any], schema: Any, rows: int) -> Iterator[Iterator[Any]]:
    """The batches as files of at most ``rows`` rows, each of them a run of tables that are a row
    group each; one file without rows where there are none."""
    groups = _grouped(batches, schema, min(rows, _ROWS_PER_GROUP))
    table = next(groups, None)
    if table is None:
        yield iter([schema.empty_table()])

    def one_file() -> Iterator[Any]:
        nonlocal table
        room = rows
        while table is not None and room:
            yield table.slice(0, room)
            rest = table.slice(room)
            room = max(0, room - table.num_rows)
            table = rest if rest.num_rows else next(groups, None)

    while table is not None:
        yield one_file()


def _grouped(batches: Iterable[Any], schema: Any, rows: int) -> Iterator[Any]:
    """Batches joined to tables of ``rows`` rows; the last may have fewer."""
    held: list[Any] = []
    count = 0
    for batch in batches:
        while batch.num_rows:
            part = batch.slice(0, rows - count)
            batch = batch.slice(part.num_rows)
            held.append(part)
            count += part.num_rows
            if count == rows:
                yield pa.Table.from_batches(held, schema)
                held, count = [], 0
    if count:
        yield pa.Table.from_batches(held, schema)


def _paths(folder: LoadFolder) -> list[Path]:
    """The stored files in the order of their rows: part 10 comes after part 9."""
    names = [entry.path for entry in folder.files if entry.path.startswith(f"{_FOLDER}/part-")]
    try:
        names.sort(key=lambda name: int(name.removesuffix(".parquet").rpartition("-")[2]))
    except ValueError as error:
        raise BadFiles(f"it holds other files than parts: {error}", where=_FOLDER) from error
    if not names:
        raise BadFiles("there are no Parquet files", where=_FOLDER)
    root = folder.folder()
    return [root / name for name in names]
