"""`ModelSignature`: what a model takes and gives, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from findspot.artifacts.kinds.checks import Check, count, list_of, one_of, text
from findspot.core.errors import CheckFailed, Problem

ColumnType = Literal[
    "boolean", "integer", "number", "text", "time", "duration", "category", "bytes", "any"
]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)
_COLUMN: Mapping[str, Check] = {
    "name": text,
    "type": one_of(*COLUMN_TYPES),
    "shape": list_of(count),
}


@dataclass(frozen=True)
class Column:
    """One column of a table, or one array.

    Args:
        type: what its values are; ``any`` where it is not known.
        name: None where columns are told by their position.
        shape: of one row's value where it is more than a single one: an array of images of
            28 x 28 has ``(28, 28)``, a plain matrix of four columns ``(4,)``.
        missing: whether values may be missing.
    """

    type: ColumnType
    name: str | None = None
    shape: tuple[int, ...] = ()
    missing: bool = False

    def __str__(self) -> str:
        size = "".join(f"[{n}]" for n in self.shape)
        return f"{self.name or 'array'}: {self.type}{size}{'?' if self.missing else ''}"


Columns = tuple[Column, ...]


@dataclass(frozen=True)
class ModelSignature:
    """The columns that a model takes, and those that it gives.

    >>> signature = ModelSignature((Column("number", "length"), Column("number", "width")))
    >>> print(signature)
    (length: number, width: number) -> ()
    """

    inputs: Columns
    outputs: Columns = ()

    def __str__(self) -> str:
        taken, given = (", ".join(map(str, side)) for side in (self.inputs, self.outputs))
        return f"({taken}) -> ({given})"


def columns_to_json(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Columns as they stand in metadata: a list of mappings."""
    listed: list[dict[str, Any]] = []
    for column in columns:
        entry: dict[str, Any] = {} if column.name is None else {"name": column.name}
        entry["type"] = column.type
        if column.shape:
            entry["shape"] = list(column.shape)
        if column.missing:
            entry["missing"] = True
        listed.append(entry)
    return listed


def check_columns(value: Any, path: str, problems: list[Problem]) -> Any:
    """A check of fields: a list of columns, each a mapping or a `Column`, as JSON."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        problems.append(Problem(path, "it is no list of columns", found=type(value).__name__))
        return value
    kept: list[Any] = []
    for position, entry in enumerate(value):
        place = f"{path}[{position}]"
        if isinstance(entry, Column):
            kept += columns_to_json([entry])
            continue
        if not isinstance(entry, Mapping):
            problems.append(Problem(place, "it is no column", found=type(entry).__name__))
            continue
        if "type" not in entry:
            problems.append(Problem(place, "the column has no type"))
        for name, part in entry.items():
            check = _COLUMN.get(name)
            if check is not None:
                check(part, f"{place}.{name}", problems)
            elif name != "missing" or not isinstance(part, bool):
                problems.append(Problem(f"{place}.{name}", "a column has no such field"))
        kept.append(dict(entry))
    return kept


def columns_from_json(value: Any, subject: str = "The columns") -> Columns:
    """Columns as `columns_to_json` wrote them; `CheckFailed` lists every mistake."""
    problems: list[Problem] = []
    listed = check_columns(value, "$", problems)
    if problems:
        raise CheckFailed(subject, problems)
    return tuple(
        Column(
            entry["type"],
            entry.get("name"),
            tuple(entry.get("shape", ())),
            entry.get("missing", False),
        )
        for entry in listed
    )
