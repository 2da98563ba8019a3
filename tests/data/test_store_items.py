"""Artifacts as data items."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from findspot.artifacts.space import ArtifactSpace
from findspot.core.errors import FindspotError, InvalidReference, NotFound
from findspot.data import ItemReadOnly, NotAFile, UnknownFormat, get_dataitem

ROWS = {"a": [1, 2], "b": ["x", "y"]}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    pd.DataFrame(ROWS).to_csv(path, index=False)
    return path


def test_a_file(space: ArtifactSpace, csv: Path, tmp_path: Path) -> None:
    version = space.save_artifact(csv, "tables/rows")
    item = get_dataitem("store://artifacts/default/tables/rows", space=space)
    assert (item.kind, item.name, item.key) == ("store", "rows", "rows")
    assert item.exists()
    assert item.get() == csv.read_bytes()
    assert item.get(3, 4) == csv.read_bytes()[4:7]
    assert item.get(offset=10_000) == b""
    with item.open("r") as reader:
        assert reader.readline() == "a,b\n"
    assert item.local().read_bytes() == csv.read_bytes()
    assert item.download(tmp_path / "copy").read_bytes() == csv.read_bytes()
    assert item.as_df().to_dict("list") == ROWS
    assert item.as_df(engine="polars", columns=["b"]).to_dict(as_series=False) == {"b": ROWS["b"]}
    assert item.meta == version
    stat = item.stat()
    assert (stat.size, stat.content_type) == (csv.stat().st_size, "text/csv")
    assert stat.etag == version.files[0].digest
    assert [inner.get() for inner in item.ls()] == [csv.read_bytes()]


def test_large_files(space: ArtifactSpace, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    (tmp_path / "large.bin").write_bytes(data)
    space.save_artifact(tmp_path / "large.bin", "large")
    item = get_dataitem("store://files/default/large:1", space=space)
    assert item.get() == data
    assert item.get(10, 4_000_000) == data[4_000_000:4_000_010]
    with item.open() as reader:
        reader.seek(-3, 2)
        assert reader.read() == data[-3:]


def test_values(space: ArtifactSpace) -> None:
    frame = pd.DataFrame(ROWS)
    for value in (frame, pl.DataFrame(ROWS), pl.DataFrame(ROWS).to_arrow(), ROWS):
        space.save_artifact(value, "table")
        item = get_dataitem("store://artifacts/default/table", space=space)
        assert item.as_df().to_dict("list") == ROWS
        assert item.as_df(engine="polars").to_dict(as_series=False) == ROWS
        assert list(item.as_df(columns=["b"]).columns) == ["b"]
    array = np.arange(6).reshape(2, 3)
    space.save_artifact(array, "array")
    item = get_dataitem("store://artifacts/default/array", space=space)
    assert np.array_equal(item.as_array(), array)
    assert np.array_equal(item.load(), array)
    assert item.as_df().shape == (2, 3)
    space.save_artifact("text", "text")
    with pytest.raises(UnknownFormat, match="it is a builtins"):
        get_dataitem("store://artifacts/default/text", space=space).as_df()


def test_folders(space: ArtifactSpace, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "inner" / "b.txt").write_text("b")
    space.save_artifact(folder, "folder")
    item = get_dataitem("store://directories/default/folder", space=space)
    assert item.exists()
    names = item.listdir()
    assert len(names) == 2
    assert names[0].endswith("a.txt")
    assert [inner.get(encoding="utf-8") for inner in item.ls()] == ["a", "b"]
    assert [inner.name for inner in item.ls()] == ["a.txt", "b.txt"]
    for use in (item.get, item.local, item.open):
        with pytest.raises(NotAFile, match="2 files"):
            use()


def test_versions_and_tags(space: ArtifactSpace) -> None:
    space.save_artifact("one", "note", tags=["first"])
    item = get_dataitem("store://artifacts/default/note", space=space)
    assert item.load() == "one"
    space.save_artifact("two", "note")
    assert item.load() == "one", "an item stays at the version that it found"
    for reference, expected in (("note", "two"), ("note:first", "one"), ("note:2", "two")):
        item = get_dataitem(f"store://artifacts/default/{reference}", space=space)
        assert item.load() == expected


def test_items_travel_to_other_processes(space: ArtifactSpace, csv: Path) -> None:
    space.save_artifact(csv, "rows")
    item = get_dataitem("store://artifacts/default/rows", space=space, key="input")
    unread = pickle.loads(pickle.dumps(item))
    item.get()
    space.save_artifact("another", "rows")
    again = pickle.loads(pickle.dumps(item))
    assert again.get() == csv.read_bytes()
    assert (again.url, again.key, again.name) == (item.url, "input", "rows")
    assert unread.load() == "another"


def test_items_are_read_only(space: ArtifactSpace, csv: Path) -> None:
    space.save_artifact(csv, "rows")
    item = get_dataitem("store://artifacts/default/rows", space=space)
    for use in (
        lambda: item.put(b"x"),
        lambda: item.put(b"x", append=True),
        lambda: item.upload(csv),
        lambda: item.open("wb"),
        item.delete,
    ):
        with pytest.raises(ItemReadOnly, match=r"save_artifact|delete_version"):
            use()
    assert item.get() == csv.read_bytes()


def test_what_is_not_there(space: ArtifactSpace, csv: Path) -> None:
    space.save_artifact(csv, "measurements")
    item = get_dataitem("store://artifacts/default/measurement", space=space)
    assert not item.exists()
    with pytest.raises(NotFound, match="Did you mean measurements"):
        item.get()
    with pytest.raises(InvalidReference):
        get_dataitem("store://nothing/x", space=space)


def test_the_current_workspace_is_taken(
    space: ArtifactSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    space.save_artifact("here", "note")
    monkeypatch.setenv("FINDSPOT_WORKSPACE", str(space.folder))
    assert get_dataitem("store://artifacts/default/note").load() == "here"


def test_damaged_bytes_are_never_returned(space: ArtifactSpace, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(2_000_000))
    version = space.save_artifact(tmp_path / "large.bin", "large")
    blob = space.store.path(version.files[0].digest)
    assert blob is not None
    blob.chmod(0o644)
    blob.write_bytes(b"\1" * 2_000_000)
    with pytest.raises(FindspotError, match="damaged"):
        get_dataitem("store://artifacts/default/large", space=space).get()
