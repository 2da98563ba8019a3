"""pandas' DataFrame, Series and Index, in Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa

from findspot.core.records import Preview
from findspot.handlers.column_labels import schema_of, shortened
from findspot.handlers.encoding import DOCUMENT, Decoder, Encoder
from findspot.handlers.errors import BadFiles, CannotConvert
from findspot.handlers.folders import PartSaveFolder, part_of
from findspot.handlers.handler import Handler
from findspot.handlers.pandas_columns import plan_of, put_aside, put_back, restore
from findspot.handlers.pandas_parts import (
    LIGHT,
    has_no_index,
    read_frame_part,
    select,
    with_index_as_columns,
)
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.registry import default_registry
from findspot.handlers.table_views import ARRAYS, TABLES, array_as, scan_parquet, table_as
from findspot.handlers.tables import (
    SHOWN_COLUMNS,
    SHOWN_ROWS,
    read_parquet,
    table_preview,
    write_parquet,
)
from findspot.handlers.values import is_exact_json

_FILE = "frame.parquet"
_BESIDE = "pandas"


class DataFrameHandler(Handler):
    """pandas data frames: values, dtypes, index, labels and ``attrs`` come back as they were.

    The columns are in ``frame.parquet``. What Parquet does not hold (Python objects of several
    classes, complex numbers, repeated column names, an index of objects ...) is in a structure in
    the folder ``pandas``; objects that JSON does not hold exactly are pickled there, and then the
    version loads only where it is trusted. Subclasses of DataFrame are left to other handlers.
    """

    name = "pandas.dataframe"
    types = ("pandas.DataFrame",)
    kind = "table"
    representations: ClassVar[Sequence[str]] = tuple(
        name for name in TABLES if name != "pandas.DataFrame"
    )
    selections: ClassVar[Sequence[str]] = ("columns", "rows")

    def accepts(self, value: Any) -> bool:
        return type(value) is pd.DataFrame

    def why_not(self, value: Any) -> str:
        return "it is a subclass of DataFrame, which would come back as a plain one"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        self._save_frame(value, folder, {})

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return self._load_frame(folder)[0]

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """Other libraries' tables have no index: one that says more than the number of a row
        comes as their first columns."""
        if as_type == "polars.LazyFrame" and has_no_index(folder, _FILE, self._beside(folder)):
            return scan_parquet(folder, _FILE, what)
        frame = with_index_as_columns(self.load_part(folder, what))
        if as_type == "numpy.ndarray":
            return frame.to_numpy()
        if as_type in ("dict", "list"):
            return frame.to_dict(orient="list" if as_type == "dict" else "records")
        return table_as(self._arrow(frame, as_type), as_type, self.name)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        beside = self._beside(folder)
        if beside.keys() <= LIGHT:
            return read_frame_part(folder, _FILE, beside, what)
        return select(self._load_frame(folder)[0], what)

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {
            "rows": len(value),
            "columns": value.shape[1],
            "bytes": int(value.memory_usage(index=True).sum()),
            "schema": schema_of(zip(value.columns, value.dtypes, strict=True)),
            "index": [None if name is None else shortened(str(name)) for name in value.index.names],
        }

    def preview(self, value: Any) -> Preview | None:
        """The first rows; the index comes first, unless it only counts them."""
        head = value.iloc[:SHOWN_ROWS, :SHOWN_COLUMNS]
        names = list(value.columns)
        columns = [list(head.iloc[:, i]) for i in range(head.shape[1])]
        columns = [*_levels(head.index), *columns]
        rows = zip(*columns, strict=True)
        return table_preview([*_level_names(value.index), *names], rows, len(value))

    # ------------------------------------------------------------------ inside

    def _arrow(self, frame: Any, as_type: str) -> Any:
        try:
            return pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise CannotConvert(
                self.name,
                as_type,
                self.representations,
                reason=f"Arrow does not take its values ({error}); choose columns=[...]",
            ) from error

    def _save_frame(self, frame: Any, folder: SaveFolder, beside: dict[str, Any]) -> None:
        """Write a frame, and ``beside`` together with what Parquet does not hold of it."""
        frame = frame.copy(deep=False)
        if frame.attrs and not is_exact_json(frame.attrs):
            beside["attrs"], frame.attrs = frame.attrs, {}
        if not _are_plain_names(frame.columns):
            beside["labels"] = frame.columns
            frame.columns = pd.Index([str(i) for i in range(frame.shape[1])], dtype="str")
        given = frame.index
        index = _index_plan(given)
        if index is None:
            beside["index"] = _kept_index(frame.index)
            frame.index = pd.RangeIndex(len(frame))
        elif index:
            beside["index plan"] = index
        plans = {i: plan_of(frame.iloc[:, i]) for i in range(frame.shape[1])}
        table, aside = _to_arrow(frame, [i for i, plan in plans.items() if plan is None])
        if aside:
            beside["aside"] = {i: put_aside(frame.iloc[:, i]) for i in aside}
            beside["aside names"] = [str(frame.columns[i]) for i in aside]
            if len(aside) == frame.shape[1] and "index" not in beside:
                # A table without columns has no rows either.
                beside["index"] = _kept_index(given)
        kept = {str(frame.columns[i]): plan for i, plan in plans.items() if plan and i not in aside}
        if kept:
            beside["plans"] = kept
        write_parquet(folder, _FILE, table)
        if beside:
            registry = self.registry or default_registry()
            Encoder(PartSaveFolder(folder, _BESIDE), registry.for_value).save(beside)

    def _load_frame(self, folder: LoadFolder) -> tuple[Any, Mapping[str, Any]]:
        table = read_parquet(folder, _FILE)
        beside = self._beside(folder)
        frame = table.to_pandas()
        if not frame.shape[1] and "index" in beside:
            frame = pd.DataFrame(index=_made_index(beside["index"]), columns=frame.columns)
        try:
            for name, plan in beside.get("plans", {}).items():
                frame[name] = restore(frame[name], plan)
            names = beside.get("aside names", [])
            aside = beside.get("aside", {})
            for (position, values), name in zip(aside.items(), names, strict=True):
                column = put_back(values, trusted=folder.trusted)
                if isinstance(column, pd.Series):
                    column = column.set_axis(frame.index)
                frame.insert(position, name, column)
            self._restore_frame(frame, beside)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BadFiles(f"table and structure do not fit: {reason}", where=_BESIDE) from error
        return frame, beside

    def _restore_frame(self, frame: Any, beside: Mapping[str, Any]) -> None:
        if "index" in beside:
            frame.index = _made_index(beside["index"])
        elif "index plan" in beside:
            frame.index = _restore_index(frame.index, beside["index plan"])
        if "labels" in beside:
            frame.columns = beside["labels"]
        if "attrs" in beside:
            frame.attrs = beside["attrs"]

    def _beside(self, folder: LoadFolder) -> Mapping[str, Any]:
        part = part_of(folder, _BESIDE)
        if not part.files:
            return {}
        registry = self.registry or default_registry()
        beside = Decoder(part, registry.by_name).load()
        if not isinstance(beside, dict):
            raise BadFiles("it describes no table", where=f"{_BESIDE}/{DOCUMENT}")
        return beside


class SeriesHandler(DataFrameHandler):
    """pandas series, as a frame of one column; name, index, dtype and ``attrs`` come back."""

    name = "pandas.series"
    types = ("pandas.Series",)
    kind = "dataset"
    representations = tuple(name for name in ARRAYS if name != "pandas.Series")
    selections = ("rows",)

    def accepts(self, value: Any) -> bool:
        return type(value) is pd.Series

    def why_not(self, value: Any) -> str:
        return "it is a subclass of Series, which would come back as a plain one"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        frame = value.to_frame("values" if value.name is None else str(value.name))
        frame.attrs = value.attrs
        named = type(value.name) is str
        self._save_frame(frame, folder, {} if named else {"name": value.name})

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return _series(*self._load_frame(folder))

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """The values without the index."""
        series = self.load_part(folder, what)
        if as_type == "numpy.ndarray":
            return series.to_numpy()
        if as_type == "list":
            return series.to_list()
        table = self._arrow(series.to_frame("values").reset_index(drop=True), as_type)
        name = None if series.name is None else str(series.name)
        return array_as(table.column("values"), as_type, name)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        beside = self._beside(folder)
        if beside.keys() <= LIGHT:
            return _series(read_frame_part(folder, _FILE, beside, what), beside)
        return select(self.load(folder), what)

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {
            "length": len(value),
            "dtype": str(value.dtype),
            "name": None if value.name is None else str(value.name),
            "missing": int(value.isna().sum()),
            "bytes": int(value.memory_usage(index=True)),
        }

    def preview(self, value: Any) -> Preview | None:
        name = "values" if value.name is None else str(value.name)
        head = value.head(SHOWN_ROWS)
        columns = [*_levels(head.index), list(head)]
        return table_preview(
            [*_level_names(value.index), name], zip(*columns, strict=True), len(value)
        )


class IndexHandler(DataFrameHandler):
    """pandas indexes of every kind, as a frame with a column a level."""

    name = "pandas.index"
    types = ("pandas.Index",)
    kind = "dataset"
    representations = ("numpy.ndarray", "pandas.Series", "list")
    selections = ()

    def accepts(self, value: Any) -> bool:
        return type(value).__module__.partition(".")[0] == "pandas"

    def why_not(self, value: Any) -> str:
        return "it is a subclass of pandas' indexes"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        beside: dict[str, Any] = {"names": list(value.names)}
        if isinstance(value, pd.RangeIndex):
            beside["range"] = [value.start, value.stop, value.step]
            frame = pd.DataFrame(index=pd.RangeIndex(0))
        else:
            rows = pd.RangeIndex(len(value))
            levels = [value.get_level_values(i) for i in range(value.nlevels)]
            frame = pd.DataFrame(
                {
                    str(i): pd.Series(level, index=rows, dtype=level.dtype)
                    for i, level in enumerate(levels)
                }
            )
            if getattr(value, "freqstr", None) and isinstance(
                value, pd.DatetimeIndex | pd.TimedeltaIndex
            ):
                beside["freq"] = value.freqstr
        beside["multi"] = isinstance(value, pd.MultiIndex)
        self._save_frame(frame, folder, beside)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        frame, beside = self._load_frame(folder)
        if "range" in beside:
            start, stop, step = beside["range"]
            return pd.RangeIndex(start, stop, step, name=beside["names"][0])
        columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
        # Given its dtype, as pandas would make texts of objects.
        levels = [pd.Index(column, dtype=column.dtype) for column in columns]
        if beside["multi"]:
            return pd.MultiIndex.from_arrays(levels, names=beside["names"])
        index = levels[0].rename(beside["names"][0])
        if "freq" in beside:
            index.freq = beside["freq"]
        return index

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        index = self.load(folder)
        if as_type == "pandas.Series":
            return index.to_series().reset_index(drop=True)
        return index.to_list() if as_type == "list" else index.to_numpy()

    def describe(self, value: Any) -> Mapping[str, Any]:
        dtypes = value.dtypes if isinstance(value, pd.MultiIndex) else [value.dtype]
        return {
            "length": len(value),
            "dtype": ", ".join(map(str, dtypes)),
            "names": [None if name is None else str(name) for name in value.names],
        }

    def preview(self, value: Any) -> Preview | None:
        names = ["" if name is None else str(name) for name in value.names]
        rows = [row if isinstance(row, tuple) else (row,) for row in value[:SHOWN_ROWS]]
        return table_preview(names, rows, len(value))


def _series(frame: Any, beside: Mapping[str, Any]) -> Any:
    if frame.shape[1] != 1:
        raise BadFiles(f"a series has one column, this has {frame.shape[1]}", where=_FILE)
    series = frame.iloc[:, 0]
    if "name" in beside:
        series.name = beside["name"]
    series.attrs = frame.attrs
    return series


def _level_names(index: Any) -> list[str]:
    if isinstance(index, pd.RangeIndex):
        return []
    return ["" if name is None else str(name) for name in index.names]


def _levels(index: Any) -> list[list[Any]]:
    return [list(index.get_level_values(i)) for i, _ in enumerate(_level_names(index))]


def _are_plain_names(labels: Any) -> bool:
    """Whether Parquet's column names are the labels: different texts, of pandas' text dtype."""
    if type(labels) is pd.RangeIndex:
        return len(labels) == 0
    return (
        type(labels) is pd.Index
        and str(labels.dtype) == "str"
        and labels.name is None
        and bool(labels.is_unique)
        and not labels.hasnans
        and not any(name.startswith("__index_level_") for name in labels)
    )


def _kept_index(index: Any) -> Any:
    """An index as it is kept in the structure: a range by its numbers, others by `IndexHandler`."""
    if type(index) is not pd.RangeIndex:
        return index
    return {"range": [index.start, index.stop, index.step], "name": index.name}


def _made_index(kept: Any) -> Any:
    if isinstance(kept, pd.Index):
        return kept
    start, stop, step = kept["range"]
    return pd.RangeIndex(start, stop, step, name=kept["name"])


def _index_plan(index: Any) -> Mapping[str, Any] | None:
    """How an index comes back from Parquet, as `plan_of` says; None if it is saved by itself."""
    if type(index) is pd.RangeIndex:
        return {} if index.name is None or type(index.name) is str else None
    if type(index) not in (pd.Index, pd.DatetimeIndex) or not _is_free_name(index.name):
        return None
    plan = plan_of(index)
    if plan is None or "objects" in plan:
        return None
    freq = getattr(index, "freqstr", None)
    return {**plan, "freq": freq} if freq else plan


def _is_free_name(name: Any) -> bool:
    return name is None or type(name) is str


def _restore_index(index: Any, plan: Mapping[str, Any]) -> Any:
    if "dtype" in plan:
        index = index.astype(plan["dtype"])
    if "freq" in plan:
        index.freq = plan["freq"]
    return index


def _to_arrow(frame: Any, aside: list[int]) -> tuple[Any, list[int]]:
    """The frame as an Arrow table, without the columns ``aside`` and those that Arrow refuses."""
    kept = frame.iloc[:, [i for i in range(frame.shape[1]) if i not in aside]] if aside else frame
    try:
        return pa.Table.from_pandas(kept), aside
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        refused = [i for i in range(frame.shape[1]) if i not in aside and not _converts(frame, i)]
        if not refused:
            raise
        return _to_arrow(frame, sorted({*aside, *refused}))


def _converts(frame: Any, position: int) -> bool:
    try:
        pa.Table.from_pandas(frame.iloc[:, [position]], preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True
