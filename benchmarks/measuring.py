"""What a workload is, and how it is measured: fresh folders, warm-up, interleaved repetitions."""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
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
    """

    repeats: int = 5
    steps: int = 100
    fan: int = 1000
    array_mib: int = 1024
    table_rows: int = 5_000_000
    artifacts: int = 10_000
    searched: int = 100_000
    saves: int = 1000


QUICK = Scale(
    repeats=3,
    steps=100,
    fan=200,
    array_mib=64,
    table_rows=200_000,
    artifacts=1000,
    searched=5000,
    saves=100,
)
WARM_UP = Scale(
    repeats=1,
    steps=3,
    fan=3,
    array_mib=1,
    table_rows=1000,
    artifacts=5,
    searched=200,
    saves=5,
)

Subject: TypeAlias = Callable[[Path, Scale], Mapping[str, float]]
"""Does a workload once in an empty folder; the figures, by the name of the measure."""


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
    """

    name: str
    title: str
    measures: tuple[Measure, ...]
    subjects: Mapping[str, Subject]
    notes: str = ""


@dataclass(slots=True)
class Result:
    """The figures of one workload: subject to measure to one figure for each repetition."""

    workload: Workload
    scale: Scale
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

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


def bytes_under(folder: Path) -> int:
    """The bytes of all files in a folder, each inode once."""
    sizes: dict[int, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            state = os.lstat(os.path.join(parent, name))
            sizes[state.st_ino] = state.st_size
    return sum(sizes.values())


@contextmanager
def fresh_folder(parent: Path) -> Iterator[Path]:
    """An empty folder, removed at the end; what was written reaches the disk before the next."""
    folder = Path(tempfile.mkdtemp(prefix="findspot-benchmark-", dir=parent))
    try:
        yield folder
    finally:
        for inner, names, _ in os.walk(folder):
            for name in names:  # a store may keep its folders read-only
                os.chmod(os.path.join(inner, name), 0o700)
        shutil.rmtree(folder)
        os.sync()


def run(
    workload: Workload,
    scale: Scale,
    parent: Path,
    *,
    only_peers: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Result:
    """Measure every subject `scale.repeats` times, in turn, after a warm-up.

    Each subject has a process of its own, so that what one library leaves behind in memory does
    not slow another. A subject that raises is left out of the rest and reported in
    `Result.failures`.
    """
    result = Result(workload, scale)
    subjects = {n: s for n, s in workload.subjects.items() if not (only_peers and n == OURS)}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
            for name in subjects
        }
        for round_number in range(-1, scale.repeats):
            warm_up = round_number < 0
            # Who comes first changes, so that nobody always follows the same neighbour.
            shift = round_number % len(subjects) if subjects else 0
            names = [*subjects]
            for name in names[shift:] + names[:shift]:
                if name in result.failures:
                    continue
                progress(f"{name}, " + ("warm-up" if warm_up else f"repetition {round_number + 1}"))
                size = replace(WARM_UP, repeats=scale.repeats) if warm_up else scale
                with fresh_folder(parent) as folder:
                    try:
                        figures = processes[name].submit(subjects[name], folder, size).result()
                    except Exception as error:
                        result.failures[name] = f"{type(error).__name__}: {error}"
                        continue
                if not warm_up:
                    kept = result.figures.setdefault(name, {})
                    for measure, value in figures.items():
                        kept.setdefault(measure, []).append(value)
    return result
