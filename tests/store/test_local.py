"""What is special to blobs in a folder: its layout, its marks, and other processes."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.store.local import LocalBlobStore
from findspot.store.protocol import BlobStore

MIB = 1 << 20
BIG = b"amphora " * (9 * MIB // 8)
Flip = Callable[[BlobStore, Digest], None]


def blob_path(store: LocalBlobStore, digest: Digest) -> Path:
    code = digest.removeprefix("blake3:")
    return store.root / "blake3" / code[:2] / code[2:]


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many bytes were read and written by the system calls that the store uses."""
    count = {"read": 0, "written": 0}
    read, pread, write = os.preadv, os.pread, os.pwrite

    def preadv(fd: int, buffers: list[memoryview], offset: int, /) -> int:
        done = read(fd, buffers, offset)
        count["read"] += done
        return done

    def counted_pread(fd: int, size: int, offset: int, /) -> bytes:
        data = pread(fd, size, offset)
        count["read"] += len(data)
        return data

    def pwrite(fd: int, data: memoryview, offset: int, /) -> int:
        done = write(fd, data, offset)
        count["written"] += done
        return done

    monkeypatch.setattr(os, "preadv", preadv)
    monkeypatch.setattr(os, "pread", counted_pread)
    monkeypatch.setattr(os, "pwrite", pwrite)
    return count


def test_a_blob_is_a_read_only_file_under_its_digest(local: LocalBlobStore) -> None:
    for data in (b"", b"small", BIG):
        digest = local.put(data).digest
        path = blob_path(local, digest)
        assert path.read_bytes() == data
        assert stat.S_IMODE(path.stat().st_mode) & 0o222 == 0
        assert path.stat().st_nlink == 1
        assert local.path(digest) == path


def test_a_store_holds_its_blobs_and_short_notes_on_large_ones(local: LocalBlobStore) -> None:
    small, big = local.put(b"small").digest, local.put(BIG).digest
    names = files_below(local.root)
    expected = {str(blob_path(local, d).relative_to(local.root)) for d in (small, big)}
    marks = {name for name in names if name.startswith("verified/")}
    assert names == {*expected, *marks, f"sizes/{len(BIG)}"}
    assert [name.split("/")[2:] for name in marks] == [[big[7:9], big[9:]]]


def test_the_layout_of_earlier_stores_can_be_read(tmp_path: Path) -> None:
    """The layout is a format: a folder with nothing but the blobs is a store."""
    code = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    (tmp_path / "blake3" / "af").mkdir(parents=True)
    (tmp_path / "blake3" / "af" / code[2:]).write_bytes(b"")
    store = LocalBlobStore(tmp_path)
    assert store.read(Digest(f"blake3:{code}")) == b""
    assert [stored.digest for stored in store.list()] == [f"blake3:{code}"]


def test_a_blob_maps_read_only_and_outlives_its_deletion(local: LocalBlobStore) -> None:
    array = np.arange(300_000, dtype=np.float64)
    digest = local.put(array.data).digest
    path = local.path(digest)
    mapped = np.memmap(path, dtype=np.float64, mode="r")
    assert not mapped.flags.writeable
    local.delete(digest)
    np.testing.assert_array_equal(mapped, array)
    with open(local.path(local.put(BIG).digest), "rb") as file:
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with pytest.raises(TypeError, match="readonly"):
        view[0] = 1
    view.close()


def test_a_large_blob_is_hashed_once_on_a_machine(
    local: LocalBlobStore, counted: dict[str, int]
) -> None:
    digest = local.put(BIG).digest
    for store in (local, LocalBlobStore(local.root)):
        store.path(digest)
        with store.open(digest):
            pass
    assert counted["read"] == 0, "who wrote it has hashed it"
    shutil.rmtree(local.root / "verified")
    LocalBlobStore(local.root).path(digest)
    assert counted["read"] == len(BIG)
    LocalBlobStore(local.root).path(digest)
    assert counted["read"] == len(BIG)
    local.verify(digest)
    assert counted["read"] == 2 * len(BIG), "verify reads whatever is known"


def test_a_mark_that_is_torn_or_of_another_file_does_not_count(
    local: LocalBlobStore, counted: dict[str, int]
) -> None:
    digest = local.put(BIG).digest
    (mark,) = (path for path in (local.root / "verified").rglob("*") if path.is_file())
    text = mark.read_text()
    for number, wrong in enumerate([text[:-5], "", text.replace("1 ", "2 ", 1), "\xff\n"], 1):
        mark.write_text(wrong, encoding="latin-1")
        LocalBlobStore(local.root).path(digest)
        assert counted["read"] == number * len(BIG)
        assert mark.read_text() == text


def test_storing_large_bytes_again_writes_nothing(
    local: LocalBlobStore, counted: dict[str, int], tmp_path: Path
) -> None:
    local.put(BIG)
    (tmp_path / "file").write_bytes(BIG)
    before = counted["written"]
    assert before == len(BIG)
    local.put(BIG)
    LocalBlobStore(local.root).put(BIG)
    assert counted["read"] == 0
    local.put_file(tmp_path / "file")
    assert counted == {"written": before, "read": len(BIG)}


def test_without_notes_on_sizes_bytes_are_stored_once_all_the_same(
    local: LocalBlobStore, counted: dict[str, int]
) -> None:
    digest = local.put(BIG).digest
    inode = blob_path(local, digest).stat().st_ino
    shutil.rmtree(local.root / "sizes")
    local.put(BIG)
    assert counted["written"] == 2 * len(BIG)
    local.put(BIG)
    assert counted["written"] == 2 * len(BIG), "the note is back"
    assert blob_path(local, digest).stat().st_ino == inode


def test_a_changed_byte_is_noticed_though_the_times_were_restored(
    local: LocalBlobStore, flip: Flip
) -> None:
    for data in (b"small", BIG):
        digest = local.put(data).digest
        path = local.path(digest)
        about = path.stat()
        flip(local, digest)
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
        after = path.stat()
        assert (after.st_mtime_ns, after.st_size) == (about.st_mtime_ns, about.st_size)
        for store in (local, LocalBlobStore(local.root)):
            for look in (store.read, store.path, store.open):
                with pytest.raises(BlobDamaged) as caught:
                    look(digest)
                assert caught.value.where == str(path)


@pytest.mark.parametrize("size", [5, len(BIG)])
def test_a_blob_cut_short_or_grown_is_damaged(local: LocalBlobStore, size: int) -> None:
    data = BIG[:size]
    for change in (data[:-1], data + b"x", b""):
        digest = local.put(data).digest
        path = blob_path(local, digest)
        path.chmod(0o644)
        path.write_bytes(change)
        for look in (local.read, local.path, local.open, local.verify):
            with pytest.raises(BlobDamaged):
                look(digest)


def test_what_is_no_file_in_a_blobs_place_is_damage_that_can_be_mended(
    local: LocalBlobStore, tmp_path: Path
) -> None:
    data = b"sherds"
    digest = local.put(data).digest
    path = blob_path(local, digest)
    (tmp_path / "outside").write_bytes(data)

    def link() -> None:
        path.symlink_to(tmp_path / "outside")

    def folder() -> None:
        path.mkdir()
        (path / "inside").write_bytes(b"x")

    for make, name in ((link, "link"), (folder, "folder"), (lambda: os.mkfifo(path), "pipe")):
        for mended_by in (local.put, lambda _: local.delete(digest)):
            path.unlink(missing_ok=True)
            make()
            with pytest.raises(BlobDamaged, match=name):
                local.read(digest)
            with pytest.raises(BlobDamaged, match=name):
                local.path(digest)
            assert local.size(digest) is None
            assert list(local.list()) == []
            mended_by(data)
            assert local.size(digest) in (None, len(data))
            assert not os.path.lexists(path) or local.read(digest) == data
    assert (tmp_path / "outside").read_bytes() == data
    assert list((local.root / "tmp").iterdir()) == []


def test_files_that_are_no_blobs_are_not_listed(local: LocalBlobStore) -> None:
    digest = local.put(b"x").digest
    path = blob_path(local, digest)
    (path.parent / "readme").write_bytes(b"")
    (path.parent.parent / "zz").mkdir()
    (path.parent.parent / "notes").write_bytes(b"")
    assert [stored.digest for stored in local.list()] == [digest]


@pytest.mark.parametrize("size", [1000, len(BIG)])
def test_move_takes_the_file_itself(
    local: LocalBlobStore, tmp_path: Path, size: int, counted: dict[str, int]
) -> None:
    source = tmp_path / "source"
    source.write_bytes(BIG[:size])
    source.chmod(0o600)
    inode = source.stat().st_ino
    digest = local.put_file(source, move=True).digest
    path = blob_path(local, digest)
    assert counted == {"read": size, "written": 0}
    assert (path.stat().st_ino, stat.S_IMODE(path.stat().st_mode)) == (inode, 0o444)
    local.path(digest)
    assert counted["read"] == size * (1 if size >= MIB else 2)


def test_move_copies_a_file_that_has_another_name(local: LocalBlobStore, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"shared")
    os.link(tmp_path / "one", tmp_path / "two")
    digest = local.put_file(tmp_path / "one", move=True).digest
    assert not (tmp_path / "one").exists()
    (tmp_path / "two").write_bytes(b"change")
    assert local.read(digest) == b"shared"


def test_moving_a_blobs_own_file_into_the_store_keeps_it(local: LocalBlobStore) -> None:
    for data in (b"small", BIG):
        digest = local.put(data).digest
        assert local.put_file(local.path(digest), move=True).digest == digest
        assert local.read(digest) == data


def test_move_from_another_file_system_copies(
    local: LocalBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "elsewhere"
    source.write_bytes(b"from elsewhere")
    rename = os.rename

    def within_one_file_system(path: str, target: str) -> None:
        if path == str(source):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(path, target)

    monkeypatch.setattr(os, "rename", within_one_file_system)
    digest = local.put_file(source, move=True).digest
    assert not source.exists()
    assert local.read(digest) == b"from elsewhere"


def test_a_root_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = LocalBlobStore(tmp_path / "link")
    digests = {store.put(data).digest for data in (b"small", BIG)}
    direct = LocalBlobStore(tmp_path / "real")
    assert {stored.digest for stored in direct.list()} == digests
    for digest in digests:
        assert store.read(digest) == direct.read(digest)
        assert store.path(digest).samefile(direct.path(digest))


def test_processes_that_store_the_same_bytes_agree(local: LocalBlobStore) -> None:
    code = """
import sys
from pathlib import Path
from findspot.store.local import LocalBlobStore
store = LocalBlobStore(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(50):
    data = b"%d" % number * 1000
    assert store.read(store.put(data).digest) == data
for number in range(3):
    data = b"%d" % number * (9 << 20)
    assert store.read(store.put(data).digest) == data
"""
    command = [sys.executable, "-c", code, str(local.root)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    assert [(w.communicate()[1], w.returncode) for w in workers] == [("", 0), ("", 0)]
    assert sum(1 for _ in local.list()) == 53
    assert all(local.verify(stored.digest).size == stored.size for stored in local.list())
    assert local.tidy(older_than_seconds=0) == 0


def test_a_forked_child_can_use_the_store_of_its_parent(local: LocalBlobStore) -> None:
    """Threads of a hashing pool do not survive a fork; nothing may wait for them."""
    code = """
import os, sys
from pathlib import Path
from findspot.store.local import LocalBlobStore
store = LocalBlobStore(Path(sys.argv[1]))
store.read(store.put(bytes(9 << 20)).digest)
child = os.fork()
if child == 0:
    store.verify(store.put(bytes(9 << 20)).digest)
    store.read(store.put(b"1" * (9 << 20)).digest)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-c", code, str(local.root)]
    assert subprocess.run(command, timeout=300, check=False).returncode == 0


@pytest.mark.slow
def test_storing_a_large_buffer_takes_no_memory_for_it(local: LocalBlobStore) -> None:
    data = np.arange(8 * MIB, dtype=np.float64)  # 64 MiB
    local.put(b"first, so that all modules are imported")
    tracemalloc.start()
    try:
        digest = local.put(data.data).digest
        local.put(data.data)
        local.verify(digest)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * MIB


def test_a_durable_store_flushes_file_and_folder_before_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, rename = os.fsync, os.rename

    def fsync(fd: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        sync(fd)

    def renamed(source: str, target: str) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", renamed)
    LocalBlobStore(tmp_path / "blobs").put(b"x")
    assert "file" not in events
    store = LocalBlobStore(tmp_path / "blobs", durable=True)
    for data in (b"small", BIG):
        events.clear()
        store.put(data)
        assert list(dict.fromkeys(events))[:2] == ["file", "rename"]
        assert events[-1] == "folder"
    for data in (b"x", BIG):
        events.clear()
        store.put(data)
        assert events[0] == "file"
        assert events[-1] == "folder"


def test_tidy_takes_only_what_is_old(local: LocalBlobStore) -> None:
    digest = local.put(b"x").digest
    left = local.root / "tmp" / "1-left"
    left.write_bytes(b"12345")
    folder = local.root / "tmp" / "1-folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"123")
    (local.root / "tmp" / "1-link").symlink_to(blob_path(local, digest))
    assert local.tidy() == 0
    assert local.tidy(older_than_seconds=3600) == 0
    for path in (left, folder):
        os.utime(path, (0, 0))
    assert local.tidy() == 8
    assert local.tidy(older_than_seconds=0) == 0
    assert list((local.root / "tmp").iterdir()) == []
    assert local.read(digest) == b"x"


def test_a_store_that_was_never_written_to_is_empty(local: LocalBlobStore) -> None:
    digest = hash_bytes(b"x")
    assert list(local.list()) == []
    assert local.tidy(older_than_seconds=0) == 0
    assert local.missing([digest]) == {digest}
    assert local.delete(digest) is False
    with pytest.raises(BlobMissing):
        local.path(digest)
    assert not local.root.exists()
