"""Kinds `table` and `dataset`: rows and columns, and for datasets what is in the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from findspot.artifacts.kinds.checks import (
    Check,
    count,
    list_of,
    mapping_of,
    plain,
    plain_mapping,
    text,
    text_mapping,
)
from findspot.artifacts.kinds.fields import KindFields
from findspot.core.errors import Problem

_TABLE: Mapping[str, Check] = {
    "rows": count,
    "columns": count,
    "bytes": count,
    "schema": text_mapping,
    "index": list_of(plain),
    "shape": list_of(count),
    "dtype": text,
    "length": count,
    "missing": count,
    "format": text,
}


@dataclass(frozen=True, kw_only=True)
class Table(KindFields):
    """A table, or an array.

    Args:
        rows, columns: how many there are.
        bytes: its size in memory.
        schema: type by name of column, of the first 200 columns.
        index: names of the index's levels.
        shape, dtype: of an array. length: of a series. missing: values of it that are missing.
        format: of the file that holds it, where it is not the handler's own.
    """

    KIND: ClassVar[str] = "table"
    CHECKS: ClassVar[Mapping[str, Check]] = _TABLE

    rows: int | None = None
    columns: int | None = None
    bytes: int | None = None
    schema: Mapping[str, str] | None = None
    index: list[Any] | None = None
    shape: list[int] | None = None
    dtype: str | None = None
    length: int | None = None
    missing: int | None = None
    format: str | None = None

    @property
    def height(self) -> int | None:
        """How many rows there are, however the handler counts them."""
        if self.rows is not None:
            return self.rows
        if self.shape:
            return self.shape[0]
        return self.length


@dataclass(frozen=True, kw_only=True)
class Dataset(Table):
    """A table (or an array) that models are trained or tested on.

    Args:
        target_column: the name of the column to predict.
        statistics: by name of column, see `findspot.artifacts.kinds.statistics`.
        descriptions: by name of column, what it means.
    """

    KIND: ClassVar[str] = "dataset"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        **_TABLE,
        "target_column": text,
        "statistics": mapping_of(plain_mapping),
        "descriptions": text_mapping,
    }

    target_column: str | None = None
    statistics: Mapping[str, Mapping[str, Any]] | None = None
    descriptions: Mapping[str, str] | None = None

    def histogram(self, column: str) -> tuple[list[float], list[int]] | None:
        """Edges (one more than counts) and counts of a column of numbers; None where none is
        kept."""
        found = (self.statistics or {}).get(column, {}).get("histogram")
        return None if found is None else (list(found["edges"]), list(found["counts"]))

    def contradictions(self) -> list[Problem]:
        schema, target = self.schema, self.target_column
        if schema is None or target is None or target in schema or (self.columns or 0) > 200:
            return []
        return [
            Problem(
                "target_column",
                f"the table has no column {target!r}",
                expected=f"one of {', '.join(list(schema)[:20])}",
            )
        ]
