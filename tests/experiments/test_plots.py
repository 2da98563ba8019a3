"""Plots of results: what they are drawn from, and that they can be drawn again."""

from __future__ import annotations

import math

import pytest

from findspot import Workspace, get_job, list_jobs
from findspot.core.errors import InvalidName
from findspot.experiments.context import CellContext
from findspot.experiments.experiment import Experiment
from findspot.experiments.results import Result
from findspot.experiments.treatments import Treatment
from findspot.provenance import reproduce


@pytest.fixture
def result(ws: Workspace) -> Result:
    def step(data: float, ctx: CellContext, factor: float = 1.0) -> None:
        if ctx.replicate != 2:
            ctx.log_metric("m", factor * data if data else math.inf)

    return Experiment(
        name="drawn",
        datasource=[1.0, 2.5, 2.0, 0.0],
        pipeline=[step],
        treatments=[Treatment("double", {"factor": 2.0})],
    ).run()


def test_a_saved_plot_is_what_a_job_drew_of_the_values(ws: Workspace, result: Result) -> None:
    result.plot("m", save=True)
    version = ws.get_artifact("drawn/plots/m")
    assert (version.kind, version.labels) == ("plot", {"experiment": "drawn", "run": "1"})
    assert version.metadata["jobs"] == [result.job.id]
    (job,) = list_jobs(name="plot")
    assert (job.status, job.labels) == ("finished", {"experiment": "drawn", "run": "1"})
    assert job.params["values"]["double"] == [2.0, 5.0, None, math.inf]
    assert job.outputs["drawn/plots/m"] == version
    assert job.record.parent == result.job.id
    assert get_job("latest").id == result.job.id
    upstream = version.lineage("upstream")
    assert ws.get_artifact("drawn/run").uid in upstream.versions
    assert len(result.jobs) == len(ws.list_jobs(experiment="drawn")) == 1


def test_a_key_that_cannot_be_makes_no_job(ws: Workspace, result: Result) -> None:
    with pytest.raises(InvalidName):
        result.plot("m", save="figures/../m")
    assert not list_jobs(name="plot")


@pytest.mark.slow
def test_it_is_drawn_again_from_its_record(ws: Workspace, result: Result) -> None:
    version = result.save_plot("m", result.plot("m"), "figures/m")
    assert reproduce(ws, version).outcome == "identical"
    other = result.plot("m")
    other.axes[0].set_title("Another one")
    assert reproduce(ws, result.save_plot("m", other)).outcome == "different"
