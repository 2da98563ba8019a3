"""What `print(version.lineage())` shows."""

from __future__ import annotations

from typing import Any

from findspot import ExternalArtifact, Workspace, pipeline, task


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(x: int, y: int) -> int:
    return x + y


@pipeline
def sums(x: int = 1) -> Any:
    twice = double(x)
    return {"total": add(twice, double(twice))}


def test_a_line_for_each_step_oldest_first(ws: Workspace) -> None:
    ws.save_artifact(4, "start")
    job = sums.run(workspace=ws, x=ExternalArtifact(name="start"))
    lineage = job.outputs["total"].lineage("upstream")
    assert str(lineage).splitlines() == [
        "start:1 -> double (job sums) -> sums/double:1",
        "sums/double:1 -> double_2 (job sums) -> sums/double_2:1",
        "sums/double:1, sums/double_2:1 -> add (job sums) -> total:1",
    ]
    assert str(ws.lineage("start", "downstream")) == str(lineage)
    assert repr(lineage).startswith(f"<Lineage of {lineage.root}: 4 versions, 3 steps, 1 jobs")


def test_what_no_step_made_is_shown_alone(ws: Workspace) -> None:
    assert str(ws.save_artifact(1, "one").lineage()) == "one:1"
    ws.save_artifact(2, "two")
    with ws.start_job("script") as job:
        ws.load_artifact("two")
        job.log_value("three", 3)
    ws.delete_artifact("two")
    (line,) = str(ws.get_artifact("three").lineage()).splitlines()
    assert line.endswith("(deleted) -> job script -> three:1")


def test_many_inputs_and_steps_are_shortened(ws: Workspace) -> None:
    @pipeline
    def chain() -> Any:
        last = double(1)
        for _ in range(59):
            last = double(last)
        return {"last": last}

    lines = str(chain.run(workspace=ws).outputs["last"].lineage()).splitlines()
    assert lines[0] == "... and 10 more steps before"
    assert len(lines) == 51
    assert lines[-1].endswith("-> last:1")
