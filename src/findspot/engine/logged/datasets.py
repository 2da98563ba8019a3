"""Datasets that code in a job logs: a table with statistics, a target column and a look at it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.kinds.statistics import table_statistics
from findspot.artifacts.kinds.tables import Dataset
from findspot.catalog.protocol import NewVersion
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import check_key
from findspot.engine.logged.artifacts import BadSource, LogOptions, save_logged
from findspot.handlers import python_type_name

if TYPE_CHECKING:
    from findspot.artifacts.version import ArtifactVersion
    from findspot.engine.context import JobContext

OWN_FORMAT = "parquet"
FORMATS = (OWN_FORMAT, "csv", "json", "jsonl")
PREVIEW_ROWS = 1000
"""The most sample rows that a record holds."""


def log_dataset(
    context: JobContext,
    key: str,
    table: Any,
    *,
    stats: bool | None = True,
    preview: int | None = None,
    label_column: str | None = None,
    format: str | None = None,
    descriptions: Mapping[str, str] | None = None,
    **options: Any,
) -> ArtifactVersion:
    """See `JobContext.log_dataset`."""
    key = check_key(key)
    chosen = LogOptions.of(options)
    if table is None or isinstance(table, str | bytes | int | float | complex):
        raise BadSource(
            f"A dataset is a table or an array, not a value of type {type(table).__name__}.",
            where=key,
            how="Give a data frame, an Arrow table or an array; save a file with "
            "log_artifact(key, local_path=file).",
        )
    if python_type_name(table) == "polars.LazyFrame":
        table = table.collect()
    names = column_names(table)
    _check(key, names, label_column, format, preview, descriptions or {})
    fields = Dataset(
        target_column=label_column,
        descriptions=descriptions,
        format=format,
        statistics=table_statistics(table) if stats else None,
    )
    finish = None if preview is None else _with_preview(table, preview)
    if format in (None, OWN_FORMAT):
        return save_logged(
            context, key, table, kind="dataset", fields=fields, options=chosen, finish=finish
        )
    fields = replace(fields, rows=len(table), columns=len(names or ()))
    with tempfile.TemporaryDirectory(prefix="findspot-table-") as folder:
        file = Path(folder) / f"{key.rpartition('/')[2]}.{format}"
        _write(table, file, str(format))
        return save_logged(
            context,
            key,
            file,
            kind="dataset",
            fields=fields,
            options=chosen,
            finish=finish or _with_preview(table, 20),
        )


def column_names(table: Any) -> list[str] | None:
    """The names of a table's columns as text; None for what has no named columns."""
    for name in ("column_names", "columns"):
        names = getattr(table, name, None)
        if names is not None and not callable(names):
            return [str(item) for item in names]
    fields = getattr(getattr(table, "dtype", None), "names", None)
    return list(fields) if fields else None


def sample_rows(table: Any, count: int) -> list[list[Any]]:
    """The first rows, as lists of values."""
    if hasattr(table, "to_pylist"):
        return [list(row.values()) for row in table.slice(0, count).to_pylist()]
    head = table[:count]
    if hasattr(head, "itertuples"):
        return [list(row) for row in head.itertuples(index=False, name=None)]
    if hasattr(head, "rows"):
        return [list(row) for row in head.rows()]
    if hasattr(head, "tolist"):
        head = head.tolist()
    return [list(row) if isinstance(row, list | tuple) else [row] for row in head]


def _check(
    key: str,
    names: list[str] | None,
    label_column: str | None,
    format: str | None,
    preview: Any,
    descriptions: Mapping[str, str],
) -> None:
    problems: list[Problem] = []
    known = ", ".join(names[:20]) if names else ""
    if label_column is not None and names is not None and label_column not in names:
        problems.append(
            Problem("label_column", f"the table has no column {label_column!r}", expected=known)
        )
    problems += [
        Problem(f"descriptions.{name}", "the table has no such column", expected=known)
        for name in descriptions
        if names is not None and name not in names
    ]
    if format is not None and format not in FORMATS:
        problems.append(
            Problem("format", f"{format!r} is no format", expected=f"one of {', '.join(FORMATS)}")
        )
    whole = isinstance(preview, int) and not isinstance(preview, bool)
    if preview is not None and (not whole or not 0 <= preview <= PREVIEW_ROWS):
        problems.append(Problem("preview", f"it is no number of rows from 0 to {PREVIEW_ROWS}"))
    if problems:
        raise CheckFailed(f"The dataset {key!r}", problems)


def _with_preview(table: Any, count: int) -> Callable[[NewVersion], NewVersion]:
    """Change the sample rows that the record of a version holds."""

    def finish(new: NewVersion) -> NewVersion:
        if count == 0:
            return replace(new, record=replace(new.record, preview=None))
        from findspot.handlers.tables import table_preview

        names = column_names(table)
        rows = sample_rows(table, count)
        shown = table_preview(
            names or [str(i) for i in range(len(rows[0]) if rows else 0)], rows, len(table)
        )
        return replace(new, record=replace(new.record, preview=shown))

    return finish


def _write(table: Any, file: Path, format: str) -> None:
    """Write a table as csv, json (a list of records) or jsonl."""
    library = python_type_name(table).partition(".")[0]
    if library == "pyarrow":
        table, library = table.to_pandas(), "pandas"
    if library == "pandas" and hasattr(table, "to_csv"):
        if format == "csv":
            table.to_csv(file, index=False)
        else:
            table.to_json(file, orient="records", lines=format == "jsonl", date_format="iso")
    elif library == "polars" and hasattr(table, "write_csv"):
        write = {"csv": table.write_csv, "json": table.write_json, "jsonl": table.write_ndjson}
        write[format](file)
    else:
        raise FindspotError(
            f"A {python_type_name(table)} cannot be written as {format}.",
            how="Give a pandas, Polars or Arrow table, or leave format= out.",
        )
