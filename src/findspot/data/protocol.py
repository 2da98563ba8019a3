"""What every place of data items can do: the seam between `DataItem` and its keepers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from findspot.core.errors import FindspotError

CHUNK = 1 << 20
"""Bytes that travel at once."""


@dataclass(frozen=True, slots=True)
class ItemStat:
    """What is known of an item without reading it; None where its keeper does not say.

    Args:
        size: bytes.
        modified: when it was last changed, aware.
        content_type: a media type such as ``text/csv``.
        etag: its keeper's mark of the present bytes: another mark, other bytes.
    """

    size: int | None
    modified: datetime | None
    content_type: str | None
    etag: str | None

    @property
    def recognisable(self) -> bool:
        """Whether a later answer can be told to be of the same bytes."""
        return self.etag is not None or (self.modified is not None and self.size is not None)

    def differs(self, other: ItemStat) -> bool:
        """Whether the two are surely of different bytes."""
        if self.size is not None and other.size is not None and self.size != other.size:
            return True
        if self.etag is not None and other.etag is not None:
            return self.etag != other.etag
        return (
            self.modified is not None
            and other.modified is not None
            and self.modified != other.modified
        )


@dataclass(slots=True)
class Answer:
    """Bytes under way.

    Args:
        stat: of the whole item.
        start: offset of the first byte that comes; may be less than was asked for.
        end: offset behind the last byte that is to come; None where that is not known.
        chunks: the bytes.
        close: gives the connection up.
    """

    stat: ItemStat
    start: int
    end: int | None
    chunks: Iterator[bytes]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One name inside a folder."""

    name: str
    folder: bool = False


class Transient(Exception):
    """A request failed in a way that may pass; never seen outside of this package.

    Args:
        error: what to raise if it does not pass.
        after: seconds after which the keeper wants to be asked again.
    """

    def __init__(self, error: FindspotError, *, after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


class Source(Protocol):
    """One item's place. Everything but `open` and `stat` may raise `Transient` only where nothing
    was changed."""

    @property
    def scheme(self) -> str: ...

    @property
    def url(self) -> str:
        """For people: without credentials."""
        ...

    @property
    def identity(self) -> str:
        """What tells it from all other places; may hold credentials, so it is never shown."""
        ...

    @property
    def name(self) -> str: ...

    def stat(self) -> ItemStat: ...

    def open(self, start: int, stop: int | None, pinned: ItemStat | None) -> Answer:
        """The bytes from ``start`` up to ``stop``; `ItemChanged` where the item has surely changed
        since it was ``pinned``."""
        ...

    def path(self) -> Path | None:
        """The local file that holds the bytes, where there is one."""
        ...

    def write(self, reader: BinaryIO, *, append: bool) -> None:
        """Write all that ``reader`` gives; the item is replaced whole or not at all."""
        ...

    def delete(self) -> None: ...

    def entries(self) -> list[Entry]:
        """What is directly inside, by name."""
        ...

    def child(self, entry: Entry) -> Source: ...
