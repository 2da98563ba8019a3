"""Statistics of a table's columns, for pandas, Polars and Arrow tables and NumPy arrays alike.

Of every column: ``type``, ``count`` (values that are there) and ``missing``. Of numbers also
``mean``, ``std`` (of the sample), ``min``, ``q25``, ``median``, ``q75``, ``max``, ``zeros``,
``infinite`` and ``histogram`` (``edges``, one more than ``counts``); of truth values ``true`` and
``false``; of times ``min`` and ``max``; of texts and categories ``distinct`` and ``top`` (the
commonest values with their counts).

Where a column has more than `EXACT_ROWS` values, quantiles, histogram, distinct and top are those
of `SAMPLE_ROWS` values drawn at random (always the same ones), and ``sampled`` says how many; all
else is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from findspot.handlers import python_type_name
from findspot.handlers.column_labels import label_of

EXACT_ROWS = 1_000_000
SAMPLE_ROWS = 200_000
BINS = 20
COLUMNS = 200
"""Columns that get statistics; those behind them do not."""
_TOP = 10
_SHOWN = 100


def table_statistics(table: Any) -> dict[str, dict[str, Any]] | None:
    """Statistics of each of the first 200 columns by name; None for what is no table.

    Args:
        table: a pandas, Polars or Arrow table or series, or a NumPy array (its columns are named by
            their position). Needs pyarrow for all but arrays.

    >>> import numpy as np
    >>> table_statistics(np.array([[1.0], [3.0]]))["0"]["mean"]
    2.0
    """
    columns = _columns(table)
    if columns is None:
        return None
    found: dict[str, dict[str, Any]] = {}
    for name, values in columns:
        if len(found) == COLUMNS:
            break
        found[label_of(name, found)] = column_statistics(values)
    return found


def column_statistics(values: Any) -> dict[str, Any]:
    """Statistics of one column: a NumPy array of one dimension, or an Arrow array."""
    import numpy as np

    if isinstance(values, np.ndarray):
        return _of_numpy(values)
    return _of_arrow(values)


def _columns(table: Any) -> Iterator[tuple[str, Any]] | None:
    name = python_type_name(table)
    library = name.partition(".")[0]
    if library == "numpy" and hasattr(table, "dtype") and hasattr(table, "ndim"):
        return _array_columns(table)
    if library == "pandas" and hasattr(table, "columns"):
        return ((str(n), _pandas(table.iloc[:, i])) for i, n in enumerate(table.columns[:COLUMNS]))
    if library == "pandas" and hasattr(table, "to_numpy"):
        return iter([(str(getattr(table, "name", None) or "0"), _pandas(table))])
    if library == "polars" and hasattr(table, "get_columns"):
        return ((column.name, column.to_arrow()) for column in table.get_columns()[:COLUMNS])
    if library == "polars" and hasattr(table, "to_arrow"):
        return iter([(table.name or "0", table.to_arrow())])
    if library == "pyarrow" and hasattr(table, "column_names"):
        return ((n, table.column(i)) for i, n in enumerate(table.column_names[:COLUMNS]))
    return None


def _array_columns(array: Any) -> Iterator[tuple[str, Any]] | None:
    if array.dtype.names:
        return ((name, array[name].reshape(-1)) for name in array.dtype.names)
    if array.ndim == 1:
        return iter([("0", array)])
    if array.ndim == 2:
        return ((str(i), array[:, i]) for i in range(min(array.shape[1], COLUMNS)))
    return None


def _pandas(series: Any) -> Any:
    """A pandas column as a NumPy array of numbers, else as an Arrow array where Arrow takes it."""
    import numpy as np

    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub":
        return series.to_numpy()
    import pyarrow as pa

    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return series.to_numpy(dtype=object)


def _of_numpy(values: Any) -> dict[str, Any]:
    import numpy as np

    if values.dtype.kind == "b":
        true = int(np.count_nonzero(values))
        return _head("boolean", len(values), 0) | {"true": true, "false": len(values) - true}
    if values.dtype.kind in "fiu":
        return _numbers(values, "number" if values.dtype.kind == "f" else "integer", 0)
    if values.dtype.kind in "OSUMmc":
        return _other(values)
    return _head(str(values.dtype), len(values), 0)


def _other(values: Any) -> dict[str, Any]:
    """Objects and texts of NumPy: Arrow's answer where it takes them, else counts alone."""
    try:
        import pyarrow as pa

        return _of_arrow(pa.array(values, from_pandas=True))
    except (ImportError, TypeError, ValueError, OverflowError, NotImplementedError):
        # Arrow's own errors are ValueErrors, TypeErrors and (complex numbers) NotImplementedErrors.
        missing = sum(item is None or item != item for item in values.tolist())
        return _head(str(values.dtype), len(values) - missing, missing)


def _of_arrow(values: Any) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    missing = values.null_count
    if missing and not pa.types.is_null(kind):
        values = values.drop_null()
    head = _head(_type_name(kind), len(values), missing)
    if pa.types.is_boolean(kind):
        true = int(pc.sum(values).as_py() or 0)
        return head | {"true": true, "false": len(values) - true}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _numbers(values.to_numpy(zero_copy_only=False), head["type"], missing)
    if pa.types.is_decimal(kind):
        return _numbers(values.cast(pa.float64()).to_numpy(), "number", missing)
    if pa.types.is_duration(kind):  # Arrow compares none, but the numbers in them
        ends = pc.min_max(values.cast(pa.int64()))
        return head | {e: _time_text(ends[e].cast(kind).as_py()) for e in ("min", "max")}
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        ends = pc.min_max(values).as_py() if len(values) else {"min": None, "max": None}
        return head | {end: _time_text(ends[end]) for end in ("min", "max")}
    if pa.types.is_dictionary(kind) or _is_text(kind):
        return head | _commonest(values)
    return head


def _head(kind: str, count: int, missing: int) -> dict[str, Any]:
    return {"type": kind, "count": count, "missing": missing}


def _type_name(kind: Any) -> str:
    import pyarrow as pa

    for test, name in (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
        (pa.types.is_dictionary, "category"),
        (pa.types.is_duration, "duration"),
        (pa.types.is_temporal, "time"),
        (_is_text, "text"),
    ):
        if test(kind):
            return name
    return str(kind)[:_SHOWN]


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def _numbers(values: Any, kind: str, missing: int) -> dict[str, Any]:
    import numpy as np

    count, infinite = len(values), 0
    if values.dtype.kind == "f":
        if values.dtype.itemsize < 4:
            values = values.astype(np.float32)  # sums of halves overflow soon
        with np.errstate(all="ignore"):
            finite = math.isfinite(float(values.sum()))
        if not finite:
            gone = int(np.count_nonzero(np.isnan(values)))
            missing, count = missing + gone, count - gone
            kept = values[np.isfinite(values)]
            values, infinite = kept, count - len(kept)
    found = _head(kind, count, missing)
    if len(values) == 0:
        return found | ({"infinite": infinite} if infinite else {})
    with np.errstate(all="ignore"):
        mean = float(values.mean(dtype=np.float64))
        spread = float(values.std(ddof=1, dtype=np.float64)) if len(values) > 1 else 0.0
    low, high = values.min().item(), values.max().item()
    sample = _sampled(values)
    with np.errstate(all="ignore"):
        quarters = np.percentile(sample, (25, 50, 75)).tolist()
    found |= {
        "mean": _finite(mean),
        "std": _finite(spread),
        "min": low,
        "q25": _finite(quarters[0]),
        "median": _finite(quarters[1]),
        "q75": _finite(quarters[2]),
        "max": high,
        "zeros": len(values) - int(np.count_nonzero(values)),
        "infinite": infinite,
        "histogram": _histogram(sample, low, high),
    }
    if len(sample) < len(values):
        found["sampled"] = len(sample)
    return found


def _histogram(values: Any, low: float, high: float) -> dict[str, list[Any]] | None:
    import numpy as np

    if not math.isfinite(float(high) - float(low)):
        return None
    with np.errstate(all="ignore"):
        try:
            counts, edges = np.histogram(
                values.astype(np.float64), bins=BINS, range=(float(low), float(high))
            )
        except ValueError:  # the range is too narrow for so many bins of floats
            return {"edges": [float(low), float(high)], "counts": [len(values)]}
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _commonest(values: Any) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    sample = _sampled(values)
    if pa.types.is_dictionary(sample.type):
        sample = sample.cast(sample.type.value_type)
    counted = pc.value_counts(sample)
    counts = counted.field("counts")
    order = pc.select_k_unstable(counts, _TOP, [("", "descending")]) if len(counted) else []
    top = [counted[i.as_py()].as_py() for i in order]
    found: dict[str, Any] = {
        "distinct": len(counted),
        "top": [[_shown(item["values"]), item["counts"]] for item in top],
    }
    if len(sample) < len(values):
        found["sampled"] = len(sample)
    return found


def _sampled(values: Any) -> Any:
    import numpy as np

    if len(values) <= EXACT_ROWS:
        return values
    drawn = np.random.default_rng(0).integers(0, len(values), SAMPLE_ROWS)
    drawn.sort()
    return values.take(drawn)


def _shown(value: Any) -> Any:
    if isinstance(value, bool | int):
        return value
    text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _time_text(value: Any) -> str | None:
    return (
        None if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    )


def as_columns(statistics: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Statistics as rows of a table, one a column, without the histograms."""
    shown = ("type", "count", "missing", "mean", "std", "min", "median", "max", "distinct")
    return [
        {"column": name, **{key: found[key] for key in shown if key in found}}
        for name, found in statistics.items()
    ]
