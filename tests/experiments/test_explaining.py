"""Why a cell ran is explained by the functions that changed, with their text."""

from __future__ import annotations

from typing import Any

from findspot import Workspace
from findspot.experiments.context import CellContext
from findspot.experiments.experiment import Experiment
from findspot.experiments.treatments import Treatment


def half(value: float) -> float:
    return value / 2


def third(value: float) -> float:
    return value / 3


def step_of(part: Any) -> Any:
    def step(data: float, ctx: CellContext) -> float:
        ctx.log_metric("m", part(data))
        return data

    return step


def experiment(first: Any, change: Any = None, name: str = "why") -> Experiment:
    treatments = [] if change is None else [Treatment("own", change), Treatment("plain")]
    return Experiment(name=name, datasource=[1.0], pipeline=[step_of(first)], treatments=treatments)


def test_the_code_of_a_steps_functions_is_compared(ws: Workspace) -> None:
    experiment(half).run()
    result = experiment(third).run(strategy="resume")
    (explained,) = result.job.explain("baseline/0").steps
    assert "code" in explained.reason
    changed = {change.name: (change.what, change.diff) for change in explained.code}
    names = {name.rpartition(":")[2]: what for name, (what, _) in changed.items()}
    assert names["half"] == "removed"
    assert names["third"] == "added"
    assert any("+    return value / 3" in diff for _, diff in changed.values())


def test_two_steps_of_one_maker_are_told_apart(ws: Workspace) -> None:
    def both(part: Any) -> Experiment:
        steps = [step_of(half), step_of(part)]
        return Experiment(name="both", datasource=[1.0], pipeline=steps)

    code = both(third).design().code("baseline")
    assert {"half", "third"} <= {name.rpartition(":")[2] for name in code.parts}
    assert set(code.parts) == set(code.sources)
    assert code.digest == both(third).design().code_of("baseline")
    assert code.digest != both(half).design().code_of("baseline")


def test_a_treatments_function_is_code_of_its_own_condition(ws: Workspace) -> None:
    def change(ctx: CellContext) -> None:
        ctx.parameters = {**ctx.parameters}

    def other(ctx: CellContext) -> None:
        ctx.parameters = {**ctx.parameters, "k": 1}

    design = experiment(half, change).design()
    names = {c: {n.rpartition(".")[2] for n in design.code(c).parts} for c in design.conditions}
    assert "change" in names["own"]
    assert "change" not in names["plain"] | names["baseline"]
    experiment(half, change).run()
    result = experiment(half, other).run(strategy="resume")
    assert result.ran == 1
    (explained,) = result.job.explain("own/0").steps
    assert {c.name.rpartition(".")[2]: c.what for c in explained.code} == {
        "change": "removed",
        "other": "added",
    }
