"""Files whose bytes are to be stored: regular ones only, opened without following links."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from findspot.store.errors import NotAFile

# O_NONBLOCK: opening a pipe must not wait for somebody to write to it.
READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NOT_REGULAR: Final = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO})
"""What opening a link, a socket or the like with `READ_FLAGS` says."""

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


@contextmanager
def open_source(path: Path) -> Iterator[int]:
    """A descriptor of the regular file at ``path``, open for reading; else `NotAFile`."""
    try:
        fd = os.open(path, READ_FLAGS)
    except FileNotFoundError:
        raise NotAFile(path, "there is no such file") from None
    except OSError as error:
        if error.errno in NOT_REGULAR:
            raise NotAFile(path, f"it is {kind_of(path)}") from None
        raise NotAFile(path, error.strerror or str(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotAFile(path, f"it is {kind_of(path)}")
        yield fd
    finally:
        os.close(fd)


def kind_of(path: str | os.PathLike[str]) -> str:
    """What stands at ``path`` that is no regular file, in words."""
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        return error.strerror or "unreadable"
    return next((name for test, name in _KINDS if test(mode)), "a special file")
