"""Jobs that are cancelled from elsewhere; hooks that are called when a job has ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import sample_tasks
from findspot import Job, Workspace, current_job, get_job, pipeline, task
from findspot.engine.errors import CannotCancel


@pipeline
def long(seconds: float = 3600.0) -> Any:
    return {"slept": sample_tasks.nap(seconds), "after": sample_tasks.add(1)}


def first_running(ws: Workspace) -> Job:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for job in ws.list_jobs(status="running"):
            if "nap" in job.steps:
                return job
        time.sleep(0.02)
    raise AssertionError("no job began to run")


@pytest.mark.parametrize("executor", ["inline", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_job_of_another_process_is_stopped(ws: Workspace, executor: str) -> None:
    tests = str(Path(__file__).parent)
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import test_cancelling\n"
        f"job = test_cancelling.long.run(executor={executor!r}, workers=1)\n"
        "print(job.status)"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", script, tests, str(Path(tests).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        job = first_running(ws)
        start = time.monotonic()
        assert job.cancel().status == "cancelled"
        out, errors = running.communicate(timeout=300)
    assert out.strip() == "cancelled", errors
    assert time.monotonic() - start < 120
    job.refresh()
    assert job.status == "cancelled"
    assert job.failure is not None
    assert job.steps["nap"].status == "interrupted"
    with pytest.raises(CannotCancel, match="it is cancelled"):
        job.cancel()


def test_also_where_a_shell_started_it_in_the_background(ws: Workspace) -> None:
    """There SIGINT is ignored, as it is meant to be."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    timer = threading.Timer(0.5, lambda: first_running(ws).cancel())
    timer.start()
    try:
        job = long.run(seconds=3600.0)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        timer.join()
    assert job.status == "cancelled"


def test_a_handler_of_interrupts_is_left_alone(ws: Workspace) -> None:
    heard: list[int] = []

    def handler(number: int, frame: object) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        raiser = threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT))
        raiser.start()
        assert long.run(seconds=0.6).status == "finished"
        raiser.join()
        assert signal.getsignal(signal.SIGINT) is handler
        timer = threading.Timer(0.5, lambda: first_running(ws).cancel())
        timer.start()
        assert long.run(seconds=3600.0).status == "cancelled"
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


@pytest.mark.slow
def test_a_job_in_a_thread_is_stopped_at_its_next_instruction(ws: Workspace) -> None:
    @pipeline
    def busy() -> Any:
        return {"n": sample_tasks.count_up()}

    ended: list[Job] = []
    thread = threading.Thread(target=lambda: ended.append(busy.run(workspace=ws)))
    thread.start()
    end = time.monotonic() + 120
    while not ws.list_jobs(status="running") and time.monotonic() < end:
        time.sleep(0.02)
    ws.list_jobs(status="running")[0].cancel()
    thread.join(120)
    assert [job.status for job in ended] == ["cancelled"]


def test_a_job_that_says_something_all_the_time_is_stopped(ws: Workspace) -> None:
    """There is always something to write for the thread that looks for the cancellation."""

    @task
    def talk() -> int:
        for number in range(6000):
            current_job().log_metric("n", number)
            time.sleep(0.01)
        return number

    @pipeline
    def talking() -> Any:
        return {"said": talk()}

    def stop() -> None:
        end = time.monotonic() + 120
        while not ws.list_jobs(status="running") and time.monotonic() < end:
            time.sleep(0.02)
        ws.list_jobs(status="running")[0].cancel()

    stopper = threading.Thread(target=stop)
    stopper.start()
    job = talking.run(executor="inline")
    stopper.join()
    assert (job.status, job.steps["talk"].status) == ("cancelled", "interrupted")


@pytest.mark.slow
def test_a_cancelled_job_can_be_resumed(ws: Workspace) -> None:
    timer = threading.Timer(0.8, lambda: first_running(ws).cancel())
    timer.start()
    job = long.run(seconds=3600.0)
    timer.join()
    assert job.status == "cancelled"

    @pipeline(name="long")
    def short(seconds: float = 0.0) -> Any:
        return {"slept": sample_tasks.nap(0.0), "after": sample_tasks.add(1)}

    assert job.resume(short).status == "finished"
    assert job.failure is None


class TestHooks:
    def test_the_one_for_how_it_ended_is_called(self, ws: Workspace) -> None:
        told: list[tuple[str, str]] = []
        hooks: Any = {
            "on_success": lambda job: told.append(("success", job.status)),
            "on_failure": lambda job: told.append(("failure", job.status)),
        }
        sample_tasks.chain.run(**hooks)
        sample_tasks.broken.run(**hooks)
        assert told == [("success", "finished"), ("failure", "failed")]

    def test_of_a_pipeline(self, ws: Workspace) -> None:
        told: list[str] = []

        @pipeline(on_failure=lambda job: told.append(job.failure.message))
        def bad() -> Any:
            return {"x": sample_tasks.fail(1)}

        bad.run()
        assert len(told) == 1
        assert "no luck" in told[0]

    def test_they_are_called_after_a_resume_too(self, ws: Workspace, tmp_path: Path) -> None:
        told: list[tuple[str, str]] = []

        @task
        def stumble(folder: str) -> int:
            if not (Path(folder) / "mended").exists():
                raise OSError("it is not mended")
            return 1

        @pipeline(on_success=lambda job: told.append(("pipeline", job.status)))
        def stumbling(folder: str) -> Any:
            return {"x": stumble(folder)}

        own = stumbling.run(folder=str(tmp_path))
        given = stumbling.run(
            folder=str(tmp_path), on_success=lambda job: told.append(("run", job.status))
        )
        (tmp_path / "mended").touch()
        assert own.resume().status == given.resume().status == "finished"
        assert get_job(stumbling.run(folder="nowhere").id).resume(stumbling).status == "failed"
        assert told == [("pipeline", "finished"), ("run", "finished")]

    def test_what_a_hook_raises_is_noted_and_goes_no_further(self, ws: Workspace) -> None:
        def hook(job: Job) -> None:
            raise RuntimeError("nobody answers")

        job = sample_tasks.chain.run(on_success=hook)
        assert job.status == "finished"
        assert "nobody answers" in job.refresh().log
