"""Digests: the names of bytes. The algorithm's name is part of the digest."""

from __future__ import annotations

import os
import re
from typing import BinaryIO, Final, NewType

from blake3 import blake3

Digest = NewType("Digest", str)
"""``blake3:`` followed by 64 lower-case hexadecimal digits."""

ALGORITHM = "blake3"
_PATTERN = re.compile(r"blake3:[0-9a-f]{64}")
# A hash on several threads starts a pool of its own, about 0.1 ms. blake3's shared pool (its AUTO)
# would be there already, but hangs in a forked child of a process that has used it.
_MULTITHREADED_FROM: Final = 8 << 20
_CORES: Final = os.cpu_count() or 1


class Hasher:
    """Hashes bytes as they come by; `update` releases the GIL on large buffers."""

    __slots__ = ("_hash", "size")

    def __init__(self, *, threads: int = 1) -> None:
        self._hash = blake3(max_threads=threads)
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        if type(data) is not bytes:
            data = flat(data)
        self._hash.update(data)
        self.size += len(data)

    def digest(self) -> Digest:
        return Digest(f"{ALGORITHM}:{self._hash.hexdigest()}")


def hash_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """The digest of a buffer's bytes, in C order; uses all cores for a large one.

    >>> hash_bytes(b"")[:13]
    'blake3:af1349'
    """
    if type(data) is not bytes:
        data = flat(data)
    threads = _CORES if len(data) >= _MULTITHREADED_FROM else 1
    return Digest(f"{ALGORITHM}:{blake3(data, max_threads=threads).hexdigest()}")


def flat(data: bytes | bytearray | memoryview) -> memoryview:
    """A buffer of any shape and format as one-dimensional bytes in C order; copied only where it is
    not contiguous."""
    view = memoryview(data)
    if view.format == "B" and view.ndim == 1 and view.contiguous:
        return view
    if view.nbytes and view.c_contiguous:
        try:
            return view.cast("B")
        except (TypeError, ValueError):  # a structured format, which memoryview cannot cast
            pass
    return memoryview(view.tobytes())


def hash_stream(source: BinaryIO, *, block: int = 4 << 20) -> Digest:
    """The digest of everything that is left to read from ``source``; ``block`` bytes at a time."""
    hasher = Hasher()
    while data := source.read(block):
        hasher.update(data)
    return hasher.digest()


def is_digest(text: str) -> bool:
    """Whether ``text`` is a well-formed digest (and so safe to build a path from)."""
    return _PATTERN.fullmatch(text) is not None


def parse_digest(text: str) -> Digest:
    """``text`` as a digest; ValueError if it is none. Call it on any digest from outside."""
    if not is_digest(text):
        raise ValueError(f"{text[:100]!r} is no digest (blake3: and 64 hexadecimal digits)")
    return Digest(text)
