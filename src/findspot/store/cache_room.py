"""The room in a cache: how much of it is taken, which blobs were used last, which have to go.

Processes share a cache by files in its folder alone: ``usage`` is the number of bytes that are
taken, changed under a lock on ``lock``; ``used/ab/cdef...`` is empty and its times say when a blob
was last used (mtime) and until when it is held (atime; nobody reads the file, so that nothing else
sets it). A process that is killed in between leaves a wrong number, which is counted anew within
the hour and whenever room is made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from findspot.core.digests import Digest
from findspot.store.local import LocalBlobStore
from findspot.store.locks import locked

RECOUNT_SECONDS: Final = 3600.0
SLACK: Final = 0.05
"""The part of the limit that is left free when room is made, so that it is not made every time."""
_FORMAT: Final = "1"
_NS: Final = 1_000_000_000


class CacheRoom:
    """Keeps the blobs of ``store`` below a limit by removing those that were used least recently.

    Args:
        store: the cache's own blobs.
        limit: bytes that they may take.
        grace_seconds: how long a blob stays that was given out by its path.
    """

    def __init__(self, store: LocalBlobStore, limit: int, grace_seconds: float) -> None:
        self._store, self._limit = store, limit
        self._grace = int(grace_seconds * _NS)
        self._used = f"{store.root}/used/"
        self._usage = f"{store.root}/usage"
        self._lock = f"{store.root}/lock"

    # ----------------------------------------------------------------- use

    def touch(self, digest: Digest, *, hold: bool = False) -> None:
        """The blob was used now. ``hold``: and its path is given out, which shall stay good for
        as long as it takes to open it."""
        # In a folder that cannot be written to, nothing is evicted either.
        if not hold:
            self._mark(digest, 0)
            return
        with suppress(OSError), self._locked():
            # Whoever makes room has done so before, or sees that the blob is held.
            self._mark(digest, self._grace)

    def _mark(self, digest: Digest, grace: int) -> None:
        path, now = self._marker(digest), time.time_ns()
        until = now + grace
        with suppress(OSError):
            try:
                until = max(until, os.stat(path).st_atime_ns)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
            os.utime(path, ns=(until, now))

    def forget(self, digest: Digest, size: int) -> None:
        """The blob, of that many bytes, is not in the cache any more."""
        with suppress(OSError):
            os.unlink(self._marker(digest))
        self.give_back(size)

    # ----------------------------------------------------------------- room

    def take(self, size: int) -> None:
        """Reserve room for so many bytes to come; others go for it where there is too little.

        What is larger than the whole cache drives nothing out but its like, which goes first.
        """
        with self._locked():
            taken, counted = self._taken()
            if taken + size > self._limit:
                room = size if size <= self._limit else 0
                taken, counted = self._make(room), time.time()
            self._write(taken + size, counted)

    def give_back(self, size: int) -> None:
        """What was reserved did not come, or went."""
        with self._locked():
            taken, counted = self._taken()
            self._write(max(taken - size, 0), counted)

    def trim(self) -> int:
        """Count anew, and remove what is beyond the limit; the bytes taken."""
        with self._locked():
            taken = self._make(0)
            self._write(taken, time.time())
            return taken

    def _make(self, size: int) -> int:
        """Remove blobs until there is room for ``size`` more bytes; the bytes still taken."""
        now = time.time_ns()
        taken, entries = 0, []
        for stored in self._store.list():
            taken += stored.size
            last, held = int(stored.modified.timestamp() * _NS), 0
            with suppress(OSError):
                about = os.stat(self._marker(stored.digest))
                last, held = about.st_mtime_ns, about.st_atime_ns
            if held <= now:
                entries.append((stored.size <= self._limit, last, stored.size, stored.digest))
        if taken + size <= self._limit:
            return taken
        goal = self._limit * (1 - SLACK) - size
        for _, _, bytes_, digest in sorted(entries):
            if taken <= goal:
                break
            self._store.delete(digest)
            with suppress(OSError):
                os.unlink(self._marker(digest))
            taken -= bytes_
        return taken

    def _taken(self) -> tuple[int, float]:
        """The bytes taken, and when they were counted."""
        try:
            with open(self._usage, encoding="ascii") as file:
                version, taken, counted = file.read(100).split()
            if version == _FORMAT and 0 <= time.time() - float(counted) < RECOUNT_SECONDS:
                return int(taken), float(counted)
        except (FileNotFoundError, ValueError):
            pass  # never counted, or written by halves
        return sum(stored.size for stored in self._store.list()), time.time()

    def _write(self, taken: int, counted: float) -> None:
        with open(self._usage, "w", encoding="ascii") as file:
            file.write(f"{_FORMAT} {taken} {counted}\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self._lock):
            yield

    def _marker(self, digest: Digest) -> str:
        return f"{self._used}{digest[7:9]}/{digest[9:]}"
