"""Folders with plugins in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from findspot.store import open_store
from findspot.store.memory import MemoryBlobStore
from findspot.store.protocol import BlobStore


@pytest.fixture
def write_plugin(tmp_path: Path) -> Callable[[str, Mapping[str, str]], Path]:
    """Writes a plugin's files (relative path to source text) and returns its folder."""

    def write(name: str, files: Mapping[str, str]) -> Path:
        folder = tmp_path / "plugins" / name
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(dedent(text), encoding="utf-8")
        return folder

    return write


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "memory":
        return MemoryBlobStore()
    return open_store((tmp_path / "blobs").as_uri())
