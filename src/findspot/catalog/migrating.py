"""Bring a database to this program's format. Imported only when that is needed.

The migrations in `migrations/versions` are numbered 0001, 0002 ...; the newest is `FORMAT` of
`findspot.catalog.database`. Each runs on both databases.

A new SQLite catalog takes all of them at once, from `newest.sql`, without importing this module.
Write that file anew after adding a migration (a test compares it)::

    python -m findspot.catalog.migrating > src/findspot/catalog/newest.sql
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

if TYPE_CHECKING:
    import psycopg

_one_at_a_time = threading.Lock()
"""Alembic keeps the migration that runs in a global variable."""


def configuration(connection: Connection) -> Config:
    """Alembic's configuration to migrate what a connection leads to."""
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run all migrations that are missing, in one transaction."""
    with _one_at_a_time, engine.begin() as connection:
        command.upgrade(configuration(connection), revision)


def upgrade_sqlite(raw: sqlite3.Connection) -> None:
    """As `upgrade`, on a connection that is in autocommit mode; it stays open."""
    engine = sqlite_engine(raw)
    upgrade(engine)


def upgrade_postgres(raw: psycopg.Connection[Any]) -> None:
    """As `upgrade`, on a connection that is not in autocommit mode; it stays open."""
    upgrade(postgres_engine(raw))


def newest_sqlite() -> str:
    """The statements that make an empty SQLite database what all migrations make of it."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
        upgrade_sqlite(raw)
        made = raw.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        lines = [" ".join(sql.split()) for (sql,) in made]
        ((newest,),) = raw.execute("SELECT version_num FROM alembic_version").fetchall()
    lines.append(f"INSERT INTO alembic_version VALUES ('{newest}')")
    return "".join(f"{line};\n" for line in lines)


def sqlite_engine(raw: sqlite3.Connection) -> Engine:
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def postgres_engine(raw: psycopg.Connection[Any]) -> Engine:
    return create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=StaticPool)


if __name__ == "__main__":
    sys.stdout.write(newest_sqlite())
