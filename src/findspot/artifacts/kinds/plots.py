"""Kind `plot`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from findspot.artifacts.kinds.checks import Check, count, number, one_of, text, texts
from findspot.artifacts.kinds.fields import KindFields

FORMATS = ("matplotlib", "plotly", "vega-lite", "html", "image")


@dataclass(frozen=True, kw_only=True)
class Plot(KindFields):
    """A picture, or what one is drawn from.

    Args:
        format: ``matplotlib`` (stored as PNG and SVG), ``plotly``, ``vega-lite`` (their JSON),
            ``html``, or ``image``.
        title, titles: what stands above it, and above its parts.
        width_inches, height_inches, axes: of a matplotlib figure.
        width, height, mode: of a picture, in pixels.
        pictures: the formats of the pictures beside a chart's JSON (``png``, ``svg``).
        pictures_missing: why there are none.
    """

    KIND: ClassVar[str] = "plot"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "format": one_of(*FORMATS),
        "title": text,
        "titles": texts,
        "width_inches": number,
        "height_inches": number,
        "axes": count,
        "width": count,
        "height": count,
        "mode": text,
        "pictures": texts,
        "pictures_missing": text,
    }

    format: str | None = None
    title: str | None = None
    titles: list[str] | None = None
    width_inches: float | None = None
    height_inches: float | None = None
    axes: int | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    pictures: list[str] | None = None
    pictures_missing: str | None = None


def spec_version(value: Any) -> str | None:
    """The version of Vega-Lite that a specification is for (``v5``); None if it is none."""
    schema = value.get("$schema") if isinstance(value, Mapping) else None
    if not isinstance(schema, str) or "/vega-lite/" not in schema:
        return None
    return schema.rpartition("/vega-lite/")[2].removesuffix("#").removesuffix(".json")
