"""Differences of two NumPy arrays, block by block, so that mapped arrays of any size fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_BLOCK = 1 << 20
FIRST = 10
"""Places that are listed."""


def compare_arrays(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Shape, dtype, and for equal shapes: how many elements differ, by how much, and where first.

    ``max_difference`` and ``mean_difference`` are absolute, over elements that are finite in both;
    NaN equals NaN. Elements without a difference (texts, structures) are only counted.

    >>> compare_arrays(np.array([1.0, 2.0]), np.array([1.0, 2.5]))["max_difference"]
    0.5
    """
    found: dict[str, Any] = {
        "shape_before": list(before.shape),
        "shape_after": list(after.shape),
        "dtype_before": str(before.dtype),
        "dtype_after": str(after.dtype),
    }
    if before.shape != after.shape:
        return found
    numeric = _is_number(before.dtype) and _is_number(after.dtype)
    if not numeric and before.dtype != after.dtype:
        return found
    total = before.size
    differing = 0
    not_finite = 0
    largest = 0.0
    summed = 0.0
    first: list[dict[str, Any]] = []
    for start in range(0, total, _BLOCK):
        stop = min(total, start + _BLOCK)
        # `flat` follows the order of indices whatever the memory's order is, a block at a time.
        old, new = before.flat[start:stop], after.flat[start:stop]
        unequal = _unequal(old, new)
        places = np.flatnonzero(unequal)
        differing += len(places)
        for place in places[: FIRST - len(first)]:
            index = np.unravel_index(start + int(place), before.shape)
            first.append(
                {
                    "index": [int(i) for i in index],
                    "before": _plain(old[place]),
                    "after": _plain(new[place]),
                }
            )
        if numeric and len(places):
            with np.errstate(all="ignore"):
                gaps = np.abs(_wide(new[places]) - _wide(old[places]))
            gaps = gaps[np.isfinite(gaps)]
            if gaps.size:
                largest = max(largest, float(gaps.max()))
            summed += float(gaps.sum(dtype=np.float64))
            not_finite += len(places) - int(gaps.size)
    found |= {"elements": total, "differing": differing}
    found["share_differing"] = differing / total if total else 0.0
    if numeric:
        found["max_difference"] = largest
        counted = total - not_finite
        found["mean_difference"] = _finite(summed / counted) if counted else 0.0
    found["first"] = first
    return found


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufc"


def _unequal(old: Any, new: Any) -> np.ndarray[Any, Any]:
    unequal = np.asarray(old != new)
    if old.dtype.kind in "fcmM" and new.dtype.kind in "fcmM":
        both = np.isnan(old) & np.isnan(new) if old.dtype.kind in "fc" else _nat(old) & _nat(new)
        unequal &= ~both
    return unequal


def _nat(values: Any) -> Any:
    return np.isnat(values)


def _wide(values: Any) -> Any:
    """As numbers whose difference does not wrap around."""
    if values.dtype.kind == "c":
        return values.astype(np.complex128)
    return values.astype(np.longdouble)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """An element as JSON."""
    item = value.item() if hasattr(value, "item") else value
    if isinstance(item, float):
        return item if math.isfinite(item) else str(item)
    if isinstance(item, bool | int | str) or item is None:
        return item
    return str(item)
