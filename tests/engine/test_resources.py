"""Steps that ask for cores, memory and graphics cards."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from findspot import Workspace, pipeline, task
from findspot.engine.budgets import Budget, Need, budget_of, check_needs, needs_of
from findspot.engine.schedule import Schedule
from findspot.graph.task_options import TaskOptions
from findspot.graph.tasks import InvalidTask

ALONE = budget_of(None).total.cpus


class Machine:
    """Stands for an executor that says what it has."""

    def __init__(self, **budget: float) -> None:
        self.budget = budget


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


def test_what_can_never_fit_fails_before_anything_runs(ws: Workspace) -> None:
    @pipeline
    def impossible() -> Any:
        return {"a": alone(1), "b": greedy(1)}

    job = impossible.run()
    assert job.status == "failed"
    assert job.failure is not None
    assert "1000 gpus" in job.failure.message
    assert not job.steps


def test_an_executor_says_what_it_has(ws: Workspace) -> None:
    @pipeline
    def heavy() -> Any:
        return {"x": light(1)}

    plan = heavy.plan()
    small = Machine(cpus=2, memory=1 << 30)
    with pytest.raises(Exception, match="more than the executor has"):
        check_needs(plan, needs_of(plan), budget_of(small))
    check_needs(plan, needs_of(plan), budget_of(Machine(cpus=2, memory=4 << 30)))


def test_a_small_step_overtakes_one_that_must_wait(ws: Workspace) -> None:
    @task(cpus=0.5)
    def small(x: int) -> int:
        return x

    @pipeline
    def mixed() -> Any:
        return {"a": alone(1), "b": alone(2), "c": small(3), "d": light(4)}

    plan = mixed.plan()
    schedule = Schedule(plan, Machine(cpus=ALONE + 0.5, memory=1 << 40))
    names = []
    first = None
    while (item := schedule.next()) is not None:
        schedule.take(item)
        first = first or item
        names.append(plan.order[item.position])
    assert names == ["alone", "small", "light"]
    assert schedule.pending
    assert first is not None
    schedule.give(first)
    following = schedule.next()
    assert following is not None
    assert plan.order[following.position] == "alone_2"


def test_parts_of_cores_add_up() -> None:
    budget = Budget(Need(1.0))
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
