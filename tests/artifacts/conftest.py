"""Workspaces: `space` is one on each kind of catalog and store, `local` the usual one on files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace
from findspot.core.ids import new_uid
from object_storage import s3_bucket, s3_server, s3_through_proxy
from postgres import postgres_server, postgres_url
from two_workspaces import make_workspace

__all__ = ["postgres_server", "postgres_url", "s3_bucket", "s3_server", "s3_through_proxy"]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace on files and SQLite, made already."""
    with Workspace(tmp_path) as workspace:
        workspace.init()
        yield workspace


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Workspace]:
    workspace = make_workspace(tmp_path, "one")
    yield workspace
    workspace.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Workspace]:
    workspace = make_workspace(tmp_path, "two")
    yield workspace
    workspace.close()


@pytest.fixture(params=["local", "memory", "postgres"])
def space(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """An empty workspace on SQLite and files, on SQLite and memory, and on PostgreSQL and files."""
    url, settings = str(tmp_path), dict[str, Any]()
    if request.param == "memory":
        settings = {"store": f"memory://{new_uid()}"}
    elif request.param == "postgres":
        monkeypatch.setenv("FINDSPOT_HOME", str(tmp_path / "home"))
        database: str = request.getfixturevalue("postgres_url")
        url = f"{database}&store={tmp_path / 'blobs'}"
    with Workspace(url, **settings) as workspace:
        workspace.init()
        yield workspace
