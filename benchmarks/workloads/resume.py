"""Resume an experiment that is complete: every cell's artifact is looked for, and none is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload, timed
from benchmarks.memory import extra_memory
from findspot import Artifact, Experiment, Treatment, Workspace, task

CELL = Artifact("cell.bin")
CONDITIONS = 2


def number(ctx: Any) -> int:
    found: int = ctx.replicate
    return found


@task
def finish(data: int, ctx: Any, by: int = 1, out: Artifact = CELL) -> int:
    ctx.log_metric("value", data + by)
    out.write(b"%d" % (data + by))
    return data + by


def complete(folder: Path, scale: Scale) -> Experiment:
    """The experiment, in a workspace object that remembers nothing of an earlier run."""
    return Experiment(
        name="bench",
        datasource=number,
        pipeline=[finish],
        treatments=[Treatment("by-2", {"by": 2})],
        replicates=scale.cells // CONDITIONS,
        workspace=Workspace(folder),
    )


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    Workspace(folder).init()
    with timed() as first:
        result = complete(folder, scale).run()
    assert result.status == "finished"
    assert result.ran == scale.cells
    experiment = complete(folder, scale)
    with extra_memory() as resuming, timed() as watch:
        result = experiment.run(strategy="resume")
    assert result.ran == 0, result.notes
    with timed() as metrics:
        values = result.metrics["value"]
    assert len(values["by-2"]) == scale.cells // CONDITIONS
    figures = {
        "first run": first.seconds,
        "resume": watch.seconds,
        "its metrics": metrics.seconds,
    }
    return figures | resuming.figure("extra memory while resuming")


WORKLOAD = Workload(
    name="resume",
    title="Verifying resume of a complete experiment of {cells:,} cells",
    measures=(
        Measure("resume", "s", bar=Bar(2)),
        Measure("extra memory while resuming", "MiB"),
        Measure("its metrics", "s"),
        Measure("first run", "s"),
    ),
    subjects={OURS: findspot},
    notes="Each cell has a metric and an artifact. crystallize's resume reads one marker for each "
    "condition and looks neither at code nor at artifacts, so it is not comparable.",
    repeats=3,
)
