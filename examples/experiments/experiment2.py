"""Second of two files: takes what ``experiment1.py`` wrote, one file for each replicate.

    python examples/experiments/experiment1.py
    python examples/experiments/experiment2.py

The first experiment need not run in this process: it is only imported, and found by its name. The
number of replicates follows from its metadata.
"""

from __future__ import annotations

import json
from pathlib import Path

from experiment1 import exp1

from findspot import CellContext, Experiment, ExperimentGraph, Treatment


def load_json(data: Path) -> dict[str, float]:
    """The step is given a path, and may read it in any way."""
    loaded: dict[str, float] = json.loads(data.read_text())
    return loaded


def distance(data: dict[str, float], ctx: CellContext) -> None:
    ctx.log_metric("distance", abs(data["mean"] - 3.0))


exp2 = Experiment(
    name="exp2",
    datasource=exp1.artifact_datasource(step="summarise", name="data.json"),
    pipeline=[load_json, distance],
    treatments=[Treatment("trimmed")],  # is given the artifacts of the same condition of exp1
)

if __name__ == "__main__":
    # Runs exp1 too, where it has not run yet or has changed.
    graph = ExperimentGraph([exp1, exp2]).run(strategy="resume")
    for name, result in graph.items():
        print(name, result, f"({result.ran} cells were run now)")
    print(graph["exp2"].table)
