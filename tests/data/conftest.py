"""Fixtures of the tests of data items."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from findspot.artifacts.space import ArtifactSpace
from findspot.data import transfer
from http_files import WebServer, web
from object_storage import s3_bucket, s3_server

__all__ = ["s3_bucket", "s3_server", "web"]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow one another quickly."""
    monkeypatch.setattr(transfer, "FIRST_WAIT", 0.002)


@pytest.fixture(autouse=True)
def own_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local copies of a test are its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))


@pytest.fixture
def space(tmp_path: Path) -> Iterator[ArtifactSpace]:
    space = ArtifactSpace(tmp_path / "workspace")
    space.init()
    with space:
        yield space


@pytest.fixture
def web_denying(web: WebServer) -> str:
    """The URL of a server that lets nobody in."""
    web.deny_all = True
    return web.url
