"""The tutorial, as a new user types it: two entrypoints, the second uses what the first saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot import Workspace

pytestmark = pytest.mark.slow

FIRST = ("run", "examples/tutorial/entrypoint_4.yaml", "--experiment", "experiment_2")
SECOND = (
    "run",
    "examples/tutorial/entrypoint_5.yaml",
    "--experiment",
    "experiment_3",
    "-a",
    "artifact_input_array=samples:latest",
    "-p",
    "figure_title=Three ways to rescale",
)


def test_from_an_empty_folder_to_the_figures_lineage(
    folder: Path, findspot: Callable[..., str]
) -> None:
    first = json.loads(findspot(*FIRST, "--json"))
    assert (folder / ".findspot").is_dir()
    second = json.loads(findspot(*SECOND, "--json"))
    assert (first["status"], second["status"]) == ("finished", "finished")
    assert second["params"] == {"figure_title": "Three ways to rescale"}
    assert list(second["artifacts"].values()) == [first["outputs"]["samples"].rpartition("@")[2]]

    lineage = json.loads(findspot("lineage", "rescaled_figure", "--json"))
    assert {job["id"] for job in lineage["jobs"]} == {first["id"], second["id"]}
    assert {job["experiment"] for job in lineage["jobs"]} == {"experiment_2", "experiment_3"}
    tree = findspot("lineage", "rescaled_figure")
    for said in ("viz_step", "scale_step", "samples:1", "sample_step", first["id"], second["id"]):
        assert said in tree
    assert "rescaled_figure:1" in findspot("lineage", "samples", "--direction", "downstream")

    findspot("artifact", "download", "rescaled_figure", "--to", "figure")
    (picture,) = (folder / "figure").iterdir()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "Everything is as recorded" in findspot("verify")
    log = findspot("job", "log", second["id"])
    assert "scale_step" in log


def test_rescaling_gives_what_the_page_says(folder: Path, findspot: Callable[..., str]) -> None:
    findspot(*FIRST)
    findspot(*SECOND)
    ws = Workspace()
    samples = ws.load_artifact("samples")
    job = ws.list_jobs()[0]
    scaled: Any = job.steps["scale_step"].outputs["output"].load()
    low, z, log = scaled.values() if isinstance(scaled, dict) else scaled
    assert (low.min(), low.max()) == (0.0, 1.0)
    assert abs(z.mean()) < 1e-9
    assert abs(z.std() - 1) < 1e-9
    np.testing.assert_allclose(np.expm1(log).ravel(), samples.ravel())


def test_an_edited_plugin_makes_new_versions_and_leaves_the_old_ones(
    folder: Path, findspot: Callable[..., str]
) -> None:
    findspot(*FIRST)
    ws = Workspace()
    before = ws.get_artifact("samples")
    content = before.load().copy()
    plugin = folder / "examples/tutorial/plugins/sampling_plugin/sampling.py"
    source = plugin.read_text()
    assert "def transform" in source
    head, _, tail = source.partition("def transform")
    returned = tail.index("    return ")
    edited = tail[:returned] + "    return 1 + " + tail[returned + len("    return ") :]
    plugin.write_text(head + "def transform" + edited)
    job = json.loads(findspot(*FIRST, "--json"))
    cached = {step["name"]: step["cached"] for step in job["steps"]}
    assert cached == {"sample_step": True, "noise_step": True, "transform_step": False}
    after = ws.get_artifact("samples")
    assert (before.version, after.version) == (1, 2)
    np.testing.assert_array_equal(before.load(), content)
    assert not np.array_equal(after.load(), content)


def test_a_misspelt_artifact_says_which_there_are(
    folder: Path, findspot: Callable[..., str]
) -> None:
    findspot(*FIRST)
    wrong = [text.replace("samples:latest", "sample:latest") for text in SECOND]
    said = findspot(*wrong, exit_code=2)
    assert "samples" in said
    assert len(json.loads(findspot("jobs", "--json"))) == 1
