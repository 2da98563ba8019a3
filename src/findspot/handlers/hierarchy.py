"""Names of classes as their libraries' documentation writes them, found without any import."""

from __future__ import annotations

import sys
from typing import Any

_PUBLIC = {
    "numpy.ma.core.MaskedArray": "numpy.ma.MaskedArray",
    "numpy.memmap": "numpy.memmap",
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "pandas.core.series.Series": "pandas.Series",
    "pandas.core.indexes.base.Index": "pandas.Index",
    "pandas.core.indexes.range.RangeIndex": "pandas.RangeIndex",
    "pandas.core.indexes.multi.MultiIndex": "pandas.MultiIndex",
    "pandas.core.indexes.datetimes.DatetimeIndex": "pandas.DatetimeIndex",
    "polars.dataframe.frame.DataFrame": "polars.DataFrame",
    "polars.series.series.Series": "polars.Series",
    "polars.lazyframe.frame.LazyFrame": "polars.LazyFrame",
    "plotly.graph_objs._figure.Figure": "plotly.graph_objects.Figure",
    "plotly.graph_objs.Figure": "plotly.graph_objects.Figure",
    "altair.vegalite.v6.api.Chart": "altair.Chart",
    "datasets.arrow_dataset.Dataset": "datasets.Dataset",
    "datasets.dataset_dict.DatasetDict": "datasets.DatasetDict",
    "geopandas.geodataframe.GeoDataFrame": "geopandas.GeoDataFrame",
    "geopandas.geoseries.GeoSeries": "geopandas.GeoSeries",
    "lightgbm.basic.Booster": "lightgbm.Booster",
    "networkx.classes.graph.Graph": "networkx.Graph",
    "networkx.classes.digraph.DiGraph": "networkx.DiGraph",
    "networkx.classes.multigraph.MultiGraph": "networkx.MultiGraph",
    "networkx.classes.multidigraph.MultiDiGraph": "networkx.MultiDiGraph",
    "onnx.onnx_ml_pb2.ModelProto": "onnx.ModelProto",
    "pyarrow._dataset.Dataset": "pyarrow.dataset.Dataset",
    "pyarrow._dataset.FileSystemDataset": "pyarrow.dataset.FileSystemDataset",
    "pyarrow._dataset.InMemoryDataset": "pyarrow.dataset.InMemoryDataset",
    "pyarrow._dataset.UnionDataset": "pyarrow.dataset.UnionDataset",
    "torch.nn.modules.module.Module": "torch.nn.Module",
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "xarray.core.dataarray.DataArray": "xarray.DataArray",
    "xarray.core.dataset.Dataset": "xarray.Dataset",
    "xgboost.core.Booster": "xgboost.Booster",
    "xgboost.sklearn.XGBClassifier": "xgboost.XGBClassifier",
    "xgboost.sklearn.XGBRegressor": "xgboost.XGBRegressor",
    "zarr.core.array.Array": "zarr.Array",
    "zarr.core.group.Group": "zarr.Group",
    "pydantic.main.BaseModel": "pydantic.BaseModel",
    "pathlib.PosixPath": "pathlib.Path",
    "pathlib.WindowsPath": "pathlib.Path",
    "pathlib._local.Path": "pathlib.Path",
    "pathlib._local.PosixPath": "pathlib.Path",
    "pathlib._local.WindowsPath": "pathlib.Path",
    "decimal.Decimal": "decimal.Decimal",
    "_decimal.Decimal": "decimal.Decimal",
}


def public_name(dotted: str) -> str:
    """The name under which a library offers a class, for the full name of where it is defined.

    A name without a dot is a builtin's. Only names that are known here are translated.

    >>> public_name("pandas.core.frame.DataFrame"), public_name("builtins.int")
    ('pandas.DataFrame', 'int')
    """
    if dotted.startswith("builtins."):
        return dotted[9:]
    if dotted.startswith("pyarrow.lib."):
        return "pyarrow." + dotted[12:]
    return _PUBLIC.get(dotted, dotted)


def type_name(kind: type) -> str:
    """The public dotted name of a class: ``int``, ``numpy.ndarray``, ``pandas.DataFrame``.

    A class of a private module (``sklearn.tree._classes.X``) is named by the nearest public module
    that is loaded and offers the same class.
    """
    known = _names.get(kind)
    if known is None:
        if len(_names) >= 4096:
            _names.clear()
        known = _names[kind] = _find_name(kind)
    return known


_names: dict[type, str] = {}


def _find_name(kind: type) -> str:
    module, qualname = kind.__module__, kind.__qualname__
    full = f"{module}.{qualname}"
    known = public_name(full)
    if known != full or "._" not in module:
        return known
    parts = module.split(".")
    while len(parts) > 1:
        hidden = any(part.startswith("_") for part in parts)
        parts.pop()
        if not hidden:
            break
        if any(part.startswith("_") for part in parts):
            continue
        if getattr(sys.modules.get(".".join(parts)), qualname, None) is kind:
            return f"{'.'.join(parts)}.{qualname}"
    return full


def python_type_name(value: Any) -> str:
    """The public dotted name of the value's class, as a version's record keeps it.

    >>> python_type_name({}), python_type_name(1.5)
    ('dict', 'float')
    """
    return type_name(type(value))
