"""What every blob store guarantees, whatever it keeps its blobs in."""

from __future__ import annotations

import io
import os
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.store.errors import NotAFile
from findspot.store.protocol import Blob, BlobStore

MIB = 1 << 20
# Both sides of every size at which a store may change its ways.
SIZES = [0, 1, 1000, MIB - 1, MIB, 8 * MIB - 1, 8 * MIB, 9 * MIB + 3]
ABSENT = hash_bytes(b"never stored")


@cache
def some_bytes(size: int) -> bytes:
    return random.Random(0).randbytes(size)


def read_open(store: BlobStore, digest: Digest) -> None:
    with store.open(digest) as file:
        file.read()


READERS: tuple[Callable[[BlobStore, Digest], object], ...] = (
    lambda store, digest: store.read(digest),
    read_open,
    lambda store, digest: store.verify(digest),
)


def digests(store: BlobStore) -> set[Digest]:
    return {stored.digest for stored in store.list()}


def test_it_is_a_blob_store(store: BlobStore) -> None:
    assert isinstance(store, BlobStore)
    assert "://" in store.url


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_read_by_every_way(store: BlobStore, size: int) -> None:
    data = some_bytes(size)
    blob = store.put(data)
    assert blob == Blob(hash_bytes(data), size)
    assert store.read(blob.digest) == data
    with store.open(blob.digest) as file:
        assert file.read() == data
    path = store.path(blob.digest)
    assert path is None or path.read_bytes() == data
    assert store.size(blob.digest) == size
    assert store.verify(blob.digest) == blob


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("move", [False, True])
def test_a_file_is_stored_as_its_bytes_are(
    store: BlobStore, tmp_path: Path, size: int, move: bool
) -> None:
    data = some_bytes(size)
    file = tmp_path / "source"
    for _ in range(2):  # the second time all is stored already
        file.write_bytes(data)
        assert store.put_file(file, move=move) == Blob(hash_bytes(data), size)
        assert file.exists() is not move
        assert store.read(hash_bytes(data)) == data


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("hint", [None, 0, 9 * MIB, 20 * MIB])
def test_a_writer_stores_what_was_written_in_any_parts(
    store: BlobStore, size: int, hint: int | None
) -> None:
    data = some_bytes(size)
    cuts = sorted(random.Random(size).choices(range(size + 1), k=5))
    with store.writer(size_hint=hint) as writer:
        for start, end in zip([0, *cuts], [*cuts, size], strict=True):
            assert writer.write(memoryview(data)[start:end]) == end - start
        assert digests(store) == set()
        blob = writer.commit()
        assert writer.commit() == blob
    assert blob == Blob(hash_bytes(data), size)
    assert store.read(blob.digest) == data


@pytest.mark.parametrize("size", [10, 2 * MIB, 9 * MIB])
def test_a_writer_without_a_commit_leaves_nothing(store: BlobStore, size: int) -> None:
    with store.writer() as writer:
        writer.write(some_bytes(size))
    assert digests(store) == set()
    assert store.tidy(older_than_seconds=0) == 0
    with pytest.raises(ValueError, match="has ended"):
        writer.write(b"more")
    with pytest.raises(ValueError, match="without a commit"):
        writer.commit()


def test_an_error_inside_a_writer_leaves_nothing(store: BlobStore) -> None:
    def fail_half_way() -> None:
        with store.writer() as writer:
            writer.write(some_bytes(2 * MIB))
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert digests(store) == set()


def test_a_committed_writer_takes_no_more(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"all")
        writer.commit()
        with pytest.raises(ValueError, match="has ended"):
            writer.write(b"more")
    assert digests(store) == {hash_bytes(b"all")}


def test_a_writer_is_done_with_a_buffer_when_write_returns(store: BlobStore) -> None:
    buffer = bytearray(some_bytes(9 * MIB))
    expected = bytes(buffer)
    with store.writer() as writer:
        writer.write(buffer)
        buffer[:] = bytes(len(buffer))
        digest = writer.commit().digest
    assert store.read(digest) == expected


@pytest.mark.parametrize(
    "view",
    [
        np.arange(12.0).reshape(3, 4).data,
        np.arange(12.0).reshape(3, 4).T.data,
        np.arange(12)[::2].data,
        np.array(3.5).data,
        np.zeros((0, 3)).data,
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]).data,
    ],
    ids=["plain", "transposed", "strided", "scalar", "empty", "structured"],
)
def test_a_buffer_of_any_layout_is_stored_in_c_order(store: BlobStore, view: memoryview) -> None:
    blob = store.put(view)
    assert store.read(blob.digest) == view.tobytes()
    with store.writer() as writer:
        assert writer.write(view) == view.nbytes
        assert writer.commit() == blob


@pytest.mark.parametrize("size", [0, 100, 2 * MIB, 9 * MIB])
def test_storing_again_changes_nothing(store: BlobStore, tmp_path: Path, size: int) -> None:
    data = some_bytes(size)
    blob = store.put(data)
    before = list(store.list())
    assert store.put(bytearray(data)) == blob
    with store.writer() as writer:
        writer.write(data)
        assert writer.commit() == blob
    (tmp_path / "file").write_bytes(data)
    assert store.put_file(tmp_path / "file") == blob
    assert list(store.list()) == before
    assert store.tidy(older_than_seconds=0) == 0


@pytest.mark.parametrize("size", [0, 100, 9 << 20])
def test_parts_are_stored_as_one_blob(store: BlobStore, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    half = len(data) // 2
    parts: list[bytes | bytearray | memoryview] = [
        data[:half],
        bytearray(),
        memoryview(data)[half:],
    ]
    whole = store.put_parts(parts)
    assert whole == store.put(data) == store.put_parts(parts)
    assert store.read(whole.digest) == data
    assert store.put_parts([]) == store.put(b"")


def test_a_reader_can_seek(store: BlobStore) -> None:
    for size in (100, 2 * MIB):
        data = some_bytes(size)
        digest = store.put(data).digest
        with store.open(digest) as file:
            assert file.seekable()
            file.seek(-10, io.SEEK_END)
            assert file.read() == data[-10:]
            file.seek(5)
            assert file.read(7) == data[5:12]


def test_a_reader_keeps_its_bytes_when_the_blob_is_deleted(store: BlobStore) -> None:
    data = some_bytes(2 * MIB)
    digest = store.put(data).digest
    with store.open(digest) as file:
        assert store.delete(digest)
        assert file.read() == data


def test_a_missing_blob_is_named(store: BlobStore) -> None:
    store.put(b"another")
    for look in READERS:
        with pytest.raises(BlobMissing, match="is missing") as caught:
            look(store, ABSENT)
        assert caught.value.digest == ABSENT
    assert store.size(ABSENT) is None
    assert store.delete(ABSENT) is False


def test_missing_tells_absent_from_stored(store: BlobStore) -> None:
    here = store.put(b"here").digest
    assert store.missing([here, ABSENT, ABSENT]) == {ABSENT}
    assert store.missing([]) == set()


@pytest.mark.parametrize("text", ["", "blake3:abc", "sha256:" + "0" * 64, "../../etc/passwd"])
def test_what_is_no_digest_is_refused_everywhere(store: BlobStore, text: str) -> None:
    digest = Digest(text)
    for look in READERS:
        with pytest.raises(ValueError, match="is no digest"):
            look(store, digest)
    for ask in (store.size, store.delete):
        with pytest.raises(ValueError, match="is no digest"):
            ask(digest)
    with pytest.raises(ValueError, match="is no digest"):
        store.missing([digest])


@pytest.mark.parametrize("size", [1, 1000, MIB, 9 * MIB])
def test_a_flipped_byte_is_never_returned_and_storing_again_mends_it(
    store: BlobStore, flip: Callable[[BlobStore, Digest], None], tmp_path: Path, size: int
) -> None:
    data = some_bytes(size)
    digest = store.put(data).digest
    source = tmp_path / "source"

    def put_file() -> None:
        source.write_bytes(data)
        store.put_file(source, move=True)

    def write() -> None:
        with store.writer() as writer:
            writer.write(data)
            writer.commit()

    for mend in (lambda: store.put(data), write, put_file):
        assert store.read(digest) == data
        flip(store, digest)
        for look in (*READERS, *READERS):
            with pytest.raises(BlobDamaged) as caught:
                look(store, digest)
            assert caught.value.expected == digest
            assert caught.value.found not in ("", digest)
            assert caught.value.where
        mend()
        assert store.verify(digest).size == size


def test_a_path_of_damaged_bytes_is_not_given(
    store: BlobStore, flip: Callable[[BlobStore, Digest], None]
) -> None:
    for size in (1000, 2 * MIB):
        digest = store.put(some_bytes(size)).digest
        if store.path(digest) is None:
            continue
        flip(store, digest)
        with pytest.raises(BlobDamaged):
            store.path(digest)


def test_a_listing_shows_each_blob_once(store: BlobStore) -> None:
    start = datetime.now(UTC) - timedelta(seconds=5)
    expected = {store.put(some_bytes(size)) for size in range(300)}
    listing = list(store.list())
    assert len(listing) == 300
    assert {Blob(stored.digest, stored.size) for stored in listing} == expected
    assert all(start <= stored.modified <= datetime.now(UTC) for stored in listing)


def test_a_deleted_blob_is_gone_and_can_be_stored_again(store: BlobStore) -> None:
    for size in (10, 9 * MIB):
        data = some_bytes(size)
        digest = store.put(data).digest
        assert store.delete(digest) is True
        assert store.delete(digest) is False
        assert (store.size(digest), digests(store)) == (None, set())
        with pytest.raises(BlobMissing):
            store.read(digest)
        assert store.put(data).digest == digest
        assert store.read(digest) == data
        store.delete(digest)


def test_listing_while_blobs_come_and_go(store: BlobStore) -> None:
    kept = {store.put(some_bytes(size)).digest for size in range(100)}
    seen = set()
    for number, stored in enumerate(store.list()):
        seen.add(stored.digest)
        store.delete(store.put(f"passing {number}".encode()).digest)
    assert kept <= seen


def test_only_regular_files_are_stored(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, reason in [
        ("link", "a symbolic link"),
        ("folder", "a folder"),
        ("pipe", "a pipe"),
        ("absent", "no such file"),
    ]:
        for move in (False, True):
            with pytest.raises(NotAFile, match=reason) as caught:
                store.put_file(tmp_path / name, move=move)
            assert caught.value.where == str(tmp_path / name)
    assert digests(store) == set()
    assert (tmp_path / "link").is_symlink()


def test_scratch_is_an_empty_folder_that_goes_with_its_block(store: BlobStore) -> None:
    with store.scratch() as folder:
        assert list(folder.iterdir()) == []
        with store.scratch() as other:
            assert other != folder
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"made here")
        digest = store.put_file(folder / "deep" / "file", move=True).digest
        (folder / "deep" / "left").write_bytes(b"unused")
        os.chmod(folder / "deep", 0o500)
        assert store.tidy(older_than_seconds=0) == 0
        assert (folder / "deep" / "left").exists()
    assert not folder.exists()
    assert store.read(digest) == b"made here"
    assert digests(store) == {digest}


def test_scratch_goes_when_its_block_fails(store: BlobStore) -> None:
    with pytest.raises(KeyError), store.scratch() as folder:
        raise KeyError
    assert not folder.exists()


@pytest.mark.parametrize("size", [1000, 2 * MIB, 9 * MIB])
def test_threads_that_store_the_same_bytes_agree(store: BlobStore, size: int) -> None:
    data = some_bytes(size)
    start = threading.Barrier(4)
    results: list[Blob | BaseException] = []

    def work() -> None:
        try:
            start.wait()
            for _ in range(3):
                blob = store.put(data)
                assert store.read(blob.digest) == data
                results.append(blob)
        except BaseException as error:
            results.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [Blob(hash_bytes(data), size)] * 12
    assert [stored.size for stored in store.list()] == [size]
    assert store.tidy(older_than_seconds=0) == 0
