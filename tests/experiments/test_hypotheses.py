"""Verdicts on hypotheses: tests, effect sizes, corrections, and what stands registered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from experiment_pieces import counted
from findspot import CheckFailed, FindspotError, Workspace, task
from findspot.experiments.context import CellContext
from findspot.experiments.errors import NoMetric
from findspot.experiments.experiment import Experiment
from findspot.experiments.experiment_graph import ExperimentGraph
from findspot.experiments.hypotheses import Hypothesis
from findspot.experiments.statistics import effect_of, paired_permutation, paired_t
from findspot.experiments.treatments import Treatment

BASE = [0.50, 0.52, 0.49, 0.51, 0.53, 0.50, 0.48, 0.52]
GAIN = [0.10, 0.12, 0.08, 0.11, 0.09, 0.13, 0.07, 0.10]


def measure(data: float, ctx: CellContext, gain: float = 0.0) -> None:
    if ctx.condition == "lost" and ctx.replicate == 2:
        ctx.log_metric("accuracy", math.nan)
    elif ctx.condition == "lost" and ctx.replicate == 3:
        raise ValueError("no luck")
    else:
        noise = 0.01 * ((7 * ctx.replicate) % 5 - 2)
        ctx.log_metric("accuracy", data + gain * GAIN[ctx.replicate] * 10 + noise * (gain > 0))


TREATMENTS = [Treatment("good", {"gain": 1.0}), Treatment("same"), Treatment("lost")]


def compare(*hypotheses: Hypothesis, **options: Any) -> Experiment:
    given: dict[str, Any] = {
        "name": "compare",
        "datasource": BASE,
        "pipeline": [measure],
        "treatments": TREATMENTS,
        "hypotheses": hypotheses or [Hypothesis("accuracy")],
        **options,
    }
    return Experiment(**given)


def test_a_verdict_for_each_treatment(ws: Workspace) -> None:
    result = compare().run()
    good, same, lost = result.hypotheses
    values = result.metrics["accuracy"]
    differences = [t - b for b, t in zip(BASE, values["good"], strict=True)]
    assert good.p == paired_permutation(differences, "greater") == 1 / 256
    assert good.p_corrected == pytest.approx(3 / 256)
    assert (good.supported, good.n, good.dropped, good.notes) == (True, 8, 0, ())
    assert good.effect == effect_of(differences)
    assert good.verdict == "confirmed (exploratory)"
    assert (same.supported, same.p) == (False, 1.0)
    assert same.verdict == "not confirmed (exploratory)"
    assert (lost.n, lost.dropped) == (6, 2)
    assert "2 of 8 pairs were left out" in lost.notes[0]
    assert str(good).startswith("accuracy, good against the baseline: confirmed (exploratory);")


@pytest.mark.parametrize("test", ["wilcoxon", "t", "bootstrap_difference"])
def test_every_named_test_sees_the_difference(ws: Workspace, test: str) -> None:
    good, same, _ = compare(Hypothesis("accuracy", test=test)).run().hypotheses
    assert good.supported is True
    assert same.supported is False


def test_lower_may_be_better_and_either_way_counts_double(ws: Workspace) -> None:
    found = (
        compare(
            Hypothesis("accuracy", better="lower", treatments=("good",), correction="none"),
            Hypothesis("accuracy", better="either", treatments=("good",), correction="none"),
        )
        .run()
        .hypotheses
    )
    assert [v.p for v in found] == [1.0, 2 / 256]
    assert [v.supported for v in found] == [False, True]


def test_p_values_are_corrected_together(ws: Workspace) -> None:
    found = (
        compare(
            Hypothesis("accuracy", "t", correction="fdr"),
            Hypothesis("accuracy", "t", correction="none"),
        )
        .run()
        .hypotheses
    )
    p = [v.p for v in found[:3]]
    assert p[0] < p[1]
    assert found[0].p_corrected == pytest.approx(3 * p[0])
    assert [v.p_corrected for v in found[3:]] == p


def test_a_verifier_of_the_users_own(ws: Workspace) -> None:
    def raises(baseline: list[float], treatment: list[float]) -> float:
        raise ZeroDivisionError("oh")

    def of_t(baseline: list[float], treatment: list[float]) -> dict[str, float]:
        return {"p_value": paired_t([t - b for b, t in zip(baseline, treatment, strict=True)])}

    def says_yes(baseline: list[float], treatment: list[float]) -> bool:
        return sum(treatment) > sum(baseline)

    result = compare(
        *(
            Hypothesis("accuracy", test, treatments=("good",), name=test.__name__)
            for test in (raises, of_t, says_yes, lambda b, t: "text")
        )
    ).run()
    wrong, right, yes, text = result.hypotheses
    assert (wrong.supported, wrong.verdict) == (None, "undecided (exploratory)")
    assert wrong.notes == ("The verifier raised ZeroDivisionError: oh",)
    assert right.supported is True
    assert (yes.supported, yes.p) == (True, 0.0)
    assert "'text', which is no p value" in text.notes[0]


def test_a_metric_that_nobody_logged_is_undecided(ws: Workspace) -> None:
    result = compare(Hypothesis("speed", treatments=("good",))).run()
    assert result.hypotheses[0].supported is None
    assert result.hypotheses[0].notes[-1] == "There is no pair of values to compare."
    with pytest.raises(NoMetric, match=r"'speed'.*\n.*accuracy"):
        result.values("speed")


def test_summary_and_ranking(ws: Workspace) -> None:
    result = compare().run()
    rows = {row["condition"]: row for row in result.summary_rows}
    assert (rows["lost"]["n"], rows["lost"]["missing"]) == (6, 2)
    assert rows["baseline"]["mean"] == pytest.approx(sum(BASE) / 8)
    assert rows["baseline"]["low"] < sum(BASE) / 8 < rows["baseline"]["high"]
    assert result.ranking("accuracy")[0][0] == "good"
    assert result.ranking("accuracy", "lower")[-1][0] == "good"
    assert list(result.summary.columns) == list(result.summary_rows[0])


def test_without_pandas_tables_are_lists(ws: Workspace, monkeypatch: Any) -> None:
    import sys

    result = compare().run()
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert result.summary == result.summary_rows
    assert isinstance(result.table, list)
    assert result.table[0]["accuracy"] == BASE[0]
    assert set(result.table[0]) == set(result.table[-1])


def test_a_plot_is_drawn_and_saved(ws: Workspace) -> None:
    result = compare().run()
    figure = result.plot("accuracy", save=True)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(result.conditions)
    assert axes.get_xlabel() == "accuracy"
    assert ws.get_artifact("compare/plots/accuracy").kind == "plot"


# ------------------------------------------------------------------ registration


def test_what_was_registered_before_is_confirmed_as_registered(ws: Workspace) -> None:
    experiment = compare()
    registration = experiment.register()
    verdict = experiment.run().hypotheses[0]
    assert (verdict.standing, verdict.verdict) == ("as registered", "confirmed as registered")
    assert registration.uri == ws.get_artifact("compare/registration").uri
    assert registration.document["hypotheses"][0]["metric"] == "accuracy"
    assert experiment.run(strategy="resume").hypotheses[0].standing == "as registered"
    assert experiment.result().hypotheses[0].verdict == "confirmed as registered"


def test_other_hypotheses_are_exploratory(ws: Workspace) -> None:
    compare().register()
    assert compare(Hypothesis("accuracy", "t")).run().hypotheses[0].standing == "exploratory"
    more = [*TREATMENTS[:1], Treatment("same", {"gain": 0.5})]
    found = compare(treatments=more).run().hypotheses
    assert [v.standing for v in found] == ["as registered", "exploratory"]
    assert compare(seed=1).run().hypotheses[0].standing == "exploratory"


def test_data_from_before_the_registration_are_reused(ws: Workspace) -> None:
    experiment = compare()
    experiment.run()
    experiment.register()
    verdict = experiment.run(strategy="resume").hypotheses[0]
    assert verdict.verdict == "confirmed (reused data)"
    assert experiment.run().hypotheses[0].verdict == "confirmed as registered"


def test_code_that_changed_since_is_said(ws: Workspace) -> None:
    compare().register()

    def other(data: float, ctx: CellContext, gain: float = 0.0) -> None:
        ctx.log_metric("accuracy", data + gain)

    other.__name__ = "measure"
    verdict = compare(pipeline=[other]).run().hypotheses[0]
    assert verdict.verdict == "confirmed (changed code)"


def test_a_run_registers_first_what_it_can_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FindspotError, match="no executor"):
        compare().run(register=True, executor="bogus")
    assert list(tmp_path.iterdir()) == []
    assert compare().run(register=True).hypotheses[0].standing == "as registered"


def test_the_first_thing_in_a_folder_may_be_a_registration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    registration = compare().register()
    assert compare().register() == registration
    assert compare().run().hypotheses[0].standing == "as registered"


def test_a_graph_registers_what_has_hypotheses(ws: Workspace, tmp_path: Path) -> None:
    graph = ExperimentGraph([compare(), counted(tmp_path)])
    results = graph.run(register=True)
    verdicts = [v.standing for result in results.values() for v in result.hypotheses]
    assert set(verdicts) == {"as registered"}


def test_nothing_to_register_is_an_error(ws: Workspace, tmp_path: Path) -> None:
    experiment = Experiment(name="none", datasource=[1], pipeline=[measure])
    with pytest.raises(FindspotError, match="no hypothesis to register"):
        experiment.register()
    with pytest.raises(CheckFailed, match="register: there is no hypothesis"):
        experiment.run(register=True)


def test_a_metric_may_be_called_like_a_column(ws: Workspace) -> None:
    @task
    def measure(data: float, ctx: CellContext) -> float:
        ctx.log_metrics({"error": data, "status": 1.0})
        return data

    result = Experiment(
        name="columns",
        datasource=lambda ctx: float(ctx.replicate),
        pipeline=[measure],
        replicates=3,
        workspace=ws,
    ).run()
    assert result.values("error")["baseline"] == [0.0, 1.0, 2.0]
    assert result.rows[0]["error"] is None
    assert result.rows[0]["error (metric)"] == 0.0
    assert result.rows[0]["status"] == "finished"
