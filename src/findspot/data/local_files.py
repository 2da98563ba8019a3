"""Files of this machine: paths and ``file://`` URLs."""

from __future__ import annotations

import io
import mimetypes
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from findspot.core.errors import FindspotError, NotFound, StorageFull
from findspot.data.errors import AccessDenied, BadUrl, ItemChanged, ItemRefused, NotAFile
from findspot.data.protocol import CHUNK, Answer, Entry, ItemStat

_COMPARED = 1000
_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".arrow": "application/vnd.apache.arrow.file",
    ".feather": "application/vnd.apache.arrow.file",
}


def content_type_of(name: str) -> str | None:
    """The media type that a file's name tells."""
    return _TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0]


def path_of_url(url: str) -> Path:
    """The path that a ``file://`` URL means; `BadUrl` where it names another machine."""
    parts = urlsplit(url.replace("?", "%3F").replace("#", "%23"))
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise BadUrl(url, "a file URL has three slashes", how="Write file:///folder/name.")
    path = unquote(parts.path)
    if "\0" in path:
        raise BadUrl(url, "it holds NUL")
    return Path(path)


class LocalSource:
    """A file or a folder of this machine; writes replace a file whole, by renaming."""

    scheme = "file"

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        self.url = os.fspath(self._path)
        self.identity = self.url
        self.name = self._path.name

    def path(self) -> Path:
        self._status()
        return self._path

    def stat(self) -> ItemStat:
        return self._described(self._status(folder=True))

    def open(self, start: int, stop: int | None, pinned: ItemStat | None) -> Answer:
        self._status()
        with self._placed():
            reader = self._path.open("rb", buffering=0)
        try:
            found = self._described(os.fstat(reader.fileno()))
            if pinned is not None and pinned.differs(found):
                raise ItemChanged(self.url)
            assert found.size is not None
            start = min(start, found.size)
            end = found.size if stop is None else max(start, min(stop, found.size))
            reader.seek(start)
        except BaseException:
            reader.close()
            raise
        # Some files of the system's say that they are empty, and are not.
        endless = found.size == 0 and stop is None
        left = sys.maxsize if endless else end - start
        return Answer(found, start, end, _chunks(reader, left), reader.close)

    def write(self, reader: BinaryIO, *, append: bool) -> None:
        with self._placed():
            if self._path.is_dir():
                raise NotAFile(self.url, "a folder")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if append:
                with self._path.open("ab") as sink:
                    _copy(reader, sink)
                return
            with draft_beside(self._path) as draft, draft.open("xb") as sink:
                _copy(reader, sink)

    def delete(self) -> None:
        self._status()
        with self._placed():
            self._path.unlink()

    def entries(self) -> list[Entry]:
        with self._placed():
            if not self._path.is_dir():
                self._status()
                return [Entry(self.name)]
            with os.scandir(self._path) as listing:
                return sorted(
                    (Entry(entry.name, entry.is_dir()) for entry in listing),
                    key=lambda entry: entry.name,
                )

    def child(self, entry: Entry) -> LocalSource:
        return LocalSource(self._path / entry.name if self._path.is_dir() else self._path)

    def _status(self, *, folder: bool = False) -> os.stat_result:
        with self._placed():
            found = self._path.stat()
        if not stat.S_ISREG(found.st_mode) and not (folder and stat.S_ISDIR(found.st_mode)):
            raise NotAFile(self.url, "a folder" if stat.S_ISDIR(found.st_mode) else "a device")
        return found

    def _described(self, found: os.stat_result) -> ItemStat:
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        if stat.S_ISDIR(found.st_mode):
            return ItemStat(None, modified, "inode/directory", None)
        etag = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
        return ItemStat(found.st_size, modified, content_type_of(self.name), etag)

    @contextmanager
    def _placed(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound("file", self.url, near=_near(self._path)) from None
        except OSError as error:
            raise local_error(error, self.url) from error


def local_error(error: OSError, where: str) -> FindspotError:
    """The Findspot error for an operating system's refusal."""
    import errno

    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessDenied(where, "file", error.strerror or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(where)
    if error.errno == errno.EISDIR:
        return NotAFile(where, "a folder")
    return ItemRefused(
        where,
        error.strerror or str(error),
        how="Check the path, and that its folder exists and may be written to.",
    )


@contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """A new name beside ``target``; what was written there takes its place when the block ends
    well, and is gone when it does not."""
    target = target.resolve()
    draft = draft_name(target)
    try:
        yield draft
        take_place(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def draft_name(target: Path) -> Path:
    """A new name beside ``target``, or beside what it links to."""
    target = target.resolve()
    return target.with_name(f".{target.name[:60]}.{secrets.token_hex(6)}.tmp")


def take_place(draft: Path, target: Path) -> None:
    """Rename ``draft`` to ``target``, with the permissions of the file that it replaces."""
    target = target.resolve()
    with suppress(FileNotFoundError):
        draft.chmod(stat.S_IMODE(target.stat().st_mode))
    draft.replace(target)


def _chunks(reader: io.RawIOBase, left: int) -> Iterator[bytes]:
    while left > 0 and (data := reader.read(min(CHUNK, left))):
        left -= len(data)
        yield data


def _copy(reader: BinaryIO, sink: BinaryIO) -> None:
    while data := reader.read(CHUNK):
        sink.write(data)


def _near(path: Path) -> list[str]:
    try:
        with os.scandir(path.parent) as listing:
            names = [entry.name for entry in islice(listing, _COMPARED)]
    except OSError:
        return []
    return get_close_matches(path.name, names, n=3)
