"""The facts about a machine and its software that figures depend on; nothing that identifies it."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from benchmarks.peer_process import installed, pinned

LIBRARIES = (
    "findspot",
    "joblib",
    "apache-hamilton",
    "numpy",
    "pandas",
    "pyarrow",
    "blake3",
    "sqlalchemy",
)


def facts(folder: Path) -> dict[str, str]:
    """Processor, memory, file system of ``folder``, Python and library versions."""
    import sqlite3

    import psutil

    found = {
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "processor": _processor(),
        "cores": f"{os.cpu_count()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "file system": _file_system(folder),
        "load before": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
    }
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return {**found, **{name: installed().get(name, "not installed") for name in pinned()}}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _file_system(folder: Path) -> str:
    import psutil

    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    here = folder.resolve()
    return next((mounts[path] for path in (here, *here.parents) if path in mounts), "unknown")
