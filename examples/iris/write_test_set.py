"""Write the table that `test_model` reads: `python examples/iris/write_test_set.py data`."""

from __future__ import annotations

import sys
from pathlib import Path

from sklearn.datasets import load_iris


def write(folder: Path) -> Path:
    data, labels = load_iris(return_X_y=True, as_frame=True)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "iris_test.csv"
    data.assign(label=labels).sample(60, random_state=3).to_csv(file, index=False)
    return file


if __name__ == "__main__":
    print(write(Path(sys.argv[1] if len(sys.argv) > 1 else "data")))
