"""Workers that die of what their steps do, and tasks that cannot be sent to one."""

from __future__ import annotations

import io
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

import faulty_tasks
from findspot import Job, Workspace, pipeline, task
from findspot.core.records import Failure
from findspot.engine.executors.deaths import Death, memory_kills
from findspot.engine.resources.memory import watched

everywhere = pytest.mark.parametrize("executor", ["processes", "dask:", "ray:"])


def failure_of(job: Job, step: str) -> Failure:
    """That of a step whose neighbour finished on a worker of its own, or a new one."""
    assert job.steps["add"].status == "finished"
    failure = job.steps[step].failure
    assert failure is not None
    return failure


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "native code, SIGSEGV")]
)
def test_a_signal_is_named(ws: Workspace, number: signal.Signals, said: str) -> None:
    job = faulty_tasks.dying.run(number=int(number), executor="processes", workers=1)
    failure = failure_of(job, "dies_by")
    assert failure.type == "WorkerDied"
    assert said in failure.message


@pytest.mark.slow
def test_an_exit_code_is_named(ws: Workspace) -> None:
    job = faulty_tasks.exiting.run(code=7, executor="processes", workers=1)
    failure = failure_of(job, "exits_at_once")
    assert failure.type == "WorkerDied"
    assert "exit code 7" in failure.message


@pytest.mark.slow
@everywhere
def test_a_kill_for_want_of_memory_is_told_apart(
    ws: Workspace, tmp_path: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = tmp_path / "vmstat"
    counts.write_text("pgfault 1\noom_kill 4\n")
    monkeypatch.setattr("findspot.engine.executors.deaths._COUNTS", counts)
    job = faulty_tasks.killed_for_memory.run(counts=str(counts), executor=executor, workers=1)
    failure = failure_of(job, "is_killed_for_memory")
    assert failure.type == "OutOfMemory"
    assert "fewer steps" in failure.message
    assert counts.read_text().endswith("oom_kill 6\n")


class TestDeaths:
    @pytest.mark.parametrize(
        ("text", "kills", "type"),
        [
            ("The exit codes of the workers are {SIGKILL(-9)}", 1, "OutOfMemory"),
            ("The exit codes of the workers are {SIGKILL(-9)}", 0, "WorkerDied"),
            ("The exit codes of the workers are {SIGKILL(-9)}", None, "WorkerDied"),
            ("The exit codes of the workers are {SIGSEGV(-11), EXIT(0)}", 1, "WorkerDied"),
            ("The exit codes of the workers are {EXIT(1)}", 1, "WorkerDied"),
            ("The executor was shut down", 1, "OutOfMemory"),
        ],
    )
    def test_by_exit_codes(self, text: str, kills: int | None, type: str) -> None:
        assert Death.by_exit(text).failure(kills).type == type

    def test_a_cluster_that_knows_is_believed(self) -> None:
        assert Death("by Ray", memory=True).failure(0).type == "OutOfMemory"

    def test_systems_that_do_not_count(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("findspot.engine.executors.deaths._COUNTS", tmp_path / "none")
        assert memory_kills() is None


class TestMemory:
    @pytest.mark.parametrize(
        "executor", ["inline", pytest.param("processes", marks=pytest.mark.slow)]
    )
    def test_a_step_that_takes_more_than_it_asked_for_is_told(
        self, ws: Workspace, executor: str
    ) -> None:
        # Far from the limit: the system may meanwhile take back what is mapped from files.
        job = faulty_tasks.taking.run(megabytes=384, executor=executor, workers=1)
        assert job.outputs["x"].load() == 384
        assert "its task asks for 128.0 MiB" in job.steps["takes"].log
        quiet = faulty_tasks.taking.run(megabytes=1, executor=executor, workers=1)
        assert "asks for" not in quiet.steps["takes"].log

    def test_nothing_is_told_where_the_system_does_not_say(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "findspot.engine.resources.memory._RESET", tmp_path / "none" / "clear_refs"
        )
        told: list[str] = []
        with watched(1, told.append):
            assert len(bytearray(32 << 20)) == 32 << 20
        assert told == []


LOCK = threading.Lock()


def locks(x: int) -> int:
    with LOCK:
        return x


@pytest.mark.slow
class TestWhatCannotBeSent:
    def reason(self, of: Any) -> str:
        @pipeline
        def sending() -> Any:
            return {"x": of(1), "y": faulty_tasks.add(1)}

        failure = failure_of(sending.run(executor="processes", workers=1), of.name)
        assert failure.type == "CannotSend"
        assert "top level of a module" in failure.message
        return str(failure.message)

    def test_a_variable_of_a_closure(self, ws: Workspace) -> None:
        stream = io.TextIOWrapper(io.BytesIO())

        @task
        def writes(x: int) -> int:
            return stream.write("x" * x)

        assert "the variable stream of its closure (of type _io.TextIOWrapper)" in self.reason(
            writes
        )

    def test_a_global_variable_that_a_helper_uses(self, ws: Workspace) -> None:
        # As in a script or a notebook, whose functions are sent by value.
        names: dict[str, Any] = {"__name__": "__main__", "LOCK": LOCK, "task": task}
        exec(
            "def helper(x):\n    with LOCK:\n        return x\n"
            "@task\ndef outer(x: int) -> int:\n    return helper(x)\n",
            names,
        )
        said = self.reason(names["outer"])
        assert "the global variable LOCK, which helper uses, (of type _thread.lock)" in said

    def test_a_default_value(self, ws: Workspace) -> None:
        @task
        def waits(x: int, lock: Any = LOCK) -> int:
            return x

        assert "a default value (of type _thread.lock)" in self.reason(waits)
