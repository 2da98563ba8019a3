"""Crystallize's side of the experiment: the same steps, conditions, seeds and artifacts.

Its steps are classes, which also its worker processes can import; an artifact is written through
the context, since artifacts that a step holds do not survive its way to another process.
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.inputs import EXPERIMENT_STEPS, TREATMENTS, WORKERS, cell_bytes
from benchmarks.measuring import Scale, timed

crystallize: Any = import_module("crystallize")
execution: Any = import_module("crystallize.plugins.execution")
# Its own log of every replicate would be what is measured.
logging.getLogger("crystallize").setLevel(logging.ERROR)


class _Step:
    """Adds one number; of a kind that Crystallize takes for a step by its methods."""

    cacheable = False
    step_hash = "increment"

    def __init__(self, by: int, artifact: bool = False) -> None:
        self.by = by
        self.artifact = artifact
