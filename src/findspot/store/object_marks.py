"""Marks (ETags) that S3 gives to objects, foretold from their bytes.

S3 makes them of MD5 sums, so that a blob that is stored already can be told from a damaged one
without downloading it. Where a mark is made otherwise, it matches none of these.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator

from findspot.store.object_transfers import PART, part_size


def mark_of_one(view: memoryview) -> str:
    """The mark that S3 gives to these bytes when they are stored by one request."""
    return f'"{hashlib.md5(view, usedforsecurity=False).hexdigest()}"'


class PartsMark:
    """The mark that S3 gives to an object stored in parts of ``part`` bytes.

    Args:
        part: bytes of each part but the last.
    """

    def __init__(self, part: int) -> None:
        self._part, self._room = part, part
        self._one = hashlib.md5(usedforsecurity=False)
        self._all = hashlib.md5(usedforsecurity=False)
        self._whole = hashlib.md5(usedforsecurity=False)
        self._count = 0

    def update(self, view: memoryview) -> None:
        self._whole.update(view)
        while view.nbytes:
            piece, view = view[: self._room], view[self._room :]
            self._one.update(piece)
            self._room -= piece.nbytes
            if not self._room:
                self._close()

    def _close(self) -> None:
        self._all.update(self._one.digest())
        self._count += 1
        self._one = hashlib.md5(usedforsecurity=False)
        self._room = self._part

    def marks(self) -> set[str]:
        """Of these bytes stored in parts, and stored or copied whole."""
        if self._room != self._part:
            self._close()
        return {f'"{self._all.hexdigest()}-{self._count}"', f'"{self._whole.hexdigest()}"'}


def chunks(view: memoryview) -> Iterator[memoryview]:
    """A buffer in pieces of one part."""
    for start in range(0, view.nbytes, PART):
        yield view[start : start + PART]


def file_parts(fd: int) -> Iterator[memoryview]:
    """An open file's bytes, from its first to its end, in pieces of one part."""
    offset = 0
    while part := os.pread(fd, PART, offset):
        yield memoryview(part)
        offset += len(part)


def marks(parts: Iterable[memoryview], size: int) -> set[str]:
    """The marks that these bytes have, however they were stored, by one request or in parts."""
    mark = PartsMark(part_size(size))
    for part in parts:
        mark.update(part)
    return mark.marks()
