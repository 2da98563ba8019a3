"""Steps write artifacts: into memory, files or folders, and always under their own name."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment_pieces import DATA, MODEL, counted
from findspot import FindspotError, Workspace, task
from findspot.experiments.artifact import Artifact
from findspot.experiments.context import CellContext
from findspot.experiments.errors import NoCell
from findspot.experiments.experiment import Experiment
from findspot.experiments.results import Result

TEXT, BIG = Artifact("a.txt"), Artifact("b.bin")
FOLDER, NOTES = Artifact("model"), Artifact("model/notes.txt")
OF_KIND = Artifact("m.bin", kind="model")


def run_one(step: Any, *more: Any, **options: Any) -> Result:
    return Experiment(name="one", pipeline=[step, *more], **options).run()


def test_an_object_that_holds_its_artifact_writes_it(ws: Workspace) -> None:
    class ModelStep:
        def __init__(self, out: Artifact) -> None:
            self.out = out

        def __call__(self, data: Any, ctx: CellContext) -> Any:
            self.out.write(b"binary data")
            return data

    result = run_one(ModelStep(MODEL), outputs=[MODEL])
    assert result.folder is not None
    assert (result.folder / "0/baseline/ModelStep/model.bin").read_bytes() == b"binary data"


def test_what_is_declared_and_not_written_is_an_error(ws: Workspace) -> None:
    def forget(data: Any, out: Artifact = MODEL) -> None: ...

    failure = run_one(forget).errors["baseline", 0]
    assert failure.type == "ArtifactNotWritten"
    assert "'model.bin' was declared, but never written" in failure.message


def test_a_second_write_is_an_error(ws: Workspace) -> None:
    def twice(data: Any, out: Artifact = MODEL) -> None:
        out.write(b"1")
        out.write(b"2")

    assert run_one(twice).errors["baseline", 0].type == "ArtifactWrittenTwice"


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], 3, None, np.ones(3)])
def test_what_is_neither_bytes_nor_text_is_said(ws: Workspace, value: Any) -> None:
    def values(data: Any, out: Artifact = MODEL) -> None:
        out.write(value)

    failure = run_one(values).errors["baseline", 0]
    assert failure.type == "NotBytes"
    assert f"of type {type(value).__name__}: write() takes bytes or text" in failure.message
    assert "outputs=['values']" in failure.message


def test_text_and_large_bytes(ws: Workspace) -> None:
    def write(data: Any, small: Artifact = TEXT, big: Artifact = BIG) -> None:
        small.write("tête")
        big.write(memoryview(b"x" * (3 << 20)))

    result = run_one(write)
    assert result.artifact("write", "a.txt").path().read_text() == "tête"
    assert result.artifact("write", "b.bin").path().stat().st_size == 3 << 20
    assert result.artifact("write", "a.txt").metadata["bytes"] == 5
    preview = result.artifact("write", "a.txt").preview
    assert preview is not None
    assert preview.data == "tête".encode()
    assert result.folder is not None
    assert (result.folder / "0/baseline/write/b.bin").stat().st_size == 3 << 20


def test_folders_and_names_with_parts(ws: Workspace) -> None:
    def write(
        data: Any,
        folder: Artifact = FOLDER,
        inner: Artifact = NOTES,
    ) -> None:
        place = folder.path()
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "weights").write_bytes(b"w")
        inner.write("beside it")

    result = run_one(write)
    assert not result.errors
    assert (result.artifact("write", "model").path() / "deep/weights").read_bytes() == b"w"
    assert result.artifact("write", "model").kind == "directory"
    assert result.artifact("write", "model/notes.txt").path().read_text() == "beside it"


def test_later_steps_read_what_earlier_ones_wrote(ws: Workspace) -> None:
    def first(data: Any, out: Artifact = DATA) -> None:
        out.write(json.dumps([1, 2]))

    def second(data: Any, ctx: CellContext) -> None:
        ctx.log_metric("sum", sum(json.loads(ctx.artifacts["data.json"].read_text())))
        ctx.log_metric("count", len(ctx.artifacts))

    result = run_one(first, second)
    assert result.metrics == {"count": {"baseline": [1.0]}, "sum": {"baseline": [3.0]}}
    assert result.artifact("first", "data.json").path().read_text() == "[1, 2]"


def test_the_same_step_twice_keeps_both_artifacts(ws: Workspace) -> None:
    def write(data: int, out: Artifact = MODEL) -> int:
        out.write(str(data))
        return data + 1

    result = run_one(write, write, datasource=[1])
    assert result.artifact("write", "model.bin").path().read_text() == "1"
    assert result.artifact("write_2", "model.bin").path().read_text() == "2"


def test_threads_of_a_step_may_write(ws: Workspace) -> None:
    def write(data: Any, out: Artifact = MODEL) -> None:
        thread = threading.Thread(target=out.write, args=(b"from a thread",))
        thread.start()
        thread.join()

    assert run_one(write).artifact("write", "model.bin").size == 13


def test_a_kind_may_be_given(ws: Workspace) -> None:
    def write(data: Any, out: Artifact = OF_KIND) -> None:
        out.write(b"")

    assert run_one(write).artifact("write", "m.bin").kind == "model"
    with pytest.raises(FindspotError, match="'modle' is no kind"):
        Artifact("m.bin", kind="modle")


def test_an_artifact_has_no_place_outside_its_step(ws: Workspace) -> None:
    with pytest.raises(NoCell, match="no step of an experiment is running"):
        MODEL.write(b"")

    def other(data: Any, out: Artifact = DATA) -> None:
        out.write(b"")
        MODEL.write(b"")

    assert run_one(other).errors["baseline", 0].type == "NoCell"


def test_missing_artifacts_are_named(ws: Workspace, tmp_path: Path) -> None:
    result = counted(tmp_path).run()
    with pytest.raises(FindspotError, match=r"save/nope of double, replicate 1"):
        result.artifact("save", "nope", "double", 1)


def test_no_temporary_files_stay(ws: Workspace, tmp_path: Path, monkeypatch: Any) -> None:
    import tempfile

    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    @task
    def write(data: int, ctx: CellContext, out: Artifact = MODEL) -> None:
        out.path().write_bytes(b"x" * data)
        if data == 2:
            raise ValueError

    result = run_one(write, datasource=[1, 2, 3])
    assert list(result.errors) == [("baseline", 1)]
    assert list(place.iterdir()) == []
