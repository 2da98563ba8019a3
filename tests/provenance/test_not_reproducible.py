"""What cannot be made again, and how that is said; nothing is run for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from findspot import NotFound, Workspace, start_job
from findspot.artifacts.comparing.contents import ContentDiff
from findspot.catalog.protocol import Batch
from findspot.core.digests import hash_bytes
from findspot.core.records import JobUpdate
from findspot.provenance import CannotReproduce, FolderInUse, reproduce
from findspot.provenance.equality import compare_output, is_equal
from provenance_pieces import COUNTING, Write

TAKING = """
from findspot import pipeline, task

@task
def first(items: list) -> object:
    return items[0]

@pipeline
def take(items: list):
    return {"first": first(items)}
"""


def test_a_version_that_was_saved_by_hand(ws: Workspace) -> None:
    with pytest.raises(CannotReproduce, match="no job made it"):
        reproduce(ws, ws.save_artifact(1, "one"))
    with pytest.raises(NotFound):
        reproduce(ws, "nothing")


def test_a_deleted_input_is_named(ws: Workspace, write: Write) -> None:
    version = ws.save_artifact([1, 2], "items")
    job = write("taking", TAKING).take.run(items=version)
    ws.catalog.delete_version(version.uid)
    with pytest.raises(CannotReproduce, match="deleted since") as caught:
        reproduce(ws, job.outputs["first"])
    assert caught.value.missing == (f"the input 'items' ({version.uid})",)


def test_a_damaged_input_is_named(ws: Workspace, write: Write) -> None:
    version = ws.save_artifact(list(range(5000)), "items")
    job = write("taking", TAKING).take.run(items=version)
    (entry,) = [file for file in version.files if file.inline is None]
    path = ws.store.path(entry.digest)
    assert path is not None
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    with pytest.raises(CannotReproduce, match="damaged") as caught:
        reproduce(ws, job.outputs["first"])
    assert "items" in caught.value.missing[0]
    path.unlink()
    with pytest.raises(CannotReproduce, match="missing"):
        reproduce(ws, job.outputs["first"])


def test_what_was_typed_in(ws: Workspace) -> None:
    with start_job("typed") as job:
        made = job.log_artifact("made", 1)
    document = {**ws.get_job(job.id).environment, "entry": {"interactive": True}}
    _describe(ws, job.id, document)
    with pytest.raises(CannotReproduce, match="notebook or a prompt"):
        reproduce(ws, made)


def test_secret_arguments(ws: Workspace) -> None:
    with start_job("secretive") as job:
        made = job.log_artifact("made", 1)
    document = dict(ws.get_job(job.id).environment)
    document |= {"entry": {"script": "train.py"}, "argv": ["train.py", "--token", "***"]}
    _describe(ws, job.id, document)
    with pytest.raises(CannotReproduce, match="secrets"):
        reproduce(ws, made)


def test_a_folder_that_is_in_use(ws: Workspace, write: Write, tmp_path: Path) -> None:
    job = write("counting", COUNTING).count.run(text="a")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(FolderInUse, match="not empty"):
        reproduce(ws, job.outputs["number"], folder=tmp_path / "used")


def _describe(ws: Workspace, job: str, document: dict[str, Any]) -> None:
    data = json.dumps(document).encode()
    digest = hash_bytes(data)
    update = JobUpdate(id=job, expected=("finished",), environment=digest)
    ws.catalog.write(Batch(documents={digest: data}, updates=[update]))


# What counts as the same content


def outcome(ws: Workspace, old: Any, new: Any, tolerance: float = 0.0, **options: Any) -> str:
    before = ws.save_artifact(old, "value", **options)
    after = ws.save_artifact(new, "value", **options)
    return compare_output("value", ws, before, ws, after, tolerance=tolerance).outcome


def test_arrays_within_a_tolerance(ws: Workspace) -> None:
    old = np.array([1.0, np.nan, 3.0])
    assert outcome(ws, old, old.copy()) == "identical"
    assert outcome(ws, old, old + 0.01) == "different"
    assert outcome(ws, old, old + 0.01, 0.1) == "equal"
    assert outcome(ws, old, np.array([1.0, 2.0, 3.0]), 0.1) == "different"
    assert outcome(ws, old, old[:2], 0.1) == "different"
    assert outcome(ws, old, old.astype(np.float32), 0.1) == "different"
    big = np.arange(200_000, dtype=np.float64)
    assert outcome(ws, big, big + 0.5, 1.0) == "equal"


def test_tables_within_a_tolerance(ws: Workspace) -> None:
    old = pd.DataFrame({"name": ["a", "b"], "x": [1.0, 2.0], "n": [1, 2]})
    assert outcome(ws, old, old.assign(x=old.x + 0.01)) == "different"
    assert outcome(ws, old, old.assign(x=old.x + 0.01), 0.1) == "equal"
    assert outcome(ws, old, old.assign(x=[1.0, float("nan")]), 9.0) == "different"
    assert outcome(ws, old, old.assign(name=["a", "c"]), 0.1) == "different"
    assert outcome(ws, old, old.assign(n=[1, 3]), 9.0) == "different"


def test_numbers_in_json_within_a_tolerance(ws: Workspace) -> None:
    assert outcome(ws, {"loss": 0.5}, {"loss": 0.51}) == "different"
    assert outcome(ws, {"loss": 0.5}, {"loss": 0.51}, 0.1) == "equal"
    assert outcome(ws, {"loss": 0.5, "n": 1}, {"loss": 0.51, "n": 2}, 5.0) == "different"
    assert outcome(ws, {"loss": 0.5}, {"other": 0.5}, 0.1) == "different"


def test_pickles_are_not_decided(ws: Workspace) -> None:
    found = outcome(ws, Exception("a"), Exception("b"), handler="pickle")
    assert found == "undecided"


@pytest.mark.parametrize(
    ("form", "found", "same"),
    [
        ("text", {"only_line_ends": True}, True),
        ("text", {"lines_added": 1}, False),
        ("json", {"changes": []}, True),
        ("", {}, False),
    ],
)
def test_the_same_inside(form: str, found: dict[str, Any], same: bool) -> None:
    assert is_equal(ContentDiff("file", form, found)) is same


def test_a_chart_is_the_same_where_no_pictures_of_it_can_be_drawn(ws: Workspace) -> None:
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    spec = {"$schema": schema, "mark": "point", "data": {"values": [{"x": 1}]}}
    drawn = ws.save_artifact(spec, "chart", handler="vega-lite")
    bare = ws.save_artifact(spec, "chart", handler="vega-lite", handler_args={"pictures": False})
    assert drawn.digest != bare.digest
    other = ws.save_artifact({**spec, "mark": "bar"}, "chart", handler="vega-lite")
    found = [compare_output("chart", ws, drawn, ws, v, tolerance=0.0) for v in (bare, other)]
    assert [comparison.outcome for comparison in found] == ["equal", "different"]
