"""Bytes from a source in a steady stream: cut connections are taken up where they broke off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from findspot.core.digests import Digest, Hasher
from findspot.core.errors import FindspotError
from findspot.data.errors import ItemChanged, TransferFailed
from findspot.data.protocol import ItemStat, Source, Transient

ATTEMPTS = 5
"""Failures in a row, without a byte between them, after which a transfer is given up."""
FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0

T = TypeVar("T")


def persistently(request: Callable[[], T]) -> T:
    """What ``request`` returns; asked again, after growing pauses, while it fails in passing."""
    failures = 0
    while True:
        try:
            return request()
        except Transient as failure:
            failures += 1
            if failures >= ATTEMPTS:
                raise failure.error from None
            pause(failures, failure.after)


def pause(failures: int, after: float = 0.0) -> None:
    """Wait before the next attempt: longer each time, and never at one beat with others."""
    wait: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (failures - 1))
    time.sleep(max(after, wait * random.uniform(0.5, 1.0)))


class Transfer:
    """One pass over (a part of) an item; iterate over it for the bytes.

    A cut connection is resumed by a range, and only for the very bytes that the first answer
    promised: `ItemChanged` where they were replaced meanwhile.

    Args:
        start, stop: offsets; ``stop`` of None means the end.
        pinned: the state that it must be in; None: the one that the first answer tells.

    After the pass `stat` is known, and `digest` where the pass covered the whole item.
    """

    def __init__(
        self,
        source: Source,
        start: int = 0,
        stop: int | None = None,
        pinned: ItemStat | None = None,
    ) -> None:
        self._source = source
        self._start = start
        self._stop = stop
        self.stat = pinned
        self.position = start
        self.digest: Digest | None = None
        self.from_start = False
        """Whether the item came from its start on, though a range was asked for."""

    def __iter__(self) -> Iterator[bytes]:
        hasher = Hasher() if self._start == 0 else None
        failures = 0
        while True:
            before = self.position
            try:
                for data in self._answered():
                    self.position += len(data)
                    if hasher is not None:
                        hasher.update(data)
                    yield data
            except Transient as failure:
                failures = 1 if self.position > before else failures + 1
                self._resume_or_raise(failure.error, failures)
                pause(failures, failure.after)
                continue
            break
        if hasher is not None and (self._stop is None or self._is_whole()):
            self.digest = hasher.digest()

    def _is_whole(self) -> bool:
        return self.stat is not None and self.stat.size == self.position

    def _answered(self) -> Iterator[bytes]:
        """The bytes from the present position on, from one answer."""
        answer = self._source.open(self.position, self._stop, self.stat)
        try:
            if self.stat is None:
                self.stat = answer.stat
            elif self.stat.differs(answer.stat):
                raise ItemChanged(self._source.url)
            position = answer.start
            self.from_start = position < self.position
            if position > self.position:
                if not self._is_beyond(answer.stat):
                    raise TransferFailed(
                        self._source.url, self.position, None, "bytes came that were not asked for"
                    )
                return
            for data in answer.chunks:
                surplus = self.position - position
                position += len(data)
                if surplus >= len(data):
                    continue
                useful = data[surplus:] if surplus > 0 else data
                if self._stop is not None and position > self._stop:
                    useful = useful[: len(useful) - (position - self._stop)]
                if useful:
                    yield useful
                if self._stop is not None and position >= self._stop:
                    return
            if (answer.end is not None and position < answer.end) or self._is_short():
                raise Transient(self._failure("the connection was cut"))
        finally:
            answer.close()

    def _is_short(self) -> bool:
        """Whether there is more than came; a server may send less of a range than was asked for."""
        if self.stat is None or self.stat.size is None:
            return False
        size = self.stat.size
        return self.position < (size if self._stop is None else min(size, self._stop))

    def _is_beyond(self, stat: ItemStat) -> bool:
        return stat.size is not None and self.position >= stat.size

    def _resume_or_raise(self, error: FindspotError, failures: int) -> None:
        if failures >= ATTEMPTS:
            if self.position == self._start:
                raise error from None
            raise self._failure(error.what) from None
        if self.position > self._start and not (self.stat and self.stat.recognisable):
            raise self._failure(
                "the connection was cut, and the server says nothing by which to tell whether "
                "what it sends next is of the same bytes"
            ) from None

    def _failure(self, reason: str) -> TransferFailed:
        expected = self.stat.size if self.stat else None
        return TransferFailed(self._source.url, self.position, expected, reason.rstrip("."))


def copy_into(source: Source, sink: BinaryIO) -> Transfer:
    """Write the whole item into ``sink`` in pieces of a MiB. Where it cannot be resumed it is begun
    anew, so ``sink`` must be a file that can be cut."""
    attempt = 0
    while True:
        attempt += 1
        transfer = Transfer(source)
        try:
            for data in transfer:
                sink.write(data)
        except TransferFailed:
            resumable = transfer.stat is not None and transfer.stat.recognisable
            if resumable or attempt >= ATTEMPTS:
                raise
            sink.seek(0)
            sink.truncate()
            pause(attempt)
            continue
        return transfer
