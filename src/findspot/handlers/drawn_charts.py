"""The pictures of a chart beside its JSON: saved, described, shown and loaded."""

from __future__ import annotations

import threading
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.drawing import Drawing, Library, draw
from findspot.handlers.errors import CannotConvert
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.saved_figures import PNG, SVG, figure_as, read_figure, write_figure
from findspot.handlers.thumbnails import thumbnail

SAVED_FIGURE = "findspot.handlers.saved_figures.SavedFigure"
PICTURES = (PNG, SVG)
"""The files of a chart that are drawn from its JSON."""
AS_PICTURE = (SAVED_FIGURE, "PIL.Image.Image")
"""What a chart with pictures can be loaded as, besides what its JSON is."""


class LastDrawn(threading.local):
    """The drawing of the chart that a thread saved last, so that its metadata and its preview need
    none of their own."""

    def __init__(self) -> None:
        self._last: tuple[Any, Drawing] | None = None

    def draw(self, library: Library, value: Any, chart: bytes, folder: SaveFolder) -> None:
        """Put the pictures of a chart into the folder; nothing where it cannot be drawn."""
        drawing = draw(library, chart)
        self._last = value, drawing
        if drawing.figure is not None:
            write_figure(drawing.figure, folder)

    def describe(self, value: Any) -> dict[str, Any]:
        """Which pictures were saved, or why none were; nothing of a chart that was not drawn."""
        drawing = self._of(value)
        if drawing is None:
            return {}
        if drawing.figure is None:
            return {"pictures": [], "pictures_missing": drawing.missing}
        return {"pictures": ["png"] if drawing.figure.svg is None else ["png", "svg"]}

    def preview(self, value: Any) -> Preview | None:
        """The picture made small; it is forgotten then, since a preview comes last."""
        drawing = self._of(value)
        self._last = None
        if drawing is None or drawing.figure is None:
            return None
        return thumbnail(drawing.figure.png)

    def _of(self, value: Any) -> Drawing | None:
        return self._last[1] if self._last is not None and self._last[0] is value else None


def picture_as(folder: LoadFolder, as_type: str, handler: Handler) -> Any:
    """The saved pictures as one of `AS_PICTURE`; `CannotConvert` where there are none."""
    if PNG not in {entry.path for entry in folder.files}:
        raise CannotConvert(
            handler.name,
            as_type,
            [name for name in handler.representations if name not in AS_PICTURE],
            reason="it was saved without pictures",
        )
    if as_type == SAVED_FIGURE:
        return read_figure(folder)
    return figure_as(folder, as_type, handler.name)
