"""What differs between experiments, and between runs of one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from findspot import Artifact, Workspace
from findspot.experiments.comparing import compare_runs
from findspot.experiments.context import CellContext
from findspot.experiments.errors import BadRunName, NoExperiment, NoMetric, NoRun
from findspot.experiments.experiment import Experiment
from findspot.experiments.treatments import Treatment

OUT = Artifact("score.txt")


def score(data: float, ctx: CellContext, out: Artifact = OUT, gain: float = 0.0) -> None:
    ctx.log_metric("accuracy", data + gain)
    out.write(str(data + gain))


def score_and_more(data: float, ctx: CellContext, out: Artifact = OUT, gain: float = 0.0) -> None:
    ctx.log_metrics({"accuracy": data + gain, "cost": 1.0})
    out.write(str(data + gain))


def experiment(**options: Any) -> Experiment:
    given: dict[str, Any] = {
        "name": "scores",
        "datasource": [0.5, 0.6, 0.4],
        "pipeline": [score],
        "treatments": [Treatment("more", {"gain": 0.1})],
        **options,
    }
    return Experiment(**given)


def test_equal_runs_do_not_differ(ws: Workspace) -> None:
    experiment().run()
    experiment().run()
    found = compare_runs(ws, "scores@1", "scores@2")
    assert not found
    assert (found.before, found.after, found.equal_outputs) == ("scores@1", "scores@2", 6)
    assert found.render().endswith("Nothing differs but the time they took.")
    assert "interval]:\n  2 equal\n" in found.render()
    assert [(p.condition, p.difference) for p in found.metrics] == [("baseline", 0), ("more", 0)]


def test_parameters_data_metrics_and_artifacts_that_differ_are_told(ws: Workspace) -> None:
    experiment().run()
    experiment(
        datasource=[0.5, 0.6, 0.7],
        pipeline=[score_and_more],
        treatments=[Treatment("more", {"gain": 0.2}), Treatment("less", {"gain": -0.1})],
        seed=9,
    ).run()
    found = compare_runs(ws, "scores@1", "scores")
    assert found
    assert {str(change) for change in found.design} >= {
        "~ seed: 0 -> 9",
        "~ conditions.more.gain: 0.1 -> 0.2",
        "+ conditions.less: {'gain': -0.1}",
    }
    pairs = {(p.metric, p.condition): p for p in found.metrics}
    assert pairs["accuracy", "more"].difference == pytest.approx(0.2)
    assert pairs["cost", "more"].before is None
    assert pairs["accuracy", "less"].before is None
    assert found.code
    assert found.outputs == ()  # no artifact of one step is in both
    text = found.render()
    assert "cost, more: none -> 1" in text
    only = compare_runs(ws, "scores@1", "scores", metrics=["cost"])
    assert {pair.metric for pair in only.metrics} == {"cost"}
    assert json.loads(json.dumps(found.to_json()))["metrics"][0]["metric"] == "accuracy"


def test_data_that_differ_are_told(ws: Workspace) -> None:
    experiment(name="one").run()
    experiment(name="two", datasource=[0.5, 0.6, 0.7]).run()
    found = compare_runs(ws, "one", "two")
    assert found.data == ("baseline/2", "more/2")
    assert found.outputs == ("baseline/2/score/score.txt", "more/2/score/score.txt")
    assert found.equal_outputs == 4
    assert "~ more: replicates 2" in found.render()
    assert "~ more, score/score.txt: replicates 2" in found.render()


def test_a_lone_replicate_has_no_interval(ws: Workspace) -> None:
    experiment(datasource=[0.5]).run()
    (pair, _) = compare_runs(ws, "scores", "scores").metrics
    assert pair.before is not None
    assert math.isnan(pair.before.low)
    assert str(pair) == "accuracy, baseline: 0.5, n 1"


def test_what_is_not_there_is_said(ws: Workspace) -> None:
    experiment().run()
    with pytest.raises(NoExperiment):
        compare_runs(ws, "scores", "others")
    with pytest.raises(NoRun):
        compare_runs(ws, "scores", "scores@4")
    with pytest.raises(BadRunName, match="scores@2"):
        compare_runs(ws, "scores", "scores@two")
    with pytest.raises(NoMetric):
        compare_runs(ws, "scores", "scores", metrics=["speed"])
