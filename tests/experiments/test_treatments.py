"""Treatments that are generated, and optimisers that propose them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from findspot import CheckFailed, FindspotError, Workspace
from findspot.experiments.context import CellContext
from findspot.experiments.experiment import Experiment
from findspot.experiments.treatments import Treatment, grid, random_search


def test_a_grid_has_every_combination() -> None:
    found = grid("svm", c=[0.1, 1.0], kernel=["rbf", "a/b"])
    assert [t.name for t in found] == [
        *("svm c=0.1 kernel=rbf", "svm c=0.1 kernel=a_b"),
        *("svm c=1 kernel=rbf", "svm c=1 kernel=a_b"),
    ]
    assert found[1].parameters == {"c": 0.1, "kernel": "a/b"}
    with pytest.raises(FindspotError, match="grid is empty"):
        grid()
    with pytest.raises(FindspotError, match="grid is empty"):
        grid(c=[])
    for value in (3, "rbf", {"a": 1}):
        with pytest.raises(FindspotError, match=r"values of 'c' are .*, which is no list"):
            grid(c=cast("Any", value))


def test_a_random_search_repeats_itself() -> None:
    ranges: dict[str, Any] = {
        "depth": (2, 9),
        "rate": (0.0, 1.0),
        "kind": ["a", "b"],
        "own": random.Random.random,
    }
    first = random_search(20, seed=3, **ranges)
    assert first == random_search(20, seed=3, **ranges)
    assert first[:5] == random_search(5, seed=3, **ranges)
    assert first != random_search(20, seed=4, **ranges)
    assert len({t.name for t in first}) == 20
    for treatment in first:
        assert 2 <= treatment.parameters["depth"] <= 9
        assert 0 <= treatment.parameters["rate"] <= 1
    same = random_search(3, kind=["a"])
    assert [t.name for t in same] == ["kind=a", "kind=a (2)", "kind=a (3)"]


def test_what_cannot_be_drawn_from_is_an_error() -> None:
    with pytest.raises(FindspotError, match="cannot be"):
        random_search(0, depth=(1, 2))
    with pytest.raises(FindspotError, match="nothing to draw from"):
        random_search(1, depth=7)


def loss(data: float, ctx: CellContext, x: float = 0.0) -> None:
    ctx.log_metric("loss", (x - 3) ** 2 + data)


class Descent:
    """Asks for two values around the best one so far, ever closer."""

    def __init__(self) -> None:
        self.best, self.width, self.told = 0.0, 4.0, [0]
        self.values: dict[str, float] = {}

    def ask(self) -> Sequence[Treatment]:
        self.width /= 2
        if self.width < 0.5:
            return []
        self.values = {f"x={x:g}": x for x in (self.best - self.width, self.best + self.width)}
        return [Treatment(name, {"x": x}) for name, x in self.values.items()]

    def tell(self, results: Mapping[str, Mapping[str, float]]) -> None:
        self.told.append(len(results))
        name = min(results, key=lambda name: results[name]["loss"])
        self.best = self.values[name]


def test_an_optimiser_is_asked_and_told_until_it_has_enough(ws: Workspace) -> None:
    optimiser = Descent()
    experiment = Experiment(name="descent", datasource=[0.0, 1.0], pipeline=[loss])
    result = experiment.optimise(optimiser)
    assert optimiser.told == [0, 2, 2, 2]
    assert optimiser.best == pytest.approx(3.0, abs=0.6)
    assert result.run == 1
    assert len(result.conditions) == 7
    assert result.ranking("loss", "lower")[0] == ("x=3", 0.5)
    assert len(ws.list_jobs(experiment="descent")) == 3


def test_an_optimiser_that_asks_for_nothing_is_an_error(ws: Workspace) -> None:
    class Silent(Descent):
        def ask(self) -> Sequence[Treatment]:
            return []

    with pytest.raises(FindspotError, match="asked for no treatment"):
        Experiment(name="x", datasource=[0.0], pipeline=[loss]).optimise(Silent())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([Treatment("a", {"x": 1.0}), Treatment("a", {"x": 2.0})], "two treatments of this name"),
        (["a"], "it is a str"),
        ([Treatment("tried", {"x": 2.0})], "was another one"),
    ],
)
def test_what_an_optimiser_may_not_ask_for(ws: Workspace, asked: list[Any], message: str) -> None:
    class Asking:
        def ask(self) -> list[Any]:
            return asked

        def tell(self, results: Any) -> None:
            raise AssertionError("nothing has run")

    def step(data: None, x: float = 0.0) -> None: ...

    experiment = Experiment(
        name="asked", pipeline=[step], treatments=[Treatment("tried", {"x": 1.0})]
    )
    with pytest.raises(CheckFailed, match=message):
        experiment.optimise(Asking())
    assert not ws.list_jobs()
