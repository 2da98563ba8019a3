"""What `findspot doctor` looks at."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from findspot.cli.printing import size
from findspot.core.errors import FindspotError

if TYPE_CHECKING:
    from findspot.workspace import Workspace

_OPTIONAL = (
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scikit-learn",
    "skops",
    "matplotlib",
    "plotly",
    "pillow",
    "pydantic",
    "psycopg",
)
_LITTLE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    said: str


def examine(workspace: Workspace) -> list[Finding]:
    """Everything that could keep a workspace from working; a fault in one part does not hide the
    others."""
    findings = [
        Finding("findspot", True, f"{version('findspot')} on Python {platform.python_version()}"),
        Finding("installed", True, ", ".join(_installed()) or "no optional library"),
        Finding("workspace", True, str(workspace.folder)),
    ]
    if not workspace.exists:
        return [*findings, Finding("exists", False, "not yet; make it: findspot init")]
    looks: tuple[tuple[str, Callable[[Workspace], str]], ...] = (
        ("catalog", _catalog),
        ("store", _store),
        ("free space", _space),
        ("jobs", _jobs),
    )
    for what, look in looks:
        try:
            findings.append(Finding(what, True, look(workspace)))
        except FindspotError as error:
            findings.append(Finding(what, False, str(error)))
    return findings


def _installed() -> Iterator[str]:
    for name in _OPTIONAL:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue


def _catalog(workspace: Workspace) -> str:
    faults = workspace.catalog.check()
    if faults:
        raise FindspotError(
            "; ".join(faults), how="Restore the catalog's file from a backup, or ask for help."
        )
    counts = workspace.catalog.counts()
    inline = counts.pop("inline_bytes")
    counted = [f"{count} {name if count != 1 else name[:-1]}" for name, count in counts.items()]
    said = ", ".join([*counted, f"{size(inline)} of small files"])
    return f"{workspace.settings.catalog}: sound; {said}"


def _store(workspace: Workspace) -> str:
    store = workspace.store
    blob = store.put(b"findspot doctor")
    store.verify(blob.digest)
    return f"{store.url}: takes and gives bytes"


def _space(workspace: Workspace) -> str:
    free = shutil.disk_usage(workspace.folder).free
    if free < _LITTLE:
        raise FindspotError(f"Only {size(free)} are free.", how="Make room on the disk.")
    return f"{size(free)} free"


def _jobs(workspace: Workspace) -> str:
    running = workspace.list_jobs(status="running", limit=1000)
    dead = [job for job in running if job.status == "interrupted"]
    said = f"{len(running) - len(dead)} running"
    return said + (f"; {len(dead)} had died and are interrupted now" if dead else "")
