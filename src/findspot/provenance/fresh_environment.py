"""A new virtual environment with the packages that a job was recorded with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SECONDS = 3600
_LAST_LINES = 15
_UNAVAILABLE = re.compile(r"No matching distribution found for (\S+)")
# The environment brings its own pip; ours is the running Findspot, whatever version it is.
_LEFT_OUT = frozenset({"pip", "findspot"})


@dataclass(frozen=True, slots=True)
class FreshEnvironment:
    """What became of it.

    Args:
        python: its interpreter; None where it could not be made.
        path: folders to import from besides: the running Findspot.
        problem: why it could not be made; "" where it was.
        notes: what is not as it was recorded, as sentences.
    """

    python: Path | None
    path: tuple[str, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()


def make_environment(folder: Path, document: Mapping[str, Any]) -> FreshEnvironment:
    """A virtual environment in ``folder``; what cannot be had is said, not raised.

    Packages are installed by pip in the recorded versions, each by itself: what they depend on is
    recorded too.

    Args:
        document: of the environment, as jobs record it.
    """
    notes = []
    recorded = str((document.get("python") or {}).get("version"))
    running = ".".join(map(str, sys.version_info[:3]))
    if recorded != running:
        notes.append(f"It was made with Python {recorded}; the new environment has {running}.")
    packages = dict(document.get("packages") or {})
    local = {name for name in packages if _is_local(name, packages[name])}
    notes += [
        f"The package {name} was installed from a folder; it is imported from there as it is now."
        for name in sorted(local - _LEFT_OUT)
    ]
    wanted = [f"{n}=={v}" for n, v in packages.items() if n not in local | _LEFT_OUT]
    problem = _run([sys.executable, "-m", "venv", os.fspath(folder)], "make an environment")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not problem and wanted:
        listing = folder / "recorded.txt"
        listing.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        command = [os.fspath(python), "-m", "pip", "install", *quiet, "-r", os.fspath(listing)]
        problem = _run(command, "install the recorded packages")
    if problem:
        return FreshEnvironment(None, problem=problem, notes=tuple(notes))
    return FreshEnvironment(python, (_own_folder(folder),), notes=tuple(notes))


def _own_folder(folder: Path) -> str:
    """A folder that holds this Findspot and nothing else to be imported."""
    place = folder / "findspot-source"
    place.mkdir()
    (place / "findspot").symlink_to(
        Path(__file__).resolve().parent.parent, target_is_directory=True
    )
    return os.fspath(place)


def _is_local(name: str, version: str) -> bool:
    """Whether a package of that version is installed here from a folder (editable, say)."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = distribution(name)
    except PackageNotFoundError:
        return False
    text = found.read_text("direct_url.json")
    return found.version == version and bool(text) and "dir_info" in json.loads(text or "{}")


def _run(command: list[str], what: str) -> str:
    """Run a program; "" where it went well, else what it said."""
    environment = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Could not {what}: {error}"
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip()
    unavailable = _UNAVAILABLE.findall(said)
    if unavailable:
        return f"Could not {what}: {', '.join(unavailable)} cannot be had from the package index."
    return f"Could not {what}:\n" + "\n".join(said.splitlines()[-_LAST_LINES:])
