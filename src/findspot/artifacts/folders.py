"""What a handler writes into and reads from: files of a version, between store and catalog."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from findspot.core.digests import flat, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing, FindspotError, InvalidName
from findspot.core.names import check_file_path
from findspot.core.records import FileEntry
from findspot.handlers.protocol import BinarySink, Buffer
from findspot.store.protocol import BlobStore, BlobWriter

_INLINE_TOTAL = 256 * 1024
"""A version's files go inline while they are at most this many bytes together."""


class _Sink:
    """Keeps a small file in memory, and hands a larger one on to the store as it grows."""

    def __init__(self, folder: WorkspaceSaveFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._small = bytearray()
        self._writer: BlobWriter | None = None

    def write(self, data: Buffer, /) -> int:
        if type(data) is not bytes:
            data = flat(data)
        size = len(data)
        if self._writer is None:
            if len(self._small) + size <= self._folder.inline_limit:
                self._small += data
                return size
            self._writer = self._folder.store.writer()
            self._writer.__enter__()
            if self._small:
                self._writer.write(self._small)
        self._writer.write(data)
        return size

    def flush(self) -> None:
        """For libraries that flush what they write to."""

    def finish(self) -> None:
        if self._writer is None:
            self._folder.write(self._name, bytes(self._small))
            return
        try:
            blob = self._writer.commit()
        finally:
            self._writer.__exit__(None, None, None)
        name = self._folder.new_name(self._name)
        self._folder.entries[name] = FileEntry(name, blob.digest, blob.size)

    def discard(self, error: BaseException) -> None:
        if self._writer is not None:
            self._writer.__exit__(type(error), error, error.__traceback__)


class WorkspaceSaveFolder:
    """A `SaveFolder` whose files end up in the store, or inline where they are small.

    Use it in a ``with`` block; `finish` gives the files. What was written before an error stays in
    the store as blobs that nothing refers to.
    """

    def __init__(self, store: BlobStore, inline_limit: int) -> None:
        self.store = store
        self.inline_limit = inline_limit
        self.entries: dict[str, FileEntry] = {}
        self._inline_total = 0
        self._scratch: Path | None = None
        self._stack: ExitStack | None = None

    def __enter__(self) -> WorkspaceSaveFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stack is not None:
            self._stack.__exit__(kind, error, trace)

    @contextmanager
    def open(self, name: str) -> Iterator[BinarySink]:
        sink = _Sink(self, self.new_name(name))
        try:
            yield sink
        except BaseException as error:
            sink.discard(error)
            raise
        sink.finish()

    def write(self, name: str, data: Buffer) -> None:
        name = self.new_name(name)
        size = len(data) if type(data) is bytes else memoryview(data).nbytes
        if size <= self.inline_limit and self._inline_total + size <= _INLINE_TOTAL:
            kept = data if type(data) is bytes else bytes(data)
            self._inline_total += size
            self.entries[name] = FileEntry(name, hash_bytes(kept), size, kept)
            return
        blob = self.store.put(data)
        self.entries[name] = FileEntry(name, blob.digest, blob.size)

    def write_parts(self, name: str, parts: Sequence[Buffer]) -> None:
        """As `write`, of several buffers in order, as one file, without joining large ones."""
        views = [flat(part) for part in parts]
        size = sum(view.nbytes for view in views)
        if size <= self.inline_limit:
            self.write(name, b"".join(views))
            return
        name = self.new_name(name)
        blob = self.store.put_parts(views)
        self.entries[name] = FileEntry(name, blob.digest, blob.size)

    def path(self, name: str) -> Path:
        name = self.new_name(name)
        if self._scratch is None:
            self._stack = ExitStack()
            self._scratch = self._stack.enter_context(self.store.scratch())
        path = self._scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, name: str, source: Path) -> None:
        if source.is_dir() and not source.is_symlink():
            for file in walk(source):
                self._add_file(f"{name}/{file.relative_to(source).as_posix()}", file, move=False)
        else:
            self._add_file(name, source, move=False)

    def finish(self) -> tuple[FileEntry, ...]:
        """Store what was written to paths; all files, sorted by path."""
        if self._scratch is not None:
            for file in walk(self._scratch):
                self._add_file(file.relative_to(self._scratch).as_posix(), file, move=True)
        if len(self.entries) == 1:
            return tuple(self.entries.values())
        names = sorted(self.entries)
        folders = {parent for name in names if "/" in name for parent in _parents(name)}
        for name in names:
            if name in folders:
                raise InvalidName("file name", name, "the handler wrote a folder of this name too")
        return tuple(self.entries[name] for name in names)

    def _add_file(self, name: str, file: Path, *, move: bool) -> None:
        name = self.new_name(name)
        if file.is_symlink() or not file.is_file():
            raise FindspotError(
                "It is neither a file nor a folder.",
                where=os.fspath(file),
                how="Artifacts hold regular files; replace links, devices and pipes by files.",
            )
        size = file.stat().st_size
        if size <= self.inline_limit and self._inline_total + size <= _INLINE_TOTAL:
            self.write(name, file.read_bytes())
        else:
            blob = self.store.put_file(file, move=move)
            self.entries[name] = FileEntry(name, blob.digest, blob.size)

    def new_name(self, name: str) -> str:
        """The name of a file that is not there yet."""
        checked = check_file_path(name)
        if checked in self.entries:
            raise InvalidName("file name", name, "the handler wrote a file of this name already")
        return checked


class View(Protocol):
    """Makes a folder with all files of a version under their names."""

    def materialise(self, source: WorkspaceLoadFolder, /) -> Path: ...


class WorkspaceLoadFolder:
    """A `LoadFolder` over the files of one version. Errors name the version and the file.

    Args:
        view: makes a folder with all files under their names, when asked.
        where: the version's URI, for errors.
        remedy: how the bytes could be made again, for errors.
        trusted: whether the trust policy lets the bytes run code.
    """

    def __init__(
        self,
        files: Sequence[FileEntry],
        store: BlobStore,
        *,
        view: View,
        where: str,
        remedy: str,
        trusted: bool,
    ) -> None:
        self.files = files
        self.trusted = trusted
        self._entries = {entry.path: entry for entry in files}
        self._store = store
        self._view = view
        self._where = where
        self._remedy = remedy

    def read(self, name: str) -> bytes:
        entry = self._entry(name)
        if entry.inline is not None:
            return self._verified_inline(entry)
        with self._placed(entry):
            return self._store.read(entry.digest)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        entry = self._entry(name)
        if entry.inline is not None:
            yield io.BytesIO(self._verified_inline(entry))
            return
        with ExitStack() as stack:
            with self._placed(entry):
                source = stack.enter_context(self._store.open(entry.digest))
            yield source

    def path(self, name: str) -> Path:
        return self.stored(self._entry(name)) or self.folder() / name

    def stored(self, entry: FileEntry) -> Path | None:
        """The store's own local file of an entry, verified; None where it has none."""
        if entry.inline is not None:
            return None
        with self._placed(entry):
            return self._store.path(entry.digest)

    def folder(self) -> Path:
        return self._view.materialise(self)

    def _entry(self, name: str) -> FileEntry:
        try:
            return self._entries[name]
        except KeyError:
            raise FindspotError(
                f"The version has no file {name!r}.",
                where=self._where,
                how=f"Its files are {', '.join(list(self._entries)[:20]) or 'none'}.",
            ) from None

    def _verified_inline(self, entry: FileEntry) -> bytes:
        assert entry.inline is not None
        found = hash_bytes(entry.inline)
        if found != entry.digest:
            raise BlobDamaged(
                entry.digest, found, where=f"{self._where}, file {entry.path}", how=self._remedy
            )
        return entry.inline

    @contextmanager
    def _placed(self, entry: FileEntry) -> Iterator[None]:
        where = f"{self._where}, file {entry.path}"
        try:
            yield
        except BlobMissing as error:
            raise BlobMissing(error.digest, where=where, how=self._remedy) from None
        except BlobDamaged as error:
            raise BlobDamaged(error.expected, error.found, where=where, how=self._remedy) from None


def _parents(name: str) -> Iterator[str]:
    """The folders that a file's name goes through: ``a`` and ``a/b`` of ``a/b/c``."""
    place = name.find("/")
    while place >= 0:
        yield name[:place]
        place = name.find("/", place + 1)


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder (links to folders are not followed), in a stable order."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda e: e.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path))
        else:
            yield Path(entry.path)
