"""Identifiers of records: UUIDs of version 7 (RFC 9562), so that they sort by time."""

from __future__ import annotations

import os
import re
import time

_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_uid() -> str:
    """A new UUIDv7 as lower-case text: 48 bits of milliseconds, 12 of sub-millisecond time, random.

    >>> is_uid(new_uid())
    True
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    tail = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    number = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | tail
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uid(text: str) -> bool:
    """Whether ``text`` is written as a uid is."""
    return _PATTERN.fullmatch(text) is not None
