"""Blobs as objects in a bucket: S3, GCS, Azure, and what speaks as they do."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from findspot.core.digests import Digest, Hasher, parse_digest
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.store.buffers import flat, hash_buffer, hash_open_file, hash_parts
from findspot.store.errors import CannotSign, StoreUnreadable, write_failures
from findspot.store.object_clients import check_process, new_client, parse_place, require_obstore
from findspot.store.object_errors import (
    Absent,
    AlreadyThere,
    Changed,
    NotConditional,
    object_failures,
)
from findspot.store.object_keys import (
    BLOBS,
    COPY_LIMIT,
    TEMPORARY,
    blob_key,
    digest_at,
    quarantine_key,
    temporary_key,
)
from findspot.store.object_marks import chunks, file_parts, mark_of_one, marks
from findspot.store.object_quarantine import ObjectQuarantine
from findspot.store.object_transfers import PART, Transfers
from findspot.store.object_writer import ObjectBlobWriter
from findspot.store.protocol import Blob, StoredBlob
from findspot.store.s3_uploads import UnfinishedUploads
from findspot.store.sources import open_source
from findspot.store.unfinished import Unfinished

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SENT_AT_ONCE: Final = 64 << 10
"""A blob of at most so many bytes is sent without asking first whether it is there."""
LONGEST_SIGNED: Final = 7 * 86_400
"""Seconds for which a signed URL can be valid at most."""
_ASK_PARALLEL: Final = 16
_REMEMBERED: Final = 65_536

T = TypeVar("T")


class _FileChanged(Exception):
    """A file was written to between its hash and its upload."""


class ObjectBlobStore:
    """Bytes under their digests, in a bucket; the guarantees of `BlobStore` hold for all its users.

    Credentials, endpoint and region come from the usual environment variables. Every download is
    hashed as it comes. What is stored already is not sent again; storing bytes whose blob was
    damaged mends it. Extra memory is bounded, except where bytes are asked for as bytes.

    Keys: ``blake3/ab/cdef...`` the blobs; ``quarantine/ab/cdef...`` those that nobody needs, before
    they are deleted; ``tmp/...`` uploads whose digest is not known yet. A
    killed process may leave a temporary object, or an upload in parts that nobody sees: `tidy`
    removes both (on S3; elsewhere, and where there are no keys in the environment, let a lifecycle
    rule of the bucket abort unfinished uploads).

    Args:
        url: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``.
        client: a client of obstore to use in place of one made for ``url``.
        retries: how often a request that failed is sent again, with growing pauses.
        scratch_folder: a folder on this machine for files in the making.

    Raises:
        UnknownStore: ``url`` is no such URL.
        ExtraMissing: obstore is not installed.
        StoreUnreachable: (by every method) there is no answer, or there is no such bucket.
        StoreUnreadable, WriteRefused: (by every method) the credentials do not suffice.
    """

    def __init__(
        self,
        url: str,
        *,
        client: ObjectStore | None = None,
        retries: int = 5,
        scratch_folder: Path | None = None,
    ) -> None:
        self._place = parse_place(url)
        require_obstore(url)
        self.url = self._place.url
        self._given, self._retries, self._scratch_folder = client, retries, scratch_folder
        self._made: Transfers | None = None
        self._conditional = True
        self._bucket_seen = False
        # Marks of objects whose bytes this process has sent or compared.
        self._good: dict[Digest, str] = {}

    def __repr__(self) -> str:
        return f"ObjectBlobStore({self.url!r})"

    def __reduce__(self) -> tuple[Callable[..., ObjectBlobStore], tuple[object, ...]]:
        return _again, (self.url, self._given, self._retries, self._scratch_folder)

    @property
    def _transfers(self) -> Transfers:
        check_process(self.url)
        if self._made is None:
            writer = self._given or new_client(self._place, retries=self._retries)
            reader = self._given or new_client(self._place, retries=self._retries, reading=True)
            self._made = Transfers(writer, reader, self._place, retries=self._retries)
        return self._made

    @property
    def _quarantine(self) -> ObjectQuarantine:
        return ObjectQuarantine(self._transfers)

    # ----------------------------------------------------------------- writing

    def writer(self, *, size_hint: int | None = None) -> ObjectBlobWriter:
        """A writer of a new blob. ``size_hint`` (bytes) is needed above 160 GB; else it may be
        wrong."""
        client = self._transfers.client
        return ObjectBlobWriter(self, client, self._place, temporary_key(), size_hint)

    def put(self, data: bytes | bytearray | memoryview) -> Blob:
        """Store a whole buffer, which must not change meanwhile: hashed once, and sent only if it
        is not stored.

        >>> from obstore.store import MemoryStore
        >>> store = ObjectBlobStore("s3://bucket/blobs", client=MemoryStore())
        >>> store.read(store.put(b"sherds").digest)
        b'sherds'
        """
        view = flat(data)
        digest = hash_buffer(view)
        if view.nbytes <= PART:
            self._put_one(digest, view)
        elif not self._is_whole(digest, view.nbytes, lambda: marks(chunks(view), view.nbytes)):
            mark = self._transfers.put_parts(blob_key(digest), chunks(view), view.nbytes)
            self._remember(digest, mark)
        return Blob(digest, view.nbytes)

    def put_parts(self, parts: Iterable[bytes | bytearray | memoryview]) -> Blob:
        """As `put`, of several buffers in order, as one blob, without joining large ones."""
        views = [flat(part) for part in parts]
        size = sum(view.nbytes for view in views)
        if size <= PART:
            return self.put(b"".join(views))
        digest = hash_parts(views, size)
        if not self.missing([digest]):
            return Blob(digest, size)
        with self.writer(size_hint=size) as writer:
            for view in views:
                writer.write(view)
            return writer.commit()

    def put_file(self, path: Path, *, move: bool = False) -> Blob:
        """Store a file's bytes, in constant memory: those that were read, whatever changes later.

        The file is hashed first and sent only if it is not stored.

        Args:
            path: a regular file; `NotAFile` for links, folders, pipes and what cannot be read.
            move: remove the file when it is stored. Nobody else may write to it meanwhile.
        """
        path = Path(path)
        with open_source(path) as fd:
            blob = self._put_open_file(fd)
        if move:
            with suppress(FileNotFoundError):
                os.unlink(path)
        return blob

    def _put_open_file(self, fd: int) -> Blob:
        if os.fstat(fd).st_size <= PART:
            with open(fd, "rb", closefd=False) as file:
                data = file.read(PART + 1)
            if len(data) <= PART:
                return self.put(data)
        digest, size = hash_open_file(fd)
        if self._is_whole(digest, size, lambda: marks(file_parts(fd), size)):
            return Blob(digest, size)
        try:
            mark = self._transfers.put_parts(blob_key(digest), _checked_parts(fd, digest), size)
        except _FileChanged:
            with self.writer(size_hint=size) as writer:
                for part in file_parts(fd):
                    writer.write(part)
                return writer.commit()
        self._remember(digest, mark)
        return Blob(digest, size)

    def _put_one(self, digest: Digest, view: memoryview) -> None:
        """Store a blob by one request, unless it is there and whole."""

        key = blob_key(digest)
        if self._conditional and view.nbytes <= SENT_AT_ONCE:
            absent = True
        else:
            absent = self._transfers.head(key) is None
        if absent and self._conditional:
            try:
                self._remember(digest, self._transfers.put(key, view, create=True))
                return
            except AlreadyThere:
                absent = False
            except NotConditional:
                self._conditional = False
                absent = self._transfers.head(key) is None
        if absent or not self._is_whole(digest, view.nbytes, lambda: {mark_of_one(view)}):
            self._remember(digest, self._transfers.put(key, view, create=False))

    def publish(self, temporary: str, digest: Digest, size: int) -> None:
        """Give the bytes under a temporary key, which have this digest, their place in one step,
        unless the blob is stored already; then free the key. For writers."""
        transfers = self._transfers
        key = blob_key(digest)
        try:
            found = transfers.head(temporary)
            if found is None or found.size != size:
                raise BlobDamaged(
                    digest,
                    "nothing" if found is None else f"{found.size} bytes of {size}",
                    where=f"{self.url}/{temporary}",
                    how="Somebody removed or changed a temporary object; store the bytes again.",
                )
            if not self._is_whole(digest, size, lambda: {found.mark}):
                transfers.copy(temporary, key, found, COPY_LIMIT)
                placed = transfers.head(key)
                if placed is not None and placed.size == size:
                    self._remember(digest, placed.mark)
        finally:
            transfers.delete(temporary)

    def _is_whole(self, digest: Digest, size: int, marks: Callable[[], set[str]]) -> bool:
        """Whether the blob is there with its right bytes.

        It is downloaded to find out only where neither this process knows the object nor its mark
        tells (as S3's do, unless objects are encrypted with a key of one's own).
        """
        found = self._transfers.head(blob_key(digest))
        if found is None or found.size != size:
            return False
        if found.mark and (self._good.get(digest) == found.mark or found.mark in marks()):
            self._remember(digest, found.mark)
            return True
        try:
            self.verify(digest)
        except (BlobMissing, BlobDamaged):
            return False
        return True

    def _remember(self, digest: Digest, mark: str) -> None:
        self._bucket_seen = True
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        if mark:
            self._good[digest] = mark

    # ----------------------------------------------------------------- reading

    def read(self, digest: Digest) -> bytes:
        """The verified bytes, as new memory; large ones in several parts at a time."""
        with self._reading(digest) as hasher:
            data, found = self._found(
                digest, lambda: self._transfers.whole(blob_key(digest), hasher)
            )
        self._compare(digest, hasher, found.mark)
        return data

    def download(self, digest: Digest, write: Callable[[memoryview], object]) -> Blob:
        """Hand the bytes to ``write`` as they come, in constant memory.

        They are verified when this call returns, not before: whoever takes them must drop them when
        it raises.
        """
        with self._reading(digest) as hasher:
            found, parts = self._found(digest, lambda: self._transfers.parts(blob_key(digest)))
            for part in parts:
                hasher.update(part)
                write(part)
        self._compare(digest, hasher, found.mark)
        return Blob(digest, hasher.size)

    def open(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """A seekable reader of verified bytes, from a temporary file without a name; verified
        before this call returns."""
        with write_failures(tempfile.gettempdir()), ExitStack() as stack:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=PART))
            self.download(digest, file.write)
            file.seek(0)
            stack.pop_all()
            return file  # type: ignore[return-value]

    def path(self, digest: Digest) -> None:
        """None: there are no local files. `CachedBlobStore` has them."""

    def verify(self, digest: Digest) -> Blob:
        """Download every byte now and compare, whatever was verified before."""
        return self.download(digest, len)

    @contextmanager
    def _reading(self, digest: Digest) -> Iterator[Hasher]:
        parse_digest(digest)
        try:
            yield Hasher()
        except Absent:
            self._check_bucket()
            raise BlobMissing(digest) from None
        except Changed:
            self._good.pop(digest, None)
            raise BlobDamaged(
                digest, "bytes that changed while they were read", where=self._where(digest)
            ) from None

    def _found(self, digest: Digest, ask: Callable[[], T]) -> T:
        """What ``ask`` gives; asked again if the blob came back from quarantine."""
        try:
            return ask()
        except Absent:
            if not self.restore(digest):
                raise
            return ask()

    def _compare(self, digest: Digest, hasher: Hasher, mark: str) -> None:
        found = hasher.digest()
        if found != digest:
            self._good.pop(digest, None)
            raise BlobDamaged(digest, found, where=self._where(digest))
        self._remember(digest, mark)

    def _where(self, digest: Digest) -> str:
        return f"{self.url}/{blob_key(digest)}"

    def presigned(self, digest: Digest, expires_seconds: float = 3600.0) -> str:
        """A URL by which anybody can fetch the blob, without credentials, until it expires.

        Who has the URL can read the blob: treat it as a password. The bytes are not verified.

        Args:
            expires_seconds: how long it is valid, from 1 to 604,800 (a week).

        Raises:
            BlobMissing: there is no such blob.
            CannotSign: the store or its credentials cannot sign.
        """
        import obstore
        from obstore.store import AzureStore, GCSStore, S3Store

        if not 1 <= expires_seconds <= LONGEST_SIGNED:
            raise ValueError(f"A signed URL is valid for 1 to {LONGEST_SIGNED} seconds.")
        if self.size(digest) is None:
            raise BlobMissing(digest)
        client = self._transfers.client
        if not isinstance(client, S3Store | GCSStore | AzureStore):
            raise CannotSign(self.url, "it is on no server")
        with object_failures(self._place, "read"):
            return obstore.sign(client, "GET", blob_key(digest), timedelta(seconds=expires_seconds))

    # ----------------------------------------------------------------- the store as a whole

    def size(self, digest: Digest) -> int | None:
        """The size in bytes; None where no such blob is stored. Does not verify."""
        found = self._transfers.head(blob_key(parse_digest(digest)))
        if found is None and self.restore(digest):
            found = self._transfers.head(blob_key(digest))
        if found is None:
            self._check_bucket()
            return None
        self._bucket_seen = True
        return found.size

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those of ``digests`` that are not stored; several are asked for at a time."""
        asked = list({parse_digest(digest) for digest in digests})
        if not asked:
            return set()
        first = {asked[0]} if self.size(asked[0]) is None else set()
        if len(asked) == 1:
            return first
        with ThreadPoolExecutor(min(_ASK_PARALLEL, len(asked) - 1)) as pool:
            try:
                sizes = list(pool.map(self.size, asked[1:]))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        rest = zip(asked[1:], sizes, strict=True)
        return first | {digest for digest, size in rest if size is None}

    def list(self) -> Iterator[StoredBlob]:
        """All blobs, in no particular order; a page in memory at a time."""
        for key, size, modified in self._transfers.listing(BLOBS):
            if digest := digest_at(key, BLOBS):
                yield StoredBlob(digest, size, modified)

    def delete(self, digest: Digest) -> bool:
        """Remove a blob; False where there was none."""
        if self.size(digest) is None:
            return False
        self._good.pop(digest, None)
        self._transfers.delete([blob_key(digest), quarantine_key(digest)])
        return True

    def quarantine(self, digest: Digest) -> bool:
        """Take a blob out of the listing, to be deleted later; False where there was none. Who is
        downloading it may get `BlobMissing`; who asks again brings it back.

        There must be one who does this at a time, as the collector's lease makes sure.
        """
        self._good.pop(parse_digest(digest), None)
        return self._quarantine.take(digest)

    def restore(self, digest: Digest) -> bool:
        """Bring a blob back from quarantine; whether it is stored now."""
        return self._quarantine.give_back(parse_digest(digest))

    def quarantined(self) -> Iterator[StoredBlob]:
        """All blobs in quarantine, and since when; a page in memory at a time."""
        return self._quarantine.list()

    def purge(self, digests: Iterable[Digest], *, older_than: datetime) -> int:
        """Delete for good those that are in quarantine since before then; the bytes freed."""
        return self._quarantine.purge(map(parse_digest, digests), older_than)

    def _check_bucket(self) -> None:
        """`StoreUnreachable` where not only the object but the bucket is missing.

        Asked once: the answer to a question about one object does not tell the two apart.
        """
        if self._bucket_seen:
            return
        # Who may not list may still read.
        with suppress(StoreUnreadable):
            next(self._transfers.listing(TEMPORARY), None)
        self._bucket_seen = True

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on this machine; removed at the end of the block. `tidy` on this machine
        removes those of killed processes."""
        unfinished = Unfinished(self._scratch())
        with ExitStack() as stack:
            with write_failures(str(unfinished.folder)):
                folder = stack.enter_context(unfinished.scratch())
            yield folder

    def _scratch(self) -> Path:
        if self._scratch_folder is None:
            self._scratch_folder = _own_temporary_folder()
        return self._scratch_folder

    def tidy(self, *, older_than_seconds: float = 86_400.0) -> int:
        """Remove unfinished writes that are older; the number of bytes freed.

        There are no locks in a bucket: an upload that is still under way is removed too when it
        began longer ago, and its writer then fails. Keep a day, unless nobody is writing.
        """
        oldest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        old = [
            (key, size) for key, size, time in self._transfers.listing(TEMPORARY) if time <= oldest
        ]
        if old:
            self._transfers.delete([key for key, _ in old])
        freed = sum(size for _, size in old)
        uploads = UnfinishedUploads(self._place)
        if self._given is None and self._place.scheme == "s3" and uploads.can_ask:
            freed += uploads.remove(older_than_seconds)
        return freed + Unfinished(self._scratch()).tidy(older_than_seconds)


def _again(
    url: str, client: ObjectStore | None, retries: int, scratch_folder: Path | None
) -> ObjectBlobStore:
    return ObjectBlobStore(url, client=client, retries=retries, scratch_folder=scratch_folder)


def _own_temporary_folder() -> Path:
    """A folder for temporary files that only this user can write to."""
    folder = Path(tempfile.gettempdir()) / f"findspot-{os.geteuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    about = folder.lstat()
    if folder.is_symlink() or about.st_uid != os.geteuid() or about.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix="findspot-"))  # somebody else was there first
    return folder


def _checked_parts(fd: int, digest: Digest) -> Iterator[memoryview]:
    """The file's bytes; `_FileChanged` in place of their end where they have another digest."""
    hasher = Hasher()
    for part in file_parts(fd):
        hasher.update(part)
        yield part
    if hasher.digest() != digest:
        raise _FileChanged
