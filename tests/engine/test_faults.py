"""Tasks that behave badly, clocks that are wrong, and resumes at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import faulty_tasks
from findspot import CachePolicy, Job, Workspace, get_job, pipeline, task
from findspot.core.errors import CheckFailed
from findspot.core.records import StepRecord, now
from findspot.engine import timeouts
from findspot.engine.errors import CannotResume

EXECUTORS = [
    "inline",
    "threads",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("processes", "dask:", "ray:")),
]
every_executor = pytest.mark.parametrize("executor", EXECUTORS)


def statuses(job: Job) -> dict[str, str]:
    return {name: step.status for name, step in job.steps.items()}


@every_executor
def test_a_task_that_exits_fails_alone(ws: Workspace, executor: str) -> None:
    job = faulty_tasks.leaving.run(executor=executor, workers=2)
    assert statuses(job) == {"leaves": "failed", "add": "finished"}
    failure = job.steps["leaves"].failure
    assert failure is not None
    assert (failure.type, failure.message) == ("SystemExit", "leaving with 1")


@every_executor
def test_errors_of_any_class_fail_their_step_alone(ws: Workspace, executor: str) -> None:
    job = faulty_tasks.odd_errors.run(executor=executor, workers=2)
    assert statuses(job) == {"is_cancelled": "failed", "has_no_words": "failed", "add": "finished"}
    failures = [job.steps[name].failure for name in ("is_cancelled", "has_no_words")]
    assert [failure and failure.message for failure in failures] == [
        "the event loop ended",
        "Unspeakable, whose text cannot be made",
    ]


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_a_timeout_that_is_swallowed_comes_again_and_counts(
    ws: Workspace, tmp_path: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "AGAIN", 0.1)
    job = faulty_tasks.swallowing.run(folder=str(tmp_path), executor=executor)
    assert job.outputs["x"].load() == "in time"
    assert job.steps["swallows_its_timeout"].record.attempt == 2


@every_executor
def test_who_changes_an_array_is_told_and_others_get_it_unchanged(
    ws: Workspace, executor: str
) -> None:
    job = faulty_tasks.overwriting.run(n=400_000, executor=executor, workers=2)
    failure = job.steps["overwrites"].failure
    assert failure is not None
    assert "read-only" in failure.message
    assert job.outputs["sum"].load() == sum(range(400_000))


def test_who_changes_a_small_array_changes_its_own(ws: Workspace) -> None:
    job = faulty_tasks.overwriting.run(n=10)
    assert (job.outputs["bad"].load(), job.outputs["sum"].load()) == (99.0, 45.0)


@every_executor
def test_who_changes_a_list_changes_its_own(ws: Workspace, executor: str) -> None:
    job = faulty_tasks.extending.run(executor=executor, workers=2)
    assert (job.outputs["length"].load(), job.outputs["count"].load()) == (3, 2)


def test_a_retry_gets_the_unchanged_value(ws: Workspace) -> None:
    @task(retries=1)
    def spoils(x: list[list[str]]) -> int:
        x.append(["more"])
        if len(x) == 2:
            x.append(["again"])
            raise OSError
        return len(x)

    @pipeline
    def spoiling() -> Any:
        return {"x": spoils(faulty_tasks.words(1))}

    job = spoiling.run()
    assert job.status == "failed"
    assert job.steps["spoils"].record.attempt == 2


@every_executor
def test_threads_that_never_end_hold_nobody_up(ws: Workspace, executor: str) -> None:
    for _ in range(2):
        job = faulty_tasks.with_endless_threads.run(executor=executor, workers=1, cache="off")
        assert job.outputs["x"].load() == 2


@every_executor
def test_memory_that_is_not_to_be_had_fails_its_step(ws: Workspace, executor: str) -> None:
    job = faulty_tasks.filling.run(executor=executor, workers=2)
    assert statuses(job) == {"fills_memory": "failed", "add": "finished"}
    failure = job.steps["fills_memory"].failure
    assert failure is not None
    assert "Unable to allocate" in failure.message


@pytest.mark.slow
@every_executor
def test_a_step_that_never_ends_is_stopped(ws: Workspace, executor: str) -> None:
    job = faulty_tasks.endless.run(executor=executor, workers=2)
    assert statuses(job) == {"never_ends": "failed", "add": "finished"}
    failure = job.steps["never_ends"].failure
    assert failure is not None
    assert failure.type == "StepTimeout"


def test_threads_that_are_left_do_no_harm(ws: Workspace, tmp_path: Path) -> None:
    job = faulty_tasks.with_threads.run(folder=str(tmp_path))
    assert job.outputs["x"].load() == 2
    while not (tmp_path / "late").exists():
        time.sleep(0.01)
    assert faulty_tasks.with_threads.run(folder=str(tmp_path)).status == "finished"


@every_executor
def test_megabytes_of_prints(ws: Workspace, executor: str) -> None:
    job = faulty_tasks.printing.run(executor=executor, workers=2)
    assert job.outputs["x"].load() == 5
    assert len(job.log) > 1000


@every_executor
@pytest.mark.parametrize("raises", [False, True])
def test_a_forked_child_that_comes_back_ends_there(
    ws: Workspace, tmp_path: Path, executor: str, raises: bool
) -> None:
    job = faulty_tasks.forking.run(
        folder=str(tmp_path), raises=raises, executor=executor, workers=1
    )
    assert (tmp_path / "child").exists()
    assert job.outputs["x"].load() == 2
    assert [version.version for version in ws.list_artifacts(name="x")] == [1]


@every_executor
def test_a_result_that_cannot_be_saved_is_named(ws: Workspace, executor: str) -> None:
    job = faulty_tasks.unsavable.run(executor=executor, workers=2)
    failure = job.steps["makes_unsavable"].failure
    assert failure is not None
    assert "generator" in failure.message
    assert statuses(job)["add"] == "finished"


def test_an_input_that_cannot_be_saved_is_named_before_there_is_a_job(ws: Workspace) -> None:
    with pytest.raises(CheckFailed) as caught:
        faulty_tasks.of_anything.run(x=threading.Lock(), executor="processes")
    assert caught.value.problems[0].path == "x"
    assert "lock" in str(caught.value)
    assert ws.list_jobs() == []


@pytest.mark.slow
def test_of_two_resumes_at_once_one_is_refused(ws: Workspace, tmp_path: Path) -> None:
    @task(cache=False)
    def once(folder: str) -> int:
        if not (Path(folder) / "mended").exists():
            raise OSError("not mended")
        with (Path(folder) / "runs").open("a") as stream:
            stream.write("x")
        time.sleep(0.3)
        return 1

    @pipeline
    def repaired(folder: str) -> Any:
        return {"x": once(folder)}

    id = repaired.run(folder=str(tmp_path)).id
    (tmp_path / "mended").touch()
    barrier = threading.Barrier(4)

    def resume() -> str:
        job = get_job(id)
        barrier.wait()
        try:
            return job.resume(repaired).status
        except CannotResume:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        ends = sorted(end.result() for end in [pool.submit(resume) for _ in range(4)])
    assert ends == ["finished", "refused", "refused", "refused"]
    assert (tmp_path / "runs").read_text() == "x"


class Clock:
    """Goes back by an hour each time somebody looks."""

    def __init__(self) -> None:
        self.time = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time -= timedelta(hours=1)
        return self.time


def test_a_clock_that_goes_back(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("runner", "calls", "launching", "caching.reusing", "caching.singles"):
        monkeypatch.setattr(f"findspot.engine.{module}.now", Clock())

    @task(cache=CachePolicy(single=True))
    def lonely(x: int) -> int:
        return x

    @pipeline
    def chain(x: int) -> Any:
        return {"x": lonely(faulty_tasks.add(faulty_tasks.add(x)))}

    first = chain.run(x=1)
    assert first.outputs["x"].load() == 3
    assert list(first.steps) == ["add", "add_2", "lonely"]
    assert all(step.cached for step in chain.run(x=1).steps.values())
    assert not any(step.cached for step in chain.run(x=5).steps.values())


def test_what_is_of_the_future_counts_as_too_old(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    @task(cache=CachePolicy(expires=3600.0))
    def fresh(x: int) -> int:
        return x

    @pipeline
    def freshly() -> Any:
        return {"x": fresh(1)}

    freshly.run()
    assert freshly.run().steps["fresh"].cached
    monkeypatch.setattr("findspot.engine.caching.reusing.now", lambda: now() - timedelta(days=1))
    assert not freshly.run().steps["fresh"].cached


INTERRUPTED = 9
"""One more than the changes of steps that a job of four steps tells of."""


@pytest.mark.parametrize("executor", ["inline", pytest.param("threads", marks=pytest.mark.slow)])
@pytest.mark.parametrize("point", range(INTERRUPTED))
def test_interrupted_at_any_change_of_a_step_it_goes_on(
    ws: Workspace, tmp_path: Path, executor: str, point: int
) -> None:
    told: list[StepRecord] = []
    finished: list[str] = []

    def interrupt(step: StepRecord) -> None:
        told.append(step)
        if len(told) == point + 1:
            raise KeyboardInterrupt
        if step.status == "finished":
            finished.append(step.name)

    folder = str(tmp_path)
    try:
        job = faulty_tasks.marking.run(
            folder=folder, executor=executor, workers=1, cache="off", on_step=interrupt
        )
    except KeyboardInterrupt:
        (job,) = ws.list_jobs()
        assert job.status == "interrupted"
        assert {name for name in finished if job.steps[name].status != "finished"} == set()
        job = get_job(job.id).resume(faulty_tasks.marking)
    assert job.status == "finished"
    assert job.outputs["x"].load() == 4
    # Who had finished did not run again, and nobody ran more than twice.
    runs = {file.name: len(file.read_text()) for file in tmp_path.iterdir() if file.is_file()}
    assert set(runs) == {"0", "1", "2", "3"}
    assert sum(runs.values()) <= 5
