"""Folders that handlers save to and load from: over a directory, and within another folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from findspot.core.digests import Hasher
from findspot.core.records import FileEntry
from findspot.handlers.errors import BadFiles, BadValue
from findspot.handlers.protocol import BinarySink, Buffer, LoadFolder, SaveFolder

_CHUNK = 1 << 20


def check_file_name(name: str) -> str:
    """``name`` if it is a relative path that stays in its folder; `BadValue` if not."""
    parts = name.split("/")
    if not name or "\0" in name or "\\" in name or any(p in ("", ".", "..") for p in parts):
        raise BadValue(
            f"{name!r} is no name of a file in a version",
            how="Use a relative name with '/' between its parts, without '..'.",
        )
    return name


class PlainSaveFolder:
    """A `SaveFolder` over a directory: what a handler writes is in it under its own names.

    Args:
        path: a directory that exists; files in it are overwritten by nobody: each name is written
            once, a second time raises `BadValue`.
    """

    def __init__(self, path: Path) -> None:
        self.root = path

    def open(self, name: str) -> AbstractContextManager[BinarySink]:
        return self._new(name).open("xb")

    def write(self, name: str, data: Buffer) -> None:
        with self._new(name).open("xb") as file:
            file.write(data)

    def path(self, name: str) -> Path:
        return self._new(name)

    def add(self, name: str, source: Path) -> None:
        target = self._new(name)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=False)
        else:
            shutil.copyfile(source, target)

    def files(self) -> tuple[FileEntry, ...]:
        """What was written, by name, with digests."""
        found = []
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                hasher = Hasher()
                with path.open("rb") as file:
                    while data := file.read(_CHUNK):
                        hasher.update(data)
                name = path.relative_to(self.root).as_posix()
                found.append(FileEntry(name, hasher.digest(), hasher.size))
        return tuple(found)

    def _new(self, name: str) -> Path:
        target = self.root / check_file_name(name)
        if target.exists():
            raise BadValue(f"the file {name!r} was written twice", how="Give each its own name.")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


class PlainLoadFolder:
    """A `LoadFolder` over a directory whose bytes the caller vouches for.

    Args:
        path: the directory.
        files: its entries; by default all files below it (`PlainSaveFolder.files`).
        trusted: whether its bytes may run code.
    """

    def __init__(
        self, path: Path, files: Sequence[FileEntry] | None = None, *, trusted: bool = False
    ) -> None:
        self.root = path
        self.files: Sequence[FileEntry] = (
            PlainSaveFolder(path).files() if files is None else tuple(files)
        )
        self.trusted = trusted

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        return self.path(name).open("rb")

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def path(self, name: str) -> Path:
        found = self.root / check_file_name(name)
        if not found.is_file():
            raise BadFiles(f"there is no file {name!r}", where=str(self.root))
        return found

    def folder(self) -> Path:
        return self.root


def write_parts(folder: SaveFolder, name: str, parts: Sequence[Buffer]) -> None:
    """One file of several buffers, in order, without joining them in memory.

    A folder that has a method ``write_parts(name, parts)`` of its own can do better than `open`: it
    sees the whole file before it writes, so it need not write bytes that are stored already.
    """
    own = getattr(folder, "write_parts", None)
    if own is not None:
        own(name, parts)
        return
    with folder.open(name) as sink:
        for part in parts:
            sink.write(part)


class PartSaveFolder:
    """A part of a `SaveFolder`: names are put below ``prefix``."""

    def __init__(self, whole: SaveFolder, prefix: str) -> None:
        self._whole, self._prefix = whole, f"{prefix}/"

    def open(self, name: str) -> AbstractContextManager[BinarySink]:
        return self._whole.open(self._prefix + check_file_name(name))

    def write(self, name: str, data: Buffer) -> None:
        self._whole.write(self._prefix + check_file_name(name), data)

    def write_parts(self, name: str, parts: Sequence[Buffer]) -> None:
        write_parts(self._whole, self._prefix + check_file_name(name), parts)

    def path(self, name: str) -> Path:
        return self._whole.path(self._prefix + check_file_name(name))

    def add(self, name: str, source: Path) -> None:
        self._whole.add(self._prefix + check_file_name(name), source)


class PartLoadFolder:
    """A part of a `LoadFolder`: the files below ``prefix``, without it."""

    def __init__(self, whole: LoadFolder, prefix: str, files: Sequence[FileEntry]) -> None:
        self._whole, self._prefix = whole, f"{prefix}/"
        self.files = files
        self.trusted = whole.trusted

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        return self._whole.open(self._prefix + check_file_name(name))

    def read(self, name: str) -> bytes:
        return self._whole.read(self._prefix + check_file_name(name))

    def path(self, name: str) -> Path:
        return self._whole.path(self._prefix + check_file_name(name))

    def folder(self) -> Path:
        return self._whole.folder() / PurePosixPath(self._prefix)


def part_of(whole: LoadFolder, prefix: str) -> PartLoadFolder:
    """The files below one folder of ``whole``; there may be none."""
    start = f"{prefix}/"
    files = [
        FileEntry(entry.path[len(start) :], entry.digest, entry.size, entry.inline)
        for entry in whole.files
        if entry.path.startswith(start)
    ]
    return PartLoadFolder(whole, prefix, files)


def parts_of(files: Sequence[FileEntry], under: str) -> dict[str, list[FileEntry]]:
    """The files below each folder of ``under``, by that folder's name, without the prefix.

    >>> from findspot.core.digests import hash_bytes
    >>> list(parts_of([FileEntry("items/0/a.npy", hash_bytes(b""), 0)], "items"))
    ['0']
    """
    found: dict[str, list[FileEntry]] = {}
    for entry in files:
        top, _, rest = entry.path.partition("/")
        part, _, name = rest.partition("/")
        if top == under and name:
            found.setdefault(part, []).append(
                FileEntry(name, entry.digest, entry.size, entry.inline)
            )
    return found
