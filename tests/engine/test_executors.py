"""What every executor with workers of its own promises: processes, Dask and Ray alike."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sample_tasks
from findspot import Workspace, current_job, pipeline, task
from process_groups import loky_workers, until

pytestmark = pytest.mark.slow

everywhere = pytest.mark.parametrize("executor", ["processes", "dask:", "ray:"])

quickly_started = pytest.mark.parametrize("executor", ["processes", "dask:"])
"""Where many workers are lost, Ray would spend its time on starting new ones."""

TESTS = str(Path(sample_tasks.__file__).parent)


@task(cache=False)
def die_leaving_marks(folder: str) -> int:
    Path(folder, str(time.monotonic_ns())).touch()
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


@task(cache=False)
def exit_at_once() -> int:
    sys.exit(3)


@task(cache=False)
def is_mapped(x: np.ndarray) -> bool:
    found: Any = x
    while isinstance(found, np.ndarray):
        found = found.base
    return isinstance(found, mmap.mmap)


@task(cache=False)
def environment(name: str) -> str | None:
    return os.environ.get(name)


@task(cache=False)
def tell(i: int) -> int:
    sys.stdout.write(f"line of {i}\n")
    current_job().log_metric(f"m{i % 10}", i, step=i)
    return i


@task(cache=False)
def plus_one(i: int) -> int:
    return i + 1


@task(cache=False)
def add_up(numbers: list[int]) -> int:
    return sum(numbers)


@task
def long_text(x: int) -> str:
    return "x" * x


@task(cache=False)
def length(text: str) -> int:
    return len(text)


@task(cache=False, timeout=0.3)
def stuck() -> int:
    """In a call that no signal and no exception gets into."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(3600)
    return 1


@task(cache=False)
def leave_pid_and_sleep(file: str) -> int:
    Path(file).write_text(str(os.getpid()))
    time.sleep(3600)
    return 1


@everywhere
class TestWorkers:
    def test_steps_run_in_other_processes(self, ws: Workspace, executor: str) -> None:
        job = sample_tasks.pids.run(executor=executor, workers=2)
        assert os.getpid() not in {version.load() for version in job.outputs.values()}

    def test_independent_steps_run_at_the_same_time(
        self, ws: Workspace, executor: str, tmp_path: Path
    ) -> None:
        job = sample_tasks.meeting.run(folder=str(tmp_path), executor=executor, workers=2)
        assert [version.load() for version in job.outputs.values()] == [True, True]

    def test_a_worker_that_is_killed_fails_its_own_step_after_one_more_try(
        self, ws: Workspace, executor: str, tmp_path: Path
    ) -> None:
        @pipeline
        def deadly(folder: str) -> Any:
            dead = die_leaving_marks(folder)
            others = {f"alive{i}": sample_tasks.nap(0.1) for i in range(4)}
            return {"dead": dead, "after": sample_tasks.add(dead), **others}

        marks = tmp_path / "marks"
        marks.mkdir()
        job = deadly.run(folder=str(marks), executor=executor, workers=2)
        assert job.status == "failed"
        failure = job.steps["die_leaving_marks"].failure
        assert failure is not None
        assert failure.type == "WorkerDied"
        assert len(list(marks.iterdir())) == 2
        assert job.steps["add"].status == "skipped"
        for i in range(4):
            assert len(job.outputs[f"alive{i}"].load()) == 2
        assert sample_tasks.chain.run(x=1, executor=executor, workers=2).status == "finished"

    def test_a_step_that_exits_fails_alone(self, ws: Workspace, executor: str) -> None:
        @pipeline
        def leaves() -> Any:
            return {"gone": exit_at_once(), "fine": plus_one(1)}

        job = leaves.run(executor=executor, workers=2)
        failure = job.steps["exit_at_once"].failure
        assert failure is not None
        assert failure.type == "SystemExit"
        assert job.outputs["fine"].load() == 2

    def test_a_step_that_nothing_interrupts_is_stopped_with_its_worker(
        self, ws: Workspace, executor: str
    ) -> None:
        @pipeline
        def hangs() -> Any:
            return {"never": stuck(), "fine": plus_one(1)}

        start = time.monotonic()
        job = hangs.run(executor=executor, workers=2)
        assert time.monotonic() - start < 300
        step = job.steps["stuck"]
        assert step.failure is not None
        assert step.failure.type == "StepTimeout"
        assert step.duration is not None
        assert step.duration.total_seconds() > 0.3
        assert job.outputs["fine"].load() == 2


@everywhere
class TestWhatTravels:
    def test_large_inputs_are_memory_mapped(self, ws: Workspace, executor: str) -> None:
        samples = ws.save_artifact(np.arange(1_000_000.0), "samples")

        @pipeline
        def looks(x: np.ndarray) -> Any:
            return {"mapped": is_mapped(x)}

        job = looks.run(x=samples, executor=executor, workers=2)
        assert job.outputs["mapped"].load() is True

    def test_long_texts_travel_through_the_store(self, ws: Workspace, executor: str) -> None:
        @pipeline
        def texts(x: int) -> Any:
            return {"n": length(long_text(x))}

        job = texts.run(x=1_000_000, executor=executor, workers=2)
        assert job.outputs["n"].load() == 1_000_000

    def test_functions_of_a_notebook_are_sent_by_value(self, ws: Workspace, executor: str) -> None:
        factor = 3

        @task
        def triple(x: int) -> int:
            return factor * x

        @pipeline
        def local(x: int = 2) -> Any:
            return {"out": triple(x)}

        assert local.run(executor=executor, workers=2).outputs["out"].load() == 6

    def test_what_cannot_be_sent_fails_its_step_and_says_why(
        self, ws: Workspace, executor: str
    ) -> None:
        import threading

        lock = threading.Lock()

        @task(cache=False)
        def locked(x: int) -> int:
            with lock:
                return x

        @pipeline
        def local() -> Any:
            return {"out": locked(1), "fine": sample_tasks.add(1)}

        job = local.run(executor=executor, workers=2)
        failure = job.steps["locked"].failure
        assert failure is not None
        assert failure.type == "CannotSend"
        assert "lock" in failure.message
        assert job.outputs["fine"].load() == 2

    def test_the_environment_of_the_job_is_that_of_its_steps(
        self, ws: Workspace, executor: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @pipeline
        def asks() -> Any:
            return {"found": environment("SPADE"), "none": environment("TROWEL")}

        for value in ("iron", "steel"):
            monkeypatch.setenv("SPADE", value)
            job = asks.run(executor=executor, workers=2)
            assert (job.outputs["found"].load(), job.outputs["none"].load()) == (value, None)
        monkeypatch.delenv("SPADE")
        assert asks.run(executor=executor, workers=2).outputs["found"].load() is None

    def test_modules_found_since_the_workers_started(
        self,
        ws: Workspace,
        executor: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        sample_tasks.pids.run(executor=executor, workers=2)
        name = f"found_since_{executor.strip(':')}"
        (tmp_path / f"{name}.py").write_text(
            "from findspot import pipeline, task\n"
            "@task\ndef late(x: int) -> int:\n    return x + 40\n"
            "@pipeline\ndef later(x: int = 2):\n    return {'out': late(x)}\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        module: Any = __import__(name)
        monkeypatch.setitem(sys.modules, name, module)
        job = module.later.run(executor=executor, workers=2)
        assert (job.failure, job.status) == (None, "finished")
        assert job.outputs["out"].load() == 42


@everywhere
class TestManySteps:
    def test_log_and_metrics_of_steps_that_travel_together(
        self, ws: Workspace, executor: str
    ) -> None:
        @pipeline
        def many() -> Any:
            for i in range(200):
                tell(i)

        job = many.run(executor=executor, workers=2)
        assert (job.failure, job.status) == (None, "finished")
        names = list(job.steps)
        assert "line of 0" in job.steps[names[0]].log
        for i, name in enumerate(names):
            assert job.steps[name].log.count("line of") == 1, i
        assert sorted(p.value for p in job.metric_points) == [float(i) for i in range(200)]

    def test_ten_thousand_small_steps(self, ws: Workspace, executor: str) -> None:
        @pipeline
        def large() -> Any:
            return {"sum": add_up([plus_one(i) for i in range(10_000)])}

        job = large.run(executor=executor, workers=2)
        assert (job.failure, job.status) == (None, "finished")
        assert job.outputs["sum"].load() == sum(range(1, 10_001))


@everywhere
class TestEnds:
    def test_ctrl_c_stops_steps_that_run(
        self, ws: Workspace, executor: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "pid"
        with sleepy_job(executor, file) as running:
            worker = pid_in(file)
            os.killpg(running.pid, signal.SIGINT)
            _, errors = running.communicate(timeout=300)
        assert running.returncode != 0
        assert b"KeyboardInterrupt" in errors
        (job,) = ws.list_jobs()
        assert job.status == "interrupted"
        assert job.steps["leave_pid_and_sleep"].status == "interrupted"
        assert gone(worker)


@quickly_started
class TestLosses:
    def test_deaths_among_tiny_steps_that_travel_together(
        self, ws: Workspace, executor: str
    ) -> None:
        @pipeline
        def mixed() -> Any:
            for i in range(300):
                plus_one(i)
                if i == 150:
                    sample_tasks.die(i)

        job = mixed.run(executor=executor, workers=2)
        assert job.status == "failed"
        bad = {name: step.status for name, step in job.steps.items() if step.status != "finished"}
        assert bad == {"die": "failed"}

    def test_workers_leave_when_the_process_of_their_job_is_killed(
        self, ws: Workspace, executor: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "pid"
        with sleepy_job(executor, file) as running:
            worker = pid_in(file)
            running.kill()
        assert gone(worker)


def test_a_worker_whose_job_is_killed_before_its_first_step_does_not_run_it(
    ws: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    with sleepy_job("processes", file) as running:
        until(lambda: loky_workers(running.pid))
        worker = loky_workers(running.pid)[0]
        worker.suspend()
        assert not file.exists()
        time.sleep(1.0)  # the step is on its way
        running.kill()
        running.wait()
        worker.resume()
    assert gone(worker.pid)
    assert not file.exists()


@task(cache=False, timeout=5)
def in_time() -> int:
    return 1


def test_the_time_of_a_step_does_not_run_while_its_worker_starts(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(6)\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr("findspot.engine.executors.pooled.GRACE", 0.0)

    @pipeline
    def timed() -> Any:
        return {"one": in_time()}

    assert timed.run(executor="processes", workers=1).status == "finished"


def sleepy_job(executor: str, file: Path) -> subprocess.Popen[bytes]:
    """A process with a job whose only step writes its pid into a file and sleeps."""
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import test_executors\n"
        "from findspot import pipeline\n"
        "@pipeline\n"
        "def sleepy():\n"
        "    return {'a': test_executors.leave_pid_and_sleep(sys.argv[3])}\n"
        f"sleepy.run(executor={executor!r}, workers=1)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, str(Path(__file__).parent), TESTS, str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def pid_in(file: Path) -> int:
    end = time.monotonic() + 180
    while not (file.exists() and file.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    return int(file.read_text())


def gone(pid: int) -> bool:
    """Whether a process ends soon."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists():
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                return True
            if state == "Z":
                return True
        time.sleep(0.05)
    return False
