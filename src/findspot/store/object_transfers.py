"""Bytes to and from a bucket: in parts, several at a time, in constant memory.

Every function raises what `findspot.store.object_errors` makes of a failure.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from findspot.store import object_clients
from findspot.store.errors import StoreUnreachable
from findspot.store.object_clients import Place
from findspot.store.object_errors import Absent, Changed, RangeRefused, object_failures

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta, PutResult
    from obstore.store import ObjectStore

    from findspot.core.digests import Hasher

T = TypeVar("T")

PART: Final = 8 << 20
"""Bytes of a part; an object of at most so many travels whole, by one request."""
PARALLEL: Final = 4
"""How many parts of one object travel at a time; memory for at most one more is needed."""
RANGE: Final = 16 << 20
"""Bytes that are asked for by each request where an object comes by several."""
FAST: Final = 200 << 20
"""Bytes a second by one connection that are as good as what several would bring: some servers need
longer for every range than for the whole object."""
LITTLE: Final = 256 << 10
"""Bytes that are sent within seconds also over a slow line: a silence after them is a stall."""
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
        client: of obstore, for uploads and copies; patient, as a server may be silent for long.
        reader: the one for questions, downloads, deletions and little uploads, which gives up a
            connection that went silent.
        place: for errors.
        retries: how often a download that broke off in the middle goes on where it broke. (What
            breaks before its answer begins, and every upload of a part, is retried by the client.)
    """

    def __init__(
        self, client: ObjectStore, reader: ObjectStore, place: Place, *, retries: int
    ) -> None:
        self.client, self._reader, self._place, self._retries = client, reader, place, retries

    # ----------------------------------------------------------------- questions

    def head(self, key: str) -> Found | None:
        """What is under the key; None where nothing is."""
        import obstore

        try:
            with object_failures(self._place, "read"):
                meta = obstore.head(self._reader, key)
        except Absent:
            return None
        return _found(meta)

    def listing(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Key, size and time of every object below a prefix; a page in memory at a time."""
        import obstore

        with object_failures(self._place, "read"):
            pages = iter(obstore.list(self._reader, prefix, chunk_size=1000))
        while True:
            with object_failures(self._place, "read"):
                page = next(pages, None)
            if page is None:
                return
            for meta in page:
                yield meta["path"], meta["size"], meta["last_modified"]

    # ----------------------------------------------------------------- uploads

    def put(self, key: str, view: memoryview, *, create: bool) -> str:
        """Store a blob's buffer by one request; the new object's mark.

        A little one is sent again after a silence: what came through nonetheless is the same.

        Args:
            create: only where the key is free; `AlreadyThere` where it is not, `NotConditional`
                where the server cannot tell.
        """
        import obstore

        little = view.nbytes <= LITTLE

        def send() -> PutResult:
            return obstore.put(
                self._reader if little else self.client,
                key,
                view,
                mode="create" if create else "overwrite",
                use_multipart=False,
            )

        done = self._until_heard(send) if little else self._write(send)
        return done["e_tag"] or ""

    def _write(self, send: Callable[[], T]) -> T:
        with object_failures(self._place, "write"):
            return send()

    def _until_heard(self, send: Callable[[], T]) -> T:
        """Send what may be sent twice, again where nothing was heard of it: the client itself asks
        only questions again."""
        for _ in range(self._retries):
            began = time.monotonic()
            try:
                return self._write(send)
            except StoreUnreachable:
                if time.monotonic() - began < object_clients.SILENCE.total_seconds():
                    raise
        return self._write(send)

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
            parts = self.parts(source)[1]
            with ThreadPoolExecutor(1, thread_name_prefix="findspot-copy") as pool:
                # The client asks for parts in a thread that must not wait for the client.
                ahead = iter(lambda: pool.submit(next, parts, None).result(), None)
                self.put_parts(target, ahead, found.size)
            return
        with object_failures(self._place, "write"):
            obstore.copy(self.client, source, target)

    def delete(self, keys: str | list[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        import obstore

        try:
            self._until_heard(lambda: obstore.delete(self._reader, keys))
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

        The bytes come by one connection as long as that is fast (`FAST`), else by several; what
        breaks off goes on where it broke. The iterator raises `Changed` when an object of another
        size comes under the key meanwhile; that the bytes are those of one object the caller finds
        out by their digest.
        """
        import obstore

        with object_failures(self._place, "read"):
            result = obstore.get(self._reader, key)
        found = _found(result.meta)
        return found, self._pieces(key, found, result)

    def _pieces(self, key: str, found: Found, result: GetResult) -> Iterator[memoryview]:
        stream = self._stream(key, found, 0, found.size, result)
        at, waited = 0, 0.0
        while True:
            asked = time.perf_counter()
            data = next(stream, None)
            waited += time.perf_counter() - asked  # whoever takes the bytes may be slow himself
            if data is None:
                return
            at += len(data)
            yield memoryview(data)
            if PART <= at < found.size - RANGE and at < FAST * waited:
                stream.close()
                yield from self._ranges(key, found, at)
                return

    def _ranges(self, key: str, found: Found, begin: int) -> Iterator[memoryview]:
        """The bytes from ``begin`` on, `PARALLEL` ranges at a time."""

        def fetch(start: int) -> list[bytes]:
            end = min(start + RANGE, found.size)
            return list(self._stream(key, found, start, end, self._get(key, found, start, end)))

        pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="findspot-get")
        try:
            starts = iter(range(begin, found.size, RANGE))
            waiting = deque(pool.submit(fetch, start) for start in islice(starts, PARALLEL))
            while waiting:
                pieces = waiting.popleft().result()
                waiting.extend(pool.submit(fetch, start) for start in islice(starts, 1))
                pieces.reverse()
                while pieces:
                    yield memoryview(pieces.pop())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _get(self, key: str, found: Found, start: int, end: int) -> GetResult:
        import obstore

        # Not only if its mark is the same: whoever takes the bytes compares their digest, and an
        # object that was replaced by one of the same bytes shall not disturb a reader.
        try:
            with object_failures(self._place, "read"):
                result = obstore.get(self._reader, key, options={"range": (start, end)})
        except RangeRefused:
            raise Changed from None
        if result.meta["size"] != found.size:
            raise Changed
        return result

    def _stream(
        self, key: str, found: Found, start: int, end: int, result: GetResult
    ) -> Generator[bytes, None, None]:
        """The bytes from ``start`` to ``end``, of which ``result`` is the beginning."""
        at, failed = start, 0
        while True:
            before = at
            failure: Exception = Changed()
            pieces = result.stream(_LEAST)
            try:
                while True:
                    with object_failures(self._place, "read"):
                        data = next(pieces, None)
                    if data is None:
                        break
                    at += len(data)
                    yield data
            except StoreUnreachable as broken:
                failure = broken
            if at >= end:
                return
            failed = failed + 1 if at == before else 1
            if failed > self._retries:
                raise failure
            time.sleep(_PAUSE * 2**failed * random.uniform(0.5, 1.0))
            result = self._get(key, found, at, end)


def _found(meta: ObjectMeta) -> Found:
    return Found(meta["size"], meta["e_tag"] or "")
