"""matplotlib figures, as PNG and SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import matplotlib

from findspot.core.records import Preview
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.saved_figures import (
    PICTURES,
    SavedFigure,
    figure_as,
    read_figure,
    write_figure,
)
from findspot.handlers.thumbnails import thumbnail

SVG_POINTS = 50_000
"""A figure with more points than this has no SVG, which would be slow to draw and to show."""


class FigureHandler(Handler):
    """matplotlib figures: ``figure.png`` and ``figure.svg``, without dates, so that equal figures
    give equal bytes. They are loaded as a `SavedFigure`, the pictures; the figure itself, which
    only pickle could keep, is not.

    Keyword arguments of `save`: ``dpi`` (dots an inch), ``bbox_inches``, ``transparent``, as in
    matplotlib's ``savefig``.
    """

    name = "matplotlib.figure"
    types = ("matplotlib.figure.Figure",)
    kind = "plot"
    representations = PICTURES

    def __init__(self) -> None:
        # A picture that was just saved is also the preview's.
        self._drawn: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        png = _draw(value, "png", args)
        svg = _draw(value, "svg", args) if _points(value) <= SVG_POINTS else None
        write_figure(SavedFigure(png, svg), folder)
        self._drawn[value] = png

    def load(self, folder: LoadFolder, /, **args: Any) -> SavedFigure:
        return read_figure(folder)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        return figure_as(folder, as_type, self.name)

    def describe(self, value: Any) -> Mapping[str, Any]:
        width, height = value.get_size_inches()
        titles = [axes.get_title()[:200] for axes in value.axes[:50]]
        described: dict[str, Any] = {
            "width_inches": float(width),
            "height_inches": float(height),
            "axes": len(value.axes),
        }
        suptitle = value.get_suptitle()
        titles = [title for title in (suptitle[:200], *titles) if title]
        return described | ({"titles": titles} if titles else {})

    def preview(self, value: Any) -> Preview | None:
        drawn = self._drawn.pop(value) if value in self._drawn else _draw(value, "png", {})
        return thumbnail(drawn)


def _draw(figure: Any, form: str, args: Mapping[str, Any]) -> bytes:
    sink = io.BytesIO()
    metadata = {"Software": None} if form == "png" else {"Date": None}
    # The salt makes the names of the SVG's parts the same every time.
    with matplotlib.rc_context({"svg.hashsalt": "findspot"}):
        figure.savefig(sink, format=form, metadata=metadata, **args)
    return sink.getvalue()


def _points(figure: Any) -> int:
    count = 0
    for axes in figure.axes:
        count += sum(len(line.get_xdata(orig=False)) for line in axes.lines)
        for collection in axes.collections:
            count += len(collection.get_offsets())
            count += sum(len(path.vertices) for path in collection.get_paths())
        count += len(axes.patches)
    return count
