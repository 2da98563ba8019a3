"""SQLite: one file, many processes, one writer at a time, readers that never wait.

Between processes, writers queue at a lock on a side file (``<catalog>-queue``): the kernel wakes
the next one at once, where SQLite's own waiting sleeps and polls. The database's lock stays in
force below it, so a program that knows nothing of the queue does no harm.

A connection must not be used after a fork, and SQLite's state inside the process must not be
either; so every connection is closed before a fork, and parent and child open new ones.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from findspot.catalog.database import OneRow, OwnTransactions, Row, Session
from findspot.catalog.errors import (
    CatalogDamaged,
    CatalogUnavailable,
    InvalidRecord,
    RecordExists,
)
from findspot.catalog.room import why_no_room
from findspot.core.errors import FindspotError, ReadOnly, StorageFull

BUSY_TIMEOUT = 60_000
"""Milliseconds to wait for a program that writes without queueing."""
CHECKPOINT_WRITES = 512
"""The write-ahead log goes into the database after so many writes of all processes together: each
time costs flushes of the disk, which many small writes share."""
CHECKPOINT_PAGES = 16_000
"""And at once after so many pages (64 MB), which only large batches reach."""
_TOGETHER = (64, 8)
"""So many rows are written by one statement: between statements, this thread waits for its turn to
run Python, 5 ms each time where another thread computes, and all other writers wait for it."""
_FORK_PATIENCE = 5.0
"""Seconds that a fork waits for the statements of other threads."""

_SETUP = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT}",
    "PRAGMA synchronous=NORMAL",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA cache_size=-16384",
    "PRAGMA temp_store=MEMORY",
)


class SqliteSession(OneRow):
    """Statements on one SQLite connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self._execute(sql, params).fetchall()

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self._execute(sql, params).rowcount

    def many(self, sql: str, params: Sequence[Sequence[Any]]) -> None:
        done = 0
        for count in _TOGETHER:
            while len(params) - done >= count and (text := _of_rows(sql, count)):
                self._execute(text, [*chain.from_iterable(params[done : done + count])])
                done += count
        if len(params) - done == 1:
            self._execute(sql, params[done])
        elif len(params) > done:
            self._executemany(sql, params[done:])

    def lock(self, name: str) -> None:
        """Nothing to do: a transaction that writes has the whole database for itself."""

    def lock_deletion(self) -> None:
        """Nothing to do, as for `lock`."""


@lru_cache(maxsize=64)
def _of_rows(sql: str, count: int) -> str:
    """An INSERT of one row as one of several; "" for other statements."""
    head, values, rest = sql.partition(" VALUES ")
    row, end, rest = rest.partition(")")
    if not (head.startswith("INSERT") and row and set(row) <= set("(?,")):
        return ""
    return f"{head}{values}{','.join([row + end] * count)}{rest}"


class SqliteDatabase(OwnTransactions):
    """The database in one file, created and migrated as needed.

    Args:
        path: of the file; its folder must exist.
    """

    for_update = ""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))
        self.where = str(self.path)
        self._idle: list[sqlite3.Connection] = []
        self._open: set[sqlite3.Connection] = set()
        self._writer: sqlite3.Connection | None = None
        self._queue: int | None = None
        self._write_lock = threading.Lock()
        self._open_lock = threading.Lock()
        self._fork_locks: list[threading.Lock] = []
        _databases.add(self)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------ statements

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        connection = self._take()
        try:
            return connection.execute(sql, params).fetchall()
        except _DRIVER_ERRORS as error:
            raise self._translated(error) from error
        finally:
            self._idle.append(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        with self._write_lock:
            connection = self._writer
            if connection is None:
                connection = self._writer = self._connect()
                self._open.add(connection)
            with self._turn():
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    yield SqliteSession(connection)
                    connection.execute("COMMIT")
                except BaseException as error:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    if isinstance(error, _DRIVER_ERRORS):
                        raise self._translated(error) from error
                    raise
                due = self._checkpoint_is_due()
        if due:
            self._checkpoint()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        connection = self._take()
        try:
            connection.execute("BEGIN")
            try:
                yield SqliteSession(connection)
            finally:
                connection.execute("ROLLBACK")
        except _DRIVER_ERRORS as error:
            raise self._translated(error) from error
        finally:
            self._idle.append(connection)

    def glob(self, column: str, pattern: str) -> tuple[str, str]:
        return f"{column} GLOB ?", pattern.replace("[", "[[]")

    def faults(self) -> list[str]:
        return [row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]

    # ------------------------------------------------------------------ connections

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            with self._open_lock:
                connection = self._connect()
                self._open.add(connection)
                return connection

    def _connect(self) -> sqlite3.Connection:
        try:
            try:
                return self._connect_to(str(self.path), uri=False)
            except sqlite3.OperationalError:
                if not self._sealed():
                    raise
            return self._connect_to(f"{self.path.as_uri()}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _connect_to(self, target: str, *, uri: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            target,
            uri=uri,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            timeout=BUSY_TIMEOUT / 1000,
        )
        try:
            for statement in _SETUP:
                connection.execute(statement)
            # The first statement that reads the file finds out whether it can be read.
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def _sealed(self) -> bool:
        """Whether the file lies complete in a folder in which nothing can be written: SQLite then
        reads it only if told that it cannot change."""
        return (
            self.path.is_file()
            and not os.access(self.path.parent, os.W_OK)
            and not Path(f"{self.path}-wal").exists()
        )

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Our turn among the processes that write; at once where files cannot be locked."""
        queue = self._queue
        if queue is None:
            queue = self._queue = self._open_queue()
        if queue < 0:
            yield
            return
        fcntl.flock(queue, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(queue, fcntl.LOCK_UN)

    def _checkpoint_is_due(self) -> bool:
        """Count a write, in the queue's file and in our turn; whether it is the last of many."""
        queue = self._queue
        if queue is None or queue < 0:
            return False
        count = int.from_bytes(os.pread(queue, 4, 0), "little") + 1
        due = count >= CHECKPOINT_WRITES
        # Nobody's loss if the disk is full or the process dies: the log then grows a little more.
        with contextlib.suppress(OSError):
            os.pwrite(queue, (0 if due else count).to_bytes(4, "little"), 0)
        return due

    def _checkpoint(self) -> None:
        """Bring the write-ahead log into the database: nearly all of it while others write, and
        the rest in our turn, so that the next writer begins the log anew."""
        connection = self._take()
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0]
            if not busy:
                with self._write_lock, self._turn():
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error:
            # The write itself is recorded. A disk that is full or broken says so at the next one.
            return
        finally:
            self._idle.append(connection)

    def _open_queue(self) -> int:
        try:
            queue = os.open(f"{self.path}-queue", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            # A folder that is read-only or full: the database itself says so, with its own words.
            return -1
        try:
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(queue, fcntl.LOCK_UN)
        except OSError as error:
            os.close(queue)
            if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
                return -1
            raise
        return queue

    def close(self) -> None:
        with self._write_lock, self._open_lock:
            self._close_idle()

    def _close_idle(self) -> None:
        idle = [self._writer] if self._writer is not None else []
        self._writer = None
        with contextlib.suppress(IndexError):
            while True:
                idle.append(self._idle.pop())
        for connection in idle:
            self._open.discard(connection)
            connection.close()
        if self._queue is not None and self._queue >= 0:
            os.close(self._queue)
        self._queue = None

    # ------------------------------------------------------------------ forks

    def before_fork(self) -> None:
        """Close every connection; from here to `after_fork` none is opened."""
        end = time.monotonic() + _FORK_PATIENCE
        self._fork_locks = [
            lock
            for lock in (self._write_lock, self._open_lock)
            if lock.acquire(timeout=_FORK_PATIENCE)
        ]
        while True:
            if self._write_lock in self._fork_locks:
                self._close_idle()
            if not self._open or time.monotonic() > end:
                return
            time.sleep(0.001)

    def after_fork(self, *, child: bool) -> None:
        if child:
            _abandoned.extend(self._open)
            self._idle, self._open, self._writer = [], set(), None
            if self._queue is not None and self._queue >= 0:
                os.close(self._queue)
            self._queue = None
            self._write_lock, self._open_lock = threading.Lock(), threading.Lock()
        else:
            for lock in self._fork_locks:
                lock.release()

    # ------------------------------------------------------------------ format

    def _prepare(self) -> None:
        if self._is_current(self._found_format()):
            return
        connection = self._take()
        try:
            with self._migrating(sqlite3.Error), self._turn():
                if self._is_current(self._found_format()):
                    return  # another process was faster
                connection.execute("PRAGMA journal_mode=WAL").fetchall()
                if not self._made_at_once(connection):
                    from findspot.catalog.migrating import upgrade_sqlite

                    upgrade_sqlite(connection)
        finally:
            # It stays open: the last one to close empties the log, with four flushes of the disk.
            self._idle.append(connection)

    def _made_at_once(self, connection: sqlite3.Connection) -> bool:
        """Make the tables if there are none; importing the migrations takes longer than this."""
        connection.execute("BEGIN IMMEDIATE")
        empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        if empty:
            statements = Path(__file__).with_name("newest.sql").read_text("ascii")
            for statement in statements.splitlines():
                connection.execute(statement)
        connection.execute("COMMIT")
        return empty

    def _found_format(self) -> int | None:
        """The number of the last migration that was made; None for a new, empty file."""
        tables = {row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type='table'")}
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise CatalogDamaged(self.where, "it is a database of another program")
        row = self.row("SELECT version_num FROM alembic_version")
        if row is None:
            return None
        try:
            return int(row[0])
        except ValueError:
            raise CatalogDamaged(self.where, f"its format is {row[0]!r}") from None

    # ------------------------------------------------------------------ errors

    def _files(self) -> list[Path]:
        return [self.path, Path(f"{self.path}-wal"), Path(f"{self.path}-shm")]

    def _translated(self, error: BaseException) -> FindspotError:
        if not isinstance(error, sqlite3.Error) or isinstance(
            error, sqlite3.DataError | sqlite3.InterfaceError
        ):
            return InvalidRecord(self.where, str(error))
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        text = str(error)
        if extended in _FAILED_WRITES and (how := why_no_room(self._files())):
            return StorageFull(self.where, how=how)
        match code:
            case sqlite3.SQLITE_FULL:
                return StorageFull(self.where)
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return ReadOnly(self.where)
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return CatalogDamaged(self.where, text)
            case sqlite3.SQLITE_CONSTRAINT:
                return RecordExists(self.where, text)
            case sqlite3.SQLITE_CANTOPEN if self.path.is_dir():
                return CatalogUnavailable(self.where, "it is a folder")
            case sqlite3.SQLITE_CANTOPEN if not self.path.parent.is_dir():
                return CatalogUnavailable(self.where, "its folder does not exist")
            case sqlite3.SQLITE_CANTOPEN if not os.access(self.path.parent, os.W_OK):
                return ReadOnly(self.where)
            case sqlite3.SQLITE_ERROR if "no such" in text:
                return CatalogDamaged(self.where, text)
            case sqlite3.SQLITE_TOOBIG | sqlite3.SQLITE_MISMATCH:
                return InvalidRecord(self.where, text)
        return CatalogUnavailable(self.where, text)


_FAILED_WRITES = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
    }
)
"""What SQLite says where a file cannot be made or grow: only some causes are "full" to it."""
_DRIVER_ERRORS = (sqlite3.Error, OverflowError, UnicodeEncodeError)
_databases: weakref.WeakSet[SqliteDatabase] = weakref.WeakSet()
_abandoned: list[sqlite3.Connection] = []
"""Connections of a parent that a child came with: never closed there, which would be use."""
_forking: list[SqliteDatabase] = []
_one_fork = threading.Lock()
"""Held by the thread that forks: two at once would wait for each other's databases for ever."""


def _before_fork() -> None:
    _one_fork.acquire()
    _forking[:] = list(_databases)
    for database in _forking:
        database.before_fork()


def _after_fork(*, child: bool) -> None:
    for database in _forking:
        database.after_fork(child=child)
    _forking.clear()
    _one_fork.release()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(child=False),
    after_in_child=lambda: _after_fork(child=True),
)
