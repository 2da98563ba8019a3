"""Writers whose bytes take effect when they are closed, and not at all when something fails."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from findspot.core.errors import FindspotError

Data = bytes | bytearray | memoryview | str | BinaryIO | Iterable[bytes]


class DraftWriter(io.BufferedWriter):
    """Writes into a draft. `close` hands the draft over; an error in the ``with`` block, or a
    writer that is merely forgotten, discards it.

    Args:
        draft: the file to write to; it must not exist.
        finish: takes the complete draft over.
    """

    def __init__(self, draft: Path, finish: Callable[[Path], None]) -> None:
        self._draft = draft
        self._finish = finish
        self._ended = False
        super().__init__(io.FileIO(draft, "xb"), 1 << 20)

    def close(self) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            super().close()
            self._finish(self._draft)
        finally:
            self._draft.unlink(missing_ok=True)

    def discard(self) -> None:
        """Close it without effect."""
        if self._ended:
            return
        self._ended = True
        try:
            super().close()
        finally:
            self._draft.unlink(missing_ok=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        if not getattr(self, "_ended", True):
            self.discard()


class _PiecesReader(io.RawIOBase):
    """Pieces of bytes as one stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        wanted = memoryview(buffer).cast("B")
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(wanted), len(self._left))
        wanted[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def reader_of(data: Data) -> BinaryIO:
    """A reader of what is to be put: bytes, text (as UTF-8), a file, or pieces of bytes."""
    if isinstance(data, str):
        return io.BytesIO(data.encode())
    if isinstance(data, bytes | bytearray | memoryview):
        return io.BytesIO(data)
    given: Any = data
    if isinstance(given, io.TextIOBase):
        raise FindspotError("The file is open as text.", how='Open it in mode "rb".')
    if hasattr(data, "read"):
        return cast("BinaryIO", data)
    if isinstance(data, Iterable):
        return cast("BinaryIO", io.BufferedReader(_PiecesReader(iter(data))))
    raise FindspotError(
        f"A {type(data).__name__} is nothing that can be put.",
        how="Give bytes, text, a file opened for reading in binary, or an iterable of bytes.",
    )
