"""Vega-Lite charts: Altair's, and the specifications themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.drawn_charts import AS_PICTURE, PICTURES, LastDrawn, picture_as
from findspot.handlers.errors import BadFiles, BadValue
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.values import decode_json, encode_json, is_exact_json

_CHART, _SPEC = "chart.vl.json", "spec.vl.json"
# Larger previews than this are left out by the workspaces' usual setting.
_SMALL = 64 << 10
MEDIA_TYPE = "application/vnd.vegalite+json"


class VegaLiteHandler(Handler):
    """Charts of Altair, with their data, as the JSON of Vega-Lite in ``chart.vl.json``; they come
    back as charts. Specifications that are dicts are taken where ``handler="vega-lite"`` is named,
    and come back as dicts. Beside it are ``figure.png`` and ``figure.svg`` where vl-convert is
    installed and the chart fetches nothing.

    Keyword arguments of `save`: ``pictures``; False: only the JSON.
    """

    name = "vega-lite"
    types = ("altair.vegalite.v6.api.TopLevelMixin",)
    kind = "plot"
    renditions = PICTURES
    representations = ("dict", "str", "bytes", *AS_PICTURE)

    def __init__(self) -> None:
        self._drawn = LastDrawn()

    def accepts(self, value: Any) -> bool:
        return callable(getattr(type(value), "to_dict", None))

    def save(
        self, value: Any, folder: SaveFolder, /, *, pictures: bool = True, **args: Any
    ) -> None:
        chart = encode_json(_spec(value))
        folder.write(_SPEC if isinstance(value, Mapping) else _CHART, chart)
        if pictures:
            self._drawn.draw("vega-lite", value, chart, folder)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        name = _name(folder)
        spec = _read(folder)
        if name == _SPEC:
            return spec
        import altair
        from jsonschema import ValidationError

        try:
            return altair.Chart.from_dict(spec)
        except (ValidationError, ValueError, TypeError, KeyError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise BadFiles(f"it is no chart of Vega-Lite: {reason}", where=name) from error

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        if as_type in AS_PICTURE:
            return picture_as(folder, as_type, self)
        if as_type == "bytes":
            return folder.read(_name(folder))
        spec = _read(folder)
        return spec if as_type == "dict" else encode_json(spec).decode()

    def describe(self, value: Any) -> Mapping[str, Any]:
        spec = _spec(value)
        mark = spec.get("mark")
        described: dict[str, Any] = {"schema": str(spec.get("$schema", ""))[:200]}
        if isinstance(mark, str | dict):
            described["mark"] = mark if isinstance(mark, str) else str(mark.get("type"))
        title = spec.get("title")
        described |= {"title": title[:200]} if isinstance(title, str) else {}
        return described | self._drawn.describe(value)

    def preview(self, value: Any) -> Preview | None:
        """The chart itself, for a page that draws it; if it is large the picture that was saved,
        and without one the beginning of the JSON as text."""
        drawn = self._drawn.preview(value)
        data = encode_json(_spec(value))
        if len(data) > _SMALL:
            return drawn or text_preview(data[:8192].decode("utf-8", "ignore"))
        return Preview(MEDIA_TYPE, data)


def _spec(value: Any) -> dict[str, Any]:
    spec = dict(value) if isinstance(value, Mapping) else value.to_dict()
    if not isinstance(spec, dict) or not is_exact_json(spec):
        raise BadValue(
            "It is no specification of Vega-Lite: it holds what JSON does not.",
            how="Give a dict of texts, numbers, lists and dicts, or a chart of Altair.",
        )
    if not any(key in spec for key in _TOP):
        raise BadValue(
            f"It is no specification of Vega-Lite: it has none of {', '.join(_TOP)}.",
            how="Save it without handler='vega-lite'.",
        )
    return spec


_TOP = ("mark", "layer", "facet", "concat", "hconcat", "vconcat", "repeat", "spec")


def _name(folder: LoadFolder) -> str:
    names = {entry.path for entry in folder.files}
    return _SPEC if _SPEC in names else _CHART


def _read(folder: LoadFolder) -> dict[str, Any]:
    name = _name(folder)
    spec = decode_json(folder.read(name), where=name)
    if not isinstance(spec, dict):
        raise BadFiles("it is no specification of Vega-Lite", where=name)
    return spec
