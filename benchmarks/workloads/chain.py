"""A chain of trivial steps: what persisting each step's output costs, and reusing it."""

from __future__ import annotations

import logging
from pathlib import Path

from benchmarks import hamilton_graphs
from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload, timed
from findspot import Workspace, pipeline, task


@task
def increment(x: int) -> int:
    return x + 1


def plain_increment(x: int) -> int:
    return x + 1


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    @pipeline
    def chain(start: int = 0) -> dict[str, int]:
        x = start
        for _ in range(scale.steps):
            x = increment(x)
        return {"end": x}

    workspace = Workspace(folder)
    workspace.init()
    seconds = []
    for cached in (False, True):
        with timed() as watch:
            job = chain.run(workspace=workspace)
        seconds.append(watch.seconds)
        assert job.status == "finished", job.log
        assert len(job.steps) == scale.steps
        assert all(step.cached is cached for step in job.steps.values())
        assert job.outputs["end"].load() == scale.steps
    return _per_step(seconds, scale)


def joblib(folder: Path, scale: Scale) -> dict[str, float]:
    from joblib import Memory

    seconds = []
    for _ in range(2):
        cached = Memory(folder, verbose=0).cache(plain_increment)
        with timed() as watch:
            x = 0
            for _ in range(scale.steps):
                x = cached(x)
        seconds.append(watch.seconds)
        assert x == scale.steps
    return _per_step(seconds, scale)


def hamilton(folder: Path, scale: Scale) -> dict[str, float]:
    source = ["def x0() -> int:\n    return 0\n"]
    source += [
        f"def x{i + 1}(x{i}: int) -> int:\n    return x{i} + 1\n" for i in range(scale.steps)
    ]
    graph = hamilton_graphs.module(folder, "hamilton_chain", "\n".join(source))
    logging.getLogger("hamilton").setLevel(logging.ERROR)
    seconds = []
    for _ in range(2):
        driver = hamilton_graphs.driver(graph, folder / "cache")
        with timed() as watch:
            result = driver.execute([f"x{scale.steps}"])
        seconds.append(watch.seconds)
        assert result[f"x{scale.steps}"] == scale.steps
    return _per_step(seconds, scale)


def _per_step(seconds: list[float], scale: Scale) -> dict[str, float]:
    first, again = (value / scale.steps * 1000 for value in seconds)
    return {"first run, per step": first, "cached, per step": again}


WORKLOAD = Workload(
    name="chain",
    title="Chain of {steps} trivial steps, every output kept",
    measures=(
        Measure("first run, per step", "ms", bar=Bar(1.0, of="joblib")),
        Measure("cached, per step", "ms", bar=Bar(0.5, of="joblib")),
    ),
    subjects={OURS: findspot, "joblib": joblib, "hamilton": hamilton},
    notes="Findspot records lineage, environment and log besides; joblib and Hamilton do not. "
    "Findspot's time includes tracing and checking the graph, Hamilton's leaves out its driver. "
    "joblib makes a folder for each call, so its first run depends on the file system most.",
)
