"""The format of the database: created by migrations, refused when too new."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from catalog_records import new_step, save
from findspot.catalog import migrating, open_catalog
from findspot.catalog.database import FORMAT
from findspot.catalog.errors import CatalogDamaged
from findspot.catalog.protocol import Batch
from findspot.catalog.schema import metadata
from findspot.catalog.sql_catalog import SqlCatalog
from findspot.core.errors import FormatTooNew
from findspot.core.records import ScheduleRecord


def engine_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def open_sql(url: str) -> SqlCatalog:
    catalog = open_catalog(url)
    assert isinstance(catalog, SqlCatalog)
    return catalog


def table_options(connection: Connection) -> set[str]:
    """Tables that SQLite keeps without a rowid."""
    rows = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%WITHOUT ROWID%'"
    )
    return {row[0] for row in rows}


def test_migrations_make_the_schema(new_url: str) -> None:
    open_catalog(new_url).close()
    engine = create_engine(engine_url(new_url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences: list[Any] = compare_metadata(context, metadata)
            assert differences == []
            tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
            assert tables == set(metadata.tables)
            if engine.dialect.name == "sqlite":
                narrow = {
                    name
                    for name, table in metadata.tables.items()
                    if table.dialect_options["sqlite"]["with_rowid"] is False
                }
                assert table_options(connection) == narrow
            else:
                collations = connection.exec_driver_sql(
                    "SELECT DISTINCT collation_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND data_type = 'text'"
                )
                assert [row[0] for row in collations] == ["C"]
    finally:
        engine.dispose()


def test_the_newest_migration_is_the_format() -> None:
    folder = Path(migrating.__file__).parent / "migrations"
    heads = ScriptDirectory(str(folder)).get_heads()
    assert [int(head) for head in heads] == [FORMAT]


def made_tables(connection: sqlite3.Connection) -> list[tuple[str, str, str | None]]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY rowid")
    return [(kind, name, sql and " ".join(sql.split())) for kind, name, sql in rows]


def test_a_new_file_is_what_the_migrations_make(tmp_path: Path) -> None:
    open_catalog(f"sqlite:///{tmp_path}/new.db").close()
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "new.db")) as new,
        contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as migrated,
    ):
        migrating.upgrade_sqlite(migrated)
        assert made_tables(new) == made_tables(migrated)
        versions = "SELECT version_num FROM alembic_version"
        assert new.execute(versions).fetchall() == migrated.execute(versions).fetchall()


def test_the_statements_for_new_files_are_up_to_date() -> None:
    kept = Path(migrating.__file__).with_name("newest.sql").read_text()
    assert kept == migrating.newest_sqlite(), migrating.__doc__


def test_a_new_file_needs_no_migrations(tmp_path: Path) -> None:
    code = (
        "import sys; from findspot.catalog import open_catalog;"
        f" open_catalog({f'sqlite:///{tmp_path}/new.db'!r}).close();"
        " print(sys.modules.keys() & {'alembic', 'sqlalchemy'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_second_opening_changes_nothing(new_url: str) -> None:
    first = open_catalog(new_url)
    record = save(first)
    first.close()
    second = open_catalog(new_url)
    assert second.version(record.uid) == record
    second.close()


def test_a_newer_format_is_refused_unchanged(new_url: str) -> None:
    catalog = open_sql(new_url)
    save(catalog)
    catalog._database.run("UPDATE alembic_version SET version_num = '0007'")
    catalog.close()
    with pytest.raises(
        FormatTooNew, match=f"has format 7; this Findspot reads formats up to {FORMAT}"
    ):
        open_catalog(new_url)


def test_a_format_of_another_program_is_refused(new_url: str) -> None:
    catalog = open_sql(new_url)
    catalog._database.run("UPDATE alembic_version SET version_num = 'ae1027a6acf'")
    catalog.close()
    with pytest.raises(CatalogDamaged):
        open_catalog(new_url)


def make_first_format(catalog: SqlCatalog) -> None:
    """Take the tables of all migrations but the first off again, as a catalog of then was."""
    added = (
        *("protected_tags", "links", "signatures", "leases", "lease_versions", "sources"),
        "schedules",
    )
    with catalog._database.writing() as session:
        for table in added:
            session.run(f"DROP TABLE {table}")
        session.run("UPDATE alembic_version SET version_num = '0001'")


def test_a_catalog_of_the_first_format_is_brought_up(new_url: str) -> None:
    old = open_sql(new_url)
    record = save(old, labels={"split": "train"}, tags=["golden"])
    make_first_format(old)
    old.close()
    catalog = open_sql(new_url)
    assert catalog._database.rows("SELECT version_num FROM alembic_version") == [(f"{FORMAT:04}",)]
    found = catalog.version(record.uid)
    assert found is not None
    assert found.labels == {"split": "train"}
    assert catalog.tags("default", "samples") == {"golden": 1}
    assert save(catalog).number == 2
    assert catalog.check() == []
    catalog.close()


def test_a_catalog_of_the_second_format_is_brought_up(new_url: str) -> None:
    old = open_sql(new_url)
    record = save(old)
    with old._database.writing() as session:
        session.run("DROP TABLE schedules")
        session.run("UPDATE alembic_version SET version_num = '0002'")
    old.close()
    catalog = open_sql(new_url)
    assert catalog.version(record.uid) == record
    schedule = ScheduleRecord(
        project="default", name="nightly", definition=record.uid, created=record.created
    )
    catalog.add_schedule(schedule)
    assert catalog.schedules() == [schedule]
    catalog.close()


def test_steps_of_the_third_format_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
        migrating.upgrade(migrating.sqlite_engine(raw), "0003")
        raw.execute(
            "INSERT INTO steps VALUES ('job', 'fit', 'tasks.fit', 1, 'finished', 1, 'key', '{}',"
            " NULL, '{\"lr\":0.1}', '{}', '{}', NULL, NULL, 2, NULL)"
        )
    catalog = open_sql(f"sqlite:///{path}")
    (step,) = catalog.steps("job")
    expected = new_step("job", "fit", position=1, cached=True, key="key", attempt=2)
    assert step == replace(expected, params={"lr": 0.1})
    catalog.write(Batch(steps=[replace(step, attempt=3)]))
    assert [step.attempt for step in catalog.steps("job")] == [3]
    assert catalog.check() == []
    catalog.close()


def test_a_creation_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    catalog = open_catalog(f"sqlite:///{path}")
    assert save(catalog).number == 1
    catalog.close()


def test_a_folder_with_unusual_characters(tmp_path: Path) -> None:
    folder = tmp_path / "100% ünï?#code;"
    folder.mkdir()
    catalog = open_catalog(f"sqlite:///{folder}/catalog.db")
    save(catalog)
    catalog.close()
    assert (folder / "catalog.db").is_file()
