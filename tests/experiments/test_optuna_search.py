"""Optuna proposes treatments; their results stay in the catalog, and a killed search goes on."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from findspot import FindspotError, Workspace, get_experiment, get_result
from findspot.experiments.context import CellContext
from findspot.experiments.optuna_search import OptunaSearch
from findspot.experiments.treatments import Treatment
from search_pieces import experiment, killed, search

TESTS = Path(__file__).parents[1]


def proposed(made: OptunaSearch) -> list[dict[str, Any]]:
    return [trial.params for trial in made.study.trials]


def test_the_mean_over_the_replicates_is_told(ws: Workspace) -> None:
    made = search()
    result = experiment().optimise(made)
    assert len(result.conditions) == 9
    assert result.run == 1
    for trial, name in zip(made.study.trials, result.conditions[1:], strict=True):
        assert result.parameters[name] == trial.params
        assert trial.value == math.fsum(result.metrics["loss"][name]) / 2
        assert -5 <= trial.params["x"] <= 5
        assert trial.params["n"] in (1, 2, 3, 4)
        assert 1e-4 <= trial.params["rate"] <= 1
    ranked = [pair for pair in result.ranking("loss", "lower") if pair[0] != "baseline"]
    assert (made.best.name, made.study.best_value) == ranked[0]


def test_it_comes_nearer_than_chance(ws: Workspace) -> None:
    made = search(25, {"x": (-5.0, 5.0)}, batch=5)
    result = experiment(datasource=[0.0]).optimise(made)
    assert abs(made.best.parameters["x"] - 3) < 0.5
    assert len(result.jobs) == 5


@pytest.mark.slow
def test_equal_seeds_propose_equal_treatments(ws: Workspace, tmp_path: Path) -> None:
    first, second, other = search(12), search(12), search(12, seed=6)
    for number, made in enumerate((first, second, other)):
        space = Workspace(tmp_path / str(number))
        with space:
            space.init()
            experiment(workspace=space).optimise(made)
    assert proposed(first) == proposed(second)
    assert proposed(first) != proposed(other)


def test_equal_parameters_run_once_and_are_told_to_each_trial(ws: Workspace) -> None:
    made = search(6, {"kind": ["a", "b"]})
    result = experiment().optimise(made)
    assert set(result.conditions) <= {"baseline", "kind=a", "kind=b"}
    assert len(made.study.trials) == 6
    assert {trial.value for trial in made.study.trials} <= {11.5, 12.5}


def test_parameters_that_are_shown_alike_are_treatments_of_their_own(ws: Workspace) -> None:
    made = search(2, {"x": (1.0, 1.0 + 1e-9)}, batch=2)
    names = [treatment.name for treatment in made.ask()]
    assert names == ["x=1", "x=1 (2)"]


def test_a_function_may_suggest(ws: Workspace) -> None:
    def suggest(trial: optuna.trial.Trial) -> dict[str, Any]:
        kind = trial.suggest_categorical("kind", ["a", "b"])
        return {"kind": kind, **({"x": trial.suggest_float("x", 0, 4)} if kind == "a" else {})}

    made = search(10, suggest)
    result = experiment().optimise(made)
    assert made.best.parameters["kind"] == "a"
    assert {name.split()[0] for name in result.conditions} == {"baseline", "kind=a", "kind=b"}


def test_a_treatment_that_fails_does_not_end_the_search(ws: Workspace) -> None:
    def fragile(data: float, ctx: CellContext, x: float = 0.0) -> None:
        if x < 0:
            raise ValueError("negative")
        ctx.log_metric("loss", x)

    made = search(10, {"x": (-5.0, 5.0)})
    result = experiment(pipeline=[fragile]).optimise(made)
    states = [trial.state.name for trial in made.study.trials]
    assert set(states) == {"COMPLETE", "FAIL"}
    assert len(result.errors) == 2 * states.count("FAIL")
    assert made.best.parameters["x"] >= 0


def test_a_metric_that_nothing_logs_is_an_error(ws: Workspace) -> None:
    made = search(metric="los")
    with pytest.raises(FindspotError, match=r"No cell has the metric 'los'(.|\n)*loss"):
        experiment().optimise(made)
    with pytest.raises(FindspotError, match="No treatment of the search has a result"):
        _ = made.best


def test_what_is_pruned_runs_for_no_more_replicates(ws: Workspace, tmp_path: Path) -> None:
    made = search(
        8,
        {"x": (-5.0, 5.0)},
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
        stages=(2, 4),
    )
    folder = tmp_path / "ran"
    folder.mkdir()
    searched = experiment(datasource=[0.0] * 6, parameters={"folder": str(folder)})
    result = searched.optimise(made)
    states = [trial.state.name for trial in made.study.trials]
    assert set(states) == {"COMPLETE", "PRUNED"}
    assert len(result.conditions) == 1 + states.count("COMPLETE")
    assert result.status == "finished"
    ran = {name: len(list(folder.glob(f"{name}-*"))) for name in names_of(made)}
    assert set(ran.values()) == {2, 6}
    assert sum(count == 6 for count in ran.values()) == states.count("COMPLETE")
    assert all(path.read_text() == "1" for path in folder.iterdir())


def test_what_is_pruned_is_said_so(ws: Workspace) -> None:
    def made() -> OptunaSearch:
        return search(
            8,
            {"x": (-5.0, 5.0)},
            pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
            stages=(2, 4),
        )

    searched = experiment(datasource=[0.0] * 6, parameters={"folder": ""})
    trials = made()
    searched.optimise(trials)
    pruned = [
        name
        for name, trial in zip(names_of(trials), trials.study.trials, strict=True)
        if trial.state.name == "PRUNED"
    ]
    found = searched.result()
    for result in (found, get_result(searched.name), searched.optimise(made(), strategy="resume")):
        assert (result.status, result.missing) == ("finished", [])
        assert set(result.pruned) == set(pruned)
        assert not set(pruned) & {*result.conditions, *result.metrics["loss"]}
        rows = [row for row in result.rows if row["status"] == "pruned"]
        assert {row["condition"] for row in rows} == set(pruned)
        assert len(rows) == 2 * len(pruned)
        assert all("loss" in row for row in rows)
        assert result.to_json()["pruned"].keys() == set(pruned)
    (summary,) = get_experiment(searched.name).runs
    assert (summary.status, summary.total) == ("finished", 6 * len(found.conditions))
    parameters = found.to_json()["pruned"][pruned[0]]
    again = Treatment(pruned[0], parameters)
    whole = searched.run(strategy="resume", treatments=[again])
    assert (whole.ran, whole.status) == (4, "finished")
    assert pruned[0] not in searched.result().pruned
    assert set(searched.result().pruned) == set(pruned[1:])


def names_of(made: OptunaSearch) -> list[str]:
    return [f"x={trial.params['x']:.6g}" for trial in made.study.trials]


SCRIPT = """
import sys
from search_pieces import killed
killed(sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_search_goes_on_where_it_was(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "ran"
    folder.mkdir()
    (folder / "die").touch()
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], env=environment)
    assert done.returncode == -signal.SIGKILL
    before = {path.name for path in folder.iterdir()}
    assert 8 <= len(before) <= 12
    made, result = killed(str(folder))
    assert len(result.conditions) == 11
    times = {path.name: len(path.read_text()) for path in folder.iterdir()}
    assert len(times) == 22
    assert sum(times.values()) <= 22 + 2  # a cell of the last moments may run a second time
    with Workspace(tmp_path / "untouched") as other:
        other.init()
        whole = search(10, {"x": (-5.0, 5.0), "n": (1, 4)})
        experiment(workspace=other).optimise(whole)
    assert proposed(made) == proposed(whole)
    assert [t.value for t in made.study.trials] == [t.value for t in whole.study.trials]
    again = search(10, {"x": (-5.0, 5.0), "n": (1, 4)})
    searched = experiment(parameters={"folder": str(folder)})
    jobs = len(result.jobs)
    assert len(searched.optimise(again, strategy="resume").jobs) == jobs
    assert made.best == again.best


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials: it is 0"),
        ({"batch": True}, "batch: it is True"),
        ({"better": "more"}, "better: it is 'more'"),
        ({"pruner": optuna.pruners.MedianPruner()}, "pruner: it is"),
        ({"stages": (3, 2), "pruner": optuna.pruners.MedianPruner()}, "stages: it is"),
        ({"stages": 3, "pruner": optuna.pruners.MedianPruner()}, "stages: it is 3"),
        ({"metric": 3, "seed": "x"}, r"metric: it is 3(.|\n)*seed: it is 'x'"),
        ({"space": {}}, "no parameters"),
        ({"space": {"x": 3}}, "nothing to draw from"),
        ({"space": {"x": (5, 1)}}, "range of 'x'"),
    ],
)
def test_what_cannot_be_is_said_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FindspotError, match=message):
        search(**options)


def test_the_baselines_treatments_stay(ws: Workspace) -> None:
    made = search(2, {"x": (-5.0, 5.0)})
    result = experiment(treatments=[Treatment("far", {"x": 100.0})]).optimise(made)
    assert list(result.conditions)[:2] == ["baseline", "far"]
    assert len(result.conditions) == 4


def test_without_optuna_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(FindspotError, match=r"findspot\[optuna\]"):
        search()
