"""A blob store of each kind, and the damage that its readers must notice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from findspot.core.digests import Digest
from findspot.store.local import LocalBlobStore
from findspot.store.memory import MemoryBlobStore
from findspot.store.protocol import BlobStore


@pytest.fixture(params=["local", "durable", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store; each test that takes it runs on every kind."""
    if request.param == "memory":
        return MemoryBlobStore("test")
    return LocalBlobStore(tmp_path / "blobs", durable=request.param == "durable")


@pytest.fixture
def local(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path / "blobs")


@pytest.fixture
def flip() -> Callable[[BlobStore, Digest], None]:
    """Changes one byte in the middle of a stored blob, behind the store's back."""

    def flip_byte(store: BlobStore, digest: Digest) -> None:
        if isinstance(store, MemoryBlobStore):
            data, modified = store._blobs[digest]
            changed = bytearray(data)
            changed[len(data) // 2] ^= 1
            store._blobs[digest] = bytes(changed), modified
            return
        assert isinstance(store, LocalBlobStore)
        path = store.root / "blake3" / digest[7:9] / digest[9:]
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        os.chmod(path, 0o444)

    return flip_byte
