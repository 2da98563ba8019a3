"""An experiment of ten trivial steps, with a baseline and two treatments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.inputs import STEPS, TREATMENTS, WORKERS, cell_bytes, cell_values
from benchmarks.measuring import OURS, Bar, Measure, Peer, Scale, Workload, timed
from findspot import Artifact, Experiment, Treatment, Workspace, task

CELL = Artifact("cell.bin")
PEER = "crystallize"


def number(ctx: Any) -> int:
    found: int = ctx.replicate
    return found


@task
def increment(data: int, by: int = 1) -> int:
    return data + by


@task
def finish(data: int, ctx: Any, by: int = 1) -> int:
    ctx.log_metric("value", data + by)
    return data + by


@task
def finish_with_artifact(data: int, ctx: Any, by: int = 1, out: Artifact = CELL) -> int:
    ctx.log_metric("value", data + by)
    out.write(cell_bytes(data + by))
    return data + by


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    from loky import get_reusable_executor

    figures: dict[str, float] = {}

    def measure(name: str, last: Any, executor: str) -> None:
        seconds = _seconds(folder / name, last, scale.replicates, executor)
        steps = scale.replicates * (1 + len(TREATMENTS)) * STEPS
        figures[name] = seconds / steps * 1e6

    measure("inline, no artifacts", finish, "inline")
    measure("inline, an artifact a cell", finish_with_artifact, "inline")
    get_reusable_executor(max_workers=WORKERS).shutdown(wait=True, kill_workers=True)
    measure("two new processes, an artifact a cell", finish_with_artifact, "processes")
    measure("two processes, no artifacts", finish, "processes")
    measure("two processes, an artifact a cell", finish_with_artifact, "processes")
    return figures


def _seconds(folder: Path, last: Any, replicates: int, executor: str) -> float:
    workspace = Workspace(folder)
    workspace.init()
    with timed() as watch:
        result = Experiment(
            name="bench",
            datasource=number,
            pipeline=[*[increment] * (STEPS - 1), last],
            treatments=[Treatment(f"by-{by}", {"by": by}) for by in TREATMENTS],
            replicates=replicates,
            seed=7,
            workspace=workspace,
        ).run(executor=executor, workers=WORKERS)
    assert result.status == "finished", result.status
    assert result.metrics["value"] == cell_values(replicates)
    if last is finish_with_artifact:
        written = sum(1 for _ in workspace.iterate(name="bench/*/cell.bin"))
        assert written == replicates * (1 + len(TREATMENTS)), written
    return watch.seconds


WORKLOAD = Workload(
    name="experiment",
    title="Experiment of 10 trivial steps x {replicates} replicates x 3 conditions",
    measures=(
        Measure("inline, no artifacts", "µs/step", bar=Bar(1.5, of=PEER, full_size_only=True)),
        Measure(
            "inline, an artifact a cell", "µs/step", bar=Bar(1.0, of=PEER, full_size_only=True)
        ),
        Measure(
            "two processes, no artifacts", "µs/step", bar=Bar(1.5, of=PEER, full_size_only=True)
        ),
        Measure(
            "two processes, an artifact a cell",
            "µs/step",
            bar=Bar(0.5, of=PEER, full_size_only=True),
        ),
        Measure("two new processes, an artifact a cell", "µs/step"),
    ),
    subjects={
        OURS: findspot,
        PEER: Peer("benchmarks.peers.crystallize_experiments:experiment", "crystallize-ml"),
    },
    notes="Findspot catalogues every cell with its lineage, so that it can be resumed, inspected "
    "and reproduced; crystallize writes files of metrics and artifacts at the end. Findspot's "
    "worker processes stay for a minute after a job, crystallize's are made for each run.",
)
