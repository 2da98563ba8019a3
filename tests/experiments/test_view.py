"""The readable view: names that people read, the store's bytes, nothing lost when it is deleted."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from experiment_pieces import counted
from findspot import Workspace
from findspot.experiments.artifact import Artifact
from findspot.experiments.context import CellContext
from findspot.experiments.errors import ViewNotWritten
from findspot.experiments.experiment import Experiment


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


EXPECTED = sorted(
    [f"{r}/{c}/save/data.json" for r in range(3) for c in ("baseline", "double")]
    + ["metadata.json"]
)


def test_every_run_has_a_folder_of_its_own(ws: Workspace, tmp_path: Path) -> None:
    experiment = counted(tmp_path, root=tmp_path / "view")
    first, second = experiment.run(), experiment.run()
    assert first.folder == tmp_path / "view/counted/v1"
    assert second.folder == tmp_path / "view/counted/v2"
    for folder in (first.folder, second.folder):
        assert names(folder) == EXPECTED
    document = json.loads((second.folder / "metadata.json").read_text())
    assert document["replicates"] == 3
    assert document["name"] == document["experiment"] == "counted"
    assert document["run"] == 2
    assert list(document["conditions"]) == ["baseline", "double"]
    listed = {item["path"]: item for item in document["artifacts"]}
    assert len(listed) == 6
    item = listed["1/double/save/data.json"]
    assert ws.get_artifact(item["uri"]).digest == item["digest"]
    assert json.loads((second.folder / item["path"]).read_text())["condition"] == "double"


def test_by_default_it_is_in_the_workspace(ws: Workspace, tmp_path: Path) -> None:
    result = counted(tmp_path).run()
    assert result.folder == ws.folder / "experiments/counted/v1"


def test_deleting_it_loses_nothing(ws: Workspace, tmp_path: Path) -> None:
    experiment = counted(tmp_path, root=tmp_path / "view")
    before = experiment.run()
    assert before.folder is not None
    contents = {name: (before.folder / name).read_bytes() for name in names(before.folder)}
    shutil.rmtree(tmp_path / "view")
    again = experiment.run(strategy="resume")
    assert again.ran == 0
    assert again.folder == before.folder
    assert {name: (before.folder / name).read_bytes() for name in names(before.folder)} == contents


def test_a_lost_file_comes_back_and_an_overwritten_view_has_only_the_newest(
    ws: Workspace, tmp_path: Path
) -> None:
    experiment = counted(tmp_path, root=tmp_path / "view", versioned=False)
    folder = experiment.run().folder
    assert folder == tmp_path / "view/counted/v0"
    (folder / "0/double/save/data.json").unlink()
    experiment.run(strategy="resume")
    assert names(folder) == EXPECTED
    counted(tmp_path, root=tmp_path / "view", versioned=False, replicates=1).run()
    assert len(names(folder)) == 3
    assert json.loads((folder / "metadata.json").read_text())["run"] == 2


def test_failed_cells_leave_no_files(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "fail-double-1").touch()
    result = counted(tmp_path, root=tmp_path / "view").run()
    assert result.folder is not None
    assert names(result.folder) == [n for n in EXPECTED if n != "1/double/save/data.json"]


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_files_are_there_while_later_cells_still_run(
    ws: Workspace, tmp_path: Path, executor: str
) -> None:
    out = Artifact("part.txt")
    first = tmp_path / "view/early/v1/0/baseline/write/part.txt"

    def write(data: int, ctx: CellContext, out: Artifact = out) -> None:
        out.write(f"{data}")
        deadline = time.monotonic() + 120
        while data == 2 and not first.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        ctx.log_metric("seen", first.exists() and first.read_text() == "0")

    experiment = Experiment(
        name="early", datasource=[0, 1, 2], pipeline=[write], root=tmp_path / "view"
    )
    result = experiment.run(executor=executor, workers=2)
    assert result.metrics["seen"]["baseline"][2] == 1.0
    assert result.folder is not None
    document = json.loads((result.folder / "metadata.json").read_text())
    assert [item["path"] for item in document["artifacts"]] == [
        f"{replicate}/baseline/write/part.txt" for replicate in range(3)
    ]
    for item in document["artifacts"]:
        version = ws.get_artifact(item["uri"])
        assert (version.uid, version.digest, version.size) == (
            item["uid"],
            item["digest"],
            item["bytes"],
        )


def test_a_view_that_cannot_be_written_is_an_error_that_loses_nothing(
    ws: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "view").write_text("a file where the folder should be")
    experiment = counted(tmp_path, root=tmp_path / "view")
    with pytest.raises(ViewNotWritten, match=r"of run 1 cannot be written: .*view.*\n.*resume"):
        experiment.run()
    assert experiment.result().status == "finished"
    (tmp_path / "view").unlink()
    result = experiment.run(strategy="resume")
    assert (result.ran, result.status) == (0, "finished")
    assert result.folder is not None
    assert names(result.folder) == EXPECTED


def test_the_folder_of_a_result_is_right_from_everywhere(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    counted(tmp_path, root="view").run()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    folder = ws.get_result("counted").folder
    assert folder is not None
    assert names(folder) == EXPECTED
