"""The digits example: a pipeline on scikit-learn, from its data to the confusion matrix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from findspot import Workspace

pytestmark = pytest.mark.slow


def test_trains_saves_and_reuses(folder: Path, findspot: Callable[..., str]) -> None:
    target = "examples/digits/digits.py"
    assert "no mistakes" in findspot("check", target)
    first = json.loads(findspot("run", target, "-p", "trees=20", "--json"))
    assert first["status"] == "finished", first["failure"]
    assert first["metrics"]["accuracy"] > 0.9
    ws = Workspace()
    model = ws.get_artifact("digits_model")
    assert model.kind == "model"
    images = ws.load_artifact("digits/split/test_images")
    labels = ws.load_artifact("digits/split/test_labels")
    assert model.load().score(images, labels) == pytest.approx(first["metrics"]["accuracy"])
    table = ws.load_artifact("digits_metrics")
    assert list(table.columns) == ["digit", "precision", "recall", "f1", "count"]
    assert ws.load_artifact("digits_confusion").sum() == len(labels)
    assert ws.get_artifact("digits_confusion_figure").kind == "plot"

    second = json.loads(findspot("run", target, "-p", "trees=20", "-p", "depth=3", "--json"))
    cached = {step["name"]: step["cached"] for step in second["steps"]}
    assert cached["load"]
    assert cached["split"]
    assert not cached["train"]
    assert ws.get_artifact("digits_model").version == 2
    down = ws.get_artifact("digits/load/images").lineage("downstream")
    assert {model.uid, ws.get_artifact("digits_model").uid} <= down.versions.keys()


def test_runs_in_worker_processes(folder: Path, findspot: Callable[..., str]) -> None:
    job = json.loads(
        findspot(
            "run",
            "examples/digits/digits.py:digits",
            "-p",
            "trees=5",
            "--executor",
            "processes",
            "--workers",
            "2",
            "--json",
        )
    )
    assert job["status"] == "finished", job["failure"]
    assert set(job["outputs"]) == {
        "digits_model",
        "digits_metrics",
        "digits_confusion",
        "digits_confusion_figure",
    }
