"""Task graphs of very many steps: whether a step costs more where there are more of them, and what
one takes in memory that waits for its turn."""

from __future__ import annotations

import gc
from pathlib import Path

from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload, timed
from benchmarks.memory import resident, trim
from findspot import Workspace, pipeline, task

CHAIN = 10
PARTS = (100, 10, 1)

_AT_FIRST_STEP: list[int] = []
"""The resident set when the first step runs, and all others wait."""


@task(cache=False)
def begin(number: int) -> int:
    if not number:
        gc.collect()
        trim()
        _AT_FIRST_STEP.append(resident())
    return number


@task
def advance(x: int) -> int:
    return x + 1


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    figures: dict[str, float] = {}
    for part, name in zip(PARTS, ("a hundredth", "a tenth", "all"), strict=True):
        steps = scale.scheduled // part
        seconds, waiting = _run(folder / f"{part}", steps)
        figures[f"{name} of the steps, per step"] = seconds / steps * 1000
        figures["bytes of a waiting step"] = waiting / steps
    first, last = (figures[f"{name} of the steps, per step"] for name in ("a hundredth", "all"))
    return figures | {"all over a hundredth": last / first}


def _run(folder: Path, steps: int) -> tuple[float, int]:
    """Run a graph of chains of `CHAIN` steps; the seconds, and the bytes at its first step."""
    chains = max(1, steps // CHAIN)

    @pipeline
    def chained() -> dict[str, int]:
        ends = []
        for number in range(chains):
            x = begin(number * CHAIN)
            for _ in range(CHAIN - 1):
                x = advance(x)
            ends.append(x)
        return {"end": ends[-1]}

    workspace = Workspace(folder)
    workspace.init()
    workspace.save_artifact(b"first", "first")
    gc.collect()
    trim()
    before = resident()
    with timed() as watch:
        job = chained.run(workspace=workspace)
    assert job.status == "finished", job.log
    assert job.outputs["end"].load() == chains * CHAIN - 1
    return watch.seconds, max(0, _AT_FIRST_STEP.pop() - before)


WORKLOAD = Workload(
    name="scheduling",
    title="Graph of {scheduled:,} steps, and of a tenth and a hundredth of them",
    measures=(
        Measure("a hundredth of the steps, per step", "ms"),
        Measure("a tenth of the steps, per step", "ms"),
        Measure("all of the steps, per step", "ms"),
        Measure("all over a hundredth", "x", bar=Bar(1.5, full_size_only=True)),
        Measure("bytes of a waiting step", "B", bar=Bar(2048, full_size_only=True)),
    ),
    subjects={OURS: findspot},
    notes="Trivial steps in chains of 10; tracing and checking are included, and every output is "
    "kept. Memory is that of the largest graph when its first step runs: the graph, its plan and "
    "the records of all its steps, over their number.",
    repeats=2,
)
