"""First of two files: an experiment whose step writes a model for each replicate and condition.

    python examples/experiments/experiment1.py

The second file, ``experiment2.py``, takes the models up as its data.
"""

from __future__ import annotations

import json
from typing import Any

from findspot import Artifact, CellContext, Experiment, Treatment

model_file = Artifact("model.bin")
data_file = Artifact("data.json")


def source(ctx: CellContext) -> list[float]:
    """Twenty noisy numbers; the same ones for every condition of a replicate."""
    numbers = ctx.rng().normal(loc=3.0, size=20)
    return [float(number) for number in numbers]


class ModelStep:
    """A step that is an object, and holds the artifact that it writes."""

    def __init__(self, out: Artifact) -> None:
        self.out = out

    def __call__(self, data: list[float], ctx: CellContext) -> list[float]:
        self.out.write(b"binary data")
        return data


def summarise(
    data: list[float], ctx: CellContext, out: Artifact = data_file, trim: int = 0
) -> dict[str, Any]:
    """The mean of the numbers, without the ``trim`` smallest and largest ones."""
    kept = sorted(data)[trim : len(data) - trim]
    mean = sum(kept) / len(kept)
    ctx.log_metric("mean", mean)
    out.write(json.dumps({"condition": ctx.condition, "mean": mean, "n": len(kept)}))
    return {"mean": mean}


exp1 = Experiment(
    name="exp1",
    datasource=source,
    pipeline=[ModelStep(model_file), summarise],
    treatments=[Treatment("trimmed", {"trim": 3})],
    replicates=2,
    seed=1,
    outputs=[model_file, data_file],
)

if __name__ == "__main__":
    exp1.validate()
    result = exp1.run(strategy="resume")
    print(result)
    print(result.table)
    print(f"The artifacts are in {result.folder}")
