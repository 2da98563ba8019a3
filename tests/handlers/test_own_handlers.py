"""Handlers that users write, the folders they are given, and the helper that tries them out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from findspot.core.digests import hash_bytes
from findspot.core.records import FileEntry, Preview
from findspot.handlers import (
    BadFiles,
    BadValue,
    Handler,
    HandlerRegistry,
    InvalidHandler,
    PlainLoadFolder,
    PlainSaveFolder,
    default_registry,
    round_trip,
)
from findspot.handlers.folders import PartLoadFolder, PartSaveFolder, parts_of, write_parts


class Track:
    def __init__(self, points: list[list[float]]) -> None:
        self.points = points


class TrackHandler:
    """The least that a handler is: no base class, no name, no describe, no preview."""

    types = (Track,)

    def save(self, value: Track, folder: Any) -> None:
        folder.write("track.json", json.dumps(value.points).encode())

    def load(self, folder: Any) -> Track:
        return Track(json.loads(folder.read("track.json")))


class FullTrackHandler(TrackHandler):
    name = "gps.track"
    kind = "dataset"
    deterministic = False
    safe = False

    def accepts(self, value: Track) -> bool:
        return len(value.points) < 3

    def save(self, value: Track, folder: Any, indent: int | None = None) -> None:
        folder.write("track.json", json.dumps(value.points, indent=indent).encode())

    def load(self, folder: Any, indent: int | None = None) -> Track:
        return super().load(folder)

    def describe(self, value: Track) -> Mapping[str, Any]:
        return {"points": len(value.points)}

    def preview(self, value: Track) -> Preview:
        return Preview("text/plain", b"track")


class Scaled(Handler):
    """A handler with settings of its own."""

    name = "test.scaled"
    types = (Track,)

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def save(self, value: Track, folder: Any, /, **args: Any) -> None:
        folder.write("n", json.dumps(value.points[0][0] * self.factor).encode())

    def load(self, folder: Any, /, **args: Any) -> Track:
        return Track([[json.loads(folder.read("n")) / self.factor]])


def test_a_plain_class_is_enough() -> None:
    registry = HandlerRegistry(plugins=False)
    handler = registry.register(TrackHandler)
    track = Track([[1.0, 2.0]])
    assert registry.for_value(track) is handler
    assert registry.by_name(f"{__name__}.TrackHandler") is handler
    assert (handler.kind, handler.deterministic, handler.safe) == ("value", True, True)
    assert (handler.describe(track), handler.preview(track)) == ({}, None)
    assert round_trip(track, registry=registry).points == track.points


def test_whatever_a_plain_class_says_is_used() -> None:
    registry = HandlerRegistry(plugins=False)
    handler = registry.register(FullTrackHandler)
    track = Track([[1.0]])
    assert registry.by_name("gps.track") is handler
    assert (handler.kind, handler.deterministic, handler.safe) == ("dataset", False, False)
    assert handler.describe(track) == {"points": 1}
    assert registry.for_value(Track([[]] * 3)).name == "pickle"


def test_round_trip_takes_a_class_a_name_or_an_instance_and_arguments(tmp_path: Path) -> None:
    track = Track([[1.0]])
    assert round_trip(track, TrackHandler).points == [[1.0]]
    assert round_trip(track, FullTrackHandler, folder=tmp_path, indent=2).points == [[1.0]]
    assert "\n" in (tmp_path / "track.json").read_text()
    assert round_trip(track, Scaled(2.0)).points == [[1.0]]
    assert round_trip((1, 2), "pickle") == (1, 2)
    assert default_registry().for_value(track).name == "pickle", "it registers nothing for good"


def test_a_handler_with_settings_is_registered_as_an_instance() -> None:
    registry = HandlerRegistry(plugins=False)
    registry.register(Scaled(4.0))
    assert round_trip([Track([[3.0]])], registry=registry)[0].points == [[3.0]]
    with pytest.raises(InvalidHandler, match="register its class"):
        registry.register(TrackHandler())  # type: ignore[arg-type]


def test_a_folder_takes_each_name_once_and_none_that_leaves_it(tmp_path: Path) -> None:
    folder = PlainSaveFolder(tmp_path / "in")
    (tmp_path / "in").mkdir()
    folder.write("a/b", b"1")
    with pytest.raises(BadValue, match="twice"):
        folder.write("a/b", b"2")
    for name in ("", "/x", "../x", "a/../../x", "a//b", "a\\b", "a\0b", "."):
        with pytest.raises(BadValue):
            folder.write(name, b"")
        with pytest.raises(BadValue):
            PlainLoadFolder(tmp_path / "in").path(name)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    with pytest.raises(BadFiles, match="no file 'c'"):
        PlainLoadFolder(tmp_path / "in").read("c")


def test_a_part_of_a_folder_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x").write_bytes(b"x")
    (tmp_path / "whole").mkdir()
    whole = PlainSaveFolder(tmp_path / "whole")
    part = PartSaveFolder(whole, "parts/0")
    part.write("written", b"1")
    with part.open("opened") as sink:
        sink.write(b"2")
    part.path("pathed").write_bytes(b"3")
    part.add("added", tmp_path / "source")
    write_parts(part, "joined", [b"4", memoryview(b"5")])
    with pytest.raises(BadValue):
        part.write("../out", b"")
    files = parts_of(whole.files(), "parts")["0"]
    assert [file.path for file in files] == ["added/x", "joined", "opened", "pathed", "written"]
    loaded = PartLoadFolder(PlainLoadFolder(tmp_path / "whole", trusted=True), "parts/0", files)
    assert [loaded.read(file.path) for file in files] == [b"x", b"45", b"2", b"3", b"1"]
    with loaded.open("opened") as source:
        assert source.read() == b"2"
    assert loaded.path("written").read_bytes() == b"1"
    assert (loaded.folder() / "added" / "x").read_bytes() == b"x"
    assert loaded.trusted


def test_files_of_a_folder_have_their_digests(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert PlainSaveFolder(tmp_path).files() == (FileEntry("a", hash_bytes(b"abc"), 3),)
