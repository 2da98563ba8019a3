"""Names of Python classes: what people call them, and what they are called in full.

Nothing is imported here: the few conventions that everybody uses are written down.
"""

from __future__ import annotations

from collections.abc import Iterable

from findspot.core.types import (
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)

_PREFIXES = {
    "np": "numpy",
    "pd": "pandas",
    "pl": "polars",
    "pa": "pyarrow",
    "plt": "matplotlib.pyplot",
    "mpl": "matplotlib",
    "go": "plotly.graph_objects",
    "nn": "torch.nn",
    "tf": "tensorflow",
    "xr": "xarray",
    "sp": "scipy",
}

# Where a class is defined is a library's private matter; where it is imported from is not.
_PUBLIC = {
    "PIL.Image": "PIL.Image.Image",
    "matplotlib.pyplot.Axes": "matplotlib.axes.Axes",
    "matplotlib.axes._axes.Axes": "matplotlib.axes.Axes",
    "matplotlib.pyplot.Figure": "matplotlib.figure.Figure",
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "pandas.core.indexes.base.Index": "pandas.Index",
    "pandas.core.series.Series": "pandas.Series",
    "pathlib._local.Path": "pathlib.Path",
    "plotly.graph_objs.Figure": "plotly.graph_objects.Figure",
    "plotly.graph_objs._figure.Figure": "plotly.graph_objects.Figure",
    "polars.dataframe.frame.DataFrame": "polars.DataFrame",
    "polars.lazyframe.frame.LazyFrame": "polars.LazyFrame",
    "polars.series.series.Series": "polars.Series",
    "pyarrow.lib.RecordBatch": "pyarrow.RecordBatch",
    "pyarrow.lib.Table": "pyarrow.Table",
    "torch._tensor.Tensor": "torch.Tensor",
    "torch.nn.modules.module.Module": "torch.nn.Module",
    "xarray.core.dataarray.DataArray": "xarray.DataArray",
    "xarray.core.dataset.Dataset": "xarray.Dataset",
}

_WELL_KNOWN = {
    "Axes": "matplotlib.axes.Axes",
    "BaseEstimator": "sklearn.base.BaseEstimator",
    "DataArray": "xarray.DataArray",
    "DataFrame": "pandas.DataFrame",
    "Decimal": "decimal.Decimal",
    "Figure": "matplotlib.figure.Figure",
    "LazyFrame": "polars.LazyFrame",
    "Path": "pathlib.Path",
    "RecordBatch": "pyarrow.RecordBatch",
    "Series": "pandas.Series",
    "Table": "pyarrow.Table",
    "Tensor": "torch.Tensor",
    "bytes": "builtins.bytes",
    "datetime": "datetime.datetime",
    "ndarray": "numpy.ndarray",
}
_WELL_KNOWN_IN_FULL = frozenset(_WELL_KNOWN.values()) | frozenset(_PUBLIC.values())


def public_name(dotted: str) -> str:
    """The name under which a class is imported by convention, given any of its full names.

    >>> public_name("pandas.core.frame.DataFrame"), public_name("my.module.Model")
    ('pandas.DataFrame', 'my.module.Model')
    """
    return _PUBLIC.get(dotted, dotted)


def class_type(dotted: str) -> Simple:
    """The type of a Python class, given its full dotted name."""
    name = public_name(dotted)
    return Simple(name.removeprefix("builtins."), python=name)


def find_class(name: str, seen: Iterable[Simple] = ()) -> list[Simple]:
    """The class types that ``name`` may mean: none, one, or several when it is ambiguous.

    In this order: a full dotted name, a conventional alias (``np.ndarray``), the last part of one
    that was seen in a signature, the last part of a well-known one.

    Args:
        seen: class types in the signatures of the tasks at hand.

    >>> [str(found) for found in find_class("pd.DataFrame")]
    ['pandas.DataFrame']
    """
    classes: dict[str, Simple] = {}
    for candidate in seen:
        if candidate.python is not None:
            classes.setdefault(public_name(candidate.python), candidate)
    head, dot, rest = name.partition(".")
    full = public_name(f"{_PREFIXES[head]}.{rest}" if dot and head in _PREFIXES else name)
    if full in classes:
        return [classes[full]]
    if full in _WELL_KNOWN_IN_FULL:
        return [class_type(full)]
    if dot:
        return []
    ends = [found for dotted, found in classes.items() if dotted.rpartition(".")[2] == name]
    if ends:
        return ends
    return [class_type(_WELL_KNOWN[name])] if name in _WELL_KNOWN else []


def classes_in(types: Iterable[Type]) -> list[Simple]:
    """Every class type inside ``types``, in order."""
    return [found for found in simple_types_in(types) if found.python is not None]


def simple_types_in(types: Iterable[Type]) -> list[Simple]:
    """Every simple type inside ``types``, tied to a class or not, in order and once."""
    found: dict[Simple, None] = {}
    waiting = list(types)[::-1]
    while waiting:
        current = waiting.pop()
        match current:
            case Simple():
                found.setdefault(current)
                waiting.extend(current.parents)
            case ListOf():
                waiting.append(current.item)
            case TupleOf():
                waiting.extend(current.items)
            case Record():
                waiting.extend(current.properties.values())
            case MappingOf():
                waiting.extend((current.key, current.value))
            case Union():
                waiting.extend(current.members)
            case _:
                pass
    return list(found)


def well_known_names() -> list[str]:
    """Short and full names of the classes that are known without being seen."""
    return [*_WELL_KNOWN, *sorted(_WELL_KNOWN_IN_FULL)]
