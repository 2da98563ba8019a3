"""Which workspace code works in when it names none."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.location import locate
from findspot.artifacts.space import ArtifactSpace

_opened: dict[tuple[Path, str], ArtifactSpace] = {}
_lock = threading.Lock()


def current_space() -> ArtifactSpace:
    """The workspace of the running job; else the one that ``FINDSPOT_WORKSPACE`` or the current
    folder leads to. It is opened once a process and stays open."""
    active = ACTIVE.get()
    if active is not None:
        return active.space
    named = os.environ.get("FINDSPOT_WORKSPACE", "")
    place = (locate(None, os.environ).folder, named)
    with _lock:
        space = _opened.get(place)
        if space is None:
            space = _opened[place] = ArtifactSpace(named or place[0])
        return space
