"""Matplotlib figures as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from findspot.plugins import ArtifactTask


class MatplotlibArtifactTask(ArtifactTask):
    """A figure as PNG, SVG or PDF. What is loaded again is a figure that shows the PNG."""

    kind = "plot"
    safe = True

    @staticmethod
    def serialize(working_dir: Path, name: str, contents: Figure, **kwargs: Any) -> Path:
        path = working_dir / f"{name}.{kwargs.get('format', 'png')}"
        contents.savefig(
            path,
            dpi=kwargs.get("dpi", 100),
            transparent=kwargs.get("transparent", False),
        )
        return path

    @staticmethod
    def deserialize(working_dir: Path, path: str, **kwargs: Any) -> Figure:
        if not path.endswith(".png"):
            raise ValueError(
                f"only PNG can be loaded as a figure again, {path!r} can be downloaded"
            )
        from matplotlib.image import imread

        picture: np.ndarray = imread(working_dir / path)
        dpi = kwargs.get("dpi", 100)
        figure = Figure(figsize=(picture.shape[1] / dpi, picture.shape[0] / dpi), dpi=dpi)
        figure.figimage(picture)
        return figure

    @staticmethod
    def validation() -> dict[str, Any] | None:
        return {
            "format": {"enum": ["png", "svg", "pdf"]},
            "dpi": {"type": "integer", "minimum": 20, "maximum": 1200},
            "transparent": {"type": "boolean"},
        }
