"""A cache in front of another store: what it saves, what it holds, and what it never breaks."""

from __future__ import annotations

import errno
import mmap
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pytest

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing, StorageFull
from findspot.store import open_store
from findspot.store.cached_store import CachedBlobStore
from findspot.store.errors import CannotSign, StoreUnreachable
from findspot.store.local import LocalBlobStore
from findspot.store.memory import MemoryBlobStore
from findspot.store.object_store import ObjectBlobStore
from findspot.store.protocol import Blob, BlobStore
from object_storage import Asked, Proxy

MIB = 1 << 20
Flip = Callable[[BlobStore, Digest], None]
READERS: dict[str, Callable[[CachedBlobStore, Digest], bytes]] = {
    "read": lambda store, digest: store.read(digest),
    "open": lambda store, digest: opened(store, digest),
    "path": lambda store, digest: store.path(digest).read_bytes(),
}


class Remote(MemoryBlobStore):
    """A store far away, which says what was asked of it and can be cut off."""

    def __init__(self) -> None:
        super().__init__("far-away")
        self.fetched: list[Digest] = []
        self.reachable = True

    def _reach(self) -> None:
        if not self.reachable:
            raise StoreUnreachable(self.url, "far away", "the line is cut", how="Mend it.")

    def put(self, data: bytes | bytearray | memoryview) -> Blob:
        self._reach()
        return super().put(data)

    def read(self, digest: Digest) -> bytes:
        self._reach()
        self.fetched.append(digest)
        return super().read(digest)

    def open(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        self._reach()
        return super().open(digest)

    def size(self, digest: Digest) -> int | None:
        self._reach()
        return super().size(digest)


def opened(store: CachedBlobStore, digest: Digest) -> bytes:
    with store.open(digest) as file:
        return file.read()


def some_bytes(number: int, size: int = MIB) -> bytes:
    return random.Random(number).randbytes(size)


def cached(store: CachedBlobStore) -> set[Digest]:
    return {stored.digest for stored in store.local.list()}


def taken(store: CachedBlobStore) -> int:
    return sum(stored.size for stored in store.local.list())


def given_out_long_ago(cache: Path) -> None:
    """Make it look as if nobody had asked for a path lately."""
    for marker in (cache / "used").glob("*/*"):
        os.utime(marker, (0, 0))


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def store(remote: Remote, tmp_path: Path) -> CachedBlobStore:
    """Room for ten blobs of 1 MiB, and for no more."""
    return CachedBlobStore(remote, tmp_path / "cache", 10 * MIB + 100, path_grace_seconds=0)


# ----------------------------------------------------------------- what it saves


@pytest.mark.parametrize("way", READERS)
@pytest.mark.parametrize("size", [0, 1000, 2 * MIB])
def test_a_blob_is_fetched_once(
    store: CachedBlobStore, remote: Remote, way: str, size: int
) -> None:
    data = some_bytes(1, size)
    digest = remote.put(data).digest
    for other in READERS:
        assert READERS[way](store, digest) == READERS[other](store, digest) == data
    assert remote.fetched == [digest]


@pytest.mark.parametrize("act", ["put", "put_file", "move", "writer"])
def test_what_is_stored_is_in_the_cache_at_once(
    store: CachedBlobStore, remote: Remote, tmp_path: Path, act: str
) -> None:
    data, file = some_bytes(1, 2 * MIB), tmp_path / "file"
    file.write_bytes(data)
    if act == "put":
        digest = store.put(data).digest
    elif act == "writer":
        with store.writer() as writer:
            writer.write(data)
            digest = writer.commit().digest
    else:
        digest = store.put_file(file, move=act == "move").digest
    assert file.exists() is not (act == "move")
    assert remote.size(digest) == len(data)
    remote.reachable = False
    assert store.read(digest) == data
    assert remote.fetched == []


def test_a_moved_file_becomes_the_cached_one(store: CachedBlobStore) -> None:
    with store.scratch() as folder:
        (folder / "made").write_bytes(some_bytes(1, 2 * MIB))
        inode = (folder / "made").stat().st_ino
        digest = store.put_file(folder / "made", move=True).digest
    assert store.path(digest).stat().st_ino == inode


def test_a_file_that_cannot_be_sent_stays_where_it_is(
    store: CachedBlobStore, remote: Remote, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"precious")
    remote.reachable = False
    with pytest.raises(StoreUnreachable):
        store.put_file(file, move=True)
    assert file.read_bytes() == b"precious"
    assert cached(store) == set()


def test_cached_blobs_are_read_without_a_connection(store: CachedBlobStore, remote: Remote) -> None:
    here, there = some_bytes(1), some_bytes(2)
    digest, far = store.put(here).digest, remote.put(there).digest
    remote.reachable = False
    for read in READERS.values():
        assert read(store, digest) == here
        with pytest.raises(StoreUnreachable):
            read(store, far)
    assert store.size(digest) == len(here)
    with pytest.raises(StoreUnreachable):
        store.size(far)
    with pytest.raises(StoreUnreachable):
        store.put(b"new")
    remote.reachable = True
    assert store.read(far) == there


def test_a_path_can_be_mapped(store: CachedBlobStore, remote: Remote) -> None:
    data = some_bytes(1, 3 * MIB)
    path = store.path(remote.put(data).digest)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:] == data


def test_what_counts_is_the_other_store(store: CachedBlobStore, remote: Remote) -> None:
    digest = store.put(b"x").digest
    remote.delete(digest)
    assert store.size(digest) is None
    assert store.missing([digest]) == {digest}
    assert list(store.list()) == []
    store.put(b"x")
    assert store.delete(digest)
    assert cached(store) == set()
    with pytest.raises(BlobMissing):
        store.read(digest)
    with pytest.raises(CannotSign):
        store.presigned(digest)


# ----------------------------------------------------------------- its limit


def test_the_least_recently_used_go_first(store: CachedBlobStore, remote: Remote) -> None:
    digests = [store.put(some_bytes(number)).digest for number in range(10)]
    assert cached(store) == set(digests)
    for number, read in zip((0, 3, 5), READERS.values(), strict=True):
        read(store, digests[number])
    new = [store.put(some_bytes(number)).digest for number in range(10, 13)]
    left = cached(store)
    assert {digests[0], digests[3], digests[5], *new} <= left
    assert not {digests[1], digests[2], digests[4]} & left
    remote.fetched.clear()
    assert store.read(digests[1]) == some_bytes(1), "and it is fetched again when it is wanted"
    assert remote.fetched == [digests[1]]


@pytest.mark.parametrize("way", READERS)
def test_the_limit_is_kept(store: CachedBlobStore, remote: Remote, way: str) -> None:
    digests = [remote.put(some_bytes(n, 100_000 + n * 7919)).digest for n in range(80)]
    for digest in digests:
        READERS[way](store, digest)
        assert taken(store) <= store.limit_bytes
    assert taken(store) > store.limit_bytes * 0.8, "and it is used"
    assert digests[-1] in cached(store)


def test_a_blob_larger_than_the_cache_drives_nothing_out(
    store: CachedBlobStore, remote: Remote
) -> None:
    kept = {store.put(some_bytes(number)).digest for number in range(5)}
    data = some_bytes(99, 11 * MIB)
    digest = store.put(data).digest
    with store.writer(size_hint=None) as writer:
        writer.write(data)
        writer.commit()
    assert store.read(digest) == opened(store, digest) == data
    assert cached(store) == kept
    assert store.path(digest).read_bytes() == data, "a path needs a file"
    assert cached(store) == {*kept, digest}
    new = store.put(some_bytes(6)).digest
    assert cached(store) == {*kept, new}


def test_a_cache_without_room_still_gives_paths(remote: Remote, tmp_path: Path) -> None:
    store = CachedBlobStore(remote, tmp_path / "cache", 0, path_grace_seconds=0)
    digests = [store.put(some_bytes(n, 1000)).digest for n in range(3)]
    for n, digest in enumerate(digests):
        assert store.path(digest).read_bytes() == some_bytes(n, 1000)
        assert len(cached(store)) <= 2
    store.tidy()
    assert cached(store) == set()
    with pytest.raises(ValueError, match="-1"):
        CachedBlobStore(remote, tmp_path, -1)


@pytest.mark.slow
def test_a_path_stays_good_until_it_can_be_opened(remote: Remote, tmp_path: Path) -> None:
    store = CachedBlobStore(remote, tmp_path / "cache", 3 * MIB, path_grace_seconds=3600)
    digests = [remote.put(some_bytes(number)).digest for number in range(6)]
    paths = [store.path(digest) for digest in digests]
    assert [path.read_bytes() for path in paths] == [some_bytes(n) for n in range(6)]
    store.read(digests[0])  # which does not end the grace
    assert taken(store) == 6 * MIB
    given_out_long_ago(tmp_path / "cache")
    store.put(some_bytes(7))
    assert taken(store) <= 3 * MIB, "not for long"


def test_who_has_a_blob_open_keeps_its_bytes(store: CachedBlobStore) -> None:
    data = some_bytes(1, 2 * MIB)
    digest = store.put(data).digest
    path = store.path(digest)
    with (
        store.open(digest) as reader,
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        for number in range(2, 14):
            store.put(some_bytes(number))
        assert digest not in cached(store)
        assert reader.read() == data
        assert mapped[:] == data


@pytest.mark.parametrize("text", ["", "1 12", "nonsense", "1 -5 x", "1 0 0.0", "1 0 9e99"])
def test_a_torn_or_old_count_is_counted_anew(store: CachedBlobStore, text: str) -> None:
    for number in range(10):
        store.put(some_bytes(number))
    (store.local.root / "usage").write_text(text)
    for number in range(10, 13):
        store.put(some_bytes(number))
        assert taken(store) <= store.limit_bytes


def test_tidy_removes_what_is_beyond_the_limit(remote: Remote, tmp_path: Path) -> None:
    large = CachedBlobStore(remote, tmp_path / "cache", 10 * MIB)
    digests = [large.put(some_bytes(number)).digest for number in range(8)]
    small = CachedBlobStore(remote, tmp_path / "cache", 4 * MIB)
    assert small.tidy() == 0
    assert taken(small) <= 4 * MIB
    assert digests[-1] in cached(small)


# ----------------------------------------------------------------- damage


@pytest.mark.parametrize("way", READERS)
@pytest.mark.parametrize("size", [1000, 2 * MIB])
def test_a_damaged_cached_blob_is_fetched_again(
    store: CachedBlobStore, remote: Remote, flip: Flip, way: str, size: int
) -> None:
    data = some_bytes(1, size)
    digest = store.put(data).digest
    for damage in (flip, cut_short):
        damage(store.local, digest)
        remote.fetched.clear()
        assert READERS[way](store, digest) == data
        assert remote.fetched == [digest]
        assert store.local.read(digest) == data


def cut_short(store: BlobStore, digest: Digest) -> None:
    assert isinstance(store, LocalBlobStore)
    path = store.root / "blake3" / digest[7:9] / digest[9:]
    os.chmod(path, 0o644)
    os.truncate(path, path.stat().st_size // 2)


def test_what_is_damaged_far_away_never_gets_into_the_cache(
    store: CachedBlobStore, remote: Remote, flip: Flip
) -> None:
    digest = remote.put(some_bytes(1)).digest
    flip(remote, digest)
    for read in READERS.values():
        with pytest.raises(BlobDamaged):
            read(store, digest)
    assert cached(store) == set()
    assert store.local.tidy(older_than_seconds=0) == 0


def test_verify_looks_at_both(store: CachedBlobStore, remote: Remote, flip: Flip) -> None:
    digest = store.put(some_bytes(1)).digest
    flip(store.local, digest)
    assert store.verify(digest) == Blob(digest, MIB)
    assert cached(store) == set(), "the damaged copy is dropped"
    store.read(digest)
    flip(remote, digest)
    with pytest.raises(BlobDamaged):
        store.verify(digest)


def test_a_cache_whose_disk_is_full_is_no_reason_to_fail(
    store: CachedBlobStore, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: memoryview, offset: int) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "pwrite", full)
    data = some_bytes(1, 2 * MIB)
    digest = store.put(data).digest
    with store.writer() as writer:
        writer.write(data)
        assert writer.commit().digest == digest
    assert store.read(digest) == opened(store, digest) == data
    with pytest.raises(StorageFull):
        store.path(digest)
    monkeypatch.undo()
    assert store.path(digest).read_bytes() == data
    assert taken(store) == len(data)


# ----------------------------------------------------------------- many at once


def test_threads_that_want_one_blob_fetch_it_once(store: CachedBlobStore, remote: Remote) -> None:
    digest = remote.put(some_bytes(1, 4 * MIB)).digest
    start = threading.Barrier(6)
    found: list[bytes | BaseException] = []

    def work() -> None:
        try:
            start.wait()
            found.append(store.path(digest).read_bytes())
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [some_bytes(1, 4 * MIB)] * 6
    assert remote.fetched == [digest]


PROCESS = """
import random, sys
from pathlib import Path
from findspot.core.digests import hash_bytes
from findspot.store import open_store
from findspot.store.cached_store import CachedBlobStore

remote, cache, seed = sys.argv[1:]
store = CachedBlobStore(open_store(remote), Path(cache), 1_000_000, path_grace_seconds=600)
contents = [random.Random(n).randbytes(50_000 + n * 1000) for n in range(40)]
chosen = random.Random(int(seed))
sys.stdin.readline()
for turn in range(150):
    data = chosen.choice(contents)
    digest = hash_bytes(data)
    way = chosen.choice(["read", "open", "path", "put"])
    if way == "read":
        assert store.read(digest) == data
    elif way == "open":
        with store.open(digest) as file:
            assert file.read() == data
    elif way == "path":
        assert store.path(digest).read_bytes() == data
    else:
        store.put(data)
print("all right")
"""


def test_a_path_that_is_asked_for_while_room_is_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = LocalBlobStore(tmp_path / "far")
    old, new = (far.put(some_bytes(seed, 200_000)).digest for seed in (1, 2))
    store = CachedBlobStore(far, tmp_path / "cache", 300_000)
    store.read(old)
    delete, given = store.local.delete, list[Path]()
    asking = threading.Thread(target=lambda: given.append(store.path(old)))

    def delete_late(digest: Digest) -> bool:
        if digest == old and not asking.ident:
            asking.start()  # after it was looked at who holds what
            asking.join(0.5)
        return delete(digest)

    monkeypatch.setattr(store.local, "delete", delete_late)
    store.read(new)
    asking.join()
    assert hash_bytes(given[0].read_bytes()) == old


def test_processes_share_a_cache(tmp_path: Path) -> None:
    far = LocalBlobStore(tmp_path / "far")
    for number in range(40):
        far.put(random.Random(number).randbytes(50_000 + number * 1000))
    arguments = [sys.executable, "-c", PROCESS, far.url, str(tmp_path / "cache")]
    children = [
        subprocess.Popen(
            [*arguments, str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for seed in range(2)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        output, _ = child.communicate(timeout=300)
        assert output == "all right\n"
    store = CachedBlobStore(far, tmp_path / "cache", 1_000_000, path_grace_seconds=0)
    for stored in store.local.list():
        store.local.verify(stored.digest)
    given_out_long_ago(tmp_path / "cache")
    store.tidy()
    assert taken(store) <= 1_000_000
    assert store.local.tidy(older_than_seconds=0) == 0


def test_who_is_killed_while_fetching_does_not_stop_the_others(
    s3_through_proxy: tuple[str, Proxy], tmp_path: Path
) -> None:
    url, proxy = s3_through_proxy
    data = some_bytes(1, 20 * MIB)
    digest = ObjectBlobStore(url).put(data).digest
    stuck, let_go = threading.Event(), threading.Event()

    def stall(asked: Asked) -> None:
        if asked.method == "GET":
            stuck.set()
            let_go.wait(120)

    proxy.fault = stall
    code = "import sys; from pathlib import Path; from findspot.store import open_store\n"
    code += "open_store(sys.argv[1], cache=Path(sys.argv[2])).path(sys.argv[3])"
    with subprocess.Popen([sys.executable, "-c", code, url, tmp_path / "cache", digest]) as child:
        assert stuck.wait(120)
        child.kill()
    proxy.fault = lambda asked: None
    let_go.set()
    store = open_store(url, cache=tmp_path / "cache")
    assert isinstance(store, CachedBlobStore)
    path = store.path(digest)
    assert path is not None
    assert path.read_bytes() == data
    store.tidy(older_than_seconds=0)
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


# ----------------------------------------------------------------- with a bucket


@pytest.fixture
def bucket(s3_through_proxy: tuple[str, Proxy], tmp_path: Path) -> CachedBlobStore:
    store = open_store(s3_through_proxy[0], cache=tmp_path / "cache", cache_limit=40 * MIB)
    assert isinstance(store, CachedBlobStore)
    return store


def test_a_bucket_behind_a_cache(
    bucket: CachedBlobStore, s3_through_proxy: tuple[str, Proxy]
) -> None:
    data = some_bytes(1, 20 * MIB)
    digest = ObjectBlobStore(bucket.url).put(data).digest
    assert bucket.path(digest).read_bytes() == data
    proxy = s3_through_proxy[1]
    proxy.asked.clear()
    assert bucket.read(digest) == opened(bucket, digest) == data
    assert proxy.asked == []
    assert "X-Amz-Signature" in bucket.presigned(digest, 60)
    assert bucket.size(hash_bytes(b"absent")) is None
