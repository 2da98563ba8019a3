"""Artifact tasks of plugins as handlers: what they save is one file or folder, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot.artifacts.folders import WorkspaceSaveFolder
from findspot.core.errors import CheckFailed
from findspot.core.records import Preview
from findspot.handlers import HandlerRegistry, PlainLoadFolder, PlainSaveFolder
from findspot.handlers.errors import BadFiles
from findspot.handlers.protocol import ArtifactHandler
from findspot.plugins.artifact_handler import artifact_handler
from findspot.plugins.errors import ArtifactTaskFailed
from findspot.plugins.registration import ArtifactTask
from findspot.store.local import LocalBlobStore


class ArrayTask(ArtifactTask):
    @staticmethod
    def serialize(working_dir: Path, name: str, contents: np.ndarray, **kwargs: Any) -> Path:
        path = working_dir / f"{name}.npy"
        np.save(path, contents * kwargs.get("factor", 1))
        return path

    @staticmethod
    def deserialize(working_dir: Path, path: str, **kwargs: Any) -> Any:
        return np.load(working_dir / path) / kwargs.get("factor", 1)

    @staticmethod
    def validation() -> dict[str, Any] | None:
        return {"factor": {"type": "number", "exclusiveMinimum": 0}}


class FolderTask(ArtifactTask):
    """One text file for each key."""

    @staticmethod
    def serialize(working_dir: Path, name: str, contents: dict[str, str], **kwargs: Any) -> Path:
        (working_dir / "notes.tmp").write_text("left behind")
        for key, text in contents.items():
            path = working_dir / name / f"{key}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return working_dir / name

    @staticmethod
    def deserialize(working_dir: Path, path: str, **kwargs: Any) -> dict[str, str]:
        return {p.stem: p.read_text() for p in sorted((working_dir / path).iterdir())}


def files_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def returning(returned: Any) -> ArtifactHandler:
    """A handler whose task calls ``returned(working_dir)`` and returns what that gives."""

    class Task(ArtifactTask):
        @staticmethod
        def serialize(working_dir: Path, name: str, contents: Any, **kwargs: Any) -> Path:
            path: Path = returned(working_dir)
            return path

        @staticmethod
        def deserialize(working_dir: Path, path: str, **kwargs: Any) -> Any:
            return (working_dir / path).read_bytes()

    return artifact_handler(Task, plugin="p")


def test_a_file_is_saved_and_loaded(tmp_path: Path) -> None:
    handler = artifact_handler(ArrayTask, plugin="files", output="runs/samples")
    assert handler.name == "plugin:files/ArrayTask"
    array = np.arange(5.0)
    handler.save(array, PlainSaveFolder(tmp_path), factor=3)
    assert files_of(tmp_path) == ["samples.npy"]
    assert np.load(tmp_path / "samples.npy").tolist() == [0.0, 3.0, 6.0, 9.0, 12.0]
    loaded = handler.load(PlainLoadFolder(tmp_path), factor=3)
    np.testing.assert_array_equal(loaded, array)


def test_a_folder_is_saved_and_loaded_without_what_lies_beside_it(tmp_path: Path) -> None:
    handler = artifact_handler(FolderTask, plugin="files", output="texts")
    handler.save({"a": "one", "b": "two"}, PlainSaveFolder(tmp_path))
    assert files_of(tmp_path) == ["texts/a.txt", "texts/b.txt"]
    assert handler.load(PlainLoadFolder(tmp_path)) == {"a": "one", "b": "two"}
    assert handler.kind == "directory"


def test_a_folder_with_one_file_is_still_a_folder(tmp_path: Path) -> None:
    handler = artifact_handler(FolderTask, plugin="files", output="texts")
    handler.save({"a": "one"}, PlainSaveFolder(tmp_path))
    assert handler.load(PlainLoadFolder(tmp_path)) == {"a": "one"}


def test_the_working_folder_itself_may_be_returned(tmp_path: Path) -> None:
    class Whole(FolderTask):
        @staticmethod
        def serialize(
            working_dir: Path, name: str, contents: dict[str, str], **kwargs: Any
        ) -> Path:
            for key, text in contents.items():
                (working_dir / f"{key}.txt").write_text(text)
            return working_dir

    handler = artifact_handler(Whole, plugin="files", output="texts")
    handler.save({"a": "one"}, PlainSaveFolder(tmp_path))
    assert files_of(tmp_path) == ["texts/a.txt"]
    assert handler.load(PlainLoadFolder(tmp_path)) == {"a": "one"}


def test_large_files_reach_the_store_and_the_working_folder_does_not(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    handler = artifact_handler(ArrayTask, plugin="files", output="samples")
    with WorkspaceSaveFolder(store, inline_limit=100) as folder:
        handler.save(np.zeros(10_000), folder)
        (entry,) = folder.finish()
    assert (entry.path, entry.inline) == ("samples.npy", None)
    assert store.size(entry.digest) == entry.size


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (lambda folder: None, "returned None, which is no path"),
        (lambda folder: 7, "which is no path"),
        (lambda folder: folder / "nothing", "no such file"),
        (lambda folder: Path("/etc/hostname"), "outside its working folder"),
        (lambda folder: "../../x", "outside its working folder"),
        (lambda folder: folder.parent, "outside its working folder"),
        (lambda folder: (folder / "empty").mkdir() or folder / "empty", "without any file"),
    ],
)
def test_a_path_that_may_not_be_returned(returned: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactTaskFailed, match=says):
        returning(returned).save(1, PlainSaveFolder(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_links_are_never_saved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")

    def link(folder: Path) -> Path:
        (folder / "out").symlink_to(secret)
        return folder / "out"

    def folder_with_a_link(folder: Path) -> Path:
        (folder / "sub").mkdir()
        link(folder / "sub")
        return folder / "sub"

    def folder_with_a_pipe(folder: Path) -> Path:
        os.mkfifo(folder / "pipe")
        return folder

    for returned in (link, folder_with_a_link, folder_with_a_pipe):
        target = tmp_path / returned.__name__
        target.mkdir()
        with pytest.raises(ArtifactTaskFailed, match=r"outside|neither a file nor a folder"):
            returning(returned).save(1, PlainSaveFolder(target))
        assert list(target.iterdir()) == []


def test_a_relative_path_is_below_the_working_folder(tmp_path: Path) -> None:
    def relative(folder: Path) -> str:
        (folder / "x.bin").write_bytes(b"x")
        return "x.bin"

    handler = returning(relative)
    handler.save(1, PlainSaveFolder(tmp_path))
    assert handler.load(PlainLoadFolder(tmp_path)) == b"x"


def test_an_error_of_the_task_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> Path:
        (folder / "half").write_bytes(b"half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        returning(fail).save(1, PlainSaveFolder(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_files_that_no_artifact_task_wrote_are_refused(tmp_path: Path) -> None:
    handler = artifact_handler(ArrayTask, plugin="files")
    for name in ("a", "b"):
        (tmp_path / name).write_text("")
    with pytest.raises(BadFiles, match="a, b"):
        handler.load(PlainLoadFolder(tmp_path))


# ---------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("args", "paths"),
    [
        ({"factor": 0}, ["$.args.factor"]),
        ({"factor": "high"}, ["$.args.factor"]),
        ({"factr": 2}, ["$.args.factr"]),
        ({"factor": -1, "x": 1}, ["$.args.factor", "$.args.x"]),
    ],
)
def test_wrong_arguments_are_all_listed_and_nothing_is_saved(
    args: dict[str, Any], paths: list[str], tmp_path: Path
) -> None:
    handler = artifact_handler(ArrayTask, plugin="files")
    with pytest.raises(CheckFailed) as caught:
        handler.save(np.zeros(2), PlainSaveFolder(tmp_path), **args)
    assert sorted(p.path for p in caught.value.problems) == paths
    assert list(tmp_path.iterdir()) == []


def test_a_task_without_a_schema_takes_no_arguments(tmp_path: Path) -> None:
    handler = artifact_handler(FolderTask, plugin="files")
    with pytest.raises(CheckFailed, match="dpi"):
        handler.save({"a": "x"}, PlainSaveFolder(tmp_path), dpi=3)


def test_a_schema_that_is_none_is_the_plugins_mistake(tmp_path: Path) -> None:
    class Wrong(FolderTask):
        @staticmethod
        def validation() -> dict[str, Any] | None:
            return {"dpi": {"type": "whole number"}}

    class Raising(FolderTask):
        @staticmethod
        def validation() -> dict[str, Any] | None:
            raise KeyError("dpi")

    with pytest.raises(CheckFailed, match="no valid JSON Schema"):
        artifact_handler(Wrong, plugin="p").save({"a": "x"}, PlainSaveFolder(tmp_path), dpi=3)
    with pytest.raises(ArtifactTaskFailed, match=r"validation\(\) failed: KeyError: 'dpi'"):
        artifact_handler(Raising, plugin="p").save({"a": "x"}, PlainSaveFolder(tmp_path))


# ---------------------------------------------------------------------- what is known of a value


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.png", "plot"),
        ("a.SVG", "plot"),
        ("a.npy", "dataset"),
        ("a.onnx", "model"),
        ("a.pkl", "file"),
        ("a", "file"),
    ],
)
def test_the_kind_is_told_by_the_files_name(name: str, kind: str, tmp_path: Path) -> None:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(b"x")
        return folder / name

    handler = returning(write)
    handler.save(1, PlainSaveFolder(tmp_path))
    assert handler.kind == kind


def test_a_class_can_say_what_it_makes(tmp_path: Path) -> None:
    class Model(FolderTask):
        kind = "model"
        safe = True
        deterministic = True

        @staticmethod
        def describe(contents: dict[str, str]) -> Mapping[str, Any]:
            return {"keys": len(contents)}

        @staticmethod
        def preview(contents: dict[str, str]) -> Preview | None:
            return Preview("text/plain", b"a model")

    handler = artifact_handler(Model, plugin="p")
    handler.save({"a": "x"}, PlainSaveFolder(tmp_path))
    assert (handler.kind, handler.safe, handler.deterministic) == ("model", True, True)
    assert handler.describe({"a": "x"}) == {"keys": 1}
    assert handler.preview({"a": "x"}) == Preview("text/plain", b"a model")


def test_a_kind_that_does_not_exist_is_refused() -> None:
    class Sculpture(FolderTask):
        kind = "sculpture"

    with pytest.raises(ArtifactTaskFailed, match="'sculpture' is none of file, directory"):
        artifact_handler(Sculpture, plugin="p")


def test_unless_it_says_so_a_task_is_neither_safe_nor_deterministic() -> None:
    handler = artifact_handler(FolderTask, plugin="p")
    assert (handler.safe, handler.deterministic) == (False, False)


def test_metadata_is_that_of_the_values_type() -> None:
    described = artifact_handler(ArrayTask, plugin="p").describe(np.zeros((2, 3)))
    assert described["shape"] == [2, 3]
    assert artifact_handler(ArrayTask, plugin="p").describe(object()) == {}


@pytest.mark.parametrize(
    ("name", "data", "preview"),
    [
        ("a.png", b"\x89PNG", Preview("image/png", b"\x89PNG")),
        ("a.txt", "é".encode(), Preview("text/plain", "é".encode())),
        ("a.json", b"{}", Preview("text/plain", b"{}")),
        ("a.log", b"x" * 5000, Preview("text/plain", b"x" * 4095 + "…".encode())),
        ("a.bin", b"x", None),
    ],
)
def test_a_small_file_is_its_own_preview(
    name: str, data: bytes, preview: Preview | None, tmp_path: Path
) -> None:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    handler = returning(write)
    handler.save(object(), PlainSaveFolder(tmp_path))
    assert handler.preview(object()) == preview


def test_a_table_is_shown_by_its_head(tmp_path: Path) -> None:
    def write(folder: Path) -> Path:
        rows = "".join(f'{i},"x, {i}"\n' for i in range(100))
        (folder / "a.csv").write_text(f"n,text\n{rows}")
        return folder / "a.csv"

    handler = returning(write)
    handler.save(1, PlainSaveFolder(tmp_path))
    preview = handler.preview(1)
    assert preview is not None
    assert preview.media_type == "application/vnd.findspot.table+json"
    shown = json.loads(preview.data)
    assert (shown["columns"], shown["total"]) == (["n", "text"], 100)
    assert shown["rows"][:2] == [["0", "x, 0"], ["1", "x, 1"]]
    assert len(shown["rows"]) == 20


def test_a_registered_artifact_task_is_found_by_name_and_never_by_type() -> None:
    registry = HandlerRegistry(plugins=False)
    usual = registry.for_value(np.zeros(1)).name
    handler = artifact_handler(ArrayTask, plugin="files")
    assert registry.register(handler) is handler
    assert registry.by_name("plugin:files/ArrayTask") is handler
    assert registry.for_value(np.zeros(1)).name == usual


def test_a_class_that_is_no_artifact_task() -> None:
    class Half(ArtifactTask):
        @staticmethod
        def serialize(working_dir: Path, name: str, contents: Any, **kwargs: Any) -> Path:
            return working_dir

    with pytest.raises(ArtifactTaskFailed, match=r"has no deserialize\(\)"):
        artifact_handler(Half, plugin="p")
