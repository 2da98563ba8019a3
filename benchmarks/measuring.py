"""What a workload is, and what subjects measure with. The peers' environment imports this too."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

OURS = "findspot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the workloads are.

    Args:
        repeats: how often each subject is measured; the median counts.
        steps, fan: steps of the chain, and tasks of the fan-out.
        array_mib: size of the array.
        table_rows: rows of the table of 8 columns.
        artifacts: small artifacts saved one by one and in a batch.
        searched: artifacts in the workspace that is searched.
        saves: saves of each of the concurrent processes.
        small_files: files of the directory. file_mib: size of the large file.
        dataset_rows: rows of the dataset of 8 columns that is logged with statistics.
        replicates: of the experiment of 10 steps and 3 conditions.
        cells: of the complete experiment that is resumed.
        scheduled: steps of the largest graph that is scheduled; two more have a tenth and a
            hundredth of them.
        cluster_tasks: tasks that are sent to a cluster.
        collected: artifacts in the workspace that is collected.
        in_earnest: False: only to see that it runs, so without a warm-up, and without waiting for
            the disk.
    """

    repeats: int = 5
    steps: int = 100
    fan: int = 1000
    array_mib: int = 1024
    table_rows: int = 5_000_000
    artifacts: int = 10_000
    searched: int = 100_000
    saves: int = 1000
    small_files: int = 100_000
    file_mib: int = 10 * 1024
    dataset_rows: int = 5_000_000
    replicates: int = 100
    cells: int = 20_000
    scheduled: int = 100_000
    cluster_tasks: int = 1000
    collected: int = 100_000
    in_earnest: bool = True


QUICK = Scale(
    repeats=3,
    steps=100,
    fan=200,
    array_mib=64,
    table_rows=200_000,
    artifacts=1000,
    searched=5000,
    saves=100,
    small_files=2000,
    file_mib=256,
    dataset_rows=200_000,
    replicates=20,
    cells=400,
    scheduled=2000,
    cluster_tasks=100,
    collected=5000,
)
TINY = Scale(
    repeats=1,
    steps=3,
    fan=3,
    array_mib=1,
    table_rows=1000,
    artifacts=5,
    searched=600,
    saves=5,
    small_files=10,
    file_mib=1,
    dataset_rows=1000,
    replicates=2,
    cells=4,
    scheduled=100,
    cluster_tasks=5,
    collected=200,
    in_earnest=False,
)

Subject: TypeAlias = Callable[[Path, Scale], Mapping[str, float]]
"""Does a workload once in an empty folder; the figures, by the name of the measure."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A subject that runs with the interpreter of the peers' environment.

    Args:
        target: ``module:function`` of a `Subject` that imports nothing of Findspot.
        package: without which it is left out.
    """

    target: str
    package: str


@dataclass(frozen=True, slots=True)
class Bar:
    """What Findspot must reach: ``limit`` times the figure of the peer ``of``, or ``limit`` itself.

    Only the full size is held to the bar where ``full_size_only`` is set.
    """

    limit: float
    of: str | None = None
    full_size_only: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a workload."""

    name: str
    unit: str
    better: Literal["lower", "higher"] = "lower"
    bar: Bar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The same work done by Findspot and by its peers.

    Args:
        title: with the fields of `Scale` in braces.
        subjects: name to function; Findspot's own is `OURS`.
        notes: what a reader must know to judge the figures.
        repeats: at most so many, where one repetition takes long.
    """

    name: str
    title: str
    measures: tuple[Measure, ...]
    subjects: Mapping[str, Subject | Peer]
    notes: str = ""
    repeats: int | None = None


@dataclass(slots=True)
class Result:
    """The figures of one workload: subject to measure to one figure for each repetition.

    Args:
        failures: subject to what it raised. absent: peer to why it was left out.
    """

    workload: Workload
    scale: Scale
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The workload's title with the sizes that were measured."""
        return self.workload.title.format(**asdict(self.scale))

    def median(self, subject: str, measure: str) -> float | None:
        """The median over the repetitions; None where the subject does not have this figure."""
        figures = self.figures.get(subject, {}).get(measure)
        return statistics.median(figures) if figures else None


class Stopwatch:
    """The seconds that a ``with timed()`` block took."""

    seconds: float = 0.0


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Measure a block with the garbage collector off, after a collection."""
    watch = Stopwatch()
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    begin = time.perf_counter()
    try:
        yield watch
    finally:
        watch.seconds = time.perf_counter() - begin
        if was_enabled:
            gc.enable()


def settle(scale: Scale) -> None:
    """Wait until the disk has what was written before, so that it does not slow what comes next."""
    if scale.in_earnest:
        os.sync()


def bytes_under(folder: Path) -> int:
    """The bytes of all files in a folder, each inode once."""
    sizes: dict[int, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            state = os.lstat(os.path.join(parent, name))
            sizes[state.st_ino] = state.st_size
    return sum(sizes.values())
