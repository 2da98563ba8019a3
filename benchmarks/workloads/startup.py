"""How long a new process takes to import the library, and to print the command's help."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload, timed

IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def importing(folder: Path, scale: Scale, *, library: str) -> dict[str, float]:
    """The time of the import statement itself, without the interpreter's own start."""
    command = [sys.executable, "-c", IMPORT.format(library)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return {"import": float(done.stdout.splitlines()[-1]) * 1000}


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    figures = importing(folder, scale, library="findspot")
    command = [sys.executable, "-m", "findspot", "--help"]
    with timed() as watch:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return figures | {"--help": watch.seconds * 1000}


WORKLOAD = Workload(
    name="startup",
    title="Start of a new process",
    measures=(Measure("import", "ms", bar=Bar(100)), Measure("--help", "ms", bar=Bar(200))),
    subjects={
        OURS: findspot,
        "joblib": partial(importing, library="joblib"),
        "hamilton": partial(importing, library="hamilton.driver"),
    },
    notes="--help includes the start of the interpreter.",
)
