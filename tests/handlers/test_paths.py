"""A path stands for the file or folder that it points to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from findspot.handlers import BadFiles, BadValue, PlainLoadFolder, default_registry, round_trip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "name",
    [
        "model.bin",
        ".hidden",
        "with space (copy).txt",
        "ünïcode-模型",
        'a:b*c?d"e<f>g|h',
        "line\nbreak",
        "%2e%2e",
        "-rf",
        "x" * 255,
    ],
)
def test_a_file_keeps_its_name_and_bytes(source: Path, name: str) -> None:
    file = source / name
    file.write_bytes(b"\0\xffdata")
    handler = default_registry().for_value(file)
    assert (handler.name, handler.kind) == ("path.file", "file")
    loaded = round_trip(file)
    assert isinstance(loaded, Path)
    assert (loaded.name, loaded.read_bytes()) == (name, b"\0\xffdata")
    assert loaded != file


def test_a_link_to_a_file_is_saved_as_the_file(source: Path) -> None:
    (source / "real").write_text("text")
    (source / "link").symlink_to(source / "real")
    loaded = round_trip(source / "link")
    assert (loaded.name, loaded.read_text()) == ("link", "text")
    assert not loaded.is_symlink()


@pytest.mark.parametrize("name", ["missing", "dangling"])
def test_a_missing_file_is_an_error(source: Path, name: str) -> None:
    (source / "dangling").symlink_to(source / "nothing")
    with pytest.raises(BadValue, match=f"{name}: There is no such file") as caught:
        round_trip(source / name)
    assert "str(path)" in str(caught.value.how)


def test_a_pipe_is_refused(source: Path) -> None:
    os.mkfifo(source / "pipe")
    with pytest.raises(BadValue, match="pipe"):
        round_trip(source / "pipe")
    with pytest.raises(BadValue, match="pipe: a pipe"):
        round_trip(source)


def test_a_folder_keeps_all_that_is_in_it(source: Path) -> None:
    for name in ("a.txt", "sub/b.txt", "sub/.hidden", "sub/deep/ü x"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "empty" / "inner").mkdir(parents=True)
    handler = default_registry().for_value(source)
    assert (handler.name, handler.kind) == ("path.directory", "directory")
    loaded = round_trip(source)
    assert [name for name in names(loaded) if "findspot" not in name] == names(source)
    assert (loaded / "sub/deep/ü x").read_text() == "sub/deep/ü x"
    assert (loaded / "empty/inner").is_dir()


def test_a_folder_that_was_loaded_can_be_saved_again(source: Path) -> None:
    (source / "empty").mkdir()
    (source / "a").write_text("a")
    again = round_trip(round_trip(source))
    assert (again / "empty").is_dir()
    assert (again / "a").read_text() == "a"


def test_an_empty_folder_comes_back_empty(source: Path) -> None:
    loaded = round_trip(source)
    assert loaded.is_dir()
    assert names(loaded) == []
    (nested,) = round_trip([source])
    assert nested.is_dir()
    assert names(nested) == []


def test_links_inside_a_folder_become_files_and_those_that_lead_out_are_refused(
    source: Path, tmp_path: Path
) -> None:
    (source / "real").write_text("text")
    (source / "inside").symlink_to("real")
    loaded = round_trip(source)
    assert (loaded / "inside").read_text() == "text"
    assert not (loaded / "inside").is_symlink()

    (tmp_path / "secret").write_text("secret")
    (source / "outside").symlink_to(tmp_path / "secret")
    (source / "relative").symlink_to("../secret")
    (source / "folder").symlink_to(tmp_path)
    (source / "dangling").symlink_to("nowhere")
    with pytest.raises(BadValue) as caught:
        round_trip(source)
    message = str(caught.value)
    for name in ("outside: a link that leads out", "relative: a link that", "folder: a link that"):
        assert name in message
    assert "dangling: a link to nothing" in message


def test_a_loop_of_links_is_refused(source: Path) -> None:
    (source / "loop").symlink_to("loop")
    with pytest.raises(BadValue, match="loop"):
        round_trip(source)
    with pytest.raises(BadValue, match="loop"):
        round_trip(source / "loop")


def test_names_that_are_no_file_names_elsewhere_are_refused_all_at_once(source: Path) -> None:
    (source / "back\\slash").write_text("")
    (source / os.fsdecode(b"\xff\xfe")).write_text("")
    with pytest.raises(BadValue) as caught:
        round_trip(source)
    assert "back\\slash" in str(caught.value)
    assert "??" in str(caught.value)


def test_a_path_in_a_structure_is_saved_as_its_file(source: Path) -> None:
    (source / "a.txt").write_text("a")
    loaded = round_trip({"file": source / "a.txt", "n": 1})
    assert loaded["n"] == 1
    assert loaded["file"].name == "a.txt"
    assert loaded["file"].read_text() == "a"


def test_a_version_of_a_file_with_two_files_is_damaged(source: Path) -> None:
    (source / "a").write_text("")
    (source / "b").write_text("")
    with pytest.raises(BadFiles, match="2 files"):
        default_registry().by_name("path.file").load(PlainLoadFolder(source))


def test_metadata_and_previews(source: Path) -> None:
    text = source / "a.csv"
    text.write_text("x,y\n" * 5000)
    binary = source / "b.bin"
    binary.write_bytes(b"\0\1\2")
    handler = default_registry().by_name("path.file")
    assert handler.describe(text) == {
        "file_name": "a.csv",
        "bytes": 20_000,
        "media_type": "text/csv",
    }
    shown = handler.preview(text)
    assert shown is not None
    assert shown.data.startswith(b"x,y\nx,y\n")
    assert len(shown.data) < 4200
    assert handler.preview(binary) is None
    directory = default_registry().by_name("path.directory")
    assert directory.describe(source) == {"folder_name": "source", "files": 2, "bytes": 20_003}
    listing = directory.preview(source)
    assert listing is not None
    assert listing.data.decode().split() == ["20,000", "a.csv", "3", "b.bin"]


def test_a_text_cut_within_a_character_is_still_text(source: Path) -> None:
    file = source / "a.txt"
    file.write_text("ä" * 5000 if len("ä".encode()) == 2 else "")
    file.write_bytes(b"x" + file.read_bytes())
    shown = default_registry().by_name("path.file").preview(file)
    assert shown is not None
    assert shown.data.decode().startswith("xää")
