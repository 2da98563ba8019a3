"""Bytes to and from a bucket: in parts, several at a time, in constant memory.

Every function raises what `findspot.store.object_errors` makes of a failure.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from findspot.store.errors import StoreUnreachable
from findspot.store.object_clients import Place
from findspot.store.object_errors import Absent, Changed, RangeRefused, object_failures

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta
    from obstore.store import ObjectStore

    from findspot.core.digests import Hasher

PART: Final = 8 << 20
"""Bytes of a part; an object of at most so many travels whole, by one request."""
PARALLEL: Final = 4
"""How many parts of one object travel at a time; memory for at most one more is needed."""
RANGE: Final = 16 << 20
"""Bytes of a large object that are asked for by one request."""
LONG_RANGE, LONG_FROM = 32 << 20, 128 << 20
"""The same for one of at least `LONG_FROM` bytes, as some servers take long over each request."""
MOST_PARTS: Final = 9_000
"""S3 takes 10,000 parts for an object."""
_LEAST: Final = 1 << 20  # what arrived in whole pieces of this size is not fetched again
_PAUSE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """What a bucket says about an object. ``mark`` changes whenever its bytes are written."""

    size: int
    mark: str


def part_size(size: int) -> int:
    """Bytes of each part of an object of ``size`` bytes; a whole number of MiB."""
    least = -(-size // MOST_PARTS)
    return max(PART, -(-least // (1 << 20)) << 20)


class Transfers:
    """Moves the bytes of objects of one client.

    Args:
        client: of obstore.
        place: for errors.
        retries: how often a download that broke off in the middle goes on where it broke. (What
            breaks before its answer begins, and every upload of a part, is retried by the client.)
    """

    def __init__(self, client: ObjectStore, place: Place, *, retries: int) -> None:
        self.client, self._place, self._retries = client, place, retries

    # ----------------------------------------------------------------- questions

    def head(self, key: str) -> Found | None:
        """What is under the key; None where nothing is."""
        import obstore

        try:
            with object_failures(self._place, "read"):
                meta = obstore.head(self.client, key)
        except Absent:
            return None
        return _found(meta)

    def listing(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Key, size and time of every object below a prefix; a page in memory at a time."""
        import obstore

        with object_failures(self._place, "read"):
            pages = iter(obstore.list(self.client, prefix, chunk_size=1000))
        while True:
            with object_failures(self._place, "read"):
                page = next(pages, None)
            if page is None:
                return
            for meta in page:
                yield meta["path"], meta["size"], meta["last_modified"]

    # ----------------------------------------------------------------- uploads

    def put(self, key: str, view: memoryview, *, create: bool) -> str:
        """Store a buffer by one request; the new object's mark.

        Args:
            create: only where the key is free; `AlreadyThere` where it is not, `NotConditional`
                where the server cannot tell.
        """
        import obstore

        with object_failures(self._place, "write"):
            done = obstore.put(
                self.client,
                key,
                view,
                mode="create" if create else "overwrite",
                use_multipart=False,
            )
        return done["e_tag"] or ""

    def put_parts(self, key: str, parts: Iterator[memoryview], size: int) -> str:
        """Store what ``parts`` yields, as one object, when all of it has come; its mark.

        An error of ``parts`` is passed on; nothing is stored then and nothing is left.
        """
        import obstore

        with object_failures(self._place, "write"):
            done = obstore.put(
                self.client,
                key,
                parts,
                use_multipart=True,
                chunk_size=part_size(size),
                max_concurrency=PARALLEL,
            )
        return done["e_tag"] or ""

    def copy(self, source: str, target: str, found: Found, most: int) -> None:
        """Copy an object inside the bucket; by its server where it has at most ``most`` bytes."""
        import obstore

        if found.size > most:
            self.put_parts(target, self.parts(source)[1], found.size)
            return
        with object_failures(self._place, "write"):
            obstore.copy(self.client, source, target)

    def delete(self, keys: str | list[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        import obstore

        try:
            with object_failures(self._place, "write"):
                obstore.delete(self.client, keys)
        except Absent:
            return

    # ----------------------------------------------------------------- downloads

    def whole(self, key: str, hasher: Hasher) -> tuple[bytes, Found]:
        """An object's bytes, hashed as they come; `Absent` where there is none."""
        import io

        found, parts = self.parts(key)
        buffer = io.BytesIO()
        for view in parts:
            hasher.update(view)
            if view.nbytes == found.size:
                return bytes(view), found
            buffer.write(view)
        # No copy is made: the bytes object inside is handed out.
        return buffer.getvalue(), found

    def parts(self, key: str) -> tuple[Found, Iterator[memoryview]]:
        """What is under the key, and its bytes in order; `Absent` where nothing is.

        Several parts are fetched at a time; a part that breaks off is fetched from where it broke.
        The iterator raises `Changed` when an object of another size comes under the key meanwhile;
        that the bytes are those of one object the caller finds out by their digest.
        """
        found, pieces = self._first(key)
        if sum(map(len, pieces)) >= found.size:
            return found, _emptied(pieces)
        return found, self._rest(key, found, pieces)

    def _first(self, key: str) -> tuple[Found, list[bytes]]:
        import obstore

        try:
            with object_failures(self._place, "read"):
                result = obstore.get(self.client, key, options={"range": (0, PART)})
        except RangeRefused:  # the object is empty
            with object_failures(self._place, "read"):
                result = obstore.get(self.client, key)
        found = _found(result.meta)
        return found, self._body(key, result, found, 0, min(PART, found.size))

    def _rest(self, key: str, found: Found, first: list[bytes]) -> Iterator[memoryview]:
        begun = sum(map(len, first))
        step = LONG_RANGE if found.size >= LONG_FROM else RANGE
        ahead = range(begun, found.size, step)

        def fetch(start: int) -> list[bytes]:
            end = min(start + step, found.size)
            return self._body(key, self._get(key, found, start, end), found, start, end)

        pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="findspot-get")
        try:
            starts = iter(ahead)
            waiting = deque(pool.submit(fetch, start) for start in islice(starts, PARALLEL))
            yield from _emptied(first)
            while waiting:
                pieces = waiting.popleft().result()
                waiting.extend(pool.submit(fetch, start) for start in islice(starts, 1))
                yield from _emptied(pieces)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _get(self, key: str, found: Found, start: int, end: int) -> GetResult:
        import obstore

        # Not only if its mark is the same: whoever takes the bytes compares their digest, and an
        # object that was replaced by one of the same bytes shall not disturb a reader.
        try:
            with object_failures(self._place, "read"):
                result = obstore.get(self.client, key, options={"range": (start, end)})
        except RangeRefused:
            raise Changed from None
        if result.meta["size"] != found.size:
            raise Changed
        return result

    def _body(self, key: str, result: GetResult, found: Found, start: int, end: int) -> list[bytes]:
        """The bytes from ``start`` to ``end``, of which ``result`` is the beginning, in pieces."""
        pieces: list[bytes] = []
        at = start
        failure: Exception | None = None
        for attempt in range(self._retries + 1):
            if attempt:
                time.sleep(_PAUSE * 2**attempt * random.uniform(0.5, 1.0))
                result = self._get(key, found, at, end)
            try:
                with object_failures(self._place, "read"):
                    for data in result.stream(_LEAST):
                        pieces.append(data)
                        at += len(data)
            except StoreUnreachable as broken:
                failure = broken
            if at >= end:
                return pieces
        raise failure or Changed


def _emptied(pieces: list[bytes]) -> Iterator[memoryview]:
    """Each piece, which is forgotten when the next one is asked for."""
    pieces.reverse()
    while pieces:
        yield memoryview(pieces.pop())


def _found(meta: ObjectMeta) -> Found:
    return Found(meta["size"], meta["e_tag"] or "")
