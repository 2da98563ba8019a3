"""A cache on this machine in front of a blob store far away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, TypeVar, runtime_checkable

from findspot.core.digests import Digest, parse_digest
from findspot.core.errors import BlobDamaged, BlobMissing, FindspotError, ReadOnly, StorageFull
from findspot.store.buffers import flat
from findspot.store.cache_room import CacheRoom
from findspot.store.errors import (
    CannotSign,
    NotAFile,
    StoreUnreachable,
    StoreUnreadable,
    write_failures,
)
from findspot.store.local import LocalBlobStore
from findspot.store.locks import locked
from findspot.store.protocol import Blob, BlobStore, BlobWriter, StoredBlob

PATH_GRACE: Final = 30.0
"""Seconds for which a file stays whose path was given out, so that it can be opened in peace."""
_COPY_CHUNK: Final = 8 << 20
_ATTEMPTS: Final = 5

T = TypeVar("T")


@runtime_checkable
class Downloads(Protocol):
    """A store that hands over a blob's bytes as they come, verified at the end."""

    def download(self, digest: Digest, write: Callable[[memoryview], object]) -> Blob: ...


@runtime_checkable
class Signs(Protocol):
    """A store with URLs by which others can fetch its blobs."""

    def presigned(self, digest: Digest, expires_seconds: float = 3600.0) -> str: ...


class CachedBlobStore:
    """The blobs of another store, the ones used last also as files on this machine.

    What counts is the other store: a blob is stored when it is stored there, and `size`, `missing`
    and `list` ask there. Reading a blob that is in the cache asks nobody, so that it also works
    without a connection. Cached bytes are verified as those of a `LocalBlobStore` are; damaged ones
    are fetched again. Many processes may share the folder: one fetches a blob, the others wait.

    When the limit is reached, the blobs used least recently go. Who has one open or mapped keeps
    its bytes. A blob larger than the whole cache is in it only when its `path` is asked for. Where
    the cache's own disk is full or read-only, everything but `path` works without it.

    Args:
        remote: the other store.
        folder: the cache's place on a local disk; nothing else may be in it.
        limit_bytes: what the cached blobs take together at most. It is exceeded only by blobs whose
            paths were given out less than ``path_grace_seconds`` ago, and one being written.
    """

    def __init__(
        self,
        remote: BlobStore,
        folder: Path,
        limit_bytes: int,
        *,
        path_grace_seconds: float = PATH_GRACE,
    ) -> None:
        if limit_bytes < 0:
            raise ValueError(f"A cache of {limit_bytes} bytes cannot be.")
        self.remote, self.limit_bytes = remote, limit_bytes
        self.local = LocalBlobStore(folder)
        self.url = remote.url
        self._room = CacheRoom(self.local, limit_bytes, path_grace_seconds)

    def __repr__(self) -> str:
        return f"CachedBlobStore({self.remote!r}, {str(self.local.root)!r}, {self.limit_bytes})"

    # ----------------------------------------------------------------- writing

    def writer(self, *, size_hint: int | None = None) -> CachedBlobWriter:
        """A writer of a new blob, into both stores at once."""
        wanted = (size_hint or 0) <= self.limit_bytes
        return CachedBlobWriter(
            self.remote.writer(size_hint=size_hint),
            self.local.writer(size_hint=size_hint) if wanted else None,
            self.limit_bytes,
            self._keep,
        )

    def put(self, data: bytes | bytearray | memoryview) -> Blob:
        """Store a whole buffer; it is sent only if the other store does not have it."""
        view = flat(data)
        blob = self.remote.put(view)
        self._keep(blob, lambda: self.local.put(view))
        return blob

    def put_parts(self, parts: Iterable[bytes | bytearray | memoryview]) -> Blob:
        """As `put`, of several buffers in order, as one blob."""
        views = [flat(part) for part in parts]
        blob = self.remote.put_parts(views)
        self._keep(blob, lambda: self.local.put_parts(views))
        return blob

    def put_file(self, path: Path, *, move: bool = False) -> Blob:
        """Store a file's bytes, in constant memory. ``move`` makes the file the cached one where
        it is on the cache's file system."""
        path = Path(path)
        blob = self.remote.put_file(path)
        self._keep(blob, lambda: self.local.put_file(path, move=move))
        if move:
            path.unlink(missing_ok=True)
        return blob

    def _keep(self, blob: Blob, store: Callable[[], Blob]) -> None:
        """Cache a blob that the other store has; never a reason to fail."""
        if blob.size > self.limit_bytes:
            return
        with suppress(StorageFull, ReadOnly, NotAFile):
            self._cache(blob, store)

    def _cache(self, blob: Blob, store: Callable[[], Blob]) -> None:
        with write_failures(str(self.local.root)):
            if self.local.size(blob.digest) != blob.size:
                self._room.take(blob.size)
                try:
                    store()
                except BaseException:
                    self._room.give_back(blob.size)
                    raise
            self._room.touch(blob.digest)

    # ----------------------------------------------------------------- reading

    def read(self, digest: Digest) -> bytes:
        """The verified bytes, from the cache where they are in it."""
        cached = self._cached(digest, self.local.read)
        if cached is not None:
            return cached
        data = self.remote.read(digest)
        self._keep(Blob(digest, len(data)), lambda: self.local.put(data))
        return data

    def open(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """A seekable reader of verified bytes; verified before this call returns."""
        for _ in range(_ATTEMPTS):
            cached = self._cached(digest, self.local.open)
            if cached is not None:
                return cached
            try:
                if not self._fetch(digest, oversized=False):
                    break
            except (StorageFull, ReadOnly):
                break
        return self.remote.open(digest)

    def path(self, digest: Digest) -> Path:
        """A read-only file with the verified bytes, to be opened or mapped soon, never written.

        Raises:
            StorageFull, ReadOnly: the cache's disk cannot take the blob.
        """
        for _ in range(_ATTEMPTS):
            cached = self._cached(digest, self.local.path, hold=True)
            if cached is not None:
                return cached
            self._fetch(digest, oversized=True)
        raise StoreUnreadable(
            str(self.local.root),
            "what is put into the cache is gone or damaged at once",
            how="Give the cache a folder of its own on a healthy disk, and a larger limit.",
        )

    def _cached(
        self, digest: Digest, look: Callable[[Digest], T], *, hold: bool = False
    ) -> T | None:
        """What ``look`` finds in the cache; None, and nothing there, where it has to be fetched."""
        if self.local.size(digest) is None:
            return None
        self._room.touch(digest, hold=hold)  # first, so that nobody evicts it meanwhile
        try:
            return look(digest)
        except (BlobMissing, StoreUnreadable):
            return None
        except BlobDamaged:
            self._drop(digest)
            return None

    def _fetch(self, digest: Digest, *, oversized: bool) -> bool:
        """Bring a blob into the cache; False where it is too large for it."""
        where = f"{self.local.root}/fetching/{digest[7:10]}"
        with write_failures(str(self.local.root)), locked(where):
            if self.local.size(digest) is not None:
                return True  # another process was faster
            size = self.remote.size(digest)
            if size is None:
                raise BlobMissing(digest)
            if size > self.limit_bytes and not oversized:
                return False
            self._cache(Blob(digest, size), lambda: self._download(digest, size))
        return True

    def _download(self, digest: Digest, size: int) -> Blob:
        with self.local.writer(size_hint=size) as writer:
            if isinstance(self.remote, Downloads):
                self.remote.download(digest, writer.write)
            else:
                with self.remote.open(digest) as file:
                    while data := file.read(_COPY_CHUNK):
                        writer.write(data)
            return writer.commit()

    def _drop(self, digest: Digest) -> None:
        size = self.local.size(digest)
        if self.local.delete(digest):
            self._room.forget(digest, size or 0)

    def verify(self, digest: Digest) -> Blob:
        """Read every byte of the other store's blob now and compare; and of the cached one, which
        is dropped if it is damaged."""
        if self.local.size(parse_digest(digest)) is not None:
            try:
                self.local.verify(digest)
            except (BlobMissing, BlobDamaged):
                self._drop(digest)
        return self.remote.verify(digest)

    def presigned(self, digest: Digest, expires_seconds: float = 3600.0) -> str:
        """A URL of the other store by which anybody can fetch the blob until it expires."""
        if not isinstance(self.remote, Signs):
            raise CannotSign(self.url, "it is on no server")
        return self.remote.presigned(digest, expires_seconds)

    # ----------------------------------------------------------------- the store as a whole

    def size(self, digest: Digest) -> int | None:
        """The size in bytes by the other store, or where that cannot be reached, by the cache."""
        try:
            return self.remote.size(digest)
        except StoreUnreachable:
            size = self.local.size(digest)
            if size is None:
                raise
            return size

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those of ``digests`` that the other store does not have."""
        return self.remote.missing(digests)

    def list(self) -> Iterator[StoredBlob]:
        """All blobs of the other store, in no particular order."""
        return self.remote.list()

    def delete(self, digest: Digest) -> bool:
        """Remove a blob from both; False where the other store had none."""
        found = self.remote.delete(digest)
        self._drop(digest)
        return found

    def quarantine(self, digest: Digest) -> bool:
        """Take a blob of the other store out of its listing; what is cached may stay."""
        return self.remote.quarantine(digest)

    def restore(self, digest: Digest) -> bool:
        """Bring a blob of the other store back from quarantine; whether it is stored there now."""
        return self.remote.restore(digest)

    def quarantined(self) -> Iterator[StoredBlob]:
        """All blobs of the other store in quarantine, and since when."""
        return self.remote.quarantined()

    def purge(self, digests: Iterable[Digest], *, older_than: datetime) -> int:
        """Delete for good what the other store has in quarantine since before then; the bytes freed
        there. What is cached goes when its room is needed."""
        return self.remote.purge(digests, older_than=older_than)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the cache's file system; removed at the end of the block."""
        with self.local.scratch() as folder:
            yield folder

    def tidy(self, *, older_than_seconds: float = 86_400.0) -> int:
        """Remove unfinished writes that are older, from both; the number of bytes freed. What the
        cache holds beyond its limit goes too."""
        freed = self.remote.tidy(older_than_seconds=older_than_seconds)
        freed += self.local.tidy(older_than_seconds=older_than_seconds)
        with write_failures(str(self.local.root)):
            self._room.trim()
        return freed


class CachedBlobWriter:
    """Writes to another store, and to the cache as long as it takes it; the former decides.

    Args:
        remote: the other store's writer.
        local: the cache's, or None where the blob is too large for it.
        limit: bytes that the cache can hold.
        keep: makes room for a blob and calls what stores it.
    """

    def __init__(
        self,
        remote: BlobWriter,
        local: BlobWriter | None,
        limit: int,
        keep: Callable[[Blob, Callable[[], Blob]], None],
    ) -> None:
        self._remote, self._local = remote, local
        self._limit, self._keep = limit, keep
        self._size = 0
        self._blob: Blob | None = None

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of ``data``; its length in bytes."""
        count = self._remote.write(data)
        self._size += count
        if self._local is not None:
            if self._size > self._limit:
                self._drop()
            else:
                try:
                    self._local.write(data)
                except FindspotError:  # the cache's disk is full or read-only
                    self._drop()
        return count

    def commit(self) -> Blob:
        """Publish the bytes under their digest in both; calling it again gives the same `Blob`."""
        if self._blob is None:
            self._blob = self._remote.commit()
            if self._local is not None:
                self._keep(self._blob, self._local.commit)
                self._drop()
        return self._blob

    def _drop(self) -> None:
        local, self._local = self._local, None
        if local is not None:
            local.__exit__(None, None, None)

    def __enter__(self) -> CachedBlobWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._drop()
        self._remote.__exit__(kind, error, trace)
