"""The parts of a value that can be asked for: ranges of rows, columns, slices; checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from findspot.handlers.errors import BadSelection


def row_range(rows: Any, total: int) -> range:
    """The row numbers that ``rows`` stands for in a table of ``total`` rows.

    Args:
        rows: a slice, or a range; beyond the ends it is cut off as Python does it with lists.

    >>> row_range(slice(-3, None), 10), row_range(range(2, 9, 3), 5)
    (range(7, 10), range(2, 5, 3))
    """
    chosen = as_slice(rows)
    try:
        return range(*chosen.indices(total))
    except (TypeError, ValueError) as error:
        raise BadSelection(
            f"rows={rows!r} is no range of rows: {error}.",
            how="Give whole numbers: rows=slice(10, 20).",
        ) from None


def as_slice(rows: Any) -> slice:
    """``rows`` as a slice; `BadSelection` unless it is a slice or a range."""
    if isinstance(rows, slice):
        return rows
    if isinstance(rows, range):
        if rows.step < 0:
            return slice(rows.start, rows.stop if rows.stop >= 0 else None, rows.step)
        return slice(rows.start, rows.stop, rows.step)
    raise BadSelection(
        f"rows is a {type(rows).__name__}: {rows!r}.",
        how="Give a slice or a range: rows=slice(10, 20), rows=range(0, 100, 10).",
    )


def covering(chosen: range) -> tuple[int, int]:
    """The first row of a range and the one behind its last, in the order of the table.

    >>> covering(range(8, 2, -2))
    (4, 9)
    """
    if not chosen:
        return 0, 0
    return min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1]) + 1


def chosen_names(wanted: Any, present: Sequence[str], *, what: str = "columns") -> list[str]:
    """``wanted`` as a list of names that are there, in its own order.

    Raises `BadSelection` that lists every name that is missing, doubled or ambiguous.
    """
    if isinstance(wanted, str) or not isinstance(wanted, Sequence | set | frozenset):
        raise BadSelection(
            f"{what} is a {type(wanted).__name__}: {wanted!r}.",
            how=f"Give a list of names: {what}=['a', 'b'].",
        )
    names = sorted(wanted) if isinstance(wanted, set | frozenset) else list(wanted)
    mistakes = []
    for place, name in enumerate(names):
        count = sum(1 for other in present if other == name)
        if count == 0:
            near = difflib.get_close_matches(str(name), present, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            mistakes.append(f"{name!r} is not there{hint}")
        elif count > 1:
            mistakes.append(f"{name!r} is there {count} times")
        if name in names[:place]:
            mistakes.append(f"{name!r} is asked for twice")
    if mistakes:
        shown = ", ".join(map(repr, present[:50])) + (" ..." if len(present) > 50 else "")
        raise BadSelection(
            f"These {what} cannot be chosen: {'; '.join(mistakes)}.", how=f"It has: {shown}."
        )
    return names


def chosen_name(wanted: Any, present: Sequence[str], *, what: str) -> str:
    """One name that is there."""
    if not isinstance(wanted, str):
        raise BadSelection(f"{what} is a {type(wanted).__name__}: {wanted!r}.", how="Give a name.")
    return chosen_names([wanted], present, what=what)[0]


def array_index(what: Mapping[str, Any], shape: Sequence[int]) -> Any:
    """The index of an array that ``rows`` (along the first axis) or ``index`` asks for.

    Only whole numbers, slices and ``...`` are taken, which read nothing beside the part itself.
    """
    if "rows" in what and "index" in what:
        raise BadSelection("Both rows and index are given.", how="Give one: index=np.s_[10:20].")
    if "rows" in what:
        if not shape:
            raise BadSelection("An array without dimensions has no rows.", how="Load it whole.")
        chosen = as_slice(what["rows"])
        row_range(chosen, shape[0])
        return chosen
    index = what["index"]
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        plain = part is Ellipsis or isinstance(part, slice)
        if not plain and (isinstance(part, bool) or not hasattr(part, "__index__")):
            raise BadSelection(
                f"index holds {part!r}, a {type(part).__name__}.",
                how="Give whole numbers, slices and ...: index=np.s_[10:20, ..., 0].",
            )
    return index
