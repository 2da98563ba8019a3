"""geopandas' frames and series, in GeoParquet."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pandas as pd

from findspot.core.records import Preview
from findspot.handlers.column_labels import schema_of
from findspot.handlers.errors import BadFiles, BadValue
from findspot.handlers.handler import Handler
from findspot.handlers.pandas_columns import plan_of, restore
from findspot.handlers.pandas_parts import select
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.tables import SHOWN_COLUMNS, SHOWN_ROWS, table_preview
from findspot.handlers.values import decode_json, encode_json

gpd: Any = import_module("geopandas")

_FILE, _PLANS, _ABOUT = "frame.geoparquet", "columns.json", "series.json"


class GeoDataFrameHandler(Handler):
    """Frames with geometries and their reference systems, in ``frame.geoparquet``."""

    name = "geopandas.dataframe"
    types = ("geopandas.GeoDataFrame",)
    kind = "table"
    representations = ("pandas.DataFrame", "dict")
    selections = ("columns", "rows")

    def accepts(self, value: Any) -> bool:
        return type(value) is gpd.GeoDataFrame and value.columns.is_unique

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        write_frame(value, folder)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return read_frame(folder)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """A part without a geometry is a plain frame."""
        return select(self.load(folder), what)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """A plain frame has the geometries as well-known text; a dict is GeoJSON."""
        frame = self.load_part(folder, what) if what else self.load(folder)
        if as_type == "dict":
            return frame.to_geo_dict()
        return pd.DataFrame(frame.to_wkt())

    def describe(self, value: Any) -> Mapping[str, Any]:
        geometry = value.active_geometry_name
        crs = None if geometry is None else value.crs
        return {
            "rows": len(value),
            "columns": value.shape[1],
            "schema": schema_of(value.dtypes.items()),
            "geometry": None if geometry is None else str(geometry),
            "crs": None if crs is None else str(crs)[:200],
            "bounds": None if geometry is None or not len(value) else _bounds(value),
        }

    def preview(self, value: Any) -> Preview | None:
        head = value.iloc[:SHOWN_ROWS, :SHOWN_COLUMNS]
        columns = [[_cell(item) for item in head.iloc[:, i]] for i in range(head.shape[1])]
        return table_preview(list(value.columns), zip(*columns, strict=True), len(value))


class GeoSeriesHandler(Handler):
    """Series of geometries, as a frame of one column."""

    name = "geopandas.series"
    types = ("geopandas.GeoSeries",)
    kind = "dataset"
    selections = ("rows",)

    def accepts(self, value: Any) -> bool:
        return type(value) is gpd.GeoSeries and (value.name is None or type(value.name) is str)

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        write_frame(gpd.GeoDataFrame({"geometry": value}, crs=value.crs), folder)
        folder.write(_ABOUT, encode_json({"name": value.name}))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return read_frame(folder)["geometry"].rename(
            decode_json(folder.read(_ABOUT), where=_ABOUT)["name"]
        )

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        return select(self.load(folder), what)

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {"length": len(value), "crs": None if value.crs is None else str(value.crs)[:200]}

    def preview(self, value: Any) -> Preview | None:
        rows = [[_cell(item)] for item in value.iloc[:SHOWN_ROWS]]
        return table_preview([value.name or "geometry"], rows, len(value))


def write_frame(frame: Any, folder: SaveFolder) -> None:
    geometries = [name for name, dtype in frame.dtypes.items() if str(dtype) == "geometry"]
    plans: dict[str, Any] = {}
    changed = [f"{name!r} is no text" for name in frame.columns if type(name) is not str]
    for name in frame.columns:
        plan = {} if name in geometries else plan_of(frame[name])
        if plan is None:
            changed.append(f"the column {name!r} would change its values")
        elif plan:
            plans[name] = plan
    index = frame.index
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    if not isinstance(index, pd.RangeIndex) and any(plan_of(level) != {} for level in levels):
        changed.append("the index would change its values")
    if frame.active_geometry_name is None:
        changed.append("it has no geometry (pandas.DataFrame(frame) can be saved)")
    if changed:
        raise BadValue(
            f"GeoParquet does not take it as it is: {'; '.join(changed[:20])}.",
            how="Convert these columns to numbers, texts or times; reset_index() an index.",
        )
    sink = io.BytesIO()
    try:
        frame.to_parquet(sink)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise BadValue(f"GeoParquet does not take it as it is: {error}") from error
    folder.write(_FILE, sink.getvalue())
    if plans:
        folder.write(_PLANS, encode_json(plans))


def read_frame(folder: LoadFolder) -> Any:
    try:
        frame = gpd.read_parquet(io.BytesIO(folder.read(_FILE)))
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BadFiles(f"it is no GeoParquet, or a damaged one: {error}", where=_FILE) from error
    if any(entry.path == _PLANS for entry in folder.files):
        for name, plan in decode_json(folder.read(_PLANS), where=_PLANS).items():
            frame[name] = restore(frame[name], plan)
    return frame


def _bounds(frame: Any) -> list[float] | None:
    bounds = [float(edge) for edge in frame.total_bounds]
    return None if any(edge != edge for edge in bounds) else bounds


def _cell(item: Any) -> Any:
    return item.wkt if hasattr(item, "wkt") else item
