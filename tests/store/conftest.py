"""A blob store of each kind, and the damage that its readers must notice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from findspot.core.digests import Digest
from findspot.store.cached_store import CachedBlobStore
from findspot.store.local import LocalBlobStore
from findspot.store.memory import MemoryBlobStore
from findspot.store.object_store import ObjectBlobStore
from findspot.store.protocol import BlobStore
from object_storage import s3_bucket, s3_server, s3_through_proxy

__all__ = ["s3_bucket", "s3_server", "s3_through_proxy"]

KINDS = [
    *("local", "durable", "memory", "object-memory", "s3", "cached"),
    pytest.param("object-files", marks=pytest.mark.slow),
]
FAST_ON_A_SERVER = 1 << 20


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Megabytes through a server that is made for tests take long: `make check` leaves them out."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        values: dict[str, object] = {} if callspec is None else callspec.params
        size = values.get("size")
        if values.get("store") == "s3" and isinstance(size, int) and size > FAST_ON_A_SERVER:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Stores share a place for unfinished work in the system's temporary folder; the tests of
    another process must not find theirs tidied away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store; each test that takes it runs on every kind."""
    return new_store(request.param, request, tmp_path)


def new_store(kind: str, request: pytest.FixtureRequest, folder: Path) -> BlobStore:
    from obstore.store import LocalStore, MemoryStore

    scratch = folder / "scratch"
    if kind == "memory":
        return MemoryBlobStore("test")
    if kind == "object-memory":
        return ObjectBlobStore("s3://test", client=MemoryStore(), scratch_folder=scratch)
    if kind == "object-files":
        files = LocalStore(folder / "objects", mkdir=True)
        return ObjectBlobStore("gs://test", client=files, scratch_folder=scratch)
    if kind == "s3":
        bucket = request.getfixturevalue("s3_bucket")
        return ObjectBlobStore(f"{bucket}/pre/fix", scratch_folder=scratch)
    if kind == "cached":
        remote = ObjectBlobStore("s3://test", client=MemoryStore(), scratch_folder=scratch)
        return CachedBlobStore(remote, folder / "cache", 100 << 20)
    return LocalBlobStore(folder / "blobs", durable=kind == "durable")


@pytest.fixture
def local(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path / "blobs")


@pytest.fixture
def flip() -> Callable[[BlobStore, Digest], None]:
    """Changes one byte in the middle of a stored blob, behind the store's back."""
    return flip_byte


def flip_byte(store: BlobStore, digest: Digest) -> None:
    if isinstance(store, CachedBlobStore):
        flip_byte(store.remote, digest)
        if store.local.size(digest) is not None:
            flip_byte(store.local, digest)
    elif isinstance(store, MemoryBlobStore):
        data, modified = store._blobs[digest]
        store._blobs[digest] = flipped(data), modified
    elif isinstance(store, ObjectBlobStore):
        import obstore

        client, key = store._transfers.client, f"blake3/{digest[7:9]}/{digest[9:]}"
        obstore.put(client, key, flipped(bytes(obstore.get(client, key).bytes())))
    else:
        assert isinstance(store, LocalBlobStore)
        path = store.root / "blake3" / digest[7:9] / digest[9:]
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        os.chmod(path, 0o444)


def flipped(data: bytes) -> bytes:
    """``data`` with another bit in its middle."""
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    return bytes(changed)
