"""Cursors: where a page of a listing ended, as a text that nobody needs to read.

Listings are sorted by two values that together are unique, so that the next page begins right after
the last item however many records came or went in between.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Literal

from findspot.catalog.errors import InvalidCursor

Listing = Literal["versions", "numbers", "jobs"]


def cursor_after(listing: Listing, time: int, last: int | str) -> str:
    """The cursor of a page that ended with an item of this time and identifier.

    >>> after(listing="jobs", cursor=cursor_after("jobs", 12, "a"))
    (12, 'a')
    """
    text = json.dumps([listing, time, last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after(listing: Listing, cursor: str) -> tuple[int, int | str]:
    """The time and identifier that a cursor stands for; `InvalidCursor` if none of ours."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        name, time, last = json.loads(text)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidCursor(cursor) from None
    wanted = str if listing == "jobs" else int
    if name != listing or type(time) is not int or type(last) is not wanted:
        raise InvalidCursor(cursor)
    if abs(time) >> 63 or (type(last) is int and abs(last) >> 63):
        raise InvalidCursor(cursor)
    return time, last
