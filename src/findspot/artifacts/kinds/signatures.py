"""Signatures inferred from data, and data checked against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from findspot.artifacts.kinds.signature import (
    Column,
    Columns,
    ColumnType,
    ModelSignature,
    columns_from_json,
)
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.handlers import python_type_name

_NUMPY: Mapping[str, ColumnType] = {
    "b": "boolean",
    "i": "integer",
    "u": "integer",
    "f": "number",
    "U": "text",
    "S": "bytes",
    "M": "time",
    "m": "duration",
}
_FITS: Mapping[ColumnType, frozenset[str]] = {
    "number": frozenset({"number", "integer", "boolean"}),
    "integer": frozenset({"integer", "boolean"}),
    "category": frozenset({"category", "text", "integer", "boolean"}),
    "text": frozenset({"text", "category"}),
}
"""What else than itself a column takes: what becomes it without loss."""


class DataDoesNotFit(CheckFailed):
    """Data have other columns than a model takes; every difference is listed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("The data for the model", problems)


class NoColumns(FindspotError):
    """No columns can be told of a value."""

    exit_code = 2


def infer_signature(inputs: Any, outputs: Any = None) -> ModelSignature:
    """The signature of a model that takes ``inputs`` and gives ``outputs``.

    Args:
        inputs: a sample: a data frame, a NumPy array (rows first), a list of mappings, or a mapping
            of columns. Of a table the names and types are taken, of an array type and shape of a
            row.
        outputs: labels or predictions for it; None: not known.

    Raises:
        NoColumns: of a value of this type no columns can be told.

    >>> import numpy as np
    >>> print(infer_signature(np.zeros((10, 4)), np.zeros(10, dtype=int)))
    (array: number[4]) -> (array: integer)
    """
    return ModelSignature(columns_of(inputs), () if outputs is None else columns_of(outputs))


def columns_of(value: Any) -> Columns:
    """The columns of a sample, or columns given as such (`Column` objects or their JSON)."""
    if isinstance(value, ModelSignature):
        return value.inputs
    if isinstance(value, Column):
        return (value,)
    if isinstance(value, list | tuple) and value and all(map(_is_column, value)):
        return columns_from_json(value)
    found = _columns(value)
    if found is None:
        raise NoColumns(
            f"The columns of a {python_type_name(value)} cannot be told.",
            how="Give a data frame, a NumPy array, a mapping of columns, or Column objects.",
        )
    return found


def check_data(signature: ModelSignature, data: Any) -> Any:
    """``data`` if a model of this signature takes them: a table with its columns in its order.

    Columns that the model does not know are left out of tables; their order does not matter.

    Raises:
        DataDoesNotFit: lists columns that are missing or of another type, and wrong shapes.
    """
    expected = signature.inputs
    found = columns_of(data)
    if all(column.name is None for column in expected):
        _check_arrays(expected, found)
        return data
    if all(column.name is None for column in found):
        # An array for a model that was trained on a table: columns are told by their position.
        width = _width(found)
        if width != len(expected):
            raise DataDoesNotFit(
                [
                    Problem(
                        "$",
                        "the array has another number of columns than the model takes",
                        expected=f"{len(expected)} ({_names(expected)})",
                        found=str(width),
                    )
                ]
            )
        problems = [p for column in expected for p in _type_problems(column, found[0])]
        if problems:
            raise DataDoesNotFit(problems)
        return data
    by_name = {column.name: column for column in found}
    problems = []
    for column in expected:
        other = by_name.get(column.name)
        if other is None:
            near = f"The data have {_names(found)}."
            problems.append(
                Problem(f"$.{column.name}", "the column is missing", "", str(column), hint=near)
            )
        else:
            problems += _type_problems(column, other)
    if problems:
        raise DataDoesNotFit(problems)
    names = [column.name for column in expected]
    if names == [column.name for column in found]:
        return data
    if hasattr(data, "select") and not hasattr(data, "iloc"):  # Polars and Arrow
        return data.select(names)
    return data[names] if hasattr(data, "columns") else data


def _check_arrays(expected: Columns, found: Columns) -> None:
    problems: list[Problem] = []
    want = _width(expected)
    have = _width(found)
    if want != have:
        problems.append(
            Problem("$", "a row has another shape", expected=_shape(expected), found=_shape(found))
        )
    for column in found:
        problems += _type_problems(expected[0], column, place=f"$.{column.name}")
    if problems:
        raise DataDoesNotFit(problems)


def _type_problems(expected: Column, found: Column, place: str | None = None) -> list[Problem]:
    path = place or (f"$.{expected.name}" if expected.name else "$")
    problems = []
    fits = _FITS.get(expected.type, frozenset({expected.type}))
    if "any" not in (expected.type, found.type) and found.type not in fits:
        problems.append(
            Problem(path, "it is of another type", expected=expected.type, found=found.type)
        )
    if found.missing and not expected.missing and expected.type in ("integer", "boolean"):
        problems.append(Problem(path, "values are missing, which the model was not trained on"))
    return problems


def _is_column(entry: Any) -> bool:
    return isinstance(entry, Column) or (
        isinstance(entry, Mapping)
        and "type" in entry
        and entry.keys() <= {"name", "type", "shape", "missing"}
    )


def _columns(value: Any) -> Columns | None:
    library = python_type_name(value).partition(".")[0]
    if library == "numpy" and hasattr(value, "dtype"):
        return _array(value)
    if library == "pandas" and hasattr(value, "columns"):
        return tuple(_pandas(str(n), value.iloc[:, i]) for i, n in enumerate(value.columns))
    if library == "pandas" and hasattr(value, "dtype"):
        return (_pandas(None if value.name is None else str(value.name), value),)
    if library == "polars" and hasattr(value, "get_columns"):
        return tuple(_arrow(column.name, column.to_arrow()) for column in value.get_columns())
    if library == "polars" and hasattr(value, "to_arrow"):
        return (_arrow(value.name or None, value.to_arrow()),)
    if library == "pyarrow" and hasattr(value, "column_names"):
        return tuple(_arrow(n, value.column(i)) for i, n in enumerate(value.column_names))
    if library == "pyarrow" and hasattr(value, "null_count"):
        return (_arrow(None, value),)
    if library == "scipy" and hasattr(value, "tocsr"):
        return (Column(_NUMPY.get(value.dtype.kind, "any"), shape=tuple(value.shape[1:])),)
    return _plain(value)


def _plain(value: Any) -> Columns | None:
    """Lists of numbers, of rows, of mappings; a mapping of columns."""
    import numpy as np

    if isinstance(value, Mapping) and value:
        columns = [_array(np.asarray(part)) for part in value.values()]
        return tuple(
            Column(column[0].type, str(name), column[0].shape)
            for name, column in zip(value, columns, strict=True)
        )
    if not isinstance(value, list | tuple) or not value:
        return None
    if all(isinstance(row, Mapping) for row in value):
        names = list(dict.fromkeys(name for row in value for name in row))
        found = _plain({name: [row.get(name) for row in value] for name in names})
        return found and tuple(
            Column(c.type, c.name, c.shape, any(c.name not in row for row in value)) for c in found
        )
    try:
        return _array(np.asarray(value))
    except ValueError:  # rows of several lengths
        return None


def _array(array: Any) -> Columns:
    if array.dtype.names:
        return tuple(
            Column(_NUMPY.get(array.dtype[name].kind, "any"), name) for name in array.dtype.names
        )
    kind = _NUMPY.get(array.dtype.kind, "any")
    if array.dtype.kind == "O" and array.size and all(isinstance(v, str) for v in array.flat):
        kind = "text"
    return (Column(kind, shape=tuple(array.shape[1:])),)


def _pandas(name: str | None, series: Any) -> Column:
    missing = bool(series.isna().any())
    kind = getattr(series.dtype, "kind", "O")
    text = str(series.dtype)
    if text == "category":
        return Column("category", name, missing=missing)
    if text in ("str", "string") or text.startswith("string"):
        return Column("text", name, missing=missing)
    if kind == "O":
        kept = series.dropna()
        if len(kept) and all(isinstance(item, str) for item in kept):
            return Column("text", name, missing=missing)
        return Column("any", name, missing=missing)
    return Column(_NUMPY.get(kind, "any"), name, missing=missing)


def _arrow(name: str | None, values: Any) -> Column:
    import pyarrow.types as pt

    kind = values.type
    tests: tuple[tuple[Any, ColumnType], ...] = (
        (pt.is_boolean, "boolean"),
        (pt.is_integer, "integer"),
        (pt.is_floating, "number"),
        (pt.is_decimal, "number"),
        (pt.is_dictionary, "category"),
        (pt.is_string, "text"),
        (pt.is_large_string, "text"),
        (pt.is_string_view, "text"),
        (pt.is_duration, "duration"),
        (pt.is_temporal, "time"),
        (pt.is_binary, "bytes"),
        (pt.is_large_binary, "bytes"),
    )
    found: ColumnType = next((name_of for test, name_of in tests if test(kind)), "any")
    return Column(found, name, missing=values.null_count > 0)


def _width(columns: Columns) -> tuple[int, ...] | int:
    """Values in a row: of one array its shape where it has more than one dimension."""
    if len(columns) == 1 and columns[0].name is None:
        shape = columns[0].shape
        return shape[0] if len(shape) == 1 else (shape or 1)
    return len(columns)


def _shape(columns: Columns) -> str:
    return str(_width(columns))


def _names(columns: Columns) -> str:
    names = ", ".join(str(column.name) for column in columns[:20])
    return names + (", ..." if len(columns) > 20 else "")
