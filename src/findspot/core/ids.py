"""Identifiers of records: UUIDs of version 7 (RFC 9562), so that they sort by time."""

from __future__ import annotations

import os
import re
import time
from random import Random

_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_random = Random()
"""Seeded by the system, once in each process: asking it each time would let go of the GIL, and
threads that wait for it take their turn. No seed that people give reaches it."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_uid() -> str:
    """A new UUIDv7 as lower-case text: 48 bits of milliseconds, 12 of sub-millisecond time, random.

    >>> is_uid(new_uid())
    True
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    tail = _random.getrandbits(62) | 0x8000_0000_0000_0000
    number = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | tail
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uid(text: str) -> bool:
    """Whether ``text`` is written as a uid is."""
    return _PATTERN.fullmatch(text) is not None
