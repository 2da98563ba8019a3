"""Full and read-only disks: one clear error, nothing visible, and all is well afterwards."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from findspot.core.digests import hash_bytes
from findspot.core.errors import ReadOnly, StorageFull
from findspot.store.local import LocalBlobStore

MIB = 1 << 20
DATA = b"amphora " * (9 * MIB // 8)


def put(store: LocalBlobStore, data: bytes) -> None:
    store.put(data)


def put_file(store: LocalBlobStore, data: bytes) -> None:
    source = store.root.parent / f"{len(data)}"
    if not source.exists():
        source.write_bytes(data)
    store.put_file(source)


def write(store: LocalBlobStore, data: bytes) -> None:
    with store.writer() as writer:
        for start in range(0, len(data), 100_000):
            writer.write(data[start : start + 100_000])
        writer.commit()


WAYS = pytest.mark.parametrize("store_by", [put, put_file, write])
StoreBy = Callable[[LocalBlobStore, bytes], None]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes; the system itself refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_nothing_was_left(store: LocalBlobStore) -> None:
    assert list(store.list()) == []
    tmp = store.root / "tmp"
    assert not tmp.exists() or list(tmp.iterdir()) == []


@WAYS
@pytest.mark.parametrize("size", [MIB // 2, len(DATA)])
def test_a_write_that_the_system_cuts_short_stores_nothing(
    local: LocalBlobStore, store_by: StoreBy, size: int
) -> None:
    data = DATA[:size]
    (local.root.parent / f"{size}").write_bytes(data)  # while it still can be
    with pytest.raises(StorageFull, match="no space left") as caught, file_size_limit(size - 4096):
        store_by(local, data)
    assert caught.value.where == str(local.root)
    assert isinstance(caught.value.__cause__, OSError)
    assert_nothing_was_left(local)
    store_by(local, data)
    assert local.read(hash_bytes(data)) == data


@WAYS
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_in_the_middle_stores_nothing(
    local: LocalBlobStore, store_by: StoreBy, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    done = 0

    def fills_up(fd: int, data: memoryview, offset: int, /) -> int:
        nonlocal done
        if done + len(data) > MIB * 3 // 2:
            if done < MIB * 3 // 2:
                data = data[: MIB * 3 // 2 - done]  # a short write, as disks do first
            else:
                raise OSError(code, os.strerror(code))
        written = real(fd, data, offset)
        done += written
        return written

    expected = {errno.EROFS: ReadOnly, errno.EIO: OSError}.get(code, StorageFull)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fills_up)
        with pytest.raises(expected):
            store_by(local, DATA)
    assert done == MIB * 3 // 2
    assert_nothing_was_left(local)
    store_by(local, DATA)
    assert local.read(hash_bytes(DATA)) == DATA


@pytest.mark.parametrize("failing", ["rename", "open", "makedirs"])
def test_a_disk_without_room_for_names_stores_nothing(
    local: LocalBlobStore, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, refuses)
        with pytest.raises(StorageFull):
            local.put(DATA)
    assert_nothing_was_left(local)
    local.put(DATA)
    assert local.read(hash_bytes(DATA)) == DATA


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


@contextmanager
def permissions_count() -> Iterator[None]:
    """Root, too, must obey the modes of files: its right to ignore them is put aside meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = _CapabilityHeader(0x20080522, 0)
    kept = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then their upper halves
    assert libc.capget(ctypes.byref(header), kept) == 0
    without = (ctypes.c_uint32 * 6)(*kept)
    without[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(ctypes.byref(header), without) == 0
    try:
        yield
    finally:
        assert libc.capset(ctypes.byref(header), kept) == 0


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    folders = [root, *(Path(folder) for folder, _, _ in os.walk(root) if folder != str(root))]
    for folder in folders:
        folder.chmod(0o555)
    try:
        with permissions_count():
            yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


@WAYS
@pytest.mark.parametrize("size", [1000, len(DATA)])
@pytest.mark.parametrize("used", [False, True])
def test_a_read_only_store_says_so_and_can_be_read(
    local: LocalBlobStore, store_by: StoreBy, size: int, used: bool
) -> None:
    data, old = DATA[:size], DATA[: size - 1]
    if used:
        local.put(old)
    else:
        local.root.mkdir()
    with read_only(local.root):
        with pytest.raises(ReadOnly, match="read-only") as caught:
            store_by(local, data)
        assert caught.value.where == str(local.root)
        if used:
            fresh = LocalBlobStore(local.root)
            assert fresh.read(hash_bytes(old)) == old
            assert fresh.path(hash_bytes(old)).read_bytes() == old
            assert fresh.put(old).size == len(old), "what is stored already needs no writing"
            with pytest.raises(ReadOnly):
                local.delete(hash_bytes(old))
        with pytest.raises(ReadOnly), local.scratch():
            pass
    assert {stored.size for stored in local.list()} == ({len(old)} if used else set())
    store_by(local, data)
    assert local.read(hash_bytes(data)) == data


def test_an_error_of_the_user_inside_scratch_stays_what_it_is(local: LocalBlobStore) -> None:
    with pytest.raises(PermissionError), local.scratch():
        raise PermissionError(errno.EACCES, "mine")
