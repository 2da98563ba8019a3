"""Experiments are found, shown and compared by the name that their runs recorded."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

import findspot
from experiment_pieces import counted
from findspot import CheckFailed, NotFound, Workspace
from findspot.experiments.context import CellContext
from findspot.experiments.errors import NoExperiment, NoMetric, NoRun
from findspot.experiments.experiment import Experiment
from findspot.experiments.hypotheses import Hypothesis
from findspot.experiments.statistics import paired_t
from findspot.experiments.treatments import Treatment


def score(data: float, ctx: CellContext, gain: float = 0.0) -> None:
    ctx.log_metrics({"accuracy": data + gain * (1 + ctx.replicate / 50), "cost": gain})


def compare(**options: Any) -> Experiment:
    given: dict[str, Any] = {
        "name": "compare",
        "description": "Does it help?",
        "datasource": [0.5, 0.6, 0.4, 0.5, 0.6, 0.7],
        "pipeline": [score],
        "treatments": [Treatment("more", {"gain": 0.1}), Treatment("most", {"gain": 0.2})],
        "hypotheses": [Hypothesis("accuracy", test="t"), Hypothesis("cost", better="lower")],
        "metrics": ["accuracy"],
        **options,
    }
    return Experiment(**given)


def same(document: Any) -> Any:
    """A document whose NaN equal each other."""
    return json.loads(json.dumps(document))


def test_a_result_is_had_by_its_name_alone(ws: Workspace) -> None:
    ran = compare().run()
    found = Workspace(ws.folder).get_result("compare")
    given, recorded = same(ran.to_json()), same(found.to_json())
    assert given["cells"].pop("ran") == 18
    assert recorded["cells"].pop("ran") == 0
    assert str(recorded) == str(given)
    assert found.metrics == ran.metrics
    assert [str(v) for v in found.hypotheses] == [str(v) for v in ran.hypotheses]
    assert found.better == {"accuracy": "higher", "cost": "lower"}
    assert findspot.get_result("compare").folder == ran.folder


def test_what_is_recorded_of_an_experiment(ws: Workspace) -> None:
    compare().register()
    compare().run()
    compare(hypotheses=[], treatments=[]).run()
    found = findspot.get_experiment("compare")
    assert (found.name, found.description, found.replicates) == ("compare", "Does it help?", 6)
    assert [(r.number, r.status, r.finished, r.total) for r in found.runs] == [
        (2, "finished", 6, 6),
        (1, "finished", 18, 18),
    ]
    assert found.conditions == {"baseline": {}}
    assert found.hypotheses == ()
    assert found.result(1).parameters["most"] == {"gain": 0.2}
    (registration,) = found.registrations
    assert [h["metric"] for h in registration.document["hypotheses"]] == ["accuracy", "cost"]
    assert json.loads(json.dumps(found.to_json()))["runs"][1]["run"] == 1


def test_the_registration_that_stood_when_a_run_began_counts(ws: Workspace) -> None:
    compare().register()
    first = compare().run()
    compare(hypotheses=[Hypothesis("accuracy", test="wilcoxon")]).register()
    assert {v.standing for v in first.hypotheses} == {"as registered"}
    assert {v.standing for v in ws.get_result("compare", 1).hypotheses} == {"as registered"}
    late = compare(hypotheses=[Hypothesis("cost", better="either")])
    late.run()
    late.register()
    assert {v.standing for v in ws.get_result("compare").hypotheses} == {"exploratory"}


def test_a_verifier_is_known_only_by_its_digest(ws: Workspace) -> None:
    def verifier(baseline: list[float], treatment: list[float]) -> float:
        return paired_t([t - b for b, t in zip(baseline, treatment, strict=True)])

    experiment = compare(hypotheses=[Hypothesis("accuracy", test=verifier)])
    experiment.register()
    assert {v.verdict for v in experiment.run().hypotheses} == {"confirmed as registered"}
    verdict = ws.get_result("compare").hypotheses[0]
    assert verdict.verdict == "undecided as registered"
    assert math.isnan(verdict.p)
    assert "ask the experiment itself" in verdict.notes[0]
    assert math.isfinite(ws.get_result("compare").compare("accuracy", test="t")[0].p)


def test_conditions_are_compared_as_registered_or_exploratorily(ws: Workspace) -> None:
    compare().register()
    result = compare().run()
    assert result.compare("accuracy") == result.hypotheses[:2]
    assert result.compare("accuracy", test="t", correction="holm") == result.hypotheses[:2]
    (one,) = result.compare("accuracy", conditions=("baseline", "most"))
    assert one == result.hypotheses[1]
    other = result.compare("accuracy", test="wilcoxon")
    assert {v.standing for v in other} == {"exploratory"}
    assert [v.hypothesis.better for v in other] == ["higher", "higher"]
    (pair,) = result.compare("accuracy", conditions=("more", "most"))
    assert (pair.treatment, pair.against, pair.n) == ("most", "more", 6)
    assert pair.effect.mean == pytest.approx(0.105)
    assert str(pair).startswith("accuracy, most against more: ")
    with pytest.raises(NoMetric):
        result.compare("speed")
    with pytest.raises(NotFound, match="condition 'mots'"):
        result.compare("accuracy", conditions=("baseline", "mots"))
    with pytest.raises(CheckFailed, match="no test 'u'"):
        result.compare("accuracy", test="u")


def test_errors_are_told_once_for_each_kind(ws: Workspace, tmp_path: Path) -> None:
    for name in ("baseline-0", "baseline-2", "double-1"):
        (tmp_path / f"fail-{name}").touch()
    (kind,) = counted(tmp_path).run().error_kinds
    assert kind.places == (("baseline", 0), ("double", 1), ("baseline", 2))
    assert str(kind) == (
        "3 cells (baseline/0, double/1, baseline/2) in step maybe_fail: ValueError: told to fail"
    )
    assert ws.get_experiment("counted").newest.status == "failed"


def test_a_step_that_leaves_is_named_too(ws: Workspace) -> None:
    def leave(data: None) -> None:
        sys.exit(3)

    (kind,) = Experiment(name="leaving", pipeline=[leave]).run().error_kinds
    assert str(kind) == "1 cell (baseline/0) in step leave: SystemExit: 3"


def test_experiments_are_listed_newest_run_first_in_pages(ws: Workspace) -> None:
    for name in ("a", "b", "c", "a"):
        compare(name=name, replicates=None, treatments=[], hypotheses=[]).run()
    ws.save_artifact({"by": "hand"}, "d/run")
    first = findspot.list_experiments(limit=2)
    assert [e.name for e in first] == ["a", "c"]
    assert first[0].run == 2
    assert first.next is not None
    rest = ws.list_experiments(limit=2, cursor=first.next)
    assert ([e.name for e in rest], rest.next) == (["b"], None)
    assert ws.list_experiments(project="elsewhere") == []


def test_what_is_not_there_is_said(ws: Workspace) -> None:
    compare().run()
    with pytest.raises(NoExperiment, match="'compare'"):
        ws.get_experiment("compar")
    with pytest.raises(NoRun, match=r"no run 7\.(?s:.*)There are: 1"):
        ws.get_result("compare", 7)
    with pytest.raises(NoRun, match=r"no run 7\.(?s:.*)There are: 1"):
        compare().result(7)
    with ws.start_job("script", experiment="sweep"):
        pass
    with pytest.raises(NoExperiment, match="findspot jobs -e sweep"):
        ws.get_experiment("sweep")
