"""The table of built-in handlers: what they take, and where they are, without importing any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Builtin:
    """One built-in handler, not imported yet.

    Args:
        types: public dotted names; none for a predicate.
        extra: the extra of Findspot that installs what its module imports.
        only_by_name: whether it is used only where it is named, and never looked up by a type.
    """

    name: str
    types: tuple[str, ...]
    target: str
    extra: str | None = None
    only_by_name: bool = False


_H = "findspot.handlers"
_VALUES = "findspot.handlers.values"
_STRUCTURES = "findspot.handlers.structures"
_MODELS = _STRUCTURES
_NUMPY = "findspot.handlers.numpy_arrays"

BUILTINS: tuple[Builtin, ...] = (
    Builtin(
        "structure",
        (
            *("int", "list", "dict", "tuple", "set", "frozenset", "complex", "range"),
            *("collections.OrderedDict", "collections.defaultdict"),
            *("collections.deque", "collections.Counter"),
            *("decimal.Decimal", "fractions.Fraction", "uuid.UUID", "enum.Enum"),
            *("datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta"),
            *("pathlib.PurePosixPath", "pathlib.PureWindowsPath"),
        ),
        f"{_STRUCTURES}:StructureHandler",
    ),
    # Between "json" and "structure": dicts are JSON first, then weights, then any structure.
    Builtin(
        "torch.state-dict",
        ("dict", "collections.OrderedDict"),
        f"{_H}.state_dicts:StateDictHandler",
        "torch",
    ),
    Builtin("json", ("NoneType", "bool", "int", "float", "list", "dict"), f"{_VALUES}:JsonHandler"),
    Builtin("text", ("str",), f"{_VALUES}:TextHandler"),
    Builtin("bytes", ("bytes", "bytearray", "memoryview"), f"{_VALUES}:BytesHandler"),
    Builtin("path.file", ("pathlib.Path",), "findspot.handlers.paths:FileHandler"),
    Builtin("path.directory", ("pathlib.Path",), "findspot.handlers.paths:DirectoryHandler"),
    Builtin("namedtuple", ("tuple",), f"{_MODELS}:NamedTupleHandler"),
    Builtin("pydantic", ("pydantic.BaseModel",), f"{_MODELS}:PydanticHandler", "pydantic"),
    Builtin("dataclass", (), f"{_MODELS}:DataclassHandler"),
    Builtin("attrs", (), f"{_MODELS}:AttrsHandler"),
    Builtin("numpy.array", ("numpy.ndarray",), f"{_NUMPY}:ArrayHandler", "numpy"),
    Builtin("numpy.masked", ("numpy.ma.MaskedArray",), f"{_NUMPY}:MaskedArrayHandler", "numpy"),
    Builtin("numpy.scalar", ("numpy.generic",), f"{_NUMPY}:ScalarHandler", "numpy"),
    Builtin(
        "pandas.dataframe",
        ("pandas.DataFrame",),
        "findspot.handlers.pandas_tables:DataFrameHandler",
        "pandas",
    ),
    Builtin(
        "pandas.series",
        ("pandas.Series",),
        "findspot.handlers.pandas_tables:SeriesHandler",
        "pandas",
    ),
    Builtin(
        "pandas.index", ("pandas.Index",), "findspot.handlers.pandas_tables:IndexHandler", "pandas"
    ),
    Builtin(
        "arrow.table",
        ("pyarrow.Table", "pyarrow.RecordBatch"),
        "findspot.handlers.arrow_tables:TableHandler",
        "arrow",
    ),
    Builtin(
        "arrow.array",
        ("pyarrow.Array", "pyarrow.ChunkedArray"),
        "findspot.handlers.arrow_tables:ArrayHandler",
        "arrow",
    ),
    Builtin(
        "polars.dataframe",
        ("polars.DataFrame",),
        "findspot.handlers.polars_tables:DataFrameHandler",
        "polars",
    ),
    Builtin(
        "polars.series",
        ("polars.Series",),
        "findspot.handlers.polars_tables:SeriesHandler",
        "polars",
    ),
    Builtin(
        "matplotlib.figure",
        ("matplotlib.figure.Figure",),
        "findspot.handlers.matplotlib_figures:FigureHandler",
        "matplotlib",
    ),
    Builtin(
        "figure.saved",
        ("findspot.handlers.saved_figures.SavedFigure",),
        "findspot.handlers.saved_figures:SavedFigureHandler",
    ),
    Builtin(
        "plotly.figure",
        ("plotly.graph_objects.Figure",),
        "findspot.handlers.plotly_figures:FigureHandler",
        "plotly",
    ),
    Builtin(
        "pillow.image", ("PIL.Image.Image",), "findspot.handlers.images:ImageHandler", "pillow"
    ),
    Builtin(
        "model.skops",
        ("sklearn.base.BaseEstimator",),
        "findspot.handlers.sklearn_estimators:EstimatorHandler",
        "sklearn",
    ),
    Builtin(
        "polars.lazyframe",
        ("polars.LazyFrame",),
        f"{_H}.polars_tables:LazyFrameHandler",
        "polars",
    ),
    Builtin("arrow.scalar", ("pyarrow.Scalar",), f"{_H}.arrow_tables:ScalarHandler", "arrow"),
    Builtin(
        "arrow.dataset",
        ("pyarrow.dataset.Dataset",),
        f"{_H}.arrow_datasets:DatasetHandler",
        "arrow",
    ),
    Builtin(
        "pandas.scalar",
        (
            *("pandas.Timestamp", "pandas.Timedelta", "pandas.Period", "pandas.Interval"),
            *("pandas.api.typing.NaTType", "pandas.api.typing.NAType"),
        ),
        f"{_H}.pandas_scalars:ScalarHandler",
        "pandas",
    ),
    Builtin(
        "geopandas.dataframe",
        ("geopandas.GeoDataFrame",),
        f"{_H}.geopandas_tables:GeoDataFrameHandler",
        "geopandas",
    ),
    Builtin(
        "geopandas.series",
        ("geopandas.GeoSeries",),
        f"{_H}.geopandas_tables:GeoSeriesHandler",
        "geopandas",
    ),
    Builtin(
        "scipy.sparse",
        ("scipy.sparse.spmatrix", "scipy.sparse.sparray"),
        f"{_H}.scipy_sparse:SparseHandler",
        "scipy",
    ),
    Builtin(
        "xarray.dataset",
        ("xarray.Dataset", "xarray.DataArray"),
        f"{_H}.xarray_datasets:DatasetHandler",
        "xarray",
    ),
    Builtin("zarr", ("zarr.Array", "zarr.Group"), f"{_H}.zarr_arrays:ZarrHandler", "zarr"),
    Builtin(
        "networkx.graph", ("networkx.Graph",), f"{_H}.networkx_graphs:GraphHandler", "networkx"
    ),
    Builtin(
        "xgboost.booster", ("xgboost.Booster",), f"{_H}.xgboost_models:BoosterHandler", "xgboost"
    ),
    Builtin(
        "xgboost.estimator",
        ("xgboost.sklearn.XGBModel",),
        f"{_H}.xgboost_models:EstimatorHandler",
        "xgboost",
    ),
    Builtin(
        "lightgbm.booster",
        ("lightgbm.Booster",),
        f"{_H}.lightgbm_models:BoosterHandler",
        "lightgbm",
    ),
    Builtin("onnx.model", ("onnx.ModelProto",), f"{_H}.onnx_models:ModelHandler", "onnx"),
    Builtin("torch.tensor", ("torch.Tensor",), f"{_H}.torch_tensors:TensorHandler", "torch"),
    Builtin("torch.module", ("torch.nn.Module",), f"{_H}.torch_modules:ModuleHandler", "torch"),
    Builtin(
        "keras.model",
        ("keras.src.models.model.Model",),
        f"{_H}.keras_models:ModelHandler",
        "keras",
    ),
    Builtin(
        "huggingface.dataset",
        ("datasets.Dataset", "datasets.DatasetDict"),
        f"{_H}.hugging_face:DatasetHandler",
        "datasets",
    ),
    Builtin("huggingface.pretrained", (), f"{_H}.hugging_face:PretrainedHandler"),
    Builtin(
        "vega-lite",
        tuple(f"altair.vegalite.v{number}.api.TopLevelMixin" for number in range(5, 10)),
        f"{_H}.vega_charts:VegaLiteHandler",
        "altair",
    ),
    Builtin(
        "html",
        ("findspot.handlers.html_pages.HtmlPage", "IPython.core.display.HTML"),
        f"{_H}.html_pages:HtmlHandler",
    ),
    Builtin("safetensors", (), f"{_H}.array_dicts:ArrayDictHandler", "numpy", only_by_name=True),
    Builtin("joblib", (), f"{_H}.joblib_files:JoblibHandler", "joblib", only_by_name=True),
)

FALLBACK = Builtin("pickle", (), "findspot.handlers.pickles:PickleHandler")
