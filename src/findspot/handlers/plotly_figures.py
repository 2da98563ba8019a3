"""Plotly figures, as their JSON, and as pictures where a browser can draw them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import plotly.io

from findspot.core.records import Preview
from findspot.handlers.drawn_charts import AS_PICTURE, PICTURES, LastDrawn, picture_as
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.values import decode_json

_FILE = "figure.plotly.json"


class FigureHandler(Handler):
    """Plotly figures: the figure's JSON, from which Plotly makes the figure again, and beside it
    ``figure.png`` and ``figure.svg`` where kaleido and a browser are there.

    Keyword arguments of `save`: ``pictures``; False: only the JSON.
    """

    name = "plotly.figure"
    types = ("plotly.graph_objects.Figure",)
    kind = "plot"
    renditions = PICTURES
    representations = ("dict", "str", "bytes", *AS_PICTURE)

    def __init__(self) -> None:
        self._drawn = LastDrawn()

    def save(
        self, value: Any, folder: SaveFolder, /, *, pictures: bool = True, **args: Any
    ) -> None:
        chart = value.to_json(engine="json").encode()
        folder.write(_FILE, chart)
        if pictures:
            self._drawn.draw("plotly", value, chart, folder)

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
        """The figure's JSON, as a dict, text or bytes; or its picture."""
        if as_type in AS_PICTURE:
            return picture_as(folder, as_type, self)
        if as_type == "bytes":
            return folder.read(_FILE)
        if as_type == "str":
            return folder.read(_FILE).decode()
        return decode_json(folder.read(_FILE), where=_FILE)

    def describe(self, value: Any) -> Mapping[str, Any]:
        described: dict[str, Any] = {"traces": dict(Counter(trace.type for trace in value.data))}
        title = value.layout.title.text
        described |= {"title": title[:200]} if title else {}
        return described | self._drawn.describe(value)

    def preview(self, value: Any) -> Preview | None:
        """The picture that was saved; without one, the title and the traces as text."""
        if (shown := self._drawn.preview(value)) is not None:
            return shown
        lines = [value.layout.title.text] if value.layout.title.text else []
        lines += [f"{trace.type} {trace.name or ''}".rstrip() for trace in value.data[:50]]
        return text_preview("\n".join(lines))
