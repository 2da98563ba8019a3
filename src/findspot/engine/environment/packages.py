"""The packages that this Python can import, by the names of their metadata folders."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

_SEPARATORS = re.compile(r"[-_.]+")
_EGG = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[\d.]+)?(-.*)?\.egg-info")
_FRESH = 2_000_000_000

_known: dict[str, tuple[int, dict[str, str]]] = {}


def installed_packages(path: Iterable[str] | None = None) -> dict[str, str]:
    """Normalised name and version of every package that can be imported, the first one found.

    No file of a package is read where its folder's name tells both, so that hundreds of packages
    take about a millisecond; a folder of the path is read again only when it has changed.

    Args:
        path: the folders and archives to look in; ``sys.path`` by default.

    >>> "blake3" in installed_packages()
    True
    """
    found: dict[str, str] = {}
    for entry in list(sys.path) if path is None else path:
        for name, version in _packages_in(entry or os.curdir).items():
            found.setdefault(name, version)
    return dict(sorted(found.items()))


def _packages_in(entry: str) -> dict[str, str]:
    folder = os.path.abspath(entry)
    try:
        changed = os.stat(folder).st_mtime_ns
        known = _known.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        found = _read_folder(folder) if os.path.isdir(folder) else _read_archive(folder)
    except OSError:
        # Entries of the path need not exist, nor be readable.
        return {}
    # The clock of a file system is coarse: a folder changed just now may change again unseen.
    if time.time_ns() - changed > _FRESH:
        _known[folder] = (changed, found)
    return found


def _read_folder(folder: str) -> dict[str, str]:
    found: dict[str, str] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            # A tilde is what an interrupted installation leaves in front of the name.
            if name.startswith("~"):
                continue
            if name.endswith(".dist-info"):
                project, _, version = name.removesuffix(".dist-info").rpartition("-")
            elif name.endswith(".egg-info"):
                project, version = _read_egg(Path(entry.path))
            else:
                continue
            if project and version:
                found.setdefault(_normal(project), version)
    return found


def _read_egg(path: Path) -> tuple[str, str]:
    if match := _EGG.fullmatch(path.name):
        return match["name"], match["version"]
    try:
        with (path / "PKG-INFO").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("Version:"):
                    return path.name.removesuffix(".egg-info"), line.partition(":")[2].strip()
    except OSError:
        # Half-removed: nothing that could be imported.
        return "", ""
    return "", ""


def _read_archive(path: str) -> dict[str, str]:
    from importlib.metadata import distributions

    return {_normal(package.name): package.version for package in distributions(path=[path])}


def _normal(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()
