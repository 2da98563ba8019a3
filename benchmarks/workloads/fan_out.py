"""One value, a thousand tasks on it, one task over their results."""

from __future__ import annotations

import logging
from pathlib import Path

from benchmarks import hamilton_graphs
from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload, timed
from findspot import Workspace, pipeline, task


@task
def source() -> int:
    return 1


@task
def work(x: int, number: int) -> int:
    return x + number


@task
def total(parts: list[int]) -> int:
    return sum(parts)


def plain_source() -> int:
    return 1


def plain_work(x: int, number: int) -> int:
    return x + number


def plain_total(parts: list[int]) -> int:
    return sum(parts)


def expected(scale: Scale) -> int:
    return sum(1 + number for number in range(scale.fan))


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    @pipeline
    def fan() -> dict[str, int]:
        x = source()
        return {"total": total([work(x, number) for number in range(scale.fan)])}

    workspace = Workspace(folder)
    workspace.init()
    seconds = []
    for _ in range(2):
        with timed() as watch:
            job = fan.run(workspace=workspace)
        seconds.append(watch.seconds)
        assert job.status == "finished", job.log
        assert len(job.steps) == scale.fan + 2
        assert job.outputs["total"].load() == expected(scale)
    return _per_task(seconds, scale)


def joblib(folder: Path, scale: Scale) -> dict[str, float]:
    from joblib import Memory

    seconds = []
    for _ in range(2):
        memory = Memory(folder, verbose=0)
        first, each, last = map(memory.cache, (plain_source, plain_work, plain_total))
        with timed() as watch:
            x = first()
            result = last([each(x, number) for number in range(scale.fan)])
        seconds.append(watch.seconds)
        assert result == expected(scale)
    return _per_task(seconds, scale)


def hamilton(folder: Path, scale: Scale) -> dict[str, float]:
    lines = ["def source() -> int:\n    return 1\n"]
    lines += [f"def w{i}(source: int) -> int:\n    return source + {i}\n" for i in range(scale.fan)]
    names = [f"w{i}" for i in range(scale.fan)]
    inputs = ", ".join(f"{name}: int" for name in names)
    lines.append(f"def total({inputs}) -> int:\n    return sum([{', '.join(names)}])\n")
    graph = hamilton_graphs.module(folder, "hamilton_fan", "\n".join(lines))
    logging.getLogger("hamilton").setLevel(logging.ERROR)
    seconds = []
    for _ in range(2):
        driver = hamilton_graphs.driver(graph, folder / "cache")
        with timed() as watch:
            result = driver.execute(["total"])
        seconds.append(watch.seconds)
        assert result["total"] == expected(scale)
    return _per_task(seconds, scale)


def _per_task(seconds: list[float], scale: Scale) -> dict[str, float]:
    first, again = (value / scale.fan * 1000 for value in seconds)
    return {"first run, per task": first, "cached, per task": again}


WORKLOAD = Workload(
    name="fan-out",
    title="Fan-out 1 -> {fan:,} -> 1, every output kept",
    measures=(
        Measure("first run, per task", "ms", bar=Bar(1.0, of="joblib")),
        Measure("cached, per task", "ms"),
    ),
    subjects={OURS: findspot, "joblib": joblib, "hamilton": hamilton},
)
