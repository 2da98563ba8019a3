"""Mistakes and failures of blob stores, and the one place where system errors become them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from findspot.core.errors import FindspotError, ReadOnly, StorageFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TOO_LARGE = (
    "The file system, or this process's limit (ulimit -f), allows no file of this size: raise the "
    "limit, or move the workspace, and try again."
)
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

KNOWN_STORES: Final = (
    *("file:///<folder>", "memory://", "memory://<name>"),
    *("s3://<bucket>/<prefix>", "gs://<bucket>/<prefix>", "az://<container>/<prefix>"),
)


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

    def __init__(self, where: str, reason: str, *, how: str | None = None) -> None:
        self.reason = reason
        super().__init__(
            f"The blob store cannot be read: {reason}.",
            where=where,
            how=how
            or "Check the permissions of the folder, and that its disk is mounted and healthy.",
        )


class StoreUnreachable(FindspotError):
    """No answer, or none that helps, comes from where the blob store should be.

    Args:
        where: the store's URL.
        endpoint: the server that was asked.
        reason: what went wrong there.
        how: how to mend it.
    """

    exit_code = 6

    def __init__(self, where: str, endpoint: str, reason: str, *, how: str) -> None:
        self.endpoint, self.reason = endpoint, reason
        super().__init__(
            f"The blob store cannot be reached at {endpoint}: {reason}.", where=where, how=how
        )


class WriteRefused(ReadOnly):
    """The server refuses to let these credentials write; nothing was saved."""

    def __init__(self, where: str, reason: str, *, how: str) -> None:
        self.reason = reason
        FindspotError.__init__(
            self,
            f"The blob store refuses to be written to ({reason}); nothing was saved.",
            where=where,
            how=how,
        )


class ExtraMissing(FindspotError):
    """A kind of blob store needs a library that is not installed."""

    exit_code = 2

    def __init__(self, url: str, library: str, extra: str) -> None:
        self.url, self.library, self.extra = url, library, extra
        super().__init__(
            f"The blob store {url!r} needs the library {library}, which is not installed.",
            how=f"Install it: pip install 'findspot[{extra}]'",
        )


class CannotSign(FindspotError):
    """A blob store has no URLs that others could fetch its blobs by."""

    exit_code = 2

    def __init__(self, where: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"No URL can be signed: {reason}.",
            where=where,
            how="Use a store on S3, GCS or Azure with credentials that can sign.",
        )


def write_failure(error: OSError, where: str) -> FindspotError | OSError:
    """What to raise for ``error`` from a write: `StorageFull`, `ReadOnly` or ``error`` itself."""
    if error.errno == errno.EFBIG:
        return StorageFull(where, how=_TOO_LARGE)
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
