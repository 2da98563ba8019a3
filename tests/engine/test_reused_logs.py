"""What a step logged (artifacts, labels, parameters, results) is the reusing job's too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace, current_job, pipeline, task
from findspot.engine.jobs import Job

RUNS: list[str] = []


@task
def train(rate: float) -> str:
    RUNS.append("train")
    job = current_job()
    job.log_artifact("notes", body=f"rate {rate}")
    job.log_model("model", value={"rate": rate}, metrics={"loss": 0.5})
    job.log_result("best", "tree")
    job.log_result("loss", 0.25)
    job.set_label("trained", f"at {rate}")
    job.log_params({"depth": 3})
    return f"model of {rate}"


@task(cache=False)
def always(model: str) -> int:
    current_job().log_params({"late": True})
    current_job().set_label("always", "so")
    return len(model)


@task
def sometimes(model: str) -> int:
    return len(model)


@pipeline
def partly(rate: float = 0.5) -> Any:
    return {"size": always(train(rate))}


@pipeline
def wholly(rate: float = 0.5) -> Any:
    return {"size": sometimes(train(rate))}


LOGGED = {"notes", "model", "best"}


@pytest.fixture(autouse=True)
def _counted() -> None:
    RUNS.clear()


def uids(job: Job) -> dict[str, str]:
    return {name: job.outputs[name].uid for name in LOGGED}


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize("flow", [partly, wholly], ids=["step", "whole job"])
def test_a_reused_step_logs_again(ws: Workspace, flow: Any, executor: str) -> None:
    first = flow.run(executor=executor, workers=1, labels={"by": "me"})
    again = flow.run(executor=executor, workers=1, labels={"by": "you"})
    third = flow.run(executor=executor, workers=1)
    for job in (again, third):
        assert job.steps["train"].cached
        assert set(job.outputs) == {*LOGGED, "size"}
        assert uids(job) == uids(first)
        assert job.metrics == first.metrics
        found = ws.get_job(job.id)
        assert found.params == job.params == first.params
        assert found.params["depth"] == 3
        assert found.labels["trained"] == "at 0.5"
    assert ws.get_job(again.id).labels["by"] == "you"
    assert "by" not in ws.get_job(third.id).labels
    # They were made by the job that ran the step.
    producer = again.outputs["notes"].producer
    assert producer is not None
    assert (producer.job, producer.step) == (first.id, "train")
    assert set(again.outputs["notes"].lineage().jobs) == {first.id}


def test_labels_and_parameters_of_several_steps_add_up(ws: Workspace) -> None:
    job = partly.run(labels={"by": "me"})
    assert job.labels == {"by": "me", "trained": "at 0.5", "always": "so"}
    assert job.params == {"rate": 0.5, "depth": 3, "late": True}


@pytest.mark.parametrize("flow", [partly, wholly], ids=["step", "whole job"])
def test_what_was_logged_must_still_be_there(ws: Workspace, flow: Any) -> None:
    first = flow.run()
    assert len(RUNS) == 1
    ws.delete_version(first.outputs["notes"])
    again = flow.run()
    assert len(RUNS) == 2
    assert again.outputs["notes"].uid != uids(again)["model"]
    assert "deleted" in again.explain("train").render()
    flow.run()
    assert len(RUNS) == 2


def test_missing_bytes_of_what_was_logged_are_a_miss(ws: Workspace) -> None:
    @task
    def large() -> int:
        RUNS.append("large")
        current_job().log_artifact("large", body=b"x" * 100_000)
        return 1

    @pipeline
    def flow() -> Any:
        return {"one": large()}

    first = flow.run()
    ws.store.delete(first.outputs["large"].files[0].digest)
    second = flow.run()
    assert RUNS == ["large", "large"]
    assert len(second.outputs["large"].load().read_bytes()) == 100_000


@task(cache=False)
def stumble(folder: str, model: str) -> str:
    if not (Path(folder) / "mended").exists():
        raise OSError("it is not mended")
    return "done"


@pipeline
def stumbling(folder: str) -> Any:
    return {"late": stumble(folder, train(0.5))}


def test_a_resumed_job_has_what_its_steps_logged_or_reused(ws: Workspace, tmp_path: Path) -> None:
    ran = stumbling.run(folder=str(tmp_path))
    reused = stumbling.run(folder=str(tmp_path))
    (tmp_path / "mended").touch()
    for job in (ran, reused):
        assert job.resume().status == "finished"
        assert set(job.outputs) == {*LOGGED, "late"}
        assert job.params["depth"] == 3
    assert len(RUNS) == 1
    assert uids(ran) == uids(reused)


def test_another_job_of_the_same_task_has_it_too(ws: Workspace) -> None:
    """A step is found by its key, whatever the pipeline that ran it first."""
    first = partly.run()
    other = wholly.run()
    assert len(RUNS) == 1
    assert uids(other) == uids(first)
