"""Many rows of one statement: written whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from findspot.catalog.database import insert
from findspot.catalog.errors import RecordExists
from findspot.catalog.sqlite_database import SqliteDatabase

PLAIN = insert("settings", ("name", "value"))
NEWER = insert(
    "settings", ("name", "value"), "ON CONFLICT (name) DO UPDATE SET value=excluded.value"
)


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "catalog.db")


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 72, 200])
def test_each_is_there(database: SqliteDatabase, count: int) -> None:
    rows = [(f"name {i:03}", str(i)) for i in range(count)]
    before = set(database.rows("SELECT name, value FROM settings"))
    with database.writing() as session:
        session.many(PLAIN, rows)
    assert set(database.rows("SELECT name, value FROM settings")) - before == set(rows)


def test_a_later_one_wins_over_an_earlier_one(database: SqliteDatabase) -> None:
    rows = [(f"name {i % 70}", str(i)) for i in range(140)]
    with database.writing() as session:
        session.many(NEWER, rows)
    for name, value in rows[70:]:
        found = database.rows("SELECT value FROM settings WHERE name = ?", (name,))
        assert found == [(value,)]


@pytest.mark.parametrize("twice", [3, 70, 99])
def test_one_that_is_there_already_undoes_all(database: SqliteDatabase, twice: int) -> None:
    before = database.rows("SELECT name, value FROM settings")
    rows = [(f"name {i}", "") for i in range(99)] + [(f"name {min(twice, 98)}", "")]
    with pytest.raises(RecordExists), database.writing() as session:
        session.many(PLAIN, rows)
    assert database.rows("SELECT name, value FROM settings") == before


def test_other_statements_are_run_for_each(database: SqliteDatabase) -> None:
    names = [(f"name {i}",) for i in range(100)]
    with database.writing() as session:
        session.many(PLAIN, [(*name, "") for name in names])
    with database.writing() as session:
        session.many("DELETE FROM settings WHERE name = ?", names[:90])
        session.many("INSERT INTO settings (name, value) VALUES (?, upper(?))", [("a", "b")] * 1)
    found = database.rows("SELECT count(*) FROM settings WHERE name LIKE 'name %'")
    assert found == [(10,)]


def test_they_are_few_statements(database: SqliteDatabase) -> None:
    """Between two of them a thread waits for its turn, and all who want to write wait with it."""
    statements: list[str] = []
    with database.writing() as session:
        assert database._writer is not None
        database._writer.set_trace_callback(statements.append)
        session.many(PLAIN, [(f"name {i}", "") for i in range(512 + 16 + 3)])
        database._writer.set_trace_callback(None)
    assert len(statements) == 8 + 2 + 3
