"""`start_job`: scripts and notebooks as jobs; what code inside a job can say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from findspot import CheckFailed, NotFound, Workspace, current_job, list_jobs, start_job
from findspot.core.errors import InvalidName
from findspot.engine.errors import JobEnded, NoJob


def test_what_the_block_does_is_the_jobs(ws: Workspace) -> None:
    source = ws.save_artifact([1, 2, 3], "source")
    with start_job("train", params={"lr": 0.1}, experiment="e", labels={"by": "me"}) as job:
        job.log_metric("loss", 0.3, step=1)
        job.log_metrics({"loss": 0.2, "best": math.inf}, step=2)
        job.log_params({"epochs": 2})
        job.set_label("stage", 2)
        loaded = ws.load_artifact("source")
        made = job.log_artifact("doubled", [2 * x for x in loaded], labels={"a": "b"})
        job.log("nearly done")
        assert current_job() is job
    found = ws.get_job(job.id)
    assert (found.status, found.name, found.experiment) == ("finished", "train", "e")
    assert found.params == {"lr": 0.1, "epochs": 2}
    assert found.metrics == {"loss": 0.2, "best": math.inf}
    assert found.labels["stage"] == "2"
    assert "nearly done" in found.log
    assert found.environment["python"]["version"]
    assert made.producer is not None
    assert made.producer.job == job.id
    assert source.uid in made.lineage().versions
    with pytest.raises(NoJob):
        current_job()


def test_an_error_makes_it_failed_and_passes_on(ws: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), start_job("bad") as job:
        _ = 1 / 0
    found = ws.get_job(job.id)
    assert found.status == "failed"
    assert found.failure is not None
    assert found.failure.type == "ZeroDivisionError"
    assert "test_scripts.py" in found.log


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(0), "finished"),
        (SystemExit(3), "failed"),
    ],
)
def test_how_it_ends(ws: Workspace, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), start_job("ends") as job:
        raise error
    assert ws.get_job(job.id).status == status


def test_all_wrong_metrics_at_once(ws: Workspace) -> None:
    wrong: Any = {"fine": 1, "text": "3", "a/b": 2, "none": None}
    with start_job("metrics") as job:
        with pytest.raises(CheckFailed) as caught:
            job.log_metrics(wrong)
        with pytest.raises(CheckFailed, match="plain JSON"):
            job.log_params({"x": object()})
    assert len(caught.value.problems) == 3
    assert ws.get_job(job.id).metrics == {}


def test_what_is_no_mapping_of_names(ws: Workspace) -> None:
    nothing: Any = [1]
    for option in ("params", "inputs", "labels"):
        with pytest.raises(CheckFailed, match="no mapping"), start_job("x", **{option: nothing}):
            pass
    assert list_jobs() == []
    with start_job("x") as job:
        with pytest.raises(CheckFailed, match="no mapping"):
            job.log_params(nothing)
        with pytest.raises(CheckFailed, match="2 mistakes"):
            job.log_params({1: 2, "x": {1, 2}})  # type: ignore[dict-item]
        with pytest.raises(CheckFailed, match="2 mistakes"):
            job.log_results({"a/b": 1, "": 2, "fine": 3})
    assert ws.get_job(job.id).params == {}
    assert ws.get_job(job.id).metrics == {}


def test_numbers_of_numpy_are_numbers(ws: Workspace) -> None:
    with start_job("x") as job:
        job.log_metric("loss", np.float32(0.5), step=np.int64(3))  # type: ignore[arg-type]
        job.log_params({"rate": np.float64(0.1)})
    found = ws.get_job(job.id)
    assert [(point.value, point.at) for point in found.metric_points] == [(0.5, 3)]
    assert found.params == {"rate": 0.1}


def test_nothing_can_be_logged_in_a_job_that_has_ended(ws: Workspace) -> None:
    with start_job("x") as job:
        pass
    late: list[Callable[[], object]] = [
        lambda: job.log_metric("a", 1),
        lambda: job.log_params({"a": 1}),
        lambda: job.set_label("a", 1),
        lambda: job.log("late"),
        lambda: job.log_artifact("a", 1),
    ]
    for call in late:
        with pytest.raises(JobEnded, match="has ended"):
            call()
    assert ws.list_artifacts() == []


def test_nothing_is_recorded_for_a_bad_name(ws: Workspace) -> None:
    with pytest.raises(InvalidName), start_job("a/b"):
        pass
    with pytest.raises(CheckFailed, match="plain JSON"), start_job("ok", params={"x": object()}):
        pass
    assert list_jobs() == []


def test_jobs_inside_jobs_know_their_parent(ws: Workspace) -> None:
    with start_job("outer") as outer, start_job("inner") as inner:
        assert current_job() is inner
    assert ws.get_job(inner.id).record.parent == outer.id


def test_what_is_printed_is_in_the_log_and_on_the_screen(
    ws: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with start_job("loud") as job:
        print("to be seen")  # noqa: T201
    assert "to be seen" in ws.get_job(job.id).log
    assert "to be seen" in capsys.readouterr().out


class TestFindingJobs:
    def test_filters_and_pages(self, ws: Workspace) -> None:
        for i in range(5):
            with start_job(f"job{i % 2}", experiment="odd" if i % 2 else "even"):
                pass
        assert [job.name for job in list_jobs(limit=2)] == ["job0", "job1"]
        page = list_jobs(limit=3)
        rest = list_jobs(limit=3, cursor=page.next)
        assert len(rest) == 2
        assert rest.next is None
        assert {job.experiment for job in list_jobs(name="job1")} == {"odd"}
        assert len(list_jobs(experiment="even")) == 3
        assert list_jobs(status="failed") == []
        assert list_jobs(project="other") == []

    def test_by_parts_of_the_id(self, ws: Workspace) -> None:
        with start_job("first") as first:
            pass
        with start_job("second") as second:
            pass
        assert ws.get_job("latest").id == second.id
        assert ws.get_job(first.id[-10:]).id == first.id
        with pytest.raises(NotFound, match="single"):
            ws.get_job(first.id[:5])
        with pytest.raises(NotFound):
            ws.get_job("nothing")
