"""The seam between the catalog's statements and the two databases that run them.

Statements are SQL text that both databases read, with ``?`` for each parameter: the everyday path
pays neither for importing SQLAlchemy nor for compiling expressions. What differs between the
databases is behind the methods of `Database`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias, TypeVar

from findspot.core.errors import FindspotError, FormatTooNew

Row: TypeAlias = tuple[Any, ...]
T = TypeVar("T")

FORMAT = 4
"""The number of the newest migration that this program knows."""

LIST_SIZES = (1, 4, 16, 64, 256)


class Session(Protocol):
    """Statements on one connection."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]: ...

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None: ...

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """How many rows the statement changed."""
        ...

    def many(self, sql: str, params: Sequence[Sequence[Any]]) -> None: ...

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds this lock; held until the transaction ends."""
        ...

    def lock_deletion(self) -> None:
        """Wait until no other transaction adds inline blobs; none can until this one ends."""
        ...


class Database(Session, Protocol):
    """Connections to one database. Its own `rows` and `row` read outside any transaction.

    Every error of the driver comes out as a `FindspotError`.
    """

    where: str
    """How people call it: a path, or an address without its password."""
    for_update: str
    """What a SELECT ends with, so that others wait to change the rows it found."""

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction that ends with the block: recorded whole, or not at all if it raises."""
        ...

    def reading(self) -> AbstractContextManager[Session]:
        """Several statements that see the database at one moment."""
        ...

    def glob(self, column: str, pattern: str) -> tuple[str, str]:
        """A condition for a glob (``*`` and ``?`` only; case matters), and its parameter."""
        ...

    def faults(self) -> list[str]:
        """What the database's own integrity check finds."""
        ...

    def close(self) -> None: ...


class OneRow:
    """`row`, for whatever has `rows`."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        raise NotImplementedError

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        # All rows are fetched: a statement left half-way keeps its snapshot open.
        rows = self.rows(sql, params)
        return rows[0] if rows else None


class OwnTransactions(OneRow):
    """Statements outside any transaction: each that writes is a transaction of its own.

    Both databases have these, and the number of their format, in common.
    """

    where: str

    def writing(self) -> AbstractContextManager[Session]:
        raise NotImplementedError

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        with self.writing() as session:
            return session.run(sql, params)

    def many(self, sql: str, params: Sequence[Sequence[Any]]) -> None:
        with self.writing() as session:
            session.many(sql, params)

    def lock(self, name: str) -> None:
        """Nothing to do: there is no transaction."""

    def lock_deletion(self) -> None:
        """Nothing to do: there is no transaction."""

    def _is_current(self, found: int | None) -> bool:
        """Whether the tables are as this program knows them; if not, they are to be migrated.

        Args:
            found: the number of the last migration that was made; None where there are no tables.

        Raises:
            FormatTooNew: a newer program made them.
        """
        if found is not None and found > FORMAT:
            raise FormatTooNew(found, FORMAT, self.where)
        return found == FORMAT

    def _translated(self, error: BaseException) -> FindspotError:
        raise NotImplementedError

    @contextmanager
    def _migrating(self, drivers: type[Exception]) -> Iterator[None]:
        """Inside it the driver's errors come out translated, bare or wrapped by SQLAlchemy."""
        try:
            yield
        except Exception as error:
            cause = getattr(error, "orig", error)
            if isinstance(cause, drivers):
                raise self._translated(cause) from error
            raise


def chunks(items: Iterable[T], size: int = LIST_SIZES[-1]) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def marks(values: Sequence[T]) -> tuple[str, list[T]]:
    """``?,?,?`` for an IN, and the values to go with it.

    There are only a few lengths, the last value being repeated, so that the statement is one that
    the database has prepared before.
    """
    size = next(size for size in LIST_SIZES if size >= len(values))
    return ",".join("?" * size), [*values, *[values[-1]] * (size - len(values))]


def pairs(values: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
    """``(?,?),(?,?)`` for a VALUES, and the parameters to go with it; lengths as in `marks`.

    Repeated rows come out of a join repeatedly: gather the results in a dict.
    """
    text, padded = marks(values)
    return text.replace("?", "(?,?)"), [part for pair in padded for part in pair]


def insert(table: str, columns: Sequence[str], rest: str = "") -> str:
    """The text of an INSERT of one row."""
    return (
        f"INSERT INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))}) {rest}"
    )
