"""The surface that code, docs and users rely on: names and shapes, used as a notebook would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any

import numpy as np
import pytest

import findspot
import findspot.current
from findspot import (
    ExternalArtifact,
    Workspace,
    current_job,
    get_artifact,
    list_artifacts,
    load_artifact,
    pipeline,
    save_artifact,
    start_job,
    task,
)


@pytest.fixture(autouse=True)
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@task
def split(
    x: np.ndarray, seed: int = 0
) -> tuple[Annotated[np.ndarray, "train"], Annotated[np.ndarray, "test"]]:
    order = np.random.default_rng(seed).permutation(len(x))
    return x[order[: len(x) // 2]], x[order[len(x) // 2 :]]


@task(cache=False, retries=2, timeout=60)
def scale(x: np.ndarray) -> dict[str, np.ndarray]:
    current_job().log_metric("mean", float(x.mean()))
    return {"min_max": (x - x.min()) / (x.max() - x.min())}


@pipeline
def rescale(samples: np.ndarray, title: str = "Rescaled") -> Any:
    train, _ = split(samples)
    return {"scaled": scale(train)}


def test_save_look_up_and_load_without_a_pipeline(
    notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    v = save_artifact(
        np.arange(6.0), "samples", kind="dataset", labels={"split": "train"}, tags=["golden"]
    )
    assert (notebook / ".findspot").is_dir()
    assert capsys.readouterr().err.count(".findspot") == 1
    assert v.uri == f"store://datasets/default/samples:1@{v.uid}"
    assert (v.version, v.kind, v.labels, v.tags) == (1, "dataset", {"split": "train"}, ("golden",))
    assert v.metadata["shape"] == [6]
    assert v.producer is None
    assert len(v.files) == 1
    save_artifact(np.arange(7.0), "samples")
    assert len(load_artifact("samples")) == 7
    assert len(load_artifact("samples", version=1)) == 6
    assert len(load_artifact("store://artifacts/default/samples:golden")) == 6
    assert len(load_artifact(v.uid)) == 6
    found = list_artifacts(
        kind="dataset", name="sam*", labels={"split": "train"}, since=before, tag="golden"
    )
    assert [version.uid for version in found] == [v.uid]
    assert get_artifact("samples:golden").path().is_file()
    with get_artifact("samples").open() as reader:
        assert reader.read(6) == b"\x93NUMPY"
    assert v.lineage("upstream").root == v.uid
    assert capsys.readouterr().err == ""


def test_a_pipeline_on_a_saved_version() -> None:
    for n in (4, 6, 8):
        save_artifact(np.arange(float(n)), "samples")
    job = rescale.run(samples=ExternalArtifact(name="samples", version=3), title="Three ways")
    assert job.status == "finished"
    assert job.params == {"title": "Three ways"}
    assert set(job.metrics) == {"mean"}
    assert isinstance(job.log, str)
    assert (job.steps["scale"].status, job.steps["scale"].cached) == ("finished", False)
    assert job.outputs["scaled"].load()["min_max"].shape == (4,)
    assert job.outputs["scaled"] == get_artifact("scaled")
    again = rescale.run(samples=ExternalArtifact(name="samples", version=3))
    assert again.steps["split"].cached
    assert not again.steps["scale"].cached


def test_a_script_as_a_job() -> None:
    with start_job("train", params={"lr": 0.1}) as job:
        job.log_metric("loss", 0.3, step=1)
        made = save_artifact({"w": [1.0]}, "weights")
    found = findspot.get_job(job.id)
    assert found.status == "finished"
    assert found.metrics == {"loss": 0.3}
    producer = get_artifact("weights").producer
    assert producer is not None
    assert producer.job == job.id
    assert made.lineage().jobs.keys() == {job.id}


def test_every_function_is_a_method_of_a_workspace(tmp_path: Path) -> None:
    ws = Workspace(tmp_path / "elsewhere")
    functions = [
        name
        for name, found in vars(findspot.current).items()
        if isinstance(found, FunctionType) and found.__module__ == "findspot.current"
    ]
    assert len(functions) > 10
    for name in functions:
        assert name in ("register_handler", "set_environment") or hasattr(ws, name), name
    assert ws.save_artifact(1, "one").version == 1
    assert ws.load_artifact("one") == 1
    job = rescale.run(samples=np.arange(4.0), workspace=ws)
    assert ws.get_job(job.id).status == "finished"
    assert not (tmp_path / ".findspot").exists()


def test_every_public_name_is_there() -> None:
    for name in findspot.__all__:
        assert getattr(findspot, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = findspot.nothing_of_the_kind
