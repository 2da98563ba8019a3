"""Differences of two pictures in pixels."""

from __future__ import annotations

import io
from typing import Any

PIXELS = 64 << 20
"""Larger pictures are not compared."""


def compare_images(before: bytes, after: bytes) -> dict[str, Any]:
    """Size and mode, and for equal sizes: the share of pixels that differ, and the largest
    difference in any channel (of 255).

    Raises:
        ValueError: one of them is no picture that Pillow reads, or is too large.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    found: dict[str, Any] = {}
    pictures = []
    for name, data in (("before", before), ("after", after)):
        try:
            picture = Image.open(io.BytesIO(data))
            found[f"size_{name}"] = list(picture.size)
            found[f"mode_{name}"] = picture.mode
            if picture.size[0] * picture.size[1] > PIXELS:
                raise ValueError(f"a picture of over {PIXELS} pixels")
            pictures.append(picture)
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            raise ValueError(f"no picture that can be read: {error}") from error
    if found["size_before"] != found["size_after"]:
        return found
    try:
        old, new = (np.asarray(picture.convert("RGBA"), dtype=np.int16) for picture in pictures)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"no whole picture: {error}") from error
    gaps = np.abs(new - old)
    differing = gaps.any(axis=2)
    count = int(differing.sum())
    found |= {"pixels": int(differing.size), "differing": count}
    found["share_differing"] = count / differing.size if differing.size else 0.0
    found["max_difference"] = int(gaps.max()) if gaps.size else 0
    if count:
        rows, columns = np.flatnonzero(differing.any(1)), np.flatnonzero(differing.any(0))
        found["box"] = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    return found
