"""Why steps ran or were reused."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sample_tasks
from findspot import CachePolicy, Job, Workspace, pipeline, task
from findspot.core.errors import NotFound
from findspot.engine.caching.explaining import Explanation, explain


def explained(ws: Workspace, job: Job, step: str | None = None) -> Explanation:
    found = explain(ws, job.id, step)
    json.dumps(found.to_json())
    return found


@task
def scaled(x: int, factor: float = 2.0) -> float:
    return x * factor


@task
def rounded(y: float) -> int:
    return round(y)


@pipeline
def scaling(x: int = 1, factor: float = 2.0) -> Any:
    return {"y": rounded(scaled(x, factor))}


def test_first_runs_and_reused_steps(ws: Workspace) -> None:
    first = explained(ws, scaling.run())
    assert [(s.step, s.verdict) for s in first.steps] == [("scaled", "ran"), ("rounded", "ran")]
    assert "first run" in first["scaled"].reason
    again = explained(ws, scaling.run())
    assert {s.verdict for s in again.steps} == {"reused"}
    assert again["scaled"].source_job == first.job


def test_a_changed_parameter_is_named_with_both_values(ws: Workspace) -> None:
    first = scaling.run(factor=2.0)
    second = scaling.run(factor=2.5)
    found = explained(ws, second)
    (change,) = found["scaled"].changes
    assert (change.part, change.old, change.new) == ("arguments.factor", 2.0, 2.5)
    assert found["scaled"].compared == first.id
    (change,) = found["rounded"].changes
    assert change.part == "arguments.y"
    assert change.versions == (
        first.steps["scaled"].outputs["output"].uid,
        second.steps["scaled"].outputs["output"].uid,
    )
    assert "arguments.factor: 2.0 -> 2.5" in str(found)


def test_values_that_compare_equal_are_told_apart(ws: Workspace) -> None:
    @task
    def shown(x: Any) -> str:
        return repr(x)

    @pipeline
    def showing(x: Any = 1) -> Any:
        return {"text": shown(x)}

    showing.run(x=1)
    (change,) = explained(ws, showing.run(x=True))["shown"].changes
    assert (change.old, change.new) == (1, True)


def test_an_array_that_changed_is_an_artifact(ws: Workspace) -> None:
    sample_tasks.diamond.run(samples=np.arange(4.0))
    found = explained(ws, sample_tasks.diamond.run(samples=np.arange(5.0)))
    changed = [c for step in found.steps for c in step.changes]
    assert changed
    assert all(c.old[0] == c.new[0] == "artifact" and c.versions for c in changed)


def test_the_job_is_compared_with_the_nearest_run_not_with_reuses(ws: Workspace) -> None:
    scaling.run(x=1)
    near = scaling.run(x=2)
    scaling.run(x=1)
    assert explained(ws, scaling.run(x=3))["scaled"].compared == near.id


def test_a_refreshed_job_and_an_uncached_task_say_so(ws: Workspace) -> None:
    scaling.run()
    found = explained(ws, scaling.run(cache=False))
    assert "refresh" in found["scaled"].reason
    assert "cache off" in explained(ws, scaling.run(cache="off"))["scaled"].reason

    @task(cache=False)
    def never(x: int) -> int:
        return x

    @pipeline
    def uncached(x: int = 1) -> Any:
        return {"x": never(x)}

    uncached.run()
    assert "not to be reused" in explained(ws, uncached.run())["never"].reason


def test_a_deleted_output_is_the_reason(ws: Workspace) -> None:
    job = scaling.run()
    ws.delete_version(job.outputs["y"])
    found = explained(ws, scaling.run())
    assert found["scaled"].verdict == "reused"
    assert "deleted" in found["rounded"].reason


@pytest.mark.parametrize("expires", [None, 0.01])
def test_lost_bytes_and_old_outputs_are_told_apart(ws: Workspace, expires: float | None) -> None:
    @task(cache=CachePolicy(expires=expires))
    def many(n: int) -> np.ndarray:
        return np.arange(float(n))

    @pipeline
    def making() -> Any:
        return {"x": many(100_000)}

    first = making.run()
    if expires is None:
        (blob,) = [path for path in (ws.folder / "blobs").rglob("*") if path.is_file()]
        blob.unlink()
    time.sleep(0.02)
    found = explained(ws, making.run())["many"]
    assert (found.verdict, found.compared) == ("ran", first.id)
    assert ("gone from the store" if expires is None else "policy of expires=0.01") in found.reason


def test_what_has_no_fingerprint_is_named(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "open").write_text("x")
    with (tmp_path / "open").open() as stream:

        @task
        def uses() -> int:
            return stream.fileno()

        @pipeline
        def using() -> Any:
            return {"x": uses()}

        job = using.run()
    found = explained(ws, job)["uses"]
    assert "no fingerprint" in found.reason
    assert "cache=False" in found.reason
    assert "stream" in found.reason


def test_a_failed_run_and_a_skipped_step(ws: Workspace) -> None:
    sample_tasks.broken.run()
    found = explained(ws, sample_tasks.broken.run())
    assert found["fail"].verdict == "ran"
    assert "failed" in found["fail"].reason
    assert {s.verdict for s in found.steps} >= {"ran", "skipped"}


def test_one_step_alone_and_one_that_does_not_exist(ws: Workspace) -> None:
    job = scaling.run()
    assert [s.step for s in explained(ws, job, "rounded").steps] == ["rounded"]
    with pytest.raises(NotFound, match="scaled"):
        explain(ws, job.id, "scale")


PROJECT = """
    from findspot import pipeline, task

    LIMIT = {limit}
    API_KEY = "hidden from everybody"

    class Rule:
        width = {width}

        def apply(self, x):
            return {rule}

    def helper(x):
        # {comment}
        return min({text}, LIMIT)

    @task
    def measure(x: int) -> int:
        assert API_KEY
        return helper(Rule().apply(x))

    @pipeline
    def measuring(x: int = 3):
        return {{"y": measure(x)}}

    print(measuring.run().id)
"""
VALUES = {"limit": 10, "width": 1, "rule": "x + self.width", "text": "x + 1", "comment": "one"}


def run_project(folder: Path, ws: Workspace, **changed: Any) -> str:
    """Run the project in a process of its own; the job's id."""
    source = textwrap.dedent(PROJECT).format(**{**VALUES, **changed})
    (folder / "measured.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", "import measured"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1]


@pytest.mark.slow
def test_changed_code_is_named_with_its_diff(ws: Workspace, tmp_path: Path) -> None:
    run_project(tmp_path, ws)
    changed = explain(ws, run_project(tmp_path, ws, text="x + 2", limit=20))["measure"]
    assert changed.changes == ()
    by_name = {part.name.rpartition(":")[2]: part for part in changed.code}
    assert set(by_name) == {"helper", "LIMIT"}
    assert "-    return min(x + 1, LIMIT)\n+    return min(x + 2, LIMIT)" in by_name["helper"].diff
    assert "-LIMIT = 10\n+LIMIT = 20" in by_name["LIMIT"].diff
    assert "helper" in changed.reason
    assert "+    return min(x + 2, LIMIT)" in changed.render()

    of_class = explain(ws, run_project(tmp_path, ws, width=2, rule="x * self.width"))
    names = {part.name.rpartition(":")[2]: part for part in of_class["measure"].code}
    assert set(names) == {"Rule", "Rule.apply", "helper", "LIMIT"}
    assert "+    width = 2" in names["Rule"].diff

    same = explain(ws, run_project(tmp_path, ws, width=2, rule="x * self.width", comment="b"))
    assert same["measure"].verdict == "reused"


@pytest.mark.slow
def test_the_sources_are_kept_once_and_without_secrets(ws: Workspace, tmp_path: Path) -> None:
    job = run_project(tmp_path, ws)
    (step,) = ws.catalog.steps(job)
    document = ws.catalog.document(step.parts["sources"])
    assert document is not None
    assert b"def helper" in document
    assert b"hidden from everybody" not in document
