"""The tutorial from end to end: two jobs, one artifact between them, and an edit afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from findspot import Workspace
from findspot.engine.jobs import Job

TUTORIAL = Path(__file__).parents[2] / "examples" / "tutorial"


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """A copy of the tutorial that may be edited."""
    copy = tmp_path / "tutorial"
    shutil.copytree(TUTORIAL, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / ".findspot")


def make_samples(workspace: Workspace, tutorial: Path, **params: object) -> Job:
    return workspace.run(tutorial / "entrypoint_4.yaml", params=params, experiment="experiment_2")


def make_figure(workspace: Workspace, tutorial: Path, samples: str = "samples:latest") -> Job:
    return workspace.run(
        tutorial / "entrypoint_5.yaml",
        params={"figure_title": "Three ways to rescale"},
        artifacts={"artifact_input_array": samples},
        experiment="experiment_3",
    )


def test_the_figures_lineage_reaches_the_job_that_drew_the_samples(
    workspace: Workspace, tutorial: Path
) -> None:
    first = make_samples(workspace, tutorial)
    second = make_figure(workspace, tutorial)
    assert (first.status, second.status) == ("finished", "finished")
    assert "sampling_plugin: samples: min" in first.log

    figure = workspace.get_artifact("rescaled_figure")
    assert (figure.kind, [file.path for file in figure.files]) == ("plot", ["rescaled_figure.png"])
    assert "Three ways to rescale" in figure.metadata["titles"]
    upstream = figure.lineage("upstream")
    assert set(upstream.jobs) == {first.id, second.id}
    assert {job.experiment for job in upstream.jobs.values()} == {"experiment_2", "experiment_3"}
    assert "samples" in {version.key for version in upstream.versions.values()}

    samples = workspace.load_artifact("samples")
    np.testing.assert_array_equal(samples, first.outputs["samples"].load())
    assert samples.shape == (1000,)


@pytest.mark.slow
def test_an_edit_makes_new_versions_and_leaves_the_old_ones(
    workspace: Workspace, tutorial: Path
) -> None:
    make_samples(workspace, tutorial)
    make_figure(workspace, tutorial)
    before = workspace.get_artifact("rescaled_figure", version=1).path().read_bytes()

    tasks = tutorial / "plugins" / "rescaling_plugin" / "rescaling.py"
    tasks.write_text(tasks.read_text().replace("s=8,", "s=20,"))
    make_figure(workspace, tutorial)

    assert [p.number for p in workspace.plugins() if p.name == "rescaling_plugin"] == [2]
    assert workspace.get_artifact("rescaled_figure").version == 2
    assert workspace.get_artifact("rescaled_figure").path().read_bytes() != before
    assert workspace.get_artifact("rescaled_figure", version=1).path().read_bytes() == before


def test_a_version_is_loaded_by_the_handler_that_saved_it_after_the_handlers_edit(
    workspace: Workspace, tutorial: Path
) -> None:
    saved = make_samples(workspace, tutorial).outputs["samples"].load()
    arrays = tutorial / "plugins" / "artifact_plugin" / "arrays.py"
    text = arrays.read_text()
    edited = text.replace(
        "allow_pickle=False)\n\n    @static", "allow_pickle=False) * 0\n\n    @static"
    )
    assert edited.count("* 0") == 1
    arrays.write_text(edited)
    assert make_samples(workspace, tutorial, seed=7).status == "finished"
    np.testing.assert_array_equal(workspace.load_artifact("samples", version=1), saved)
    assert not workspace.load_artifact("samples", version=2).any()


def test_an_unrelated_edit_of_a_plugin_runs_nothing_again(
    workspace: Workspace, tutorial: Path
) -> None:
    make_samples(workspace, tutorial)
    (tutorial / "plugins" / "sampling_plugin" / "unrelated.py").write_text("x = 1\n")
    again = make_samples(workspace, tutorial)
    assert {name: step.cached for name, step in again.steps.items()} == {
        "sample_step": True,
        "noise_step": True,
        "transform_step": True,
    }


def test_an_edit_of_a_shared_function_runs_the_steps_again(
    workspace: Workspace, tutorial: Path
) -> None:
    make_samples(workspace, tutorial)
    shared = tutorial / "plugins" / "sampling_plugin" / "summaries.py"
    shared.write_text(shared.read_text().replace(".2f", ".3f"))
    again = make_samples(workspace, tutorial)
    assert not again.steps["sample_step"].cached


@pytest.mark.slow
def test_the_tutorial_runs_in_other_processes(workspace: Workspace, tutorial: Path) -> None:
    here = make_samples(workspace, tutorial).outputs["samples"].load()
    job = workspace.run(tutorial / "entrypoint_4.yaml", executor="processes", cache=False)
    assert job.status == "finished"
    np.testing.assert_array_equal(job.outputs["samples"].load(), here)
