"""Blobs as read-only files in a folder."""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from findspot.core.digests import Digest, hash_bytes, parse_digest
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.store.buffers import LARGE, flat, hash_open_file
from findspot.store.errors import NotAFile, StoreUnreadable, write_failures
from findspot.store.local_writer import IN_MEMORY, LocalBlobWriter, write_all
from findspot.store.protocol import Blob, StoredBlob
from findspot.store.unfinished import Unfinished, UnfinishedFile, remove_tree
from findspot.store.verified import VerifiedMarks, signature

ALWAYS_HASHED: Final = 1 << 20
"""Blobs below this size (bytes) are hashed at every read; it costs less than asking for a mark."""

_COPY_CHUNK: Final = 16 << 20
_SHARD = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")
# What `link` says where a file system has no second names for files.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LocalBlobStore:
    """Bytes under their digests, in a folder; the guarantees of `BlobStore` hold across processes.

    A killed process leaves nothing visible and nothing half-written; what was acknowledged stays.
    A blob of 1 MiB or more is hashed once on a machine and again when its file's signature (inode,
    size, times) changes; smaller ones at every read. Storing bytes whose blob was damaged mends it.

    Layout: ``blake3/ab/cdef...`` the blobs, read-only; ``tmp/`` unfinished writes and scratch
    folders; ``sizes/<bytes>`` says that a large blob of that size was stored once; ``verified/``
    says which large blobs were found whole, by machine.

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

    def __repr__(self) -> str:
        return f"LocalBlobStore({self._where!r})"

    # ----------------------------------------------------------------- writing

    def writer(self, *, size_hint: int | None = None) -> LocalBlobWriter:
        """A writer of a new blob. ``size_hint`` (bytes) makes a large write faster; it may be wrong."""
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
        view = flat(data)
        if view.nbytes < LARGE:
            return self._put_small(view)
        with write_failures(self._where):
            if self._has_size(view.nbytes):
                digest = hash_bytes(view)
                if not self._is_whole(digest):
                    self._write_hashed(view, digest)
                return Blob(digest, view.nbytes)
        with self.writer(size_hint=view.nbytes) as writer:
            writer.write(view)
            return writer.commit()

    def put_file(self, path: Path, *, move: bool = False) -> Blob:
        """Store a file's bytes, in constant memory: the bytes that were read, whatever changes later.

        Args:
            path: a regular file; `NotAFile` for links, folders, pipes and what cannot be read.
            move: take the file itself, if it is on the store's file system; afterwards ``path`` is
                gone. Nobody else may write to it meanwhile. A crash leaves the file where it was or
                the blob stored, or both.
        """
        path = Path(path)
        with _source(path) as fd:
            about = os.fstat(fd)
            with write_failures(self._where):
                blob = self._take(path, fd, about) if move else None
                if blob is None:
                    blob = self._copy(fd, about.st_size)
                if move:
                    with suppress(FileNotFoundError):
                        os.unlink(path)
        return blob

    def _put_small(self, view: memoryview) -> Blob:
        digest = hash_bytes(view)
        with write_failures(self._where):
            if not self._is_whole(digest):
                self._write_hashed(view, digest)
        return Blob(digest, view.nbytes)

    def _write_hashed(self, view: memoryview, digest: Digest) -> None:
        file = self._unfinished.file()
        try:
            write_all(file.fd, view, 0)
            self._publish(file, digest, view.nbytes)
        finally:
            file.discard()

    def _take(self, path: Path, fd: int, before: os.stat_result) -> Blob | None:
        """The file itself as a blob; None where it must be copied."""
        if before.st_nlink != 1:
            return None  # another name is left, by which somebody may write to it
        digest, size = hash_open_file(fd)
        after = os.fstat(fd)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return None
        if self._is_whole(digest):
            return Blob(digest, size)
        os.fchmod(fd, after.st_mode & 0o444 | stat.S_IRUSR)
        os.utime(fd)  # a listing shows when the blob was stored
        try:
            self._name(str(path), fd, digest)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return None
        with suppress(FileNotFoundError):
            os.unlink(path)
        self._record(fd, digest, size)
        return Blob(digest, size)

    def _copy(self, source: int, size: int) -> Blob:
        if size >= LARGE and self._has_size(size):
            digest, read = hash_open_file(source)
            if self._is_whole(digest):
                return Blob(digest, read)
        if size >= LARGE and (blob := self._clone(source)) is not None:
            return blob
        buffer = memoryview(bytearray(min(_COPY_CHUNK, size + 1)))
        offset = 0
        with self.writer(size_hint=size) as writer:
            while count := os.preadv(source, [buffer], offset):
                writer.write(buffer[:count])
                offset += count
            return writer.commit()

    def _clone(self, source: int) -> Blob | None:
        """Share the file's blocks (Btrfs, XFS ...) and hash the clone; None where that cannot be."""
        import fcntl

        clone_request = 0x40049409  # FICLONE
        file = self._unfinished.file()
        try:
            try:
                fcntl.ioctl(file.fd, clone_request, source)
            except OSError:
                return None
            digest, size = hash_open_file(file.fd)
            return self._publish(file, digest, size)
        finally:
            file.discard()

    def _publish(self, file: UnfinishedFile, digest: Digest, size: int) -> Blob:
        """Give a finished file its name, unless the blob is stored already."""
        if self.durable:
            os.fsync(file.fd)
        try:
            self._name(file.path, file.fd, digest)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.rename(file.path, self._blob_path(digest))
        with suppress(FileNotFoundError):
            os.unlink(file.path)
        self._record(file.fd, digest, size)
        return Blob(digest, size)

    def _name(self, path: str, fd: int, digest: Digest) -> None:
        """Link the file at ``path`` to its place. A whole blob there stays, a damaged one goes."""
        target = self._blob_path(digest)
        for attempt in range(100):
            try:
                os.link(path, target)
                break
            except FileNotFoundError:
                if attempt or not os.path.lexists(path):
                    raise
                os.makedirs(os.path.dirname(target), exist_ok=True)
            except FileExistsError:
                if self._is_whole(digest):
                    return
                # Moved aside first: a folder cannot be replaced by a file in one step.
                aside = self._unfinished.new_path()
                with suppress(FileNotFoundError):
                    os.rename(target, aside)
                    _remove(aside)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        if self.durable:
            _sync_folder(os.path.dirname(target))
            _sync_folder(self._blobs)

    def _record(self, fd: int, digest: Digest, size: int) -> None:
        """Note what the store now knows of a large blob that this process wrote."""
        about = os.fstat(fd)
        if about.st_nlink and size >= ALWAYS_HASHED:
            self._verified.set(digest, signature(about))
        if size >= LARGE:
            # Without the note, the same bytes are written a second time before they are dropped.
            with suppress(OSError):
                os.makedirs(self._sizes, exist_ok=True)
                os.close(os.open(f"{self._sizes}{size}", os.O_CREAT | os.O_WRONLY, 0o666))

    def _has_size(self, size: int) -> bool:
        return os.path.lexists(f"{self._sizes}{size}")

    # ----------------------------------------------------------------- reading

    def read(self, digest: Digest) -> bytes:
        """The verified bytes, as new memory."""
        with self._opened(digest) as (fd, about):
            if about.st_size >= ALWAYS_HASHED and self._verified.holds(digest, signature(about)):
                return _read_whole(fd, about.st_size)
            data = _read_whole(fd, about.st_size)
            self._check(digest, hash_bytes(data), about)
            return data

    def open(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """A seekable reader of verified bytes; verified before this call returns."""
        with self._opened(digest) as (fd, about):
            if about.st_size < ALWAYS_HASHED:
                data = _read_whole(fd, about.st_size)
                self._check(digest, hash_bytes(data), about)
                return io.BytesIO(data)
            self._ensure(digest, fd, about)
            return os.fdopen(os.dup(fd), "rb")

    def path(self, digest: Digest) -> Path:
        """The blob's own file, read-only, verified before this call returns; map it, never write it."""
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
            fd = os.open(path, _READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            raise BlobMissing(digest) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
                raise BlobDamaged(digest, _kind_of(path), where=path) from None
            raise StoreUnreadable(path, error.strerror or str(error)) from error
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                raise BlobDamaged(digest, _kind_of(path), where=path)
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

    def _is_whole(self, digest: Digest) -> bool:
        try:
            with self._opened(digest) as (fd, about):
                self._ensure(digest, fd, about)
        except (BlobMissing, BlobDamaged):
            return False
        return True

    # ----------------------------------------------------------------- the store as a whole

    def size(self, digest: Digest) -> int | None:
        """The size in bytes; None where no file is stored under the digest. Does not verify."""
        try:
            about = os.lstat(self._blob_path(parse_digest(digest)))
        except (FileNotFoundError, NotADirectoryError):
            return None
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
            try:
                about = os.lstat(path)
                if stat.S_ISDIR(about.st_mode):
                    self._unfinished.folder.mkdir(parents=True, exist_ok=True)
                    aside = self._unfinished.new_path()
                    os.rename(path, aside)
                    remove_tree(aside)
                else:
                    os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return False
        if about.st_size >= ALWAYS_HASHED:
            self._verified.clear(digest)
        return True

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the store's file system, so that `put_file` can take its files;
        removed at the end of the block. `tidy` spares it while its process lives."""
        with write_failures(self._where):
            holder = self._unfinished.scratch()
            path = holder.__enter__()
        try:
            yield path
        finally:
            holder.__exit__(None, None, None)

    def tidy(self, *, older_than_seconds: float = 86_400.0) -> int:
        """Remove unfinished writes that are older and that no living process is at work on;
        the number of bytes freed."""
        with write_failures(self._where):
            return self._unfinished.tidy(older_than_seconds)

    def _blob_path(self, digest: Digest) -> str:
        return f"{self._blobs}{digest[7:9]}/{digest[9:]}"


@contextmanager
def _source(path: Path) -> Iterator[int]:
    try:
        fd = os.open(path, _READ_FLAGS)
    except FileNotFoundError:
        raise NotAFile(path, "there is no such file") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise NotAFile(path, f"it is {_kind_of(os.fspath(path))}") from None
        raise NotAFile(path, error.strerror or str(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotAFile(path, f"it is {_kind_of(os.fspath(path))}")
        yield fd
    finally:
        os.close(fd)


def _kind_of(path: str) -> str:
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        return error.strerror or "unreadable"
    for test, name in (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return name
    return "a special file"


def _read_whole(fd: int, size: int) -> bytes:
    parts: builtins.list[bytes] = []
    offset = 0
    # One byte more than expected finds the end, and a file that has grown is read to its new one.
    while part := os.pread(fd, max(size - offset, 0) + 1, offset):
        parts.append(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _entries(folder: str) -> builtins.list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return builtins.list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove(path: str) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        remove_tree(path)
    else:
        os.unlink(path)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
