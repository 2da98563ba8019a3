"""Which executor a name means, how much travels together, and what is kept between jobs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sample_tasks
from findspot import Workspace, pipeline, task
from findspot.engine.calls import JobFacts, StepCall, StepResult
from findspot.engine.code.task_sources import LiveTask
from findspot.engine.errors import UnknownExecutor
from findspot.engine.executors import (
    EXECUTORS,
    ExecutorLibraryMissing,
    ExecutorUnavailable,
    executor_name,
    make_executor,
)
from findspot.engine.executors.kept import Kept
from findspot.engine.executors.pace import MOST, Pace
from findspot.engine.values import Arguments


def nothing(call: StepCall) -> StepResult:
    raise AssertionError("must not run")


def call(step: str, number: int = 0) -> StepCall:
    graph = sample_tasks.chain.graph()
    (name,) = graph.tasks
    return StepCall(
        job=JobFacts(id="j", project="p", experiment=None, params={}),
        step=f"{step}_{number}",
        spec=graph.tasks[name],
        source=LiveTask(sample_tasks.add),
        arguments=Arguments(),
        saves=(),
        seed=None,
    )


class TestNames:
    @pytest.mark.parametrize("name", ["clouds", "dask", "ray", "Inline", "threads:2", "", 3])
    def test_an_unknown_one_lists_those_there_are(self, ws: Workspace, name: Any) -> None:
        with pytest.raises(UnknownExecutor) as caught:
            make_executor(name, 1, ws, nothing)
        for known in EXECUTORS:
            assert known in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "library", "extra"),
        [
            ("dask:", "distributed", "dask"),
            ("dask:tcp://127.0.0.1:9", "distributed", "dask"),
            ("ray:", "ray", "ray"),
            ("ray:127.0.0.1:9", "ray", "ray"),
        ],
    )
    def test_a_missing_library_is_said_before_a_job_is_made(
        self,
        ws: Workspace,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        library: str,
        extra: str,
    ) -> None:
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ExecutorLibraryMissing, match=rf"pip install 'findspot\[{extra}\]'"):
            sample_tasks.chain.run(executor=name)
        assert ws.list_jobs() == []

    @pytest.mark.slow
    def test_an_address_where_nobody_answers(
        self, ws: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("findspot.engine.executors.dask.CONNECT", 1)
        with pytest.raises(ExecutorUnavailable, match=r"tcp://127\.0\.0\.1:9.*\(Timed out"):
            sample_tasks.chain.run(executor="dask:tcp://127.0.0.1:9")
        assert ws.list_jobs() == []

    def test_the_workspace_says_which_where_a_job_does_not(self, tmp_path: Path) -> None:
        workspace = Workspace(tmp_path / "chosen", executor="threads", workers=3)
        job = sample_tasks.chain.run(workspace=workspace)
        assert job.record.options["executor"] == "threads"
        assert sample_tasks.chain.run(workspace=workspace, executor="inline").status == "finished"
        workspace.close()

    def test_recorded_under_a_name_that_chooses_it_again(self) -> None:
        assert executor_name("dask:tcp://127.0.0.1:8786") == "dask:tcp://127.0.0.1:8786"
        with pytest.raises(UnknownExecutor, match=r"builtins\.int"):
            executor_name(3)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Connected to a cluster that others started."""
    from findspot.engine.executors import dask

    cluster = dask._start(2)
    yield cluster.client
    dask._close(cluster)


@pytest.mark.slow
class TestRunningClusters:
    def test_a_scheduler_by_its_address(self, ws: Workspace, client: Any) -> None:
        address = client.scheduler.address
        job = sample_tasks.pids.run(executor=f"dask:{address}")
        assert job.status == "finished"
        workers = set(client.run(os.getpid).values())
        assert {version.load() for version in job.outputs.values()} <= workers

    def test_a_client(self, ws: Workspace, client: Any) -> None:
        assert executor_name(client) == f"dask:{client.scheduler.address}"
        with make_executor(client, 0, ws, nothing) as executor:
            assert executor.slots == 2
            for i in range(3):
                executor.start(call("add", i))
            results = [executor.result() for _ in range(3)]
        # Without arguments the task cannot run; that it was asked to is what matters.
        assert {r.failure.type for r in results if r.failure is not None} == {"TypeError"}
        assert {r.step for r in results} == {"add_0", "add_1", "add_2"}
        assert client.status == "running"

    def test_an_interrupted_job_leaves_the_cluster_and_stops_its_step(
        self, ws: Workspace, client: Any
    ) -> None:
        def running() -> int:
            from findspot.engine.executors import dask

            return len(dask._RUNNING)

        def interrupt() -> None:
            until(lambda: sum(client.run(running).values()) == 1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        @pipeline
        def busy() -> Any:
            return {"n": sample_tasks.count_up()}

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            busy.run(executor=f"dask:{client.scheduler.address}")
        thread.join()
        until(lambda: sum(client.run(running).values()) == 0)
        job = sample_tasks.pids.run(executor=f"dask:{client.scheduler.address}")
        assert job.status == "finished"

    def test_a_local_cluster_that_died_between_two_jobs_is_replaced(self, ws: Workspace) -> None:
        from findspot.engine.executors import dask

        assert sample_tasks.pids.run(executor="dask:", workers=1).status == "finished"
        cluster = dask._CLUSTERS.kept
        assert cluster is not None
        os.killpg(cluster.process.pid, signal.SIGKILL)
        cluster.process.wait()
        assert sample_tasks.pids.run(executor="dask:", workers=1).status == "finished"
        assert dask._CLUSTERS.kept is not cluster


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


class TestPace:
    def test_steps_of_an_unknown_duration_go_one_by_one(self) -> None:
        pace = Pace(2)
        waiting = deque(call("add", i) for i in range(4))
        pace.started(waiting[0])
        assert pace.slots == 2
        assert len(pace.take(waiting)) == 1

    def test_tiny_ones_travel_together_and_every_worker_gets_some(self) -> None:
        pace = Pace(2)
        pace.seen(call("add"), 0.0001)
        pace.started(call("add"))
        assert pace.slots == 4 * MOST
        waiting = deque(call("add", i) for i in range(100))
        assert [len(pace.take(waiting)) for _ in range(3)] == [50, 25, 20]
        assert len(pace.take(waiting)) == 5  # not worth a way of its own for each worker
        waiting = deque(call("add", i) for i in range(1000))
        assert len(pace.take(waiting)) == MOST

    def test_only_a_few_tiny_ones_wait_for_more_while_the_workers_are_busy(self) -> None:
        pace = Pace(2)
        assert pace.enough(deque([call("add")]))  # it may be long
        pace.seen(call("add"), 0.0001)
        assert not pace.enough(deque(call("add", i) for i in range(19)))
        assert pace.enough(deque(call("add", i) for i in range(21)))
        pace.seen(call("add"), 5.0)
        assert pace.enough(deque([call("add")]))

    def test_a_batch_is_as_long_as_its_work(self) -> None:
        pace = Pace(2)
        pace.seen(call("add"), 0.004)
        assert len(pace.take(deque(call("add", i) for i in range(100)))) == 5

    def test_ones_that_became_long_go_alone_again(self) -> None:
        pace = Pace(2)
        pace.seen(call("add"), 0.0001)
        pace.seen(call("add"), 5.0)
        pace.started(call("add"))
        assert pace.slots == 2
        assert len(pace.take(deque(call("add", i) for i in range(100)))) == 1


class TestKept:
    def test_kept_between_users_and_closed_once(self) -> None:
        closed: list[str] = []
        kept: Kept[str] = Kept(closed.append)
        for _ in range(2):
            assert kept.take("key", lambda: "first") == "first"
            kept.give_back("first")
        assert (kept.kept, closed) == ("first", [])
        assert kept.take("other", lambda: "second") == "second"
        assert closed == ["first"]
        kept.give_back("first")  # of an earlier user, who learns of it late
        kept.close()
        kept.close()
        assert (kept.kept, closed) == (None, ["first", "second"])

    def test_closed_after_a_while_only_if_nobody_uses_it(self) -> None:
        closed: list[str] = []
        kept: Kept[str] = Kept(closed.append, seconds=0.05)
        kept.take("key", lambda: "it")
        kept.take("key", lambda: "another")
        kept.give_back("it")
        time.sleep(0.15)
        assert closed == []
        kept.give_back("it")
        end = time.monotonic() + 60
        while not closed and time.monotonic() < end:
            time.sleep(0.01)
        assert (kept.kept, closed) == (None, ["it"])

    def test_a_forked_child_has_none(self) -> None:
        closed: list[int] = []
        kept: Kept[str] = Kept(lambda _: closed.append(os.getpid()))
        kept.take("key", lambda: "parent's")
        kept._pid -= 1  # as it looks in a child
        assert kept.kept is None
        assert closed == []


@task(cache=False)
def touch(folder: str, i: int) -> int:
    Path(folder, str(i)).touch()
    return i


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_each_step_runs_once(ws: Workspace, tmp_path: Path, executor: str) -> None:
    @pipeline
    def many(folder: str) -> Any:
        for i in range(50):
            touch(folder, i)

    folder = tmp_path / "touched"
    folder.mkdir()
    job = many.run(folder=str(folder), executor=executor, workers=4)
    assert job.status == "finished"
    assert len(list(folder.iterdir())) == 50
