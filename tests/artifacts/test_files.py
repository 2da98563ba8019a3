"""Files of versions: where they are kept, and paths, readers, views and downloads of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot import FindspotError, Handler, Workspace
from findspot.core.digests import hash_bytes
from findspot.core.errors import BlobMissing, InvalidName
from findspot.core.records import FileEntry


def test_small_files_live_in_the_catalog_and_large_ones_in_the_store(space: Workspace) -> None:
    limit = space.settings.inline_limit
    for size, stored in ((0, False), (1, False), (limit, False), (limit + 1, True)):
        saved = space.save_artifact(bytes(size), f"b{size}")
        assert saved.load() == space.load_artifact(f"b{size}") == bytes(size)
        (entry,) = space.get_artifact(f"b{size}").files
        assert (entry.inline is None) is stored
        assert (entry.size, entry.digest) == (size, hash_bytes(bytes(size)))
        assert (space.store.size(entry.digest) is not None) is stored


def test_the_limit_is_a_setting(tmp_path: Path) -> None:
    for limit, blobs in ((0, 1), (10_000, 0)):
        with Workspace(tmp_path / str(limit), inline_limit=limit) as space:
            space.save_artifact(b"x" * 5000, "x")
            assert len(list(space.store.list())) == blobs
            assert space.load_artifact("x") == b"x" * 5000


def test_equal_bytes_are_stored_once(local: Workspace) -> None:
    for key in ("a", "a", "b"):
        local.save_artifact(b"x" * 100_000, key)
    assert len(list(local.store.list())) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "small.txt").write_text("small")
    (source / "deep" / "large.bin").write_bytes(b"L" * 2_000_000)
    (source / "deep" / "er" / "標本 (copy).txt").write_text("other")
    return source


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_directory_is_a_version_of_many_files(space: Workspace, folder: Path) -> None:
    saved = space.save_artifact(folder, "raw")
    assert saved.kind == "directory"
    assert {"deep/large.bin", "small.txt"} < {file.path for file in saved.files}
    expected = contents(folder)
    shutil.rmtree(folder)
    loaded = space.load_artifact("raw")
    found = contents(loaded)
    assert {name: found[name] for name in expected} == expected
    assert (loaded / "empty").is_dir()
    assert saved.path("small.txt").read_text() == "small"
    assert saved.path() == saved.path("small.txt").parent
    with saved.open("deep/large.bin") as reader:
        assert reader.read(3) == b"LLL"
        assert reader.seek(0, os.SEEK_END) == 2_000_000
    with pytest.raises(FindspotError, match="say which to open"):
        saved.open()
    for missing in ("nothing", "../small.txt", "/etc/passwd"):
        with pytest.raises(FindspotError, match="has no file"):
            saved.path(missing)
        with pytest.raises(FindspotError, match="has no file"), saved.open(missing):
            pass


def test_a_single_file_keeps_its_name(space: Workspace, folder: Path) -> None:
    for name in ("small.txt", "deep/large.bin"):
        saved = space.save_artifact(folder / name, name)
        assert saved.path().name == Path(name).name
        assert (
            saved.path().read_bytes() == (folder / name).read_bytes() == saved.load().read_bytes()
        )
        with saved.open() as reader:
            assert reader.read() == (folder / name).read_bytes()


def test_views_are_read_only_and_repaired_when_somebody_changed_them(
    local: Workspace, folder: Path
) -> None:
    saved = local.save_artifact(folder, "raw")
    view = saved.path()
    expected = contents(view)
    for path in view.rglob("*"):
        assert path.is_dir() or not path.stat().st_mode & 0o222
    first = view / "small.txt"

    def exchanged() -> None:
        first.unlink()
        first.write_text("SMALL")

    def removed() -> None:
        (view / "deep" / "large.bin").unlink()

    def linked() -> None:
        (view / "deep" / "large.bin").unlink()
        (view / "deep" / "large.bin").write_bytes(b"M" * 2_000_000)

    def added() -> None:
        (view / "extra.txt").write_text("extra")

    def gone() -> None:
        shutil.rmtree(view)

    for tamper in (exchanged, removed, linked, added, gone):
        tamper()
        assert contents(saved.path()) == expected
        assert saved.load() == view
    assert [p.name for p in view.parent.iterdir()] == [saved.uid]


def test_a_view_follows_a_workspace_that_was_moved(tmp_path: Path, folder: Path) -> None:
    with Workspace(tmp_path / "here") as space:
        expected = contents(space.save_artifact(folder, "raw").path())
    (tmp_path / "here").rename(tmp_path / "there")
    with Workspace(tmp_path / "there") as moved:
        assert contents(moved.get_artifact("raw").path()) == expected


def test_a_large_array_is_mapped_not_copied(local: Workspace) -> None:
    array = np.arange(1 << 20, dtype=np.float64)
    saved = local.save_artifact(array, "big")
    loaded = saved.load()
    assert np.array_equal(loaded, array)
    blob = local.store.path(saved.files[0].digest)
    where = loaded.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(place, 16) for place in line.split()[0].split("-"))
        if start <= where < end:
            assert line.endswith(str(blob))
            break
    else:
        raise AssertionError("the array lies in no mapping of this process")
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 1.0
    assert local.verify().sound


def test_download_gives_copies_of_the_users_own(
    space: Workspace, folder: Path, tmp_path: Path
) -> None:
    saved = space.save_artifact(folder, "raw")
    space.save_artifact("other", "raw", kind="directory")
    target = tmp_path / "new" / "target"
    written = space.download("raw", target, version=1)
    assert written == sorted(target / file.path for file in saved.files)
    assert contents(target)["small.txt"] == b"small"
    (target / "small.txt").write_text("changed")  # it is writable, and no blob is behind it
    (target / "deep" / "large.bin").write_bytes(b"")
    assert space.verify().sound
    with pytest.raises(FindspotError, match="There is already"):
        space.download(saved, target)
    assert (target / "small.txt").read_text() == "changed"
    space.download(saved, target, replace=True)
    assert contents(target)["small.txt"] == b"small"
    assert len((target / "deep" / "large.bin").read_bytes()) == 2_000_000
    assert not list(target.rglob(".*.tmp"))


def test_download_replaces_a_link_and_not_what_it_leads_to(
    local: Workspace, tmp_path: Path
) -> None:
    source = tmp_path / "a.txt"
    source.write_text("new")
    precious = tmp_path / "precious"
    precious.write_text("precious")
    target = tmp_path / "target"
    target.mkdir()
    (target / "a.txt").symlink_to(precious)
    local.save_artifact(source, "a")
    with pytest.raises(FindspotError, match="There is already"):
        local.download("a", target)
    local.download("a", target, replace=True)
    assert precious.read_text() == "precious"
    assert (target / "a.txt").read_text() == "new"


def test_a_download_to_where_none_can_be_says_so(local: Workspace, tmp_path: Path) -> None:
    local.save_artifact("x", "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(FindspotError, match="cannot be written"):
        local.download("x", tmp_path / "file" / "sub")


def test_a_missing_blob_is_named_with_the_version_and_the_way_to_mend_it(
    local: Workspace,
) -> None:
    saved = local.save_artifact(b"x" * 10_000, "x")
    local.store.delete(saved.files[0].digest)
    for look in (saved.load, saved.path, lambda: saved.open().__enter__()):
        with pytest.raises(BlobMissing) as caught:
            look()
        assert saved.uri in (caught.value.where or "")
        assert "saved by hand" in (caught.value.how or "")
    with local.start_job("make") as job:
        made = local.save_artifact(b"y" * 10_000, "y")
    local.store.delete(made.files[0].digest)
    with pytest.raises(BlobMissing, match=f"Job {job.id} made it"):
        local.load_artifact("y")


class Strange(Handler):
    """Writes what a test tells it to."""

    name = "tests.strange"

    def save(self, value: Any, folder: Any, /, **args: Any) -> None:
        for act in value:
            act(folder)

    def load(self, folder: Any, /, **args: Any) -> dict[str, bytes]:
        return {entry.path: folder.read(entry.path) for entry in folder.files}

    def accepts(self, value: Any) -> bool:
        return False


@pytest.mark.parametrize(
    "acts",
    [
        [lambda f: f.write("../out", b"x")],
        [lambda f: f.write("/etc/out", b"x")],
        [lambda f: f.write("", b"x")],
        [lambda f: f.path("a/../../out")],
        [lambda f: f.write("a", b"x"), lambda f: f.write("a", b"y")],
        [lambda f: f.write("a", b"x"), lambda f: f.path("a").write_bytes(b"y")],
        [lambda f: f.write("a", b"x"), lambda f: f.write("a/b", b"y")],
        [lambda f: f.write("a", b"x" * 9000), lambda f: f.write("a.b", b"y"),
         lambda f: f.write("a/b/c", b"y")],
    ],
)  # fmt: skip
def test_a_handler_cannot_write_what_is_no_folder_of_files(
    local: Workspace, acts: list[Any]
) -> None:
    with pytest.raises(InvalidName):
        local.save_artifact(acts, "x", handler=Strange)
    assert local.list_artifacts() == []
    assert not list(local.folder.parent.rglob("out"))


def test_all_ways_of_writing_give_the_same_file(local: Workspace) -> None:
    floats = np.arange(10_000, dtype=np.float64)
    data = floats.tobytes()

    def opened(folder: Any) -> None:
        with folder.open("opened") as sink:
            sink.write(floats[:300].data)
            sink.write(bytearray(floats[300:].tobytes()))
            sink.flush()

    def put(folder: Any) -> None:
        folder.write("written", floats.data)

    def placed(folder: Any) -> None:
        folder.path("placed/below").write_bytes(data)

    def small(folder: Any) -> None:
        with folder.open("small") as sink:
            sink.write(floats[:3].data)
        folder.write("small too", floats[:3].data)

    saved = local.save_artifact([opened, put, placed, small], "x", handler=Strange)
    expected = {"opened": data, "written": data, "placed/below": data}
    expected |= dict.fromkeys(("small", "small too"), data[:24])
    assert saved.load() == expected
    assert len(list(local.store.list())) == 1


def test_a_link_that_a_handler_leaves_is_refused(local: Workspace) -> None:
    with pytest.raises(FindspotError, match="neither a file nor a folder"):
        local.save_artifact(
            [lambda f: f.path("link").symlink_to("/etc/passwd")], "x", handler=Strange
        )
    assert local.list_artifacts() == []


def test_many_small_files_do_not_fill_the_catalog(local: Workspace) -> None:
    count = 100
    acts = [lambda f, n=n: f.write(f"f{n}", bytes([n]) * 4096) for n in range(count)]
    saved = local.save_artifact(acts, "x", handler=Strange)
    inline = sum(entry.size for entry in saved.files if entry.inline is not None)
    assert 0 < inline <= 256 * 1024 < count * 4096
    assert saved.load() == {f"f{n}": bytes([n]) * 4096 for n in range(count)}


@pytest.mark.parametrize("path", ["../../evil", "/tmp/evil", "a/../../../evil"])
def test_file_names_of_a_foreign_catalog_never_become_paths(
    local: Workspace, tmp_path: Path, path: str
) -> None:
    saved = local.save_artifact(b"x", "x")
    forged = (FileEntry(path, hash_bytes(b"x"), 1, b"x"),)
    saved._files = forged
    with pytest.raises(InvalidName):
        saved.path()
    with pytest.raises(InvalidName):
        local.download(saved, tmp_path / "to")
    assert not list(tmp_path.rglob("*evil*"))
