"""Workspaces in folders of a test's own, and a pickle that would be noticed if it were run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from findspot import Workspace
from findspot.core.records import JobQuery


def make_workspace(folder: Path, name: str) -> Workspace:
    """A new workspace below a folder."""
    workspace = Workspace(folder / name)
    workspace.init()
    return workspace


def everything(ws: Workspace) -> dict[str, Any]:
    """What is recorded in a workspace, to be compared."""
    jobs = ws.catalog.search_jobs(JobQuery(limit=1000)).items
    return {
        "counts": ws.catalog.counts(),
        "versions": sorted(v.uid for p in ws.projects() for v in ws.iterate(project=p)),
        "jobs": sorted(job.id for job in jobs),
        "lines": [len(ws.catalog.log(job.id)) for job in jobs],
        "events": len(ws.catalog.events()),
        "blobs": sorted(blob.digest for blob in ws.store.list()),
    }


class Booby:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.trap, "sprung")
