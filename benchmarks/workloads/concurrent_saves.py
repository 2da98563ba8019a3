"""Four processes that save to one workspace at once."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload

PROCESSES = 4
WAIT = 120.0


def payload(process: int, number: int) -> bytes:
    return f"{process}-{number}".encode().ljust(1024, b".")


def save_with_findspot(folder: Path, process: int, saves: int, line: Barrier) -> None:
    from findspot import Workspace

    workspace = Workspace(folder)
    workspace.save_artifact(b"ready", f"ready/{process}")
    line.wait(WAIT)
    for number in range(saves):
        workspace.save_artifact(payload(process, number), f"process-{process}/{number}")
    line.wait(WAIT)


def save_with_joblib(folder: Path, process: int, saves: int, line: Barrier) -> None:
    import joblib as library

    library.dump(b"ready", folder / f"ready-{process}")
    line.wait(WAIT)
    for number in range(saves):
        library.dump(payload(process, number), folder / f"{process}-{number}")
    line.wait(WAIT)


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    from findspot import Workspace

    workspace = Workspace(folder)
    workspace.init()
    rate = _together(save_with_findspot, folder, scale)
    for process in range(PROCESSES):
        found = sum(1 for _ in workspace.iterate(name=f"process-{process}/*"))
        assert found == scale.saves, f"{scale.saves - found} saves of one process are lost"
    return {"saves": rate}


def joblib(folder: Path, scale: Scale) -> dict[str, float]:
    return {"saves": _together(save_with_joblib, folder, scale)}


def _together(save: Callable[[Path, int, int, Barrier], None], folder: Path, scale: Scale) -> float:
    context = multiprocessing.get_context("spawn")
    line = context.Barrier(PROCESSES + 1)
    workers = [
        context.Process(target=save, args=(folder, process, scale.saves, line))
        for process in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    line.wait(WAIT)
    begin = time.perf_counter()
    line.wait(WAIT)
    seconds = time.perf_counter() - begin
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    return PROCESSES * scale.saves / seconds


WORKLOAD = Workload(
    name="concurrent",
    title="4 processes x {saves:,} saves of 1 KiB to one workspace",
    measures=(Measure("saves", "1/s", better="higher", bar=Bar(5000, full_size_only=True)),),
    subjects={OURS: findspot, "joblib": joblib},
    notes="Nothing may be lost; joblib writes separate files and keeps no record of them.",
)
