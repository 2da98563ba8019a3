"""Plotly figures, as their JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import plotly.io

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.values import decode_json

_FILE = "figure.plotly.json"


class FigureHandler(Handler):
    """Plotly figures: the figure's JSON, from which Plotly makes the figure again."""

    name = "plotly.figure"
    types = ("plotly.graph_objects.Figure",)
    kind = "plot"
    representations = ("dict", "str")

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        folder.write(_FILE, value.to_json(engine="json").encode())

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        document = decode_json(folder.read(_FILE), where=_FILE)
        if not isinstance(document, dict) or not isinstance(document.get("data"), list):
            raise BadFiles("it is no Plotly figure: it has no list `data`", where=_FILE)
        try:
            return plotly.io.from_json(folder.read(_FILE).decode())
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise BadFiles(f"it is no Plotly figure: {reason}", where=_FILE) from error

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """The figure's JSON, as a dict or as text."""
        if as_type == "str":
            return folder.read(_FILE).decode()
        return decode_json(folder.read(_FILE), where=_FILE)

    def describe(self, value: Any) -> Mapping[str, Any]:
        described: dict[str, Any] = {"traces": dict(Counter(trace.type for trace in value.data))}
        title = value.layout.title.text
        return described | ({"title": title[:200]} if title else {})

    def preview(self, value: Any) -> Preview | None:
        """The title and the traces as text; a picture would need a browser."""
        lines = [value.layout.title.text] if value.layout.title.text else []
        lines += [f"{trace.type} {trace.name or ''}".rstrip() for trace in value.data[:50]]
        return text_preview("\n".join(lines))
