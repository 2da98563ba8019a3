"""Mistakes and failures of blob stores, and the one place where system errors become them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from findspot.core.errors import FindspotError, ReadOnly, StorageFull

# EFBIG: the file system, or the process's limit, allows no file of this size.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class UnknownStore(FindspotError):
    """No blob store can be opened under a URL."""

    exit_code = 2

    def __init__(self, url: str, reason: str, known: Sequence[str]) -> None:
        self.url, self.reason, self.known = url, reason, tuple(known)
        super().__init__(
            f"{url[:200]!r} is no blob store: {reason}.",
            how=f"Give a folder's path or one of: {', '.join(self.known)}.",
        )


class NotAFile(FindspotError):
    """A path whose bytes were to be stored is no readable, regular file."""

    exit_code = 2

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        self.path, self.reason = os.fspath(path), reason
        super().__init__(
            f"It cannot be stored: {reason}.",
            where=self.path,
            how="Give the path of a regular file that you may read.",
        )


class StoreUnreadable(FindspotError):
    """The blob store exists but the system refuses to let this process read it."""

    exit_code = 6

    def __init__(self, where: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The blob store cannot be read: {reason}.",
            where=where,
            how="Check the permissions of the folder, and that its disk is mounted and healthy.",
        )


def write_failure(error: OSError, where: str) -> FindspotError | OSError:
    """What to raise for ``error`` from a write: `StorageFull`, `ReadOnly` or ``error`` itself."""
    if error.errno in _FULL:
        return StorageFull(where)
    if error.errno in _READ_ONLY:
        return ReadOnly(where)
    return error


@contextmanager
def write_failures(where: str) -> Iterator[None]:
    """Inside it, a failed write is raised as `StorageFull` or `ReadOnly`."""
    try:
        yield
    except OSError as error:
        failure = write_failure(error, where)
        if failure is error:
            raise
        raise failure from error
