"""Digests: the names of bytes. The algorithm's name is part of the digest."""

from __future__ import annotations

import re
from typing import BinaryIO, NewType

from blake3 import blake3

Digest = NewType("Digest", str)
"""``blake3:`` followed by 64 lower-case hexadecimal digits."""

ALGORITHM = "blake3"
_PATTERN = re.compile(r"blake3:[0-9a-f]{64}")
_MULTITHREADED_FROM = 1 << 20


class Hasher:
    """Hashes bytes as they come by; `update` releases the GIL on large buffers."""

    __slots__ = ("_hash", "size")

    def __init__(self, *, threads: int = 1) -> None:
        self._hash = blake3(max_threads=threads)
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        self._hash.update(data)
        self.size += data.nbytes if isinstance(data, memoryview) else len(data)

    def digest(self) -> Digest:
        return Digest(f"{ALGORITHM}:{self._hash.hexdigest()}")


def hash_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """The digest of ``data``; uses all cores for a large buffer.

    >>> hash_bytes(b"")[:13]
    'blake3:af1349'
    """
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    threads = blake3.AUTO if size >= _MULTITHREADED_FROM else 1
    return Digest(f"{ALGORITHM}:{blake3(data, max_threads=threads).hexdigest()}")


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
