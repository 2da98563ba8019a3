"""PostgreSQL: a server that many machines share, rows locked one by one."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import psycopg
from psycopg import errors

from findspot.catalog.database import OneRow, OwnTransactions, Row, Session
from findspot.catalog.errors import (
    CatalogDamaged,
    CatalogUnavailable,
    InvalidRecord,
    RecordExists,
)
from findspot.core.errors import FindspotError, ReadOnly, StorageFull

Connection: TypeAlias = "psycopg.Connection[Row]"

CONNECT_TIMEOUT = 10
"""Seconds to wait for a server, where the address does not say."""
_PLANNING = b"SET enable_bitmapscan = off; SET enable_sort = off"
"""Every listing reads along an index and stops after a page. A planner that has no statistics yet,
or does not know how short the page is, would rather read and sort all."""
MIGRATION_LOCK = 0x46_69_6E_64
"""Held while a schema is created or migrated ("Find" in ASCII)."""


class PostgresSession(OneRow):
    """Statements on one PostgreSQL connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(_text(sql), params).fetchall()

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self._connection.execute(_text(sql), params).rowcount

    def many(self, sql: str, params: Sequence[Sequence[Any]]) -> None:
        if len(params) == 1:
            self._connection.execute(_text(sql), params[0])
        elif params:
            with self._connection.cursor() as cursor:
                cursor.executemany(_text(sql), params)

    def lock(self, name: str) -> None:
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))

    def lock_deletion(self) -> None:
        # Conflicts with itself and with every INSERT, not with SELECT.
        self._connection.execute("LOCK TABLE inline_blobs IN SHARE ROW EXCLUSIVE MODE")


class PostgresDatabase(OwnTransactions):
    """The tables in one schema of a database, created and migrated as needed.

    Args:
        url: as libpq reads it; the schema is the first of the search path, ``public`` unless the
            address says otherwise.
    """

    for_update = " FOR UPDATE"

    def __init__(self, url: str) -> None:
        self._url = url
        self.where = _without_password(url)
        self._forget()
        _databases.add(self)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------ statements

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        with self._borrowed() as connection:
            try:
                return connection.execute(_text(sql), params).fetchall()
            except psycopg.OperationalError:
                if not connection.closed:
                    raise
        # The server ended an idle connection (it was restarted, say): once more, on a new one.
        self.close()
        with self._borrowed() as connection:
            return connection.execute(_text(sql), params).fetchall()

    def writing(self) -> contextlib.AbstractContextManager[Session]:
        return self._transaction("BEGIN")

    def reading(self) -> contextlib.AbstractContextManager[Session]:
        return self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[Session]:
        # On a connection that works: nothing can be tried again once the block has begun.
        self.rows("SELECT 1")
        with self._borrowed() as connection:
            connection.execute(begin.encode())
            try:
                yield PostgresSession(connection)
                connection.execute("COMMIT")
            except BaseException:
                if not connection.closed:
                    connection.execute("ROLLBACK")
                raise

    def glob(self, column: str, pattern: str) -> tuple[str, str]:
        escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
        return f"{column} LIKE ?", escaped.replace("*", "%").replace("?", "_")

    def faults(self) -> list[str]:
        """Nothing: a server's pages are its administrator's to verify (``amcheck``)."""
        return []

    # ------------------------------------------------------------------ connections

    def _forget(self) -> None:
        self._idle: list[Connection] = []
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        except _DRIVER_ERRORS as error:
            if isinstance(error, psycopg.OperationalError) and connection.closed:
                raise CatalogUnavailable(self.where, _line(error)) from error
            raise self._translated(error) from error
        finally:
            if not connection.closed:
                self._idle.append(connection)

    def _connect(self) -> Connection:
        try:
            connection = psycopg.connect(_with_timeout(self._url), autocommit=True)
            connection.execute(_PLANNING)
        except psycopg.Error as error:
            raise CatalogUnavailable(self.where, _line(error)) from error
        with self._lock:
            self._open.add(connection)
        return connection

    def close(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections to it; even closing them would end its sessions."""
        _abandoned.extend(self._open)
        self._forget()

    # ------------------------------------------------------------------ format

    def _prepare(self) -> None:
        if self._is_current(self._found_format()):
            return
        from findspot.catalog.migrating import upgrade_postgres

        with self._borrowed() as connection, self._migrating(psycopg.Error):
            connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
            try:
                if not self._is_current(self._found_format()):
                    connection.autocommit = False
                    upgrade_postgres(connection)
            finally:
                if not connection.closed:
                    connection.rollback()
                    connection.autocommit = True
                    connection.execute("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))

    def _found_format(self) -> int | None:
        """The number of the last migration that was made; None where there is none."""
        with self._borrowed() as connection:
            row = connection.execute(
                "SELECT to_regclass(quote_ident(current_schema()) || '.alembic_version') IS NULL"
            ).fetchone()
            if row is None or row[0] is not False:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        try:
            return None if row is None else int(row[0])
        except ValueError:
            raise CatalogDamaged(self.where, "another program keeps its tables here") from None

    # ------------------------------------------------------------------ errors

    def _translated(self, error: BaseException) -> FindspotError:
        text = _line(error)
        match error:
            case errors.DiskFull():
                return StorageFull(self.where)
            case errors.ReadOnlySqlTransaction() | errors.InsufficientPrivilege():
                return ReadOnly(self.where)
            case errors.IntegrityError():
                return RecordExists(self.where, text)
            case errors.UndefinedTable() | errors.UndefinedColumn() | errors.DataCorrupted():
                return CatalogDamaged(self.where, text)
            case psycopg.DataError() | UnicodeEncodeError() | OverflowError():
                return InvalidRecord(self.where, text)
        return CatalogUnavailable(self.where, text)


_texts: dict[str, bytes] = {}


def _text(sql: str) -> bytes:
    """A statement with psycopg's marks of parameters."""
    text = _texts.get(sql)
    if text is None:
        text = _texts[sql] = sql.replace("?", "%s").encode()
    return text


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _with_timeout(url: str) -> str:
    if "connect_timeout=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_TIMEOUT}"


def _without_password(url: str) -> str:
    hidden = re.sub(r"(://[^:/@?]*):[^@/]*@", r"\1@", url)
    return re.sub(r"([?&])password=[^&]*&?", r"\1", hidden).rstrip("?&")


_DRIVER_ERRORS = (psycopg.Error, UnicodeEncodeError, OverflowError)
_databases: weakref.WeakSet[PostgresDatabase] = weakref.WeakSet()
_abandoned: list[Connection] = []


def _after_fork_in_child() -> None:
    for database in list(_databases):
        database.after_fork_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
