"""Readers of remote items that seek: what is not read does not travel."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from findspot.data.errors import ItemChanged
from findspot.data.protocol import ItemStat, Source
from findspot.data.transfer import Transfer

_WINDOW = 1 << 20


class RangeReader(io.RawIOBase):
    """Reads an item of known size in one state: `ItemChanged` where it is replaced meanwhile.

    Reading on is one stream; after a jump a MiB is asked for first, and the rest only when it is
    wanted. Where the server knows no ranges, a local copy is read after the first jump.

    Args:
        stat: the item's state, with its size.
    """

    def __init__(self, source: Source, stat: ItemStat) -> None:
        super().__init__()
        assert stat.size is not None
        self._source = source
        self._stat = stat
        self._size = stat.size
        self._position = 0
        self._stream: Iterator[bytes] | None = None
        self._left = memoryview(b"")
        self._window: int | None = None
        self._copy: BinaryIO | None = None
        self.name = source.name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        if whence not in origins:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}")
        target = origins[whence] + offset
        if target < 0:
            raise ValueError(f"seek to {target}, before the item's start")
        if target != self._position:
            skipped = target - self._position
            if 0 < skipped <= len(self._left):
                self._left = self._left[skipped:]
            else:
                self._give_up()
                self._window = _WINDOW
            self._position = target
        return target

    def readinto(self, buffer: Any, /) -> int:
        wanted = memoryview(buffer).cast("B")
        if not len(wanted) or self._position >= self._size:
            return 0
        while not self._left and self._copy is None:
            self._receive(len(wanted))
        if self._copy is not None:
            self._copy.seek(self._position)
            data = self._copy.read(len(wanted))
            count = len(data)
            wanted[:count] = data
        else:
            count = min(len(wanted), len(self._left))
            wanted[:count] = self._left[:count]
            self._left = self._left[count:]
        self._position += count
        return count

    def _receive(self, wanted: int) -> None:
        """Get the next bytes into hand, or a copy of the whole where that is the better way."""
        if self._stream is None:
            stop = self._size
            if self._window is not None:
                stop = min(stop, self._position + max(self._window, wanted))
                self._window = None
            self._transfer = Transfer(self._source, self._position, stop, self._stat)
            self._stream = iter(self._transfer)
        data = next(self._stream, None)
        if data is None:
            self._stream = None
        elif self._transfer.from_start:
            from findspot.data.cache import copy_of

            self._give_up()
            copy = copy_of(self._source, self._stat)
            if self._stat.differs(copy.stat):
                raise ItemChanged(self._source.url)
            self._copy = copy.path.open("rb")
        else:
            self._left = memoryview(data)

    def close(self) -> None:
        if not self.closed:
            self._give_up()
            if self._copy is not None:
                self._copy.close()
        super().close()

    def _give_up(self) -> None:
        stream, self._stream, self._left = self._stream, None, memoryview(b"")
        close = getattr(stream, "close", None)
        if close is not None:
            close()
