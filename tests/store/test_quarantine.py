"""Quarantine: out of the listing, back for who asks, gone only after a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobMissing
from findspot.store.cached_store import CachedBlobStore
from findspot.store.local import LocalBlobStore
from findspot.store.memory import MemoryBlobStore
from findspot.store.protocol import Blob, BlobStore

HOUR = timedelta(hours=1)


def in_an_hour() -> datetime:
    return datetime.now(UTC) + HOUR


def listed(store: BlobStore) -> set[Digest]:
    return {blob.digest for blob in store.list()}


def waiting(store: BlobStore) -> set[Digest]:
    return {blob.digest for blob in store.quarantined()}


def read_open(store: BlobStore, digest: Digest) -> object:
    with store.open(digest) as file:
        return file.read()


ASKING: list[Callable[[BlobStore, Digest], object]] = [
    lambda store, digest: store.read(digest),
    read_open,
    lambda store, digest: store.path(digest) or store.read(digest),
    lambda store, digest: store.size(digest),
    lambda store, digest: store.missing([digest]),
    lambda store, digest: store.verify(digest),
    lambda store, digest: store.restore(digest),
    lambda store, digest: store.put(b"sherds"),
]


@pytest.mark.parametrize("ask", ASKING)
def test_who_asks_for_a_blob_brings_it_back(
    store: BlobStore, ask: Callable[[BlobStore, Digest], object]
) -> None:
    digest = store.put(b"sherds").digest
    other = store.put(b"others").digest
    assert store.quarantine(digest)
    assert listed(store) == {other}
    assert waiting(store) == {digest}
    ask(store, digest)
    if digest in listed(store):
        assert listed(store) == {digest, other}
    else:  # a cache knew it
        assert store.restore(digest)
    assert store.read(digest) == b"sherds"
    store.purge([digest], older_than=in_an_hour())
    assert store.read(digest) == b"sherds"
    assert store.verify(digest) == Blob(digest, 6)


def test_what_was_purged_is_gone(store: BlobStore) -> None:
    digests = [store.put(data).digest for data in (b"one", b"two!", b"three")]
    before = datetime.now(UTC) - HOUR
    for digest in digests[:2]:
        assert store.quarantine(digest)
    assert store.purge(digests, older_than=before) == 0
    assert waiting(store) == set(digests[:2])
    assert store.purge(digests[1:], older_than=in_an_hour()) == 4
    assert waiting(store) == {digests[0]}
    assert store.missing(digests) == {digests[1]}
    with pytest.raises(BlobMissing):
        # A cache may go on having it.
        (store.remote if isinstance(store, CachedBlobStore) else store).read(digests[1])
    assert not store.restore(digests[1])
    assert store.purge([], older_than=in_an_hour()) == 0


def test_since_when(store: BlobStore) -> None:
    digest = store.put(b"sherds").digest
    earliest = datetime.now(UTC) - timedelta(seconds=2)
    store.quarantine(digest)
    (blob,) = store.quarantined()
    assert (blob.digest, blob.size) == (digest, 6)
    assert earliest < blob.modified < datetime.now(UTC) + timedelta(seconds=2)


def test_nothing_to_quarantine(store: BlobStore) -> None:
    absent = hash_bytes(b"never stored")
    assert not store.quarantine(absent)
    assert not store.restore(absent)
    assert list(store.quarantined()) == []
    assert store.purge([absent], older_than=in_an_hour()) == 0


def test_bytes_that_are_stored_again_stay(store: BlobStore) -> None:
    digest = store.put(b"sherds").digest
    store.quarantine(digest)
    store.put(b"sherds")
    store.purge([digest], older_than=in_an_hour())
    assert listed(store) == {digest}
    assert store.quarantine(digest)
    assert store.quarantine(digest) is False
    assert waiting(store) == {digest}
    assert store.read(digest) == b"sherds"


def test_deletion_takes_a_quarantined_blob_too(store: BlobStore) -> None:
    digest = store.put(b"sherds").digest
    store.quarantine(digest)
    assert store.delete(digest)
    assert waiting(store) == set()
    assert store.size(digest) is None
    assert not store.delete(digest)


@pytest.mark.parametrize("size", [100, 2 << 20])
@pytest.mark.parametrize("kind", ["local", "memory"])
def test_moved_to_and_fro_under_writers(tmp_path: Path, kind: str, size: int) -> None:
    store: BlobStore = MemoryBlobStore() if kind == "memory" else LocalBlobStore(tmp_path)
    data = bytes(size)
    digest = store.put(data).digest
    failures: list[Exception] = []
    ended = threading.Event()

    def move() -> None:
        while not ended.is_set():
            store.quarantine(digest)
            store.restore(digest)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for _ in range(200):
            try:
                assert store.put(data).digest == digest
                store.restore(digest)
            except Exception as error:
                failures.append(error)
    finally:
        ended.set()
        mover.join()
    assert failures == []
    assert store.restore(digest)
    assert store.read(digest) == data
