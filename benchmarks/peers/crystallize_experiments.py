"""Crystallize's side of the experiment: the same steps, conditions, metrics and artifacts.

The artifact is written through the context: one that a step declares does not survive its way to
a worker process.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.inputs import STEPS, TREATMENTS, WORKERS, cell_bytes, cell_values
from benchmarks.measuring import Scale, timed

crystallize: Any = import_module("crystallize")
source: Callable[[Callable[..., Any]], Any] = crystallize.data_source
step: Callable[[Callable[..., Any]], Any] = crystallize.pipeline_step()


@source
def number(ctx: Any) -> int:
    found: int = ctx["replicate"]
    return found


@step
def increment(data: int, ctx: Any, by: int = 1) -> int:
    return data + by


@step
def finish(data: int, ctx: Any, by: int = 1) -> tuple[int, dict[str, int]]:
    return data + by, {"value": data + by}


@step
def finish_with_artifact(data: int, ctx: Any, by: int = 1) -> tuple[int, dict[str, int]]:
    ctx.artifacts.add("cell.bin", cell_bytes(data + by))
    return data + by, {"value": data + by}


def experiment(folder: Path, scale: Scale) -> dict[str, float]:
    figures: dict[str, float] = {}
    for parallel in (False, True):
        for last, what in ((finish, "no artifacts"), (finish_with_artifact, "an artifact a cell")):
            where = "two processes" if parallel else "inline"
            place = folder / f"{where}-{what}"
            seconds = _seconds(place, last, scale.replicates, parallel)
            cells = scale.replicates * (1 + len(TREATMENTS))
            figures[f"{where}, {what}"] = seconds / (cells * STEPS) * 1e6
            written = sum(1 for _ in place.glob("**/cell.bin"))
            assert written == (cells if last is finish_with_artifact else 0), written
    return figures


def _seconds(place: Path, last: Any, replicates: int, parallel: bool) -> float:
    # Its log of every replicate would be what is measured.
    used = [
        crystallize.ArtifactPlugin(root_dir=str(place)),
        crystallize.SeedPlugin(seed=7),
        crystallize.LoggingPlugin(log_level="ERROR"),
    ]
    if parallel:
        used.append(crystallize.ParallelExecution(max_workers=WORKERS, executor_type="process"))
    treatments = [crystallize.Treatment(f"by-{by}", {"by": by}) for by in TREATMENTS]
    steps = [increment() for _ in range(STEPS - 1)]
    with timed() as watch:
        made = crystallize.Experiment(
            number(),
            crystallize.Pipeline([*steps, last()]),
            used,
            name="bench",
            treatments=treatments,
            replicates=replicates,
        )
        result = made.run()
    assert not result.errors, result.errors
    found = {"baseline": result.metrics.baseline.metrics["value"]}
    found |= {name: t.metrics["value"] for name, t in result.metrics.treatments.items()}
    assert found == cell_values(replicates), found
    return watch.seconds
