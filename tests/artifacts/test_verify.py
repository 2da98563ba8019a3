"""`verify` reads every byte and names whoever needs the damaged ones."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from findspot import Workspace
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing

STORED = b"amphora " * 1000


def blob_file(space: Workspace, digest: Digest) -> Path:
    path = space.store.path(digest)
    assert path is not None
    return path


def flip(path: Path, place: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def edit(space: Workspace, sql: str, *values: object) -> None:
    connection = sqlite3.connect(space.folder / "catalog.db")
    with connection:
        assert connection.execute(sql, values).rowcount == 1
    connection.close()


def test_a_sound_workspace(space: Workspace) -> None:
    empty = space.verify()
    assert empty.sound
    assert (empty.blobs, empty.size) == (0, 0)
    space.save_artifact(STORED, "a")
    space.save_artifact(STORED, "b")
    space.save_artifact(b"small", "c")
    seen: list[tuple[int, int]] = []
    report = space.verify(progress=lambda done, total: seen.append((done, total)))
    assert report.sound
    assert (report.blobs, report.size) == (2, len(STORED) + 5)
    assert seen[-1] == (len(STORED) + 5, len(STORED) + 5)


@pytest.mark.parametrize("size", [10_000, 3 << 20])
def test_a_flipped_byte_is_found_and_never_returned(local: Workspace, size: int) -> None:
    data = b"amphora " * (size // 8)
    first = local.save_artifact(data, "a", tags="golden")
    with local.start_job("copy") as job:
        second = local.save_artifact(data, "b")
    local.save_artifact(STORED + b"other", "sound")
    digest = first.files[0].digest
    assert local.load_artifact("a") == data
    flip(blob_file(local, digest))
    report = local.verify()
    assert not report.sound
    (fault,) = report.faults
    assert (fault.digest, fault.what) == (digest, "damaged")
    assert fault.found not in (None, digest)
    assert sorted(fault.users) == sorted(f"{v.uri}, {v.files[0].path}" for v in (first, second))
    assert fault.jobs == (job.id,)
    with pytest.raises(BlobDamaged) as caught:
        local.load_artifact("a")
    assert (caught.value.expected, caught.value.found) == (digest, fault.found)
    assert first.uri in str(caught.value)
    with pytest.raises(BlobDamaged, match=f"Job {job.id} made it"):
        local.get_artifact("b").path()
    with pytest.raises(BlobDamaged):
        local.download("a", local.folder / "to")
    assert not (local.folder / "to").exists() or not list((local.folder / "to").iterdir())
    # Saving the same value again mends all who have it.
    local.save_artifact(data, "c")
    assert local.verify().sound
    assert local.load_artifact("a") == data


def test_a_missing_blob_is_found(space: Workspace) -> None:
    saved = space.save_artifact(STORED, "a")
    space.store.delete(saved.files[0].digest)
    (fault,) = space.verify().faults
    assert (fault.what, fault.found, fault.jobs) == ("missing", None, ())
    assert fault.users == (f"{saved.uri}, {saved.files[0].path}",)
    with pytest.raises(BlobMissing):
        space.load_artifact("a")


def test_damaged_bytes_in_the_catalog_are_found_and_never_returned(local: Workspace) -> None:
    saved = local.save_artifact("small", "a")
    local.save_artifact("other", "b")
    digest = saved.files[0].digest
    edit(local, "UPDATE inline_blobs SET data = ? WHERE digest = ?", b"SMALL", digest)
    (fault,) = local.verify().faults
    assert (fault.digest, fault.what, fault.found) == (digest, "damaged", hash_bytes(b"SMALL"))
    assert fault.users == (f"{saved.uri}, {saved.files[0].path}",)
    for look in (
        lambda: local.load_artifact("a"),
        lambda: local.get_artifact("a").path(),
        lambda: local.get_artifact("a").open().__enter__(),
    ):
        with pytest.raises(BlobDamaged, match=digest):
            look()
    assert local.load_artifact("b") == "other"


def test_one_artifact_alone(local: Workspace) -> None:
    sound = local.save_artifact(STORED, "sound")
    damaged = local.save_artifact(STORED + b"x", "damaged")
    flip(blob_file(local, damaged.files[0].digest))
    assert local.verify("sound").sound
    assert local.verify("sound").size == sound.size
    assert [f.digest for f in local.verify("damaged").faults] == [damaged.files[0].digest]
    small = local.save_artifact("small", "small")
    edit(local, "UPDATE inline_blobs SET data = x'00' WHERE digest = ?", small.files[0].digest)
    assert [f.what for f in local.verify("small").faults] == ["damaged"]


def test_exchanged_files_of_one_artifact_are_found(local: Workspace) -> None:
    saved, other = local.save_artifact("mine", "a"), local.save_artifact("other", "b")
    digest = other.files[0].digest
    edit(local, "UPDATE files SET digest = ? WHERE owner = ?", digest, saved.uid)
    report = local.verify("a")
    assert not report.sound
    assert "not those that were recorded" in report.catalog[0]


def test_what_is_no_file_is_damage_not_a_crash(local: Workspace) -> None:
    saved = local.save_artifact(STORED, "a")
    path = blob_file(local, saved.files[0].digest)
    path.unlink()
    path.mkdir()
    (fault,) = local.verify().faults
    assert fault.what == "damaged"
    assert fault.found
