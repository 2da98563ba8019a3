"""pandas' single values: timestamps, spans, periods, intervals, NaT and NA."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from findspot.core.records import Preview
from findspot.handlers.encoding import DOCUMENT, Decoder, Encoder, is_structure
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.registry import default_registry


class ScalarHandler(Handler):
    """`Timestamp`, `Timedelta`, `Period`, `Interval`, `NaT` and `NA`, to the nanosecond, with unit
    and time zone."""

    name = "pandas.scalar"
    types = (
        *("pandas.Timestamp", "pandas.Timedelta", "pandas.Period", "pandas.Interval"),
        *("pandas.api.typing.NaTType", "pandas.api.typing.NAType"),
    )
    representations = ("str",)

    def accepts(self, value: Any) -> bool:
        if isinstance(value, pd.Timestamp):
            # NaT is no Timestamp; a zone that cannot be written is left to pickle.
            return is_structure(datetime.datetime(2000, 1, 1, tzinfo=value.tzinfo))
        return True

    def why_not(self, value: Any) -> str:
        return "its time zone is neither an offset nor one of the IANA database"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        registry = self.registry or default_registry()
        Encoder(folder, registry.for_value).save(_taken(value))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        registry = self.registry or default_registry()
        node = Decoder(folder, registry.by_name).load()
        try:
            return _MAKE[node["pandas"]](node)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BadFiles(f"it is no value of pandas: {reason}", where=DOCUMENT) from error

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> str:
        return str(self.load(folder))

    def preview(self, value: Any) -> Preview | None:
        return text_preview(str(value))


def _taken(value: Any) -> dict[str, Any]:
    if value is pd.NaT or value is pd.NA:
        return {"pandas": "NaT" if value is pd.NaT else "NA"}
    if isinstance(value, pd.Timestamp):
        number = int(value.tz_localize(None).tz_localize("UTC").asm8.view("i8"))
        if value.tzinfo is not None:
            number = int(value.asm8.view("i8"))
        return {
            "pandas": "timestamp",
            "number": number,
            "unit": value.unit,
            # The zone as a time has it, which the structure writes.
            "zone": datetime.time(tzinfo=value.tzinfo),
            "fold": value.fold,
        }
    if isinstance(value, pd.Timedelta):
        return {"pandas": "timedelta", "number": int(value.asm8.view("i8")), "unit": value.unit}
    if isinstance(value, pd.Period):
        return {"pandas": "period", "number": value.ordinal, "freq": value.freqstr}
    return {
        "pandas": "interval",
        "left": value.left,
        "right": value.right,
        "closed": value.closed,
    }


def _timestamp(node: Mapping[str, Any]) -> Any:
    import numpy as np

    made = pd.Timestamp(np.datetime64(node["number"], node["unit"]))
    zone = node["zone"].tzinfo
    return made if zone is None else made.tz_localize("UTC").tz_convert(zone)


def _timedelta(node: Mapping[str, Any]) -> Any:
    import numpy as np

    return pd.Timedelta(np.timedelta64(node["number"], node["unit"]))


_MAKE: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "NaT": lambda _: pd.NaT,
    "NA": lambda _: pd.NA,
    "timestamp": _timestamp,
    "timedelta": _timedelta,
    "period": lambda node: pd.Period(ordinal=node["number"], freq=node["freq"]),
    "interval": lambda node: pd.Interval(node["left"], node["right"], node["closed"]),
}
