"""The seam between Findspot and the places where bytes can live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, runtime_checkable

from findspot.core.digests import Digest


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored blob: its digest and its size in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as a listing shows it; `modified` is when it was written."""

    digest: Digest
    size: int
    modified: datetime


class BlobWriter(Protocol):
    """A file-like sink that hashes what is written to it.

    Nothing is visible under any digest before `commit`. Leaving the ``with`` block without a commit
    discards everything.
    """

    def write(self, data: bytes | bytearray | memoryview, /) -> int: ...

    def commit(self) -> Blob:
        """Publish the bytes under their digest, atomically; a blob that exists already stays."""
        ...

    def __enter__(self) -> BlobWriter: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


@runtime_checkable
class BlobStore(Protocol):
    """Bytes under their digests.

    Guarantees of every implementation: a blob is visible whole or not at all; writing bytes that
    are stored already changes nothing; no reader is ever given bytes that differ from their digest
    (`BlobDamaged`); all methods may be called from any thread and process at once.

    Errors: `BlobMissing`, `BlobDamaged`, `StorageFull`, `ReadOnly`.
    """

    url: str
    """Where it is, such as ``file:///data/blobs`` or ``memory://``."""

    def writer(self, *, size_hint: int | None = None) -> BlobWriter:
        """A writer of a new blob."""
        ...

    def put(self, data: bytes | bytearray | memoryview) -> Blob:
        """Store a whole buffer. A buffer that is stored already is hashed once and not written."""
        ...

    def put_parts(self, parts: Iterable[bytes | bytearray | memoryview]) -> Blob:
        """As `put`, of several buffers in order, as one blob, without joining large ones."""
        ...

    def put_file(self, path: Path, *, move: bool = False) -> Blob:
        """Store a file's bytes, in constant memory. ``move`` takes the file itself where possible
        (it must be on the store's file system and nobody else may write to it)."""
        ...

    def read(self, digest: Digest) -> bytes:
        """The verified bytes."""
        ...

    def open(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """A seekable reader of verified bytes."""
        ...

    def path(self, digest: Digest) -> Path | None:
        """A read-only local file with the verified bytes, for memory mapping; None where the store
        has no local files."""
        ...

    def size(self, digest: Digest) -> int | None:
        """The size in bytes; None where no such blob is stored. Does not verify."""
        ...

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those of ``digests`` that are not stored."""
        ...

    def verify(self, digest: Digest) -> Blob:
        """Read every byte now and compare, whatever was verified before."""
        ...

    def list(self) -> Iterator[StoredBlob]:
        """All blobs, in no particular order."""
        ...

    def delete(self, digest: Digest) -> bool:
        """Remove a blob; False where there was none."""
        ...

    def quarantine(self, digest: Digest) -> bool:
        """Take a blob out of the listing, to be deleted later by `purge`; False where there was
        none. To ask for it (`read`, `open`, `path`, `size`, `missing`, `verify`) brings it back; to
        store its bytes makes it a blob as any other. It is never in neither place."""
        ...

    def restore(self, digest: Digest) -> bool:
        """Bring a blob back from quarantine; whether it is stored now."""
        ...

    def quarantined(self) -> Iterator[StoredBlob]:
        """All blobs in quarantine; `modified` is since when. One may be stored besides."""
        ...

    def purge(self, digests: Iterable[Digest], *, older_than: datetime) -> int:
        """Delete for good those of ``digests`` that are in quarantine since before then; the number
        of bytes freed. What is stored besides stays."""
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """An empty folder for files in the making, on the store's file system where it has one;
        removed at the end. A folder left by a killed process is removed later by `tidy`."""
        ...

    def tidy(self, *, older_than_seconds: float = 86_400.0) -> int:
        """Remove unfinished writes that are older; the number of bytes freed."""
        ...
