"""Blobs as read-only files in a folder."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from findspot.core.digests import Digest, parse_digest
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.store.buffers import LARGE, flat, hash_buffer, hash_open_file, hash_parts
from findspot.store.errors import StoreUnreadable, write_failures
from findspot.store.local_quarantine import LocalQuarantine
from findspot.store.local_writer import LocalBlobWriter, write_all
from findspot.store.protocol import Blob, StoredBlob
from findspot.store.sources import NOT_REGULAR, READ_FLAGS, kind_of, open_source
from findspot.store.unfinished import Unfinished, UnfinishedFile, remove_tree
from findspot.store.verified import VerifiedMarks, signature

ALWAYS_HASHED: Final = 1 << 20
"""Blobs below this size (bytes) are hashed at every read; it costs less than asking for a mark."""

_COPY_CHUNK: Final = 16 << 20
_SHARD = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")


class LocalBlobStore:
    """Bytes under their digests, in a folder; the guarantees of `BlobStore` hold across processes.

    A killed process leaves nothing visible and nothing half-written; what was acknowledged stays.
    A blob of 1 MiB or more is hashed once on a machine and again when its file's signature (inode,
    size, times) changes; smaller ones at every read. Storing bytes whose blob was damaged mends it.

    Layout: ``blake3/ab/cdef...`` the blobs, read-only; ``tmp/`` unfinished writes and scratch
    folders; ``quarantine/`` blobs that nobody needs, before they are deleted; ``sizes/<bytes>``
    says that a large blob of that size was stored once; ``verified/`` says which large blobs were
    found whole, by machine.

    Args:
        root: the folder. It is made at the first write.
        durable: also survive a power cut: flush file and folder to the disk before a blob counts
            as stored. It costs milliseconds a blob; a killed process needs none of it.
    """

    def __init__(self, root: Path, *, durable: bool = False) -> None:
        self.root = Path(root).absolute()
        self.url = self.root.as_uri()
        self.durable = durable
        self._blobs = f"{self.root}/blake3/"
        self._sizes = f"{self.root}/sizes/"
        self._where = str(self.root)
        self._unfinished = Unfinished(self.root / "tmp")
        self._verified = VerifiedMarks(self.root / "verified")
        self._quarantine = LocalQuarantine(self.root)

    def __repr__(self) -> str:
        return f"LocalBlobStore({self._where!r})"

    # ----------------------------------------------------------------- writing

    def writer(self, *, size_hint: int | None = None) -> LocalBlobWriter:
        """A writer of a new blob. ``size_hint`` (bytes) speeds a large write; it may be wrong."""
        return LocalBlobWriter(
            self._unfinished, self._where, self._publish, self._put_small, size_hint
        )

    def put(self, data: bytes | bytearray | memoryview) -> Blob:
        """Store a whole buffer, which must not change meanwhile.

        A buffer that is stored already is hashed once and not written. Extra memory does not grow
        with the buffer, unless it is not contiguous.

        >>> import tempfile
        >>> store = LocalBlobStore(Path(tempfile.mkdtemp()))
        >>> store.read(store.put(b"sherds").digest)
        b'sherds'
        """
        return self.put_parts((data,))

    def put_parts(self, parts: Iterable[bytes | bytearray | memoryview]) -> Blob:
        """As `put`, of several buffers in order, as one blob, without joining them."""
        views = [flat(part) for part in parts]
        size = sum([view.nbytes for view in views])
        if size < LARGE or self._has_size(size):
            return self._put_hashed(views, size)
        with self.writer(size_hint=size) as writer:
            for view in views:
                writer.write(view)
            return writer.commit()

    def put_file(self, path: Path, *, move: bool = False) -> Blob:
        """Store a file's bytes, in constant memory: those that were read, whatever changes later.

        Args:
            path: a regular file; `NotAFile` for links, folders, pipes and what cannot be read.
            move: take the file itself, if it is on the store's file system; afterwards ``path`` is
                gone. Nobody else may write to it meanwhile. A crash leaves the file where it was or
                the blob stored, or both.
        """
        path = Path(path)
        with open_source(path) as fd, write_failures(self._where):
            about = os.fstat(fd)
            blob = self._take(path, fd, about) if move else None
            if blob is None:
                blob = self._copy(fd, about.st_size)
            if move:
                with suppress(FileNotFoundError):
                    # Unless the file is the blob now, or was it all along.
                    if not os.path.samestat(about, os.stat(self._blob_path(blob.digest))):
                        os.unlink(path)
        return blob

    def _put_small(self, view: memoryview) -> Blob:
        return self._put_hashed([view], view.nbytes)

    def _put_hashed(self, views: list[memoryview], size: int) -> Blob:
        """Hash first, and write only what is not stored."""
        digest = hash_parts(views, size)
        with write_failures(self._where):
            if not self._is_stored(digest):
                file = self._unfinished.file()
                try:
                    offset = 0
                    for view in views:
                        write_all(file.fd, view, offset)
                        offset += view.nbytes
                    self._place(file.path, file.fd, digest, size)
                    file.placed = True
                finally:
                    file.discard()
        return Blob(digest, size)

    def _take(self, path: Path, fd: int, before: os.stat_result) -> Blob | None:
        """The file itself as a blob; None where it must be copied."""
        if before.st_nlink != 1:
            return None  # another name is left, by which somebody may write to it
        digest, size = hash_open_file(fd)
        after = os.fstat(fd)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return None
        if not self._is_stored(digest):
            os.fchmod(fd, 0o444)
            os.utime(fd)  # a listing shows when the blob was stored
            try:
                self._place(str(path), fd, digest, size)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return None
        return Blob(digest, size)

    def _copy(self, source: int, size: int) -> Blob:
        if size >= LARGE and self._has_size(size):
            digest, read = hash_open_file(source)
            if self._is_stored(digest):
                return Blob(digest, read)
        buffer = memoryview(bytearray(min(_COPY_CHUNK, size + 1)))
        offset = 0
        with self.writer(size_hint=size) as writer:
            while count := os.preadv(source, [buffer], offset):
                writer.write(buffer[:count])
                offset += count
            return writer.commit()

    def _publish(self, file: UnfinishedFile, digest: Digest, size: int) -> Blob:
        """Give a finished file its place, unless the blob is stored already."""
        if not self._is_stored(digest):
            self._place(file.path, file.fd, digest, size)
            file.placed = True
        elif size >= LARGE:
            self._note_size(size)
        return Blob(digest, size)

    def _place(self, path: str, fd: int, digest: Digest, size: int) -> None:
        """Rename the finished file at ``path``, open as ``fd``, to its place in one step.

        If another process was faster, its file is replaced by one of the same bytes; who has that
        open or mapped keeps it.
        """
        target = self._blob_path(digest)
        if self.durable:
            os.fsync(fd)
        try:
            os.rename(path, target)
        except (FileNotFoundError, IsADirectoryError):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            self._remove_folder(target)
            os.rename(path, target)
        if self.durable:
            self._sync_folders(target)
        if size < ALWAYS_HASHED:
            return
        about = os.fstat(fd)
        if about.st_nlink:
            self._verified.set(digest, signature(about))
        if size >= LARGE:
            self._note_size(size)

    def _is_stored(self, digest: Digest) -> bool:
        """Whether the blob is there, whole and, where asked for, safe from a power cut."""
        path = self._blob_path(digest)
        if not os.path.lexists(path):
            return False
        try:
            with self._opened(digest) as (fd, about):
                self._ensure(digest, fd, about)
                if self.durable:  # whoever wrote it may not have come so far, or not have cared
                    os.fsync(fd)
                    self._sync_folders(path)
        except (BlobMissing, BlobDamaged):
            return False
        return True

    def _sync_folders(self, path: str) -> None:
        for folder in (os.path.dirname(path), self._blobs, self._where, self.root.parent):
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _remove_folder(self, path: str) -> None:
        """Remove a folder that stands where a blob belongs, in one step for those who look."""
        if os.path.isdir(path):
            self._unfinished.folder.mkdir(parents=True, exist_ok=True)
            aside = self._unfinished.new_path()
            os.rename(path, aside)
            remove_tree(aside)

    def _has_size(self, size: int) -> bool:
        return os.path.lexists(f"{self._sizes}{size}")

    def _note_size(self, size: int) -> None:
        # Without the note, the same bytes are written a second time before they are dropped.
        with suppress(OSError):
            os.makedirs(self._sizes, exist_ok=True)
            os.close(os.open(f"{self._sizes}{size}", os.O_CREAT | os.O_WRONLY, 0o666))

    # ----------------------------------------------------------------- reading

    def read(self, digest: Digest) -> bytes:
        """The verified bytes, as new memory."""
        with self._opened(digest) as (fd, about):
            if about.st_size >= ALWAYS_HASHED and self._verified.holds(digest, signature(about)):
                return _read_whole(fd, about.st_size)
            data = _read_whole(fd, about.st_size)
            self._check(digest, hash_buffer(memoryview(data)), about)
            return data

    def open(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """A seekable reader of verified bytes; verified before this call returns."""
        with self._opened(digest) as (fd, about):
            if about.st_size < ALWAYS_HASHED:
                data = _read_whole(fd, about.st_size)
                self._check(digest, hash_buffer(memoryview(data)), about)
                return io.BytesIO(data)
            self._ensure(digest, fd, about)
            return os.fdopen(os.dup(fd), "rb")

    def path(self, digest: Digest) -> Path:
        """The blob's own file, verified before this call returns: to be mapped, never written."""
        text = self._blob_path(parse_digest(digest))
        with suppress(OSError):
            about = os.lstat(text)
            if (
                stat.S_ISREG(about.st_mode)
                and about.st_size >= ALWAYS_HASHED
                and self._verified.holds(digest, signature(about))
            ):
                return Path(text)
        with self._opened(digest) as (fd, about):
            self._ensure(digest, fd, about)
        return Path(text)

    def verify(self, digest: Digest) -> Blob:
        """Read every byte now and compare, whatever was verified before."""
        with self._opened(digest) as (fd, about):
            found, size = hash_open_file(fd)
            self._check(digest, found, about)
            return Blob(digest, size)

    @contextmanager
    def _opened(self, digest: Digest) -> Iterator[tuple[int, os.stat_result]]:
        path = self._blob_path(parse_digest(digest))
        try:
            try:
                fd = os.open(path, READ_FLAGS)
            except (FileNotFoundError, NotADirectoryError):
                if not self.restore(digest):
                    raise
                fd = os.open(path, READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            raise BlobMissing(digest) from None
        except OSError as error:
            if error.errno in NOT_REGULAR:
                raise BlobDamaged(digest, kind_of(path), where=path) from None
            raise StoreUnreadable(path, error.strerror or str(error)) from error
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                raise BlobDamaged(digest, kind_of(path), where=path)
            yield fd, about
        except OSError as error:
            if error.errno == errno.EIO:
                raise BlobDamaged(digest, "an error of the disk", where=path) from error
            raise StoreUnreadable(path, error.strerror or str(error)) from error
        finally:
            os.close(fd)

    def _ensure(self, digest: Digest, fd: int, about: os.stat_result) -> None:
        if about.st_size < ALWAYS_HASHED or not self._verified.holds(digest, signature(about)):
            self._check(digest, hash_open_file(fd)[0], about)

    def _check(self, digest: Digest, found: Digest, about: os.stat_result) -> None:
        """Compare, and mark the blob; ``about`` is from before its bytes were read."""
        if found != digest:
            self._verified.clear(digest)
            raise BlobDamaged(digest, found, where=self._blob_path(digest))
        if about.st_size >= ALWAYS_HASHED:
            self._verified.set(digest, signature(about))

    # ----------------------------------------------------------------- the store as a whole

    def size(self, digest: Digest) -> int | None:
        """The size in bytes; None where no file is stored under the digest. Does not verify."""
        path = self._blob_path(parse_digest(digest))
        try:
            about = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            if not self.restore(digest):
                return None
            about = os.lstat(path)
        return about.st_size if stat.S_ISREG(about.st_mode) else None

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those of ``digests`` that are not stored."""
        return {digest for digest in digests if self.size(digest) is None}

    def list(self) -> Iterator[StoredBlob]:
        """All blobs, in no particular order; with memory for one folder of 256 at a time."""
        for shard in _entries(self._blobs):
            if not _SHARD.fullmatch(shard.name):
                continue
            for entry in _entries(shard.path):
                if not _REST.fullmatch(entry.name):
                    continue
                with suppress(FileNotFoundError):
                    about = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(about.st_mode):
                        yield StoredBlob(
                            Digest(f"blake3:{shard.name}{entry.name}"),
                            about.st_size,
                            datetime.fromtimestamp(about.st_mtime, UTC),
                        )

    def delete(self, digest: Digest) -> bool:
        """Remove a blob, or what stands in its place; False where there was nothing.

        A reader that has it open or mapped keeps its bytes.
        """
        path = self._blob_path(parse_digest(digest))
        with write_failures(self._where):
            waiting = self._quarantine.drop(digest)
            try:
                about = os.lstat(path)
                if stat.S_ISDIR(about.st_mode):
                    self._remove_folder(path)
                else:
                    os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return waiting
        if about.st_size >= ALWAYS_HASHED:
            self._verified.clear(digest)
        return True

    def quarantine(self, digest: Digest) -> bool:
        """Take a blob out of the listing, to be deleted later; False where there was none. Who has
        it open or mapped keeps its bytes; who asks for it brings it back."""
        path = self._blob_path(parse_digest(digest))
        with write_failures(self._where):
            return self._quarantine.take(digest, path)

    def restore(self, digest: Digest) -> bool:
        """Bring a blob back from quarantine; whether it is stored now."""
        path = self._blob_path(parse_digest(digest))
        with write_failures(self._where):
            return self._quarantine.give_back(digest, path)

    def quarantined(self) -> Iterator[StoredBlob]:
        """All blobs in quarantine, and since when."""
        return self._quarantine.entries()

    def purge(self, digests: Iterable[Digest], *, older_than: datetime) -> int:
        """Delete for good those that are in quarantine since before then; the bytes freed."""
        with write_failures(self._where):
            return self._quarantine.purge(map(parse_digest, digests), older_than)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the store's file system, so that `put_file` can take its files;
        removed at the end of the block. `tidy` spares it while its process lives."""
        with ExitStack() as stack:
            with write_failures(self._where):
                folder = stack.enter_context(self._unfinished.scratch())
            yield folder

    def tidy(self, *, older_than_seconds: float = 86_400.0) -> int:
        """Remove unfinished writes that are older and that no living process is at work on;
        the number of bytes freed."""
        with write_failures(self._where):
            return self._unfinished.tidy(older_than_seconds)

    def _blob_path(self, digest: Digest) -> str:
        return f"{self._blobs}{digest[7:9]}/{digest[9:]}"


def _read_whole(fd: int, size: int) -> bytes:
    parts: list[bytes] = []
    offset = 0
    # One byte more than expected finds the end, and a file that has grown is read to its new one.
    while part := os.pread(fd, max(size - offset, 0) + 1, offset):
        parts.append(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
