"""A figure as it was drawn: what a matplotlib figure is after it was saved and loaded."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.errors import BadValue, CannotConvert
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.thumbnails import png_size, thumbnail

PNG, SVG = "figure.png", "figure.svg"
PICTURES = ("bytes", "str", "PIL.Image.Image")
"""What a figure can be loaded as: the PNG, the SVG, the PNG opened by Pillow."""


@dataclass(frozen=True)
class SavedFigure:
    """The pictures of a figure: shown by a notebook, written to a file, or saved again.

    Args:
        png: the picture in pixels.
        svg: the picture in lines and text; None if the figure had too many points for one.

    >>> figure = SavedFigure(png=b"...", svg=b"<svg/>")
    >>> figure
    SavedFigure(png: 3 bytes, svg: 6 bytes)
    """

    png: bytes = field(repr=False)
    svg: bytes | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        svg = "none" if self.svg is None else f"{len(self.svg)} bytes"
        return f"SavedFigure(png: {len(self.png)} bytes, svg: {svg})"

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: str | Path) -> Path:
        """Write the picture whose format the path ends in, ``.png`` or ``.svg``; returns the path.

        Raises `BadValue` for another ending, and for ``.svg`` where there is none.
        """
        target = Path(path)
        data = {".png": self.png, ".svg": self.svg}.get(target.suffix.lower())
        if data is None:
            raise BadValue(
                f"The figure was not saved as {target.suffix or 'a file without an ending'}.",
                where=str(target),
                how="Write it to a path that ends in .png"
                + (" or .svg." if self.svg is not None else "."),
            )
        target.write_bytes(data)
        return target


class SavedFigureHandler(Handler):
    """Figures that were loaded, saved again: the same bytes."""

    name = "figure.saved"
    types = (SavedFigure,)
    kind = "plot"
    representations = PICTURES

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        write_figure(value, folder)

    def load(self, folder: LoadFolder, /, **args: Any) -> SavedFigure:
        return read_figure(folder)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        return figure_as(folder, as_type, self.name)

    def describe(self, value: Any) -> Mapping[str, Any]:
        width, height = png_size(value.png)
        return {"width": width, "height": height}

    def preview(self, value: Any) -> Preview | None:
        return thumbnail(value.png)


def write_figure(figure: SavedFigure, folder: SaveFolder) -> None:
    folder.write(PNG, figure.png)
    if figure.svg is not None:
        folder.write(SVG, figure.svg)


def read_figure(folder: LoadFolder) -> SavedFigure:
    names = {entry.path for entry in folder.files}
    return SavedFigure(folder.read(PNG), folder.read(SVG) if SVG in names else None)


def figure_as(folder: LoadFolder, as_type: str, handler: str) -> Any:
    """The pictures of a figure as one of `PICTURES`."""
    figure = read_figure(folder)
    if as_type == "bytes":
        return figure.png
    if as_type == "str":
        if figure.svg is None:
            reason = "the figure had too many points for an SVG"
            raise CannotConvert(handler, as_type, PICTURES, reason=reason)
        return figure.svg.decode()
    from PIL import Image

    with Image.open(io.BytesIO(figure.png)) as image:
        image.load()
        return image.copy()
