"""Columns and rows of stored pandas frames, and stored frames as tables of other libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from pandas.tseries.frequencies import to_offset

from findspot.handlers.errors import BadFiles
from findspot.handlers.pandas_columns import restore
from findspot.handlers.protocol import LoadFolder
from findspot.handlers.selecting import as_slice, chosen_names, row_range
from findspot.handlers.table_views import read_parquet_part
from findspot.handlers.tables import source_of

LIGHT = frozenset({"attrs", "plans", "index plan", "name"})
"""What a frame's structure may hold so that its parts can be read by themselves."""


def read_frame_part(
    folder: LoadFolder, name: str, beside: Mapping[str, Any], what: Mapping[str, Any]
) -> Any:
    """Columns and rows of a frame whose structure holds only what is `LIGHT`, as pandas would
    select them: ``frame[columns].iloc[rows]``. Reads only the row groups that hold them."""
    about = _about(folder, name)
    fields = [field for field in about["index_columns"] if isinstance(field, str)]
    counted = [field for field in about["index_columns"] if not isinstance(field, str)]
    if "columns" in what:
        labels = [column["field_name"] for column in about["columns"]]
        chosen_names(what["columns"], [label for label in labels if label not in fields])
    frame = read_parquet_part(folder, name, what, also=fields).to_pandas()
    rows = as_slice(what.get("rows", slice(None)))
    if counted:
        start, stop, step = (counted[0][key] for key in ("start", "stop", "step"))
        frame.index = pd.RangeIndex(start, stop, step, name=counted[0]["name"])[rows]
    for column, plan in beside.get("plans", {}).items():
        if column in frame.columns:
            frame[column] = restore(frame[column], plan)
    plan = dict(beside.get("index plan", {}))
    freq = plan.pop("freq", None)
    if "dtype" in plan:
        frame.index = frame.index.astype(plan["dtype"])
    if freq is not None:
        stride = row_range(rows, len(frame)).step
        offset: Any = to_offset(freq)
        frame.index.freq = offset * stride
    if "attrs" in beside:
        frame.attrs = beside["attrs"]
    return frame


def has_no_index(folder: LoadFolder, name: str, beside: Mapping[str, Any]) -> bool:
    """Whether the Parquet file holds all of a frame's columns and no others: its index only counts
    the rows."""
    fields = _about(folder, name)["index_columns"]
    return beside.keys() <= LIGHT and all(
        isinstance(field, dict) and field["name"] is None for field in fields
    )


def select(frame: Any, what: Mapping[str, Any]) -> Any:
    """Columns and rows of a frame in memory."""
    if "columns" in what:
        frame = frame[chosen_names(what["columns"], list(frame.columns))]
    if "rows" in what:
        row_range(what["rows"], len(frame))
        frame = frame.iloc[as_slice(what["rows"])]
    return frame


def with_index_as_columns(frame: Any) -> Any:
    """The frame with an index that says more than the number of a row as its first columns.

    Tables of other libraries have no index; labels of columns are texts there.
    """
    frame = frame.copy(deep=False)
    frame.columns = [str(label) for label in frame.columns]
    index = frame.index
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return frame.reset_index(drop=True)
    taken = set(frame.columns)
    names = []
    for level, name in enumerate(index.names):
        plain = "index" if index.nlevels == 1 else f"level_{level}"
        free = plain if name is None else str(name)
        while free in taken:
            free += "_index"
        taken.add(free)
        names.append(free)
    return frame.reset_index(names=names)


def _about(folder: LoadFolder, name: str) -> Any:
    """What pandas wrote into the Parquet file about itself."""
    with pq.ParquetFile(source_of(folder, name)) as file:
        found = (file.schema_arrow.metadata or {}).get(b"pandas")
    if found is None:
        raise BadFiles("it was not written by pandas", where=name)
    return json.loads(found)
