"""Differences of two Arrow tables: schema, rows by position or by key, and a summary per column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FIRST = 10
"""Changed rows that are listed."""
_SHOWN_COLUMNS = 20
_SLOW_ROWS = 100_000
"""Columns of lists and structures are compared up to so many rows."""


def compare_tables(before: pa.Table, after: pa.Table, on: Sequence[str] = ()) -> dict[str, Any]:
    """What differs between two tables.

    Args:
        on: columns whose values together name a row; without them rows are compared by position,
            after the rows that are equal at the beginning and at the end.

    Raises:
        ValueError: a column of ``on`` is missing, or its values name several rows.
    """
    found: dict[str, Any] = {
        "rows_before": before.num_rows,
        "rows_after": after.num_rows,
        "schema": _schema_changes(before.schema, after.schema),
    }
    shared = [name for name in before.column_names if after.schema.get_field_index(name) >= 0]
    shared = [name for name in shared if before.schema.get_field_index(name) >= 0]
    if on:
        left, right, removed, added = _matched(before, after, on)
        found["on"] = list(on)
        names = [name for name in shared if name not in on]
    else:
        left, right, removed, added = _aligned(before, after, shared)
        names = shared
    old = before.select(shared).take(pa.array(left))
    new = after.select(shared).take(pa.array(right))
    columns: dict[str, Any] = {}
    changed = np.zeros(len(left), dtype=bool)
    skipped: list[str] = []
    for name in names:
        mask = _unequal(old.column(name), new.column(name))
        if mask is None:
            skipped.append(name)
            continue
        changed |= mask
        count = int(mask.sum())
        if count:
            columns[name] = {"changed": count, **_gaps(old.column(name), new.column(name), mask)}
    places = np.flatnonzero(changed)
    found |= {"rows_added": len(added), "rows_removed": len(removed), "rows_changed": len(places)}
    found["columns"] = columns
    if skipped:
        found["columns_not_compared"] = skipped
    found["first"] = [
        {
            "row_before": int(left[place]),
            "row_after": int(right[place]),
            "cells": _cells(old, new, int(place), list(columns)),
        }
        for place in places[:FIRST]
    ]
    found["first_added"] = _rows(after, added[:FIRST])
    found["first_removed"] = _rows(before, removed[:FIRST])
    return found


def _schema_changes(before: pa.Schema, after: pa.Schema) -> dict[str, Any]:
    old = {field.name: str(field.type) for field in before}
    new = {field.name: str(field.type) for field in after}
    return {
        "added": {name: new[name] for name in new if name not in old},
        "removed": {name: old[name] for name in old if name not in new},
        "changed": {
            name: [old[name], new[name]] for name in old if new.get(name, old[name]) != old[name]
        },
        "reordered": [n for n in old if n in new] != [n for n in new if n in old],
    }


def _aligned(before: pa.Table, after: pa.Table, names: Sequence[str]) -> tuple[Any, Any, Any, Any]:
    """Rows that belong together by position, between the equal rows at both ends.

    Returns:
        row numbers in both tables that belong together, rows removed, rows added.
    """
    old_rows, new_rows = before.num_rows, after.num_rows
    common = min(old_rows, new_rows)
    if old_rows == new_rows:
        every = np.arange(common)
        return every, every, np.arange(0), np.arange(0)
    unequal = np.zeros(common, dtype=bool)
    from_end = np.zeros(common, dtype=bool)
    for name in names:
        old, new = before.column(name), after.column(name)
        for slices, mask in (
            ((old.slice(0, common), new.slice(0, common)), unequal),
            ((old.slice(old_rows - common), new.slice(new_rows - common)), from_end),
        ):
            found = _unequal(*slices)
            if found is not None:
                mask |= found
    head = int(np.argmax(unequal)) if unequal.any() else common
    tail = int(np.argmax(from_end[::-1])) if from_end.any() else common
    tail = min(tail, common - head)
    middle = common - head - tail
    # The rows between the equal ends belong together from their start or from their end on,
    # whichever leaves fewer of them changed.
    from_start = int(unequal[head : head + middle].sum())
    at_start = from_start <= int(from_end[common - tail - middle : common - tail].sum())

    def split(rows: int) -> tuple[Any, Any]:
        """Rows that belong to one of the other table, and those that do not."""
        first = head if at_start else rows - tail - middle
        inner = np.arange(first, first + middle)
        ends = np.arange(head), inner, np.arange(rows - tail, rows)
        spare = np.arange(head + middle, rows - tail) if at_start else np.arange(head, first)
        return np.concatenate(ends), spare

    left, removed = split(old_rows)
    right, added = split(new_rows)
    return left, right, removed, added


def _matched(before: pa.Table, after: pa.Table, on: Sequence[str]) -> tuple[Any, Any, Any, Any]:
    """Rows that belong together by their keys; else as `_aligned`."""
    keyed = []
    for when, table in (("before", before), ("after", after)):
        missing = [name for name in on if table.schema.get_field_index(name) < 0]
        if missing:
            raise ValueError(f"there is no single column {missing[0]!r} in the table {when}")
        keys = table.select(list(on))
        if keys.group_by(list(on), use_threads=False).aggregate([]).num_rows != table.num_rows:
            raise ValueError(f"{', '.join(on)} name several rows in the table {when}")
        # Without dictionaries, which Arrow does not join when their codes differ.
        plain = [_plain_column(keys.column(name)) for name in on]
        keyed.append(pa.table(plain, names=list(on)))
    old, new = keyed
    if [field.type for field in new.schema] != [field.type for field in old.schema]:
        try:
            new = new.cast(old.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise ValueError(f"{', '.join(on)} have other types after than before") from None
    old = old.append_column("\0before", pa.array(np.arange(before.num_rows)))
    new = new.append_column("\0after", pa.array(np.arange(after.num_rows)))
    joined = old.join(new, keys=list(on), join_type="full outer")
    left, right = joined.column("\0before"), joined.column("\0after")
    both = pc.and_(pc.is_valid(left), pc.is_valid(right))
    pairs = np.stack(
        [left.filter(both).to_numpy(), right.filter(both).to_numpy()],
    ).astype(np.int64)
    pairs = pairs[:, np.argsort(pairs[0], kind="stable")]
    removed = np.sort(left.filter(pc.is_null(right)).to_numpy().astype(np.int64))
    added = np.sort(right.filter(pc.is_null(left)).to_numpy().astype(np.int64))
    return pairs[0], pairs[1], removed, added


def _plain_column(column: Any) -> Any:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _unequal(old: Any, new: Any) -> np.ndarray[Any, Any] | None:
    """Which cells differ; None where that cannot be found out in reasonable time."""
    old, new = _plain_column(old), _plain_column(new)
    try:
        if old.type != new.type and not _comparable(old.type, new.type):
            return np.ones(len(old), dtype=bool)
        unequal = pc.not_equal(old, new)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        if len(old) > _SLOW_ROWS:
            return None
        pairs = zip(old.to_pylist(), new.to_pylist(), strict=True)
        return np.fromiter((a != b and repr(a) != repr(b) for a, b in pairs), bool, len(old))
    missing = pc.xor(pc.is_null(old), pc.is_null(new))
    mask = pc.or_(pc.fill_null(unequal, False), missing).to_numpy().astype(bool)
    if pa.types.is_floating(old.type) and pa.types.is_floating(new.type):
        both = pc.and_(pc.is_nan(old), pc.is_nan(new))
        mask &= ~pc.fill_null(both, False).to_numpy().astype(bool)
    return np.asarray(mask)


def _comparable(old: Any, new: Any) -> bool:
    def family(kind: Any) -> str:
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return "number"
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return "text"
        return str(kind)

    return family(old) == family(new)


def _gaps(old: Any, new: Any, mask: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The largest absolute difference of numbers, and the means before and after."""
    kinds = (old.type, new.type)
    if not all(pa.types.is_integer(k) or pa.types.is_floating(k) for k in kinds):
        return {}
    where = pa.array(mask)
    a = old.filter(where).cast(pa.float64(), safe=False).to_numpy()
    b = new.filter(where).cast(pa.float64(), safe=False).to_numpy()
    with np.errstate(all="ignore"):
        gaps = np.abs(b - a)
    gaps = gaps[np.isfinite(gaps)]
    found: dict[str, Any] = {"max_difference": float(gaps.max())} if gaps.size else {}
    for name, column in (("mean_before", old), ("mean_after", new)):
        mean = pc.mean(column).as_py()
        if mean is not None and math.isfinite(mean):
            found[name] = mean
    return found


def _cells(old: pa.Table, new: pa.Table, row: int, names: Sequence[str]) -> dict[str, list[Any]]:
    found = {}
    for name in names:
        pair = [_plain(old.column(name)[row].as_py()), _plain(new.column(name)[row].as_py())]
        if pair[0] != pair[1]:
            found[name] = pair
        if len(found) == _SHOWN_COLUMNS:
            break
    return found


def _rows(table: pa.Table, rows: Any) -> list[dict[str, Any]]:
    some = table.select(list(range(min(table.num_columns, _SHOWN_COLUMNS)))).take(pa.array(rows))
    return [
        {"row": int(row)}
        | {"cells": {n: _plain(some.column(n)[i].as_py()) for n in dict.fromkeys(_single(some))}}
        for i, row in enumerate(rows)
    ]


def _single(table: pa.Table) -> list[str]:
    """Columns whose names are not repeated."""
    return [name for name in table.column_names if table.schema.get_field_index(name) >= 0]


def _plain(value: Any) -> Any:
    """A cell as JSON, short."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
