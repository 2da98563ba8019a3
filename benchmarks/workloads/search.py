"""One page of a search among many artifacts."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.measuring import OURS, Bar, Measure, Peer, Scale, Workload, timed
from findspot import Workspace

PAGE = 50
GROUPS = 100
TRIES = 11


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    workspace = Workspace(folder)
    workspace.init()
    size = scale.searched // GROUPS
    for group in range(GROUPS):
        # Every tenth is a number, the others are bytes: two kinds of content under many names.
        pairs: list[tuple[Any, str]] = [
            (number if number % 10 == 0 else b"%d" % number, f"group-{group:02}/item-{number:04}")
            for number in range(size)
        ]
        options = {"kind": "model" if group % 10 == 0 else "value", "labels": {"group": str(group)}}
        workspace.save_artifacts(pairs, **options)
    middle = GROUPS // 2
    one = workspace.get_artifact(f"group-{middle:02}/item-{size // 2:04}")
    since, until = one.created - timedelta(seconds=1), one.created + timedelta(seconds=1)
    first = workspace.list_artifacts(kind="model", limit=PAGE)
    enough = min(PAGE, size)
    assert len(first) == min(PAGE, size * GROUPS // 10)

    figures: dict[str, float] = {}

    def measure(name: str, search: Callable[[], list[Any]], found: int | None) -> None:
        seconds = []
        for _ in range(TRIES):
            with timed() as watch:
                page = search()
            seconds.append(watch.seconds)
            assert len(page) == found if found is not None else page
        figures[name] = statistics.median(seconds) * 1000

    ask = workspace.list_artifacts
    measure("label", lambda: ask(labels={"group": str(middle)}, limit=PAGE), enough)
    measure("name glob", lambda: ask(name=f"group-{middle:02}/*", limit=PAGE), enough)
    measure("exact name", lambda: ask(name=one.key, limit=PAGE), 1)
    measure("kind", lambda: ask(kind="model", limit=PAGE), len(first))
    measure("time", lambda: ask(since=since, until=until, limit=PAGE), None)
    measure(
        "label and kind",
        lambda: ask(labels={"group": "10"}, kind="model", limit=PAGE),
        enough,
    )
    if first.next is not None:
        cursor = first.next
        measure("next page", lambda: ask(kind="model", limit=PAGE, cursor=cursor), None)
    return figures


WORKLOAD = Workload(
    name="search",
    title="One page of 50 among {searched:,} artifacts",
    measures=tuple(
        Measure(name, "ms", bar=Bar(5))
        for name in (
            "label",
            "name glob",
            "exact name",
            "kind",
            "time",
            "label and kind",
            "next page",
        )
    ),
    subjects={OURS: findspot, "mlflow": Peer("benchmarks.peers.mlflow_runs:search", "mlflow")},
    notes="joblib and Hamilton have no search. mlflow: search_runs, with as many runs; they are "
    "written into its database directly, since its API takes too long to make them.",
)
