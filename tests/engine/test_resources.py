"""Steps that ask for cores, memory and graphics cards."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from findspot import CheckFailed, Workspace, pipeline, task
from findspot.engine.resources.budgets import (
    UNLIMITED,
    Budget,
    Need,
    Supply,
    check_needs,
    supply_of,
)
from findspot.engine.resources.cards import VISIBLE, cards_here, seeing
from findspot.engine.step_order import StepOrder
from findspot.graph.task_options import TaskOptions
from findspot.graph.tasks import InvalidTask

ALONE = Supply.here().total.cpus

EXECUTORS = [
    "inline",
    "threads",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("processes", "dask:", "ray:")),
]
every_executor = pytest.mark.parametrize("executor", EXECUTORS)


class Machine:
    """Stands for an executor that says what it has."""

    def __init__(self, cpus: float, memory: int, *cards: str) -> None:
        total = Need(cpus, memory, len(cards))
        self._supply = Supply(total, total, cards)

    def supply(self) -> Supply:
        return self._supply


class Clerk:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def visit(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.05)
        with self.lock:
            self.inside -= 1


CLERK = Clerk()


@task(cpus=ALONE, cache=False)
def alone(x: int) -> int:
    CLERK.visit()
    return x


@task(gpus=1_000)
def greedy(x: int) -> int:
    return x


@task(memory="2 GiB")
def light(x: int) -> int:
    return x


@pipeline
def many() -> Any:
    return {"xs": alone.map(list(range(4))), "y": alone(9)}


def test_never_more_at_once_than_there_is(ws: Workspace) -> None:
    job = many.run(executor="threads", workers=4)
    assert job.status == "finished", job.log
    assert job.outputs["xs"].load() == [0, 1, 2, 3]
    assert CLERK.most == 1


@every_executor
def test_what_can_never_fit_is_refused_before_there_is_a_job(ws: Workspace, executor: str) -> None:
    @pipeline
    def impossible() -> Any:
        return {"a": alone(1), "b": greedy(1)}

    with pytest.raises(CheckFailed, match="1000 gpus") as caught:
        impossible.run(executor=executor, workers=1)
    assert [problem.path for problem in caught.value.problems] == ["$.graph.greedy"]
    assert ws.list_jobs() == []
    assert list(ws.catalog.snapshots("entrypoint", "default")) == []


def test_an_executor_says_what_it_has(ws: Workspace) -> None:
    @pipeline
    def heavy() -> Any:
        return {"x": light(1)}

    plan = heavy.plan()
    with pytest.raises(CheckFailed, match="more than the executor has"):
        check_needs(plan, Machine(2, 1 << 30))
    check_needs(plan, Machine(2, 4 << 30))


def test_a_small_step_overtakes_one_that_must_wait(ws: Workspace) -> None:
    @task(cpus=0.5)
    def small(x: int) -> int:
        return x

    @pipeline
    def mixed() -> Any:
        return {"a": alone(1), "b": alone(2), "c": small(3), "d": light(4)}

    plan = mixed.plan()
    order = StepOrder(plan, Machine(ALONE + 0.5, 1 << 40))
    names = []
    first = None
    while (item := order.next()) is not None:
        order.take(item)
        first = first or item
        names.append(plan.order[item.position])
    assert names == ["alone", "small", "light"]
    assert order.pending
    assert first is not None
    order.give(first)
    following = order.next()
    assert following is not None
    assert plan.order[following.position] == "alone_2"


def test_parts_of_cores_add_up() -> None:
    budget = Budget(Supply(Need(1.0), Need(1.0)))
    for _ in range(10):
        assert budget.fits(Need(0.1))
        budget.take(Need(0.1))
    assert not budget.fits(Need(0.1))


@pytest.mark.parametrize(
    "options", [{"cpus": -1}, {"gpus": "two"}, {"memory": "much"}, {"memory": True}, {"memory": -5}]
)
def test_bad_resources_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidTask, match=next(iter(options))):
        task(name="asking", **options)(lambda x: x)
    assert Need.of(TaskOptions()) is None


@task(gpus=1, cache=False)
def sees(i: int, file: str) -> str:
    """The cards that it sees; it runs beside another one, where there are others."""
    start = time.monotonic()
    with Path(file).open("a") as stream:
        stream.write(f"{i}\n")
    while len(Path(file).read_text().split()) < 2 and time.monotonic() < start + 120:
        time.sleep(0.01)
    return os.environ.get(VISIBLE, "")


@task(gpus=0.5, cache=False)
def sees_part(i: int) -> str:
    return os.environ.get(VISIBLE, "")


@task(gpus=2, cache=False)
def sees_both(after: Any) -> str:
    return os.environ.get(VISIBLE, "")


@task(cache=False)
def sees_all(after: Any = None) -> str:
    return os.environ.get(VISIBLE, "")


@pipeline
def looking(file: str) -> Any:
    pair = [sees(1, file), sees(2, file)]
    both = sees_both(pair)
    return {"pair": pair, "both": both, "third": sees(3, file), "rest": sees_all(both)}


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "dask:", "ray:"])
def test_steps_that_run_at_once_see_a_card_each(
    ws: Workspace, tmp_path: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, "4,7")
    job = looking.run(file=str(tmp_path / "seen"), executor=executor, workers=2)
    assert job.status == "finished", job.log
    seen = {name: version.load() for name, version in job.outputs.items()}
    assert sorted(seen["pair"]) == ["4", "7"]
    assert sorted(seen["both"].split(",")) == ["4", "7"]
    assert seen["third"] in ("4", "7")
    if executor != "ray:":  # which hides the cards from who asks for none
        assert seen["rest"] == "4,7"


def test_one_after_the_other_they_see_the_first_cards(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, "4,7")
    (tmp_path / "seen").write_text("1 2 ")
    job = looking.run(file=str(tmp_path / "seen"))
    seen = {name: version.load() for name, version in job.outputs.items()}
    assert seen == {"pair": ["4", "4"], "both": "4,7", "third": "4", "rest": "4,7"}
    assert os.environ[VISIBLE] == "4,7"


def test_threads_share_what_the_process_sees(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, "4,7")
    job = looking.run(file=str(tmp_path / "seen"), executor="threads", workers=4)
    assert job.outputs["pair"].load() == ["4,7", "4,7"]


@pytest.mark.slow
def test_a_part_of_a_card_is_of_one_card(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    @pipeline
    def parts() -> Any:
        return {"seen": sees_part.map(list(range(6)))}

    monkeypatch.setenv(VISIBLE, "0,1")
    job = parts.run(executor="processes", workers=2)
    assert set(job.outputs["seen"].load()) <= {"0", "1"}


class TestCards:
    def test_parts_share_one_and_whole_ones_are_alone(self) -> None:
        budget = Budget(Machine(8, 1 << 30, "a", "b").supply())
        half = budget.take(Need(gpus=0.5))
        whole = budget.take(Need(gpus=1))
        assert (half.cards, whole.cards) == (("a",), ("b",))
        assert budget.take(Need(gpus=0.5)).cards == ("a",)
        assert not budget.fits(Need(gpus=0.5))
        budget.give(half)
        # A whole card's worth is free with the other's, but not a whole card.
        budget.give(whole)
        assert not budget.fits(Need(gpus=2))
        assert budget.fits(Need(gpus=1))
        assert budget.take(Need(gpus=0.4)).cards == ("a",)
        assert budget.take(Need(cpus=1)).cards is None

    def test_more_than_one_is_whole_ones(self) -> None:
        need = Need.of(TaskOptions(gpus=1.2))
        assert need is not None
        assert need.gpus == 2

    def test_a_cluster_gives_out_its_own(self) -> None:
        budget = Budget(supply_of({"machine": [Need(4, 1 << 30, 2)]}))
        claim = budget.take(Need(gpus=1))
        assert claim.cards is None
        assert not budget.fits(Need(gpus=2))
        budget.give(claim)
        assert budget.fits(Need(gpus=2))

    @pytest.mark.parametrize(
        ("variable", "cards"),
        [
            ("", ()),
            ("0", ("0",)),
            ("1, GPU-5a", ("1", "GPU-5a")),
            ("2,-1,3", ("2",)),
            ("0,0", ("0",)),
        ],
    )
    def test_which_there_are(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, cards: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv(VISIBLE, variable)
        assert cards_here() == cards
        assert Supply.here().total.gpus == len(cards)

    def test_seen_only_in_the_block(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(VISIBLE, raising=False)
        with seeing(("3", "1")):
            assert os.environ[VISIBLE] == "3,1"
            with seeing(None):
                assert os.environ[VISIBLE] == "3,1"
        assert VISIBLE not in os.environ


class TestClusters:
    def test_a_step_runs_on_one_machine(self) -> None:
        supply = supply_of(
            {
                "small": [Need(1, 1 << 30, 0), Need(1, 1 << 30, 1)],
                "large": [Need(8, 16 << 30, 4)],
            }
        )
        assert supply.total == Need(10, 18 << 30, 5)
        assert supply.largest == Need(8, 16 << 30, 4)
        assert supply.cards is None

    def test_one_without_machines_may_get_any(self, ws: Workspace) -> None:
        class Empty:
            def supply(self) -> Supply:
                return supply_of({})

        @pipeline
        def wish() -> Any:
            return {"x": greedy(1)}

        check_needs(wish.plan(), Empty())
        assert supply_of({"a": [Need(1, UNLIMITED, 0)] * 3}).total.memory == UNLIMITED


@task(gpus=1, cpus=2, memory="1 KiB", cache=False)
def with_all(i: int) -> int:
    return os.getpid()


@task(memory="3 GiB")
def roomy(i: int) -> int:
    return i


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A running Dask cluster, one of whose two workers declares a card."""
    distributed: Any = import_module("distributed")
    with (
        distributed.LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            memory_limit="2GiB",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        cluster.scale(1)
        client.wait_for_workers(1)
        cluster.new_spec["options"]["resources"] = {"GPU": 1}
        cluster.scale(2)
        client.wait_for_workers(2)
        yield client


@pytest.mark.slow
class TestRunningDask:
    def test_steps_go_where_what_they_ask_for_is_declared(
        self, ws: Workspace, cluster: Any
    ) -> None:
        @pipeline
        def asking() -> Any:
            return {"where": with_all.map(list(range(4)))}

        workers = cluster.scheduler_info(n_workers=-1)["workers"]
        (declaring,) = [address for address, w in workers.items() if w.get("resources")]
        pids = cluster.run(os.getpid)
        job = asking.run(executor=cluster)
        assert job.status == "finished", job.log
        assert set(job.outputs["where"].load()) == {pids[declaring]}

    def test_more_than_a_worker_has_is_refused(self, ws: Workspace, cluster: Any) -> None:
        @pipeline
        def asking() -> Any:
            return {"a": roomy(1), "b": greedy(1)}

        with pytest.raises(CheckFailed) as caught:
            asking.run(executor=cluster)
        assert [problem.expected for problem in caught.value.problems] == [
            "at most 2,147,483,648 bytes",
            "at most 1 gpus",
        ]
        assert ws.list_jobs() == []
