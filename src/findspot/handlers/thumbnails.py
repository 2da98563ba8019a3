"""Small pictures for previews."""

from __future__ import annotations

import io
import struct
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles

SIDE = 320
"""The longest side of a thumbnail in pixels."""

_ENOUGH = 24 << 10
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_GREY = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels; `BadFiles` if it is none."""
    if len(data) < 24 or data[:8] != b"\x89PNG\r\n\x1a\n":
        raise BadFiles("it is no PNG")
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)


def thumbnail(png: bytes) -> Preview | None:
    """A PNG made smaller; as it is where it is small enough, or where Pillow is not installed."""
    width, height = png_size(png)
    if max(width, height) <= 2 * SIDE and len(png) <= _ENOUGH:
        return Preview("image/png", png)
    try:
        from PIL import Image
    except ImportError:
        return Preview("image/png", png)
    with Image.open(io.BytesIO(png)) as image:
        return image_thumbnail(image)


def image_thumbnail(image: Any) -> Preview:
    """A Pillow image as a small PNG; numbers that are no colours are spread from black to white."""
    from PIL import Image

    factor = max(image.width, image.height) / SIDE
    if image.mode in ("P", "PA", "1"):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode in _GREY:
        image = image.convert("F")
    elif image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGB")
    if factor > 1:
        size = (max(1, round(image.width / factor)), max(1, round(image.height / factor)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if image.mode == "F":
        low, high = image.getextrema()
        scale = 255 / (high - low) if 0 < high - low < float("inf") else 0
        image = image.point(lambda value: value * scale + -low * scale).convert("L")
    sink = io.BytesIO()
    image.save(sink, "PNG", optimize=False)
    return Preview("image/png", sink.getvalue())
