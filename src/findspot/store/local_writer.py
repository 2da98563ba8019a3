"""The writer of `LocalBlobStore`: hashes while it writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Final

from findspot.core.digests import Digest, Hasher
from findspot.store.buffers import CORES, LARGE, BackgroundHash, flat, reserve
from findspot.store.errors import write_failures
from findspot.store.protocol import Blob
from findspot.store.unfinished import Unfinished, UnfinishedFile

IN_MEMORY: Final = 1 << 20
WRITE_CHUNK: Final = 8 << 20
# With two cores one writes and one hashes; more of them can hash together.
_HASH_THREADS: Final = 1 if CORES <= 2 else CORES - 1


def write_all(fd: int, view: memoryview, offset: int) -> None:
    """Write all of ``view`` at ``offset``, in chunks that an interrupt can come between."""
    if view.nbytes >= LARGE:
        reserve(fd, offset, view.nbytes)
    done = 0
    while done < view.nbytes:
        done += os.pwrite(fd, view[done : done + WRITE_CHUNK], offset + done)


class LocalBlobWriter:
    """Nothing is visible before `commit`; the folder's disk holds at most one unfinished file.

    The first MiB stays in memory, so that a small blob is one write. Every buffer is used up when
    `write` returns: the caller may change it then, but not before.

    Args:
        unfinished: where the file is made.
        where: the store's place, for errors.
        publish: gives the finished file its name.
        put_small: stores a blob that never left memory.
        size_hint: how many bytes are to come, if known.
    """

    def __init__(
        self,
        unfinished: Unfinished,
        where: str,
        publish: Callable[[UnfinishedFile, Digest, int], Blob],
        put_small: Callable[[memoryview], Blob],
        size_hint: int | None = None,
    ) -> None:
        self._unfinished, self._where = unfinished, where
        self._publish, self._put_small = publish, put_small
        self._hint = size_hint or 0
        self._buffer = bytearray()
        self._file: UnfinishedFile | None = None
        self._hasher: Hasher | None = None
        self._flushed = 0
        self._reserved = 0
        self._blob: Blob | None = None
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of ``data``; its length in bytes. A failed write ends the writer."""
        if self._closed:
            raise ValueError("This blob writer has ended; open a new one.")
        view = flat(data)
        count = view.nbytes
        if len(self._buffer) + count < IN_MEMORY:
            self._buffer += view
            return count
        try:
            with write_failures(self._where):
                self._flush()
                if count < IN_MEMORY:
                    self._buffer += view
                else:
                    self._store(view)
        except BaseException:
            self._discard()
            raise
        return count

    def commit(self) -> Blob:
        """Publish the bytes under their digest, atomically; a blob that exists already stays.

        After it the writer takes nothing more; calling it again gives the same `Blob`.
        """
        if self._blob is not None:
            return self._blob
        if self._closed:
            raise ValueError("This blob writer has ended without a commit; open a new one.")
        try:
            with write_failures(self._where):
                if self._file is None:
                    self._blob = self._put_small(memoryview(self._buffer))
                else:
                    self._flush()
                    self._blob = self._finish(self._file)
        finally:
            self._discard()
        return self._blob

    def _finish(self, file: UnfinishedFile) -> Blob:
        assert self._hasher is not None
        if self._reserved > self._flushed:
            os.ftruncate(file.fd, self._flushed)
        return self._publish(file, self._hasher.digest(), self._flushed)

    def _flush(self) -> None:
        if self._buffer:
            buffer, self._buffer = self._buffer, bytearray()
            self._store(memoryview(buffer))

    def _store(self, view: memoryview) -> None:
        if self._file is None:
            self._file = self._unfinished.file()
            self._hasher = Hasher(threads=_HASH_THREADS)
            if self._hint >= LARGE:
                reserve(self._file.fd, 0, self._hint)
                self._reserved = self._hint
        assert self._hasher is not None
        if view.nbytes < LARGE:
            write_all(self._file.fd, view, self._flushed)
            self._hasher.update(view)
        else:
            hashing = BackgroundHash(self._hasher, view)
            try:
                write_all(self._file.fd, view, self._flushed)
            finally:
                hashing.wait()
        self._flushed += view.nbytes

    def _discard(self) -> None:
        self._closed = True
        self._buffer = bytearray()
        if self._file is not None:
            self._file.discard()

    def __enter__(self) -> LocalBlobWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._discard()
