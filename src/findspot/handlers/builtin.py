"""The table of built-in handlers: what they take, and where they are, without importing any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Builtin:
    """One built-in handler, not imported yet.

    Args:
        types: public dotted names; none for a predicate.
        extra: the extra of Findspot that installs what its module imports.
    """

    name: str
    types: tuple[str, ...]
    target: str
    extra: str | None = None


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
)

FALLBACK = Builtin("pickle", (), "findspot.handlers.pickles:PickleHandler")
