"""Which workspace code works in when it names none."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.location import locate
from findspot.artifacts.settings import FILE_NAME
from findspot.artifacts.space import ArtifactSpace

_opened: dict[tuple[Path, str], tuple[ArtifactSpace, int]] = {}
_lock = threading.Lock()


def current_space() -> ArtifactSpace:
    """The workspace of the running job; else the one that ``FINDSPOT_WORKSPACE`` or the current
    folder leads to. It is opened once a process and stays open; when its folder was removed
    meanwhile, or exchanged for another, it is opened anew."""
    active = ACTIVE.get()
    if active is not None:
        return active.space
    named = os.environ.get("FINDSPOT_WORKSPACE", "")
    folder = locate(None, os.environ).folder
    place = (folder, named)
    try:
        mark = (folder / FILE_NAME).stat().st_ino
    except OSError:
        mark = 0
    with _lock:
        space, before = _opened.get(place, (None, 0))
        if space is None or before not in (0, mark):
            if space is not None:
                space.close()
            space = ArtifactSpace(named or folder)
        if before != mark or place not in _opened:
            _opened[place] = (space, mark)
        return space
