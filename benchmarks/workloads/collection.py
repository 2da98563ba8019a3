"""Collect a workspace of many artifacts: look at what would go, then let it go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.measuring import OURS, Measure, Scale, Workload, timed
from benchmarks.memory import extra_memory
from findspot import Workspace

VERSIONS = 10
KEPT = 5
IN_FILES = 10
"""One of so many is too large for the catalog and lies in a file of its own."""


def content(number: int) -> bytes:
    """Distinct content, a few bytes or 16 KiB."""
    return number.to_bytes(8, "little") * (1 if number % IN_FILES else 2048)


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    from findspot.artifacts.collecting import collect
    from findspot.artifacts.retention import RetentionRule

    workspace = Workspace(folder)
    workspace.init()
    keys = scale.collected // VERSIONS
    for version in range(VERSIONS):
        pairs = [(content(version * keys + key), f"key-{key:06}") for key in range(keys)]
        workspace.save_artifacts(pairs)
    rules = [RetentionRule(keep_last=KEPT)]
    figures: dict[str, float] = {}

    def measure(name: str, **options: Any) -> Any:
        with extra_memory() as memory, timed() as watch:
            report = collect(workspace, rules, grace_hours=0, **options)
        figures[name] = watch.seconds
        figures.update(memory.figure(f"{name}, extra memory"))
        return report

    going = keys * (VERSIONS - KEPT)
    planned = measure("dry run")
    assert len(planned.plan.going) == going
    applied = measure("apply", dry_run=False)
    assert len(applied.deleted) == going
    in_files = sum(1 for number in range(going) if not number % IN_FILES)
    assert len(applied.quarantined) == in_files, (len(applied.quarantined), in_files)
    purged = measure("apply after the quarantine", dry_run=False, quarantine_days=0)
    assert len(purged.purged) == in_files
    return figures


WORKLOAD = Workload(
    name="collect",
    title="Collection of a workspace of {collected:,} artifacts, half of which go",
    measures=tuple(
        Measure(f"{name}{memory}", "MiB" if memory else "s")
        for name in ("dry run", "apply", "apply after the quarantine")
        for memory in ("", ", extra memory")
    ),
    subjects={OURS: findspot},
    notes="10 versions of each key; one artifact in ten is a file in the store, the others lie in "
    "the catalog. None of the peers collects.",
    repeats=2,
)
