"""Whether a write failed for want of room, where SQLite only says that it failed."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Final

LOW: Final = 256 << 10
"""Bytes. SQLite writes pages of 4 KiB, and grows its shared memory by 32 KiB."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def why_no_room(files: list[Path]) -> str | None:
    """How to mend it if some of the files cannot grow: the disk, a quota or this process's limit
    on the size of files is reached; None where that is not so.

    Args:
        files: of one folder, the first of them the one that people know.
    """
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit != resource.RLIM_INFINITY and max(map(_size, files)) + LOW > limit:
        return (
            f"This process may write no file of over {limit} bytes: raise the limit (ulimit -f), "
            "and try again."
        )
    folder = files[0].parent
    try:
        room = os.statvfs(folder)
    except OSError:
        return None  # the folder is gone, which is another failure
    # File systems without a fixed number of files say 0 of 0.
    if room.f_bavail * room.f_frsize < LOW or (room.f_files and not room.f_favail):
        return "Free some space, or move the workspace to a larger disk, and try again."
    return "Free some space in your quota, and try again." if _over_quota(folder) else None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _over_quota(folder: Path) -> bool:
    """Whether not even a small file without a name can be written; quotas show in no other way."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        return error.errno in _FULL
    try:
        os.posix_fallocate(descriptor, 0, LOW)
    except OSError as error:
        return error.errno in _FULL
    finally:
        os.close(descriptor)
    return False
