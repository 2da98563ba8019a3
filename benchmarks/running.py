"""How a workload is measured: a process for each subject, fresh folders, a warm-up, in turn."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

from benchmarks.measuring import (
    OURS,
    TINY,
    Peer,
    Result,
    Scale,
    Subject,
    Workload,
    bytes_under,
    settle,
)
from benchmarks.peer_process import PeerProcess, absent

Measure: TypeAlias = Callable[[Path, Scale], Mapping[str, float]]


_KEPT_BYTES = 256 << 20


@contextmanager
def fresh_folder(parent: Path, scale: Scale) -> Iterator[Path]:
    """An empty folder; what was written reaches the disk before the next.

    It stays, unless it is large: ext4 looks past the places of files that were deleted in the last
    minutes, one by one, so that whoever makes files after a deletion of many waits for it. Remove
    ``parent`` when all is measured.
    """
    folder = Path(tempfile.mkdtemp(prefix="findspot-benchmark-", dir=parent))
    try:
        yield folder
    finally:
        if bytes_under(folder) > _KEPT_BYTES:
            remove(folder)
        settle(scale)


def remove(folder: Path) -> None:
    """Remove a folder, though a store keeps some of its folders read-only."""
    for inner, names, _ in os.walk(folder):
        for name in names:
            os.chmod(os.path.join(inner, name), 0o700)
    shutil.rmtree(folder)


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
    `Result.failures`; a peer that is not installed is left out and reported in `Result.absent`.
    """
    if workload.repeats is not None:
        scale = replace(scale, repeats=min(scale.repeats, workload.repeats))
    result = Result(workload, scale)
    subjects: dict[str, Subject | Peer] = {}
    for name, subject in workload.subjects.items():
        reason = absent(subject) if isinstance(subject, Peer) else None
        if reason is not None:
            result.absent[name] = reason
        elif not (only_peers and name == OURS):
            subjects[name] = subject
    with ExitStack() as stack:
        processes = {name: _process(subject, stack) for name, subject in subjects.items()}
        for round_number in range(-1 if scale.in_earnest else 0, scale.repeats):
            warm_up = round_number < 0
            # Who comes first changes, so that nobody always follows the same neighbour.
            shift = round_number % len(subjects) if subjects else 0
            names = [*subjects]
            for name in names[shift:] + names[:shift]:
                if name in result.failures:
                    continue
                progress(f"{name}, " + ("warm-up" if warm_up else f"repetition {round_number + 1}"))
                size = TINY if warm_up else scale
                with fresh_folder(parent, scale) as folder:
                    try:
                        figures = processes[name](folder, size)
                    except Exception as error:
                        result.failures[name] = f"{type(error).__name__}: {error}"
                        continue
                if not warm_up:
                    kept = result.figures.setdefault(name, {})
                    for measure, value in figures.items():
                        kept.setdefault(measure, []).append(value)
    return result


def _process(subject: Subject | Peer, stack: ExitStack) -> Measure:
    """Start the process of a subject; what calls it there."""
    if isinstance(subject, Peer):
        return stack.enter_context(PeerProcess(subject)).measure
    pool = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
    return lambda folder, scale: pool.submit(subject, folder, scale).result()
