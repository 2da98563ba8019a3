"""Columns of pandas that Parquet does not bring back as they were: found, put aside, put back.

What is put aside is kept in a structure beside the Parquet file. Only a column of Python objects
that JSON cannot hold needs pickle there, and then loading it needs trust.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from findspot.handlers.errors import BadFiles, Untrusted
from findspot.handlers.numpy_arrays import holds
from findspot.handlers.values import is_exact_json

_EXACT = frozenset({str, bytes, bool, date, Decimal})
"""Classes whose columns of objects Parquet brings back, if there is no second class in a column."""


def plan_of(values: Any) -> Mapping[str, Any] | None:
    """How to bring a column (or an index) back.

    Returns:
        {}: as Parquet gives it. ``{"dtype": ...}``: cast it to that. ``{"objects": ...}``: make it
        objects again, with that for what is missing. None: put it aside (`put_aside`).
    """
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind in "mM":
            return {"dtype": dtype.str} if np.datetime_data(dtype)[0] == "s" else {}
        if dtype.kind == "O":
            return _plan_of_objects(values)
        held = dtype.kind in "biuf" and dtype.isnative and dtype.itemsize <= 8
        return {} if held else None
    if isinstance(dtype, pd.CategoricalDtype):
        text = isinstance(dtype.categories.dtype, pd.StringDtype)
        return {} if text and len(values) else None
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"dtype": str(dtype)} if dtype.unit == "s" else {}
    return None if isinstance(dtype, pd.SparseDtype) else {}


def _plan_of_objects(values: Any) -> Mapping[str, Any] | None:
    kinds = set(map(type, values))
    if kinds == {np.ndarray}:
        shapes = {(item.ndim, item.dtype) for item in values}
        (ndim, dtype) = next(iter(shapes))
        held = len(shapes) == 1 and ndim == 1 and dtype.kind in "iuf" and dtype.isnative
        return {"objects": "arrays"} if held and dtype.itemsize in (4, 8) else None
    missing = kinds - _EXACT
    if len(kinds & _EXACT) != 1:
        return None
    if missing <= {type(None)}:
        return {"objects": None}
    if missing == {float} and all(item != item for item in values if type(item) is float):
        return {"objects": "nan"}
    return None


def put_aside(values: Any) -> dict[str, Any]:
    """A column's values as a structure."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        array: Any = values.array if isinstance(values, pd.Series) else values
        return {
            "codes": np.asarray(array.codes),
            "categories": pd.Index(dtype.categories),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, np.dtype) and dtype.kind != "O" and holds(dtype):
        return {"array": np.asarray(values)}
    if isinstance(dtype, np.dtype):
        items = list(values)
        if is_exact_json(items):
            return {"objects": items}
    import cloudpickle

    return {"pickle": cloudpickle.dumps(values, protocol=5)}


def put_back(aside: Mapping[str, Any], *, trusted: bool) -> Any:
    """The values that `put_aside` took."""
    if "codes" in aside:
        return pd.Categorical.from_codes(
            aside["codes"], categories=aside["categories"], ordered=aside["ordered"]
        )
    if "array" in aside:
        return aside["array"]
    if "objects" in aside:
        return objects(aside["objects"])
    if not trusted:
        raise Untrusted(
            "A column of Python objects in it was pickled; a pickle can run any code when it is "
            "loaded."
        )
    try:
        return pickle.loads(aside["pickle"])
    except (pickle.UnpicklingError, EOFError, ImportError, AttributeError, KeyError) as error:
        raise BadFiles(f"a pickled column cannot be read: {error}") from error


def restore(values: Any, plan: Mapping[str, Any]) -> Any:
    """A column as it was, from what Parquet gave: a Series, or an Index."""
    if "dtype" in plan:
        return values.astype(plan["dtype"])
    missing = plan["objects"]
    if missing == "arrays":
        return values
    absent = float("nan") if missing == "nan" else None
    gone = values.isna()
    items = objects([absent if none else item for item, none in zip(values, gone, strict=True)])
    if isinstance(values, pd.Index):
        return pd.Index(items, dtype=object, name=values.name)
    return pd.Series(items, index=values.index, name=values.name, dtype=object)


def objects(items: Sequence[Any]) -> np.ndarray[Any, Any]:
    """A one-dimensional array of these very objects, lists among them too."""
    array = np.empty(len(items), dtype=object)
    for position, item in enumerate(items):
        array[position] = item
    return array
