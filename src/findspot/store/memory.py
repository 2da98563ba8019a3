"""Blobs in the memory of this process."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from findspot.core.digests import Digest, parse_digest
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.store.buffers import flat, hash_buffer
from findspot.store.protocol import Blob, StoredBlob
from findspot.store.sources import open_source


class MemoryBlobStore:
    """Bytes under their digests, for as long as this object lives; the guarantees of `BlobStore`.

    For tests and for work of which nothing is to stay. A forked process has a copy of its own.

    >>> store = MemoryBlobStore()
    >>> store.read(store.put(b"sherds").digest)
    b'sherds'
    """

    def __init__(self, name: str = "") -> None:
        self.url = f"memory://{name}"
        # Only single operations on the dictionary are used, so that no lock is needed, except to
        # move a blob to quarantine or back.
        self._blobs: dict[Digest, tuple[bytes, datetime]] = {}
        self._waiting: dict[Digest, tuple[bytes, datetime]] = {}
        self._moving = threading.Lock()

    def __repr__(self) -> str:
        return f"MemoryBlobStore({self.url.removeprefix('memory://')!r})"

    def writer(self, *, size_hint: int | None = None) -> MemoryBlobWriter:
        """A writer of a new blob. ``size_hint`` changes nothing."""
        return MemoryBlobWriter(self)

    def put(self, data: bytes | bytearray | memoryview) -> Blob:
        """Store a whole buffer. A buffer that is stored already is hashed once and not copied."""
        view = flat(data)
        digest = hash_buffer(view)
        stored = self._blobs.get(digest)
        # A blob that was damaged is mended.
        if stored is None or hash_buffer(memoryview(stored[0])) != digest:
            self._blobs[digest] = bytes(view), datetime.now(UTC)
        return Blob(digest, view.nbytes)

    def put_parts(self, parts: Iterable[bytes | bytearray | memoryview]) -> Blob:
        """As `put`, of several buffers in order, as one blob."""
        return self.put(b"".join(flat(part) for part in parts))

    def put_file(self, path: Path, *, move: bool = False) -> Blob:
        """Store a file's bytes; `NotAFile` for links, folders, pipes and what cannot be read.
        ``move`` removes the file afterwards."""
        path = Path(path)
        with open_source(path) as fd, open(fd, "rb", closefd=False) as file:
            blob = self.put(file.read())
        if move:
            os.unlink(path)
        return blob

    def read(self, digest: Digest) -> bytes:
        """The verified bytes; they are hashed at every read."""
        stored = self._stored(digest)
        if stored is None:
            raise BlobMissing(digest)
        data, _ = stored
        found = hash_buffer(memoryview(data))
        if found != digest:
            raise BlobDamaged(digest, found, where=self.url)
        return data

    def open(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """A seekable reader of verified bytes."""
        return io.BytesIO(self.read(digest))

    def path(self, digest: Digest) -> None:
        """None: there are no files."""

    def size(self, digest: Digest) -> int | None:
        """The size in bytes; None where no such blob is stored. Does not verify."""
        stored = self._stored(digest)
        return None if stored is None else len(stored[0])

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those of ``digests`` that are not stored."""
        return {digest for digest in digests if self.size(digest) is None}

    def verify(self, digest: Digest) -> Blob:
        """Hash every byte now and compare."""
        return Blob(digest, len(self.read(digest)))

    def list(self) -> Iterator[StoredBlob]:
        """All blobs there are at the call, in no particular order."""
        for digest, (data, modified) in self._blobs.copy().items():
            yield StoredBlob(digest, len(data), modified)

    def delete(self, digest: Digest) -> bool:
        """Remove a blob; False where there was none."""
        with self._moving:
            stored = self._blobs.pop(parse_digest(digest), None)
            waiting = self._waiting.pop(digest, None)
        return (stored or waiting) is not None

    def _stored(self, digest: Digest) -> tuple[bytes, datetime] | None:
        stored = self._blobs.get(parse_digest(digest))
        if stored is None and self.restore(digest):
            stored = self._blobs.get(digest)
        return stored

    def quarantine(self, digest: Digest) -> bool:
        """Take a blob out of the listing, to be deleted later; False where there was none."""
        with self._moving:
            stored = self._blobs.pop(parse_digest(digest), None)
            if stored is not None:
                self._waiting[digest] = stored[0], datetime.now(UTC)
        return stored is not None

    def restore(self, digest: Digest) -> bool:
        """Bring a blob back from quarantine; whether it is stored now."""
        with self._moving:
            waiting = self._waiting.get(parse_digest(digest))
            if waiting is not None:
                self._blobs.setdefault(digest, waiting)
                del self._waiting[digest]
            return digest in self._blobs

    def quarantined(self) -> Iterator[StoredBlob]:
        """All blobs in quarantine, and since when."""
        for digest, (data, since) in self._waiting.copy().items():
            yield StoredBlob(digest, len(data), since)

    def purge(self, digests: Iterable[Digest], *, older_than: datetime) -> int:
        """Delete for good those that are in quarantine since before then; the bytes freed."""
        freed = 0
        for digest in digests:
            with self._moving:
                waiting = self._waiting.get(parse_digest(digest))
                if waiting is not None and waiting[1] < older_than:
                    del self._waiting[digest]
                    freed += len(waiting[0])
        return freed

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder in the system's place for temporary files; removed at the end."""
        with tempfile.TemporaryDirectory(prefix="findspot-") as folder:
            yield Path(folder)

    def tidy(self, *, older_than_seconds: float = 86_400.0) -> int:
        """0: what was not committed went with its writer."""
        return 0


class MemoryBlobWriter:
    """Nothing is visible before `commit`."""

    def __init__(self, store: MemoryBlobStore) -> None:
        self._store = store
        self._buffer = bytearray()
        self._blob: Blob | None = None
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of ``data``; its length in bytes."""
        if self._closed:
            raise ValueError("This blob writer has ended; open a new one.")
        view = flat(data)
        self._buffer += view
        return view.nbytes

    def commit(self) -> Blob:
        """Publish the bytes under their digest; calling it again gives the same `Blob`."""
        if self._blob is None:
            if self._closed:
                raise ValueError("This blob writer has ended without a commit; open a new one.")
            self._blob = self._store.put(self._buffer)
            self._discard()
        return self._blob

    def _discard(self) -> None:
        self._closed = True
        self._buffer = bytearray()

    def __enter__(self) -> MemoryBlobWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._discard()


_shared: dict[str, MemoryBlobStore] = {}


def shared_memory_store(name: str) -> MemoryBlobStore:
    """The store of that name in this process; made when it is first asked for."""
    return _shared.setdefault(name, MemoryBlobStore(name))
