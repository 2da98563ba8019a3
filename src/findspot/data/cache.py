"""Local copies of remote items, kept between processes for some days.

Each copy lies under a name made of the item's URL and its state (etag, size, time), so a copy is
never taken for another state. It counts only while it is as it was written.
"""

from __future__ import annotations

import atexit
import getpass
import json
import os
import secrets
import shutil
import stat as modes
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from findspot.core.digests import Digest, hash_bytes, parse_digest
from findspot.core.errors import FindspotError
from findspot.data.local_files import local_error
from findspot.data.protocol import ItemStat, Source
from findspot.data.transfer import copy_into
from findspot.data.urls import safe_file_name

KEPT = 7 * 86400.0
"""Seconds after its last use that a copy is kept."""

_NOTE = ".copy.json"


@dataclass(frozen=True, slots=True)
class Copy:
    """A local copy of the whole item."""

    path: Path
    stat: ItemStat
    digest: Digest


def copy_of(source: Source, stat: ItemStat) -> Copy:
    """The local copy of an item in the state ``stat``; downloaded where there is none yet."""
    folder = cache_folder()
    if not stat.recognisable:
        # No other reader could tell what it is of, so it goes with this process.
        place = folder / secrets.token_hex(16)
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        return _download(source, place, stat)
    place = folder / _place(source, stat)
    found = _existing(place, source, stat)
    return found or _download(source, place, stat)


def cache_folder() -> Path:
    """This user's folder of copies, which nobody else may look into or write to."""
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    folder = Path(tempfile.gettempdir()) / f"findspot-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise local_error(error, str(folder)) from error
    foreign = hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022)
    if not modes.S_ISDIR(found.st_mode) or foreign:
        raise FindspotError(
            "The folder for local copies belongs to somebody else, or others may write to it.",
            where=str(folder),
            how="Remove it, or set TMPDIR to a folder of your own.",
        )
    return folder


def _place(source: Source, stat: ItemStat) -> str:
    modified = stat.modified.isoformat() if stat.modified else ""
    state = f"{source.identity}\0{stat.etag}\0{stat.size}\0{modified}"
    return hash_bytes(state.encode("utf-8", "surrogatepass")).partition(":")[2][:32]


def _existing(place: Path, source: Source, stat: ItemStat) -> Copy | None:
    path = place / safe_file_name(source.name)
    try:
        note = json.loads((place / _NOTE).read_bytes())
        found = path.stat()
        if [found.st_size, found.st_mtime_ns] != note["file"]:
            return None
        digest = parse_digest(note["digest"])
        os.utime(place)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Copy(path, stat, digest)


def _download(source: Source, place: Path, stat: ItemStat) -> Copy:
    prune(place.parent)
    draft = place.with_name(f"{place.name}.{secrets.token_hex(6)}.tmp")
    name = safe_file_name(source.name)
    try:
        draft.mkdir(mode=0o700)
        with (draft / name).open("xb") as sink:
            transfer = copy_into(source, sink)
        assert transfer.digest is not None
        assert transfer.stat is not None
        (draft / name).chmod(0o444)
        found = (draft / name).stat()
        note = {"file": [found.st_size, found.st_mtime_ns], "digest": transfer.digest}
        (draft / _NOTE).write_text(json.dumps(note))
        if stat.recognisable and stat.differs(transfer.stat):
            # It was replaced between the two requests: the copy is of the newer state.
            place = place.with_name(_place(source, transfer.stat))
        copy = Copy(place / name, transfer.stat, transfer.digest)
        return _moved(draft, copy, source)
    except OSError as error:
        raise local_error(error, str(place)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _moved(draft: Path, copy: Copy, source: Source) -> Copy:
    """``draft`` under its final name; a good copy that another process made meanwhile is used
    instead, a spoilt one makes way."""
    place = copy.path.parent
    try:
        draft.rename(place)
    except OSError:
        other = _existing(place, source, copy.stat)
        if other is not None:
            return other
        spoilt = place.with_name(f"{place.name}.{secrets.token_hex(6)}.tmp")
        place.rename(spoilt)
        draft.rename(place)
        shutil.rmtree(spoilt, ignore_errors=True)
    return copy


def prune(folder: Path, kept: float = KEPT) -> None:
    """Remove the copies that nobody used for ``kept`` seconds."""
    oldest = time.time() - kept
    try:
        with os.scandir(folder) as listing:
            stale = [entry.path for entry in listing if entry.stat().st_mtime < oldest]
    except OSError:
        return
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
