"""Full and read-only workspaces: one clear error, and nothing is changed."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot import Handler, Workspace
from findspot.core.errors import FindspotError, ReadOnly, StorageFull

MS_RDONLY, MS_REMOUNT, MS_BIND = 1, 32, 4096


class Scratch(Handler):
    name = "tests.scratch"

    def accepts(self, value: Any) -> bool:
        return False

    def save(self, value: bytes, folder: Any, /, **args: Any) -> None:
        folder.path("file").write_bytes(value)

    def load(self, folder: Any, /, **args: Any) -> bytes:
        return bytes(folder.read("file"))


@pytest.mark.parametrize("handler", [None, Scratch])
def test_a_disk_without_room_changes_nothing(local: Workspace, handler: type | None) -> None:
    local.save_artifact(b"before " * 1000, "x", tags="golden")
    # No file of this process may grow further than this: the system itself refuses.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, hard))
    try:
        with pytest.raises(StorageFull, match=r"nothing was saved[\s\S]*ulimit"):
            local.save_artifact(os.urandom(5 << 20), "x", handler=handler, tags="golden")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert local.get_artifact("x:golden").version == 1
    assert len(list(local.store.list())) == 1
    assert local.verify().sound
    assert local.save_artifact(b"after " * 1000, "x", handler=handler).version == 2


def test_a_catalog_without_room_changes_nothing(local: Workspace) -> None:
    local.save_artifact("before", "x")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = local.folder / "catalog.db-wal"
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 4096, hard))
    try:
        # SQLite calls a file that may not grow an error of the disk, not a full one.
        with pytest.raises(StorageFull, match="ulimit"):
            local.save_artifacts([(os.urandom(3000), f"y{n}") for n in range(300)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [v.key for v in local.list_artifacts()] == ["x"]
    assert local.verify().sound
    assert local.save_artifact("after", "x").version == 2


def in_read_only(folder: Path, act: Any) -> int:
    """Run ``act`` in a child to whom the folder is mounted read-only; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 99
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        path = os.fsencode(folder)
        os.chdir("/")
        made = (
            libc.unshare(0x00020000) == 0
            and libc.mount(None, b"/", None, 1 << 18 | 16384, None) == 0
            and libc.mount(path, path, None, MS_BIND, None) == 0
            and libc.mount(None, path, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None) == 0
        )
        if not made:
            # Without the right to mount, permissions do the same to whoever is not root.
            os.chmod(folder, 0o555)
            os.chmod(folder / ".findspot", 0o555)
        code = act()
    finally:
        os._exit(code)


def test_a_read_only_workspace_is_read_and_not_changed(tmp_path: Path) -> None:
    array = np.arange(10_000.0)
    with Workspace(tmp_path / "shared") as space:
        space.save_artifact(array, "array")
        space.save_artifact("text", "text", handler="pickle")
        space.save_artifact(Path(__file__), "file")

    def act() -> int:
        space = Workspace(tmp_path / "shared")
        assert np.array_equal(space.load_artifact("array"), array)
        assert space.load_artifact("text") == "text"
        path = space.get_artifact("file").path()
        assert path.name == Path(__file__).name
        assert path.read_bytes() == Path(__file__).read_bytes()
        assert space.get_artifact("file").path() == path
        assert len(space.list_artifacts()) == 3
        assert space.verify().sound
        refused = 0
        changes: list[Any] = [
            lambda: space.save_artifact(array + 1, "array"),
            lambda: space.save_artifact("small", "small"),
            lambda: space.tag("array", "golden"),
            lambda: space.delete_artifact("array"),
            lambda: space.trust_version("array"),
        ]
        for change in changes:
            try:
                change()
            except ReadOnly:
                refused += 1
        return 0 if refused == len(changes) else 10 + refused

    assert in_read_only(tmp_path / "shared", act) == 0
    with Workspace(tmp_path / "shared") as space:
        assert [v.key for v in space.list_artifacts()] == ["file", "text", "array"]
        assert space.get_artifact("array").tags == ()


def test_a_workspace_cannot_be_made_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FindspotError, match="cannot be written"):
        Workspace(tmp_path / "file").save_artifact(1, "x")
    assert (tmp_path / "file").read_text() == ""
