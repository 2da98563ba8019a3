"""Trivial tasks on Dask and on Ray, beside the bare functions on the same cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measuring import OURS, Measure, Scale, Workload, timed
from findspot import Workspace, pipeline, task

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
CLUSTERS = ("Dask", "Ray")


@task
def work(x: int, number: int) -> int:
    return x + number


@task
def total(parts: list[int]) -> int:
    return sum(parts)


def bare_work(x: int, number: int) -> int:
    return x + number


def bare_total(*parts: int) -> int:
    return sum(parts)


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    with ExitStack() as stack:
        client = _dask(stack)

        def bare(tasks: int) -> int:
            parts = [client.submit(bare_work, 1, number, pure=False) for number in range(tasks)]
            found: int = client.submit(bare_total, *parts, pure=False).result()
            return found

        figures = _figures("Dask", folder / "dask", scale, client, bare)
    with ExitStack() as stack:
        ray = _ray(stack)
        remote_work, remote_total = map(ray.remote(num_cpus=1), (bare_work, bare_total))

        def bare_on_ray(tasks: int) -> int:
            parts = [remote_work.remote(1, number) for number in range(tasks)]
            found: int = ray.get(remote_total.remote(*parts))
            return found

        return figures | _figures("Ray", folder / "ray", scale, "ray:", bare_on_ray)


def _figures(
    cluster: str, folder: Path, scale: Scale, executor: Any, bare: Callable[[int], int]
) -> dict[str, float]:
    @pipeline
    def fan() -> dict[str, int]:
        return {"total": total([work(1, number) for number in range(count)])}

    workspace = Workspace(folder)
    workspace.init()
    # Before the clock starts: what both need is imported and running.
    count = 2 * WORKERS
    assert fan.run(workspace=workspace, executor=executor, workers=WORKERS).status == "finished"
    assert bare(count) == _expected(count)
    count = scale.cluster_tasks
    with timed() as plain:
        assert bare(count) == _expected(count)
    with timed() as ours:
        job = fan.run(workspace=workspace, executor=executor, workers=WORKERS)
    assert job.status == "finished", job.log
    assert job.outputs["total"].load() == _expected(count)
    return {
        f"{cluster}, per task": ours.seconds / count * 1000,
        f"{cluster}, bare functions, per task": plain.seconds / count * 1000,
        f"{cluster}, over bare functions": ours.seconds / plain.seconds,
    }


def _expected(tasks: int) -> int:
    return sum(1 + number for number in range(tasks))


def _dask(stack: ExitStack) -> Any:
    """A client of a cluster with a scheduler in a process of its own."""
    distributed: Any = import_module("distributed")
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-m", "findspot.engine.executors.dask_cluster", str(WORKERS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stack.callback(process.stdin.close)  # which ends it
    return stack.enter_context(
        distributed.Client(process.stdout.readline().strip(), set_as_default=False)
    )


def _ray(stack: ExitStack) -> Any:
    """Ray, with a local cluster that keeps to the loopback address."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    ray: Any = import_module("ray")
    ray.init(
        address="local",
        num_cpus=WORKERS,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        configure_logging=False,
        log_to_driver=False,
    )
    stack.callback(ray.shutdown)
    return ray


WORKLOAD = Workload(
    name="clusters",
    title="{cluster_tasks:,} trivial tasks and one over their results, on 2 local workers",
    measures=tuple(
        Measure(f"{cluster}, {name}", unit)
        for cluster in CLUSTERS
        for name, unit in (
            ("per task", "ms"),
            ("bare functions, per task", "ms"),
            ("over bare functions", "x"),
        )
    ),
    subjects={OURS: findspot},
    notes="Bare functions are submitted to the same cluster by its own client, and nothing of "
    "theirs is kept; Findspot keeps every output with its lineage.",
    repeats=3,
)
