"""What can be wrong with a database, and what people are told about it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog_records import new_job, new_version, save
from findspot.catalog import open_catalog
from findspot.catalog.errors import (
    CatalogDamaged,
    CatalogUnavailable,
    InvalidCatalogUrl,
    InvalidRecord,
)
from findspot.catalog.protocol import Batch, Catalog
from findspot.catalog.room import why_no_room
from findspot.catalog.sql_catalog import SqlCatalog
from findspot.catalog.sqlite_database import SqliteDatabase
from findspot.core.errors import FindspotError, ReadOnly, StorageFull
from postgres import PostgresServer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A catalog's file, with one version in it."""
    path = tmp_path / "folder" / "catalog.db"
    path.parent.mkdir()
    catalog = open_catalog(str(path))
    save(catalog)
    catalog.close()
    return path


# --------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "sqlite://", "sqlite:///", "sqlite://x/y", "http://x", "a\0b", ""]
)
def test_an_address_of_no_catalog(url: str) -> None:
    with pytest.raises(InvalidCatalogUrl, match="no address of a catalog"):
        open_catalog(url)


def test_paths_are_addresses_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    for url in (f"sqlite:///{path}", "sqlite:///catalog.db", str(path), "catalog.db"):
        catalog = open_catalog(url)
        assert catalog.url == url
        assert catalog.keys("default") == ["samples"]
        catalog.close()


def test_opening_imports_neither_sqlalchemy_nor_drivers_of_others(path: Path) -> None:
    code = (
        "import sys; from findspot.catalog import open_catalog;"
        f"catalog = open_catalog({str(path)!r}); assert catalog.keys('default');"
        "assert not {'sqlalchemy', 'alembic', 'psycopg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --------------------------------------------------------------------------- records


@pytest.mark.parametrize(
    "fields",
    [{"owner": "\udcff"}, {"iteration": 2**63}, {"name": "\ud800"}],
    ids=str,
)
def test_a_record_that_no_database_can_keep(catalog: Catalog, fields: dict[str, Any]) -> None:
    batch = Batch(versions=[new_version("good"), new_version(**fields)], jobs=[new_job()])
    with pytest.raises(InvalidRecord):
        catalog.write(batch)
    assert catalog.counts()["versions"] == catalog.counts()["jobs"] == 0
    assert save(catalog).number == 1


# --------------------------------------------------------------------------- SQLite


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"This is a text, and a long one. " * 100)
    with pytest.raises(CatalogDamaged, match="no readable catalog") as caught:
        open_catalog(str(path))
    assert caught.value.where == str(path)
    assert path.read_bytes().startswith(b"This is a text")


def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE addresses (name)")
    connection.close()
    with pytest.raises(CatalogDamaged, match="another program"):
        open_catalog(str(path))


def test_a_damaged_file(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with pytest.raises(CatalogDamaged):
        open_catalog(str(path))


def test_check_reports_a_damaged_page(path: Path) -> None:
    catalog = open_catalog(str(path))
    assert catalog.check() == []
    catalog.close()
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'versions_digest'"
        ).fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096 + 8)
        file.write(b"\xff" * 64)
    catalog = open_catalog(str(path))
    try:
        faults = catalog.check()
    except CatalogDamaged as error:
        faults = [error.detail]
    catalog.close()
    assert faults


@pytest.mark.parametrize("name", ["missing/catalog.db", "."])
def test_a_path_that_cannot_be_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogUnavailable) as caught:
        open_catalog(f"sqlite:///{tmp_path}/{name}")
    assert "folder" in str(caught.value)


def test_a_full_disk(path: Path) -> None:
    database = SqliteDatabase(path)
    catalog = SqlCatalog(str(path), database)
    with database.writing() as session:
        row = session.row("PRAGMA page_count")
        assert row is not None
        session.rows(f"PRAGMA max_page_count={row[0] + 5}")
    saved = 1

    def fill() -> None:
        nonlocal saved
        for _ in range(10):
            catalog.write(Batch(versions=[new_version(content=os.urandom(3000))]))
            saved += 1

    with pytest.raises(StorageFull) as caught:
        fill()
    assert caught.value.where == str(path)
    # What was saved is there, and reading goes on.
    newest = catalog.find_version("default", "samples")
    assert newest is not None
    assert newest.number == catalog.counts()["versions"] == saved
    with database.writing() as session:
        session.rows("PRAGMA max_page_count=1000000")
    assert save(catalog).number == saved + 1
    assert catalog.check() == []
    catalog.close()


FULL = """
import ctypes, os, resource, sys
from pathlib import Path
sys.path[:0] = {search!r}
from findspot.catalog import open_catalog
from findspot.core.errors import FindspotError
from catalog_records import new_version, save
from findspot.catalog.protocol import Batch
folder, what = Path({folder!r}), {what!r}
if what == "disk":
    libc = ctypes.CDLL(None, use_errno=True)
    mounted = (
        libc.unshare(0x00020000) == 0
        and libc.mount(None, b"/", None, 1 << 18 | 16384, None) == 0
        and libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, b"size=2m") == 0
    )
    if not mounted:  # only who may mount can have a disk of any size: the limit is nearly the same
        what = "limit"
if what == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
if what == "new":
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
path = str(folder / "catalog.db")
saved = 0
try:
    catalog = open_catalog(path)
    while True:
        catalog.write(Batch(versions=[new_version(content=os.urandom(3000))]))
        saved += 1
except FindspotError as error:
    print(type(error).__name__, error.where == path)
    print("ulimit" in error.how if what != "disk" else "larger disk" in error.how)
if what != "new":
    print(catalog.counts()["versions"] == saved > 0, catalog.check())
    if what == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(save(catalog).number == saved + 1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["limit", "disk", "new"])
def test_files_that_cannot_grow(tmp_path: Path, what: str) -> None:
    """SQLite calls most of these an error of the disk, not a full one."""
    search = [entry for entry in sys.path if entry]
    code = FULL.format(search=search, folder=str(tmp_path), what=what)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["StorageFull True", "True"], done.stdout + done.stderr
    assert lines[2:] == {"new": [], "disk": ["True []"], "limit": ["True []", "True"]}[what]


def test_an_error_of_a_disk_that_has_room_stays_one(path: Path) -> None:
    assert why_no_room([path]) is None
    assert why_no_room([path.parent.parent / "gone" / "catalog.db"]) is None
    database = SqliteDatabase(path)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    assert isinstance(database._translated(error), CatalogUnavailable)
    database.close()


READ_ONLY = """
import os, sys
sys.path[:0] = {search!r}
# Everything first: afterwards Python's own folders may be out of reach.
from findspot.catalog import errors, open_catalog, sql_catalog, sqlite_database
from findspot.core.errors import FindspotError
from catalog_records import new_version
from findspot.catalog.protocol import Batch
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    catalog = open_catalog({url!r})
    print([catalog.find_version("default", "samples").number, catalog.check()])
    catalog.write(Batch(versions=[new_version()]))
except FindspotError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can get to; pytest's own are root's alone if root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="findspot-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("what", ["file", "folder", "new"])
def test_a_catalog_that_cannot_be_written_to(open_folder: Path, what: str) -> None:
    path = open_folder / "catalog.db"
    if what != "new":
        catalog = open_catalog(str(path))
        save(catalog)
        catalog.close()
        path.chmod(0o444)
    if what == "folder":
        (open_folder / "catalog.db-queue").unlink()
    # Permissions do not bind root: the process drops its rights.
    open_folder.chmod(0o777 if what == "file" else 0o555)
    search = [entry for entry in sys.path if entry]
    code = READ_ONLY.format(search=search, url=str(path))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    open_folder.chmod(0o755)
    expected = ["ReadOnly"] if what == "new" else ["[1, []]", "ReadOnly"]
    assert done.stdout.splitlines() == expected, done.stderr


# --------------------------------------------------------------------------- PostgreSQL


def test_an_unreachable_server(tmp_path: Path) -> None:
    with pytest.raises(CatalogUnavailable) as caught:
        open_catalog(f"postgresql://ada:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert "database runs" in str(caught.value)


def test_a_database_that_does_not_exist(postgres_server: PostgresServer) -> None:
    with pytest.raises(CatalogUnavailable, match="nowhere"):
        open_catalog(postgres_server.url("nowhere"))


def test_connections_that_the_server_ended_are_replaced(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    catalog = open_catalog(postgres_url)
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'"
    for expected in (1, 2):
        assert save(catalog).number == expected
        assert postgres_server.run(end)
    assert catalog.keys("default") == ["samples"]
    catalog.close()


def test_a_character_that_the_server_cannot_keep(postgres_url: str) -> None:
    catalog = open_catalog(postgres_url)
    with pytest.raises(InvalidRecord):
        save(catalog, "nul\0")
    assert catalog.counts()["versions"] == 0
    catalog.close()


def test_a_server_that_only_reads(
    postgres_server: PostgresServer, new_postgres_url: Callable[[], str]
) -> None:
    url = new_postgres_url()
    catalog = open_catalog(url)
    save(catalog)
    catalog.close()
    reading = open_catalog(f"{url}&options=-cdefault_transaction_read_only%3Don")
    assert reading.keys("default") == ["samples"]
    with pytest.raises(ReadOnly):
        save(reading)
    reading.close()
    with pytest.raises(ReadOnly):
        open_catalog(f"{new_postgres_url()}&options=-cdefault_transaction_read_only%3Don")


def test_errors_are_ours(catalog: Catalog) -> None:
    assert isinstance(catalog, SqlCatalog)
    with pytest.raises(FindspotError):
        catalog._database.rows("SELECT * FROM no_such_table")
    with pytest.raises(FindspotError), catalog._database.writing() as session:
        session.run("INSERT INTO nothing VALUES (1)")

    def interrupted() -> None:
        with catalog._database.writing() as session:
            session.run("INSERT INTO projects (name, created) VALUES ('p', 1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert catalog.projects() == []
