"""Pillow images, without loss."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadValue
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.tables import file_of
from findspot.handlers.thumbnails import image_thumbnail

_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_TIFF_MODES = frozenset({"I", "F", "CMYK"})
_PNG, _TIFF, _RAW, _ABOUT = "image.png", "image.tiff", "image.raw", "image.json"
# Pillow refuses to open larger files, to be safe from archives that unpack to everything.
_PIXELS = 80_000_000


class ImageHandler(Handler):
    """Pillow images of every mode, pixel for pixel: PNG where it holds the mode, with transparency,
    EXIF data and colour profile, else TIFF, else the raw pixels.

    They come back as plain ``PIL.Image.Image``, wholly in memory. Animations are refused.
    """

    name = "pillow.image"
    types = ("PIL.Image.Image",)
    kind = "plot"
    representations = ("numpy.ndarray",)

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        if getattr(value, "n_frames", 1) > 1:
            raise BadValue(
                f"The image has {value.n_frames} frames.",
                how="Save the file it was read from (pathlib.Path), or a list of the frames.",
            )
        empty = not value.width or not value.height
        if empty or value.width * value.height > _PIXELS or value.mode not in _ENCODED:
            self._save_raw(value, folder)
            return
        options: dict[str, Any] = {}
        for key in ("exif", "icc_profile", "dpi", "transparency"):
            if value.info.get(key) is not None:
                options[key] = value.info[key]
        name, form = (_PNG, "PNG") if value.mode in _PNG_MODES else (_TIFF, "TIFF")
        if form == "TIFF":
            options = {"compression": "tiff_adobe_deflate"}
        sink = io.BytesIO()
        value.save(sink, form, **options)
        folder.write(name, sink.getbuffer())

    def _save_raw(self, value: Any, folder: SaveFolder) -> None:
        about: dict[str, Any] = {"mode": value.mode, "size": list(value.size)}
        if value.palette is not None:
            about["palette"] = [value.palette.mode, value.palette.tobytes().hex()]
        folder.write(_ABOUT, json.dumps(about).encode())
        folder.write(_RAW, value.tobytes())

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        name = file_of(folder, (_PNG, _TIFF, _RAW))
        try:
            if name == _RAW:
                return self._load_raw(folder)
            with folder.open(name) as source, Image.open(source) as image:
                image.load()
                return image.copy()
        except (OSError, ValueError, SyntaxError, KeyError, TypeError) as error:
            raise BadFiles(f"it is no image, or a damaged one: {error}", where=name) from error

    def _load_raw(self, folder: LoadFolder) -> Any:
        about = json.loads(folder.read(_ABOUT))
        width, height = about["size"]
        image = Image.frombytes(about["mode"], (width, height), folder.read(_RAW))
        if "palette" in about:
            mode, data = about["palette"]
            image.putpalette(bytes.fromhex(data), mode)
        return image

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """Height x width (x channels) of uint8, or what the image's mode has."""
        import numpy as np

        return np.array(self.load(folder))

    def describe(self, value: Any) -> Mapping[str, Any]:
        described = {"width": value.width, "height": value.height, "mode": value.mode}
        return described | ({"format": value.format} if value.format else {})

    def preview(self, value: Any) -> Preview | None:
        if not value.width or not value.height:
            return None
        return image_thumbnail(value)


_ENCODED = _PNG_MODES | _TIFF_MODES
