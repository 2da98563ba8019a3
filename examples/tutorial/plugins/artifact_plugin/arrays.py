"""Arrays as .npy files."""

from pathlib import Path
from typing import Any

import numpy as np

from findspot.plugins import ArtifactTask


class NumpyArrayArtifactTask(ArtifactTask):
    """A NumPy array in NumPy's own format. Object arrays are refused: they would need pickle."""

    kind = "dataset"
    deterministic = True
    safe = True

    @staticmethod
    def serialize(working_dir: Path, name: str, contents: np.ndarray, **kwargs: Any) -> Path:
        path = working_dir / f"{name}.npy"
        np.save(path, contents, allow_pickle=False)
        return path

    @staticmethod
    def deserialize(working_dir: Path, path: str, **kwargs: Any) -> np.ndarray:
        return np.load(working_dir / path, allow_pickle=False)

    @staticmethod
    def validation() -> dict[str, Any] | None:
        return None
