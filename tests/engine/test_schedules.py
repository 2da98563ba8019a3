"""Schedules: what is recorded of them, what is refused, and the jobs that are run for them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace
from findspot.core.errors import CheckFailed, NotFound
from findspot.core.ids import new_uid
from findspot.engine.scheduling.schedules import JobSchedule, add_schedule, get_schedule
from findspot.engine.scheduling.starting import start_claimed
from scheduled import FLOW, START, YAML, Clock, folder_of_flows

BEGINS_ELSEWHERE = """
import os
from datetime import UTC, datetime

from findspot import Workspace
from findspot.catalog.protocol import Batch
from findspot.core.records import JobRecord

if "BEGUN_ELSEWHERE" in os.environ:  # while this module is read, another worker is faster
    job = JobRecord(
        id=os.environ["BEGUN_ELSEWHERE"],
        project="default",
        name="elsewhere",
        status="running",
        created=datetime.now(UTC),
    )
    Workspace().catalog.write(Batch(jobs=[job]))
"""


@pytest.fixture
def flows(ws: Workspace) -> Iterator[Path]:
    """The folder that the workspace is in."""
    folder = ws.folder.parent
    with folder_of_flows(folder):
        yield folder


def mistakes(ws: Workspace, name: str = "s", target: str = "flow.py:daily", **given: Any) -> str:
    with pytest.raises(CheckFailed) as caught:
        ws.add_schedule(name, target, **{"cron": "@daily", **given})
    return str(caught.value)


def claimed(schedule: JobSchedule) -> str:
    """The id of a job that this process has taken on."""
    record = replace(schedule.record, last_job=new_uid(), last_due=START, claimed=START)
    assert schedule.space.catalog.move_schedule(record)
    assert record.last_job is not None
    return record.last_job


# --------------------------------------------------------------------------- recorded


def test_added_and_looked_up(ws: Workspace, flows: Path) -> None:
    ws.save_artifact([1], "samples")
    schedule = ws.add_schedule(
        "nightly",
        "flow.py:daily",
        cron="30 3 * * *",
        timezone="Europe/Berlin",
        params={"x": 3},
        experiment="sweep",
        executor="threads",
        labels={"team": "a"},
        catch_up="all",
        overlap="allow",
    )
    found = ws.get_schedule("nightly")
    assert found.definition == schedule.definition
    assert (found.target, found.cron, found.timezone) == (
        "flow.py:daily",
        "30 3 * * *",
        "Europe/Berlin",
    )
    assert found.definition.params == {"x": 3}
    assert (found.version, found.paused, found.last_due, found.last_job) == (1, False, None, None)
    assert [f"{time:%H:%M}" for time in found.times()] == ["03:30"] * 5
    assert found.due == found.times(1)[0]
    assert [each.name for each in ws.list_schedules()] == ["nightly"]
    assert ws.list_schedules(project="other") == []
    assert repr(found) == "<JobSchedule nightly: 30 3 * * *>"


def test_a_missing_one_is_named_with_its_like(ws: Workspace, flows: Path) -> None:
    ws.add_schedule("nightly", "flow.py:daily", cron="@daily")
    with pytest.raises(NotFound, match="Did you mean nightly"):
        ws.get_schedule("nihgtly")
    with pytest.raises(NotFound, match="schedule list"):
        ws.get_schedule("other", project="other")


def test_a_replaced_definition_is_another_version(ws: Workspace, flows: Path) -> None:
    first = ws.add_schedule("s", "flow.py:daily", cron="@daily")
    second = ws.add_schedule("s", "flow.py:daily", cron="@hourly", params={"x": 2}, replace=True)
    same = ws.add_schedule("s", "flow.py:daily", cron="@hourly", params={"x": 2}, replace=True)
    assert (first.version, second.version, same.version) == (1, 2, 2)
    assert ws.get_schedule("s").cron == "@hourly"
    kept = ws.catalog.find_snapshot("schedule", "default", "s", 1)
    assert kept is not None
    assert kept.body["cron"] == "@daily"
    ws.add_schedule("new", "flow.py:daily", cron="@daily", replace=True)
    assert len(ws.list_schedules()) == 2


def test_paused_and_unpaused(ws: Workspace, flows: Path) -> None:
    clock = Clock()
    schedule = add_schedule(ws, "s", "flow.py:daily", cron="@hourly", catch_up="all", clock=clock)
    assert schedule.due == datetime(2026, 3, 1, 13, tzinfo=UTC)
    schedule.pause().pause()
    assert schedule.paused
    assert schedule.refresh().due is None
    assert get_schedule(ws, "s").paused
    clock.move(hours=5)
    assert schedule.unpause().due == datetime(2026, 3, 1, 18, tzinfo=UTC)
    clock.move(hours=-3)
    before = schedule.refresh().record
    assert schedule.unpause().record == before


def test_unpaused_after_the_clock_was_set_back(ws: Workspace, flows: Path) -> None:
    clock = Clock()
    schedule = add_schedule(ws, "s", "flow.py:daily", cron="@hourly", clock=clock)
    done = datetime(2026, 3, 1, 20, tzinfo=UTC)
    ws.catalog.move_schedule(replace(schedule.record, last_due=done))
    after = done + timedelta(hours=1)
    assert schedule.pause().unpause().due == after
    replaced = add_schedule(
        ws, "s", "flow.py:daily", cron="0 * * * *", clock=clock, replace_it=True
    )
    assert replaced.due == after


def test_removed_and_added_again(ws: Workspace, flows: Path) -> None:
    schedule = ws.add_schedule("s", "flow.py:daily", cron="@daily")
    schedule.remove()
    for gone in (schedule.remove, schedule.pause, schedule.refresh):
        with pytest.raises(NotFound):
            gone()
    assert ws.list_schedules() == []
    assert ws.add_schedule("s", "flow.py:daily", cron="@hourly").version == 2


# --------------------------------------------------------------------------- refused


def test_every_mistake_is_listed_and_nothing_recorded(ws: Workspace, flows: Path) -> None:
    text = mistakes(
        ws,
        "a/b",
        "flow.py:daily",
        cron="0 0 30 2 *",
        timezone="Berlin",
        params={"y": 1},
        texts={"x": "many", "z": "1"},
        artifacts={"w": "nothing:latest"},
        experiment="?",
        executor="cloud",
        labels={"due": "x"},
        catch_up="some",
        overlap="maybe",
    )
    for part in (
        "schedule name",
        "day-of-month",
        "Europe/Berlin",
        "the text 'many'",
        "y: ",
        "z: ",
        "w: ",
        "experiment: ",
        "'cloud'",
        "'due'",
        "'some'",
        "'maybe'",
    ):
        assert part in text
    assert ws.list_schedules() == []
    assert ws.catalog.snapshots("schedule", "default") == []


def test_a_name_in_use(ws: Workspace, flows: Path) -> None:
    ws.add_schedule("s", "flow.py:daily", cron="@daily")
    assert "already" in mistakes(ws)
    assert ws.add_schedule("s", "flow.py:daily", cron="@daily", project="other").version == 1


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("flow.py:dayli", "Did you mean daily"),
        ("gone.py:daily", "no file"),
        ("gone.yaml", "gone.yaml"),
        ("no.such.module:daily", "no.such.module"),
        ("flow.py:Path", "neither a pipeline nor a function"),
        ("rescale", "There is no entrypoint 'rescale'"),
        ("rescale:3", "There is no entrypoint 'rescale:3'"),
        ("broken.py:daily", "ZeroDivisionError"),
        ("", "target"),
    ],
)
def test_targets_that_cannot_be_run(ws: Workspace, flows: Path, target: str, part: str) -> None:
    (flows / "broken.py").write_text("1 / 0\n")
    assert part in mistakes(ws, target=target)


def test_mistakes_in_a_document_and_in_a_function(ws: Workspace, flows: Path) -> None:
    (flows / "wrong.yaml").write_text("graph:\n  a: {task: nothing}\n  b: {task: nothing}\n")
    assert "mistakes" in mistakes(ws, target="wrong.yaml")
    text = mistakes(ws, target="flow.py:plain", texts={"n": "x", "m": "1"}, executor="threads")
    assert "the text 'x'" in text
    assert "m: " in text
    assert "executor: " in text
    assert "plain JSON" in mistakes(ws, params={"x": object()})


# --------------------------------------------------------------------------- places


def test_places_below_the_workspace_are_relative_to_it(ws: Workspace, flows: Path) -> None:
    inner = flows / "inner"
    inner.mkdir()
    shutil.copy(flows / "flow.py", inner / "deep.py")
    os.chdir(inner)
    schedule = ws.add_schedule("s", "deep.py:daily", cron="@daily")
    assert (schedule.target, schedule.definition.folder) == ("inner/deep.py:daily", "inner")
    whole = ws.add_schedule("whole", str(inner / "deep.py") + ":daily", cron="@daily")
    assert whole.target == "inner/deep.py:daily"


def test_places_elsewhere_are_absolute(
    ws: Workspace, flows: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with folder_of_flows(tmp_path_factory.mktemp("elsewhere")) as other:
        shutil.move(other / "flow.py", other / "far.py")
        schedule = ws.add_schedule("s", "far.py:daily", cron="@daily")
        assert schedule.target == f"{other.resolve()}/far.py:daily"
        assert schedule.definition.folder == str(other.resolve())


# --------------------------------------------------------------------------- jobs


def test_run_by_hand(ws: Workspace, flows: Path) -> None:
    schedule = ws.add_schedule(
        "s", "flow.py:daily", cron="@daily", params={"x": 4}, labels={"a": "b"}, experiment="e"
    )
    due = schedule.due
    job = schedule.run()
    assert (job.status, job.experiment, job.params) == ("finished", "e", {"x": 4})
    assert job.labels == {"schedule": "s", "a": "b"}
    assert schedule.refresh().due == due
    assert schedule.last_job is not None
    assert schedule.last_job.id == job.id
    assert [found.id for found in ws.list_jobs(labels={"schedule": "s"})] == [job.id]
    assert ws.list_jobs(labels={"schedule": "t"}) == []


def test_run_from_another_folder(
    ws: Workspace, flows: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schedule = ws.add_schedule("s", "flow.py:daily", cron="@daily", params={"x": 4})
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert schedule.run().status == "finished"
    assert (flows / "notes.txt").read_text() == "4\n"
    assert Path.cwd() != flows


def test_functions_documents_and_modules(ws: Workspace, flows: Path) -> None:
    (flows / "middle.yaml").write_text(YAML)
    (flows / "scheduled_module.py").write_text((flows / "flow.py").read_text())
    plain = ws.add_schedule("plain", "flow.py:plain", cron="@daily", texts={"n": "3"})
    yaml = ws.add_schedule("yaml", "middle.yaml", cron="@daily", texts={"rows": "[1, 3, 2]"})
    module = ws.add_schedule("module", "scheduled_module:daily", cron="@daily")
    kinds = [each.definition.kind for each in (plain, yaml, module)]
    assert kinds == ["file", "file", "module"]
    assert plain.run().metrics == {"output": 3.0}
    assert yaml.run().outputs["middle"].load() == 2
    assert module.run().status == "finished"


def test_a_recorded_entrypoint_by_version_or_the_newest(ws: Workspace, flows: Path) -> None:
    file = flows / "middle.yaml"
    file.write_text(YAML)
    ws.run(file)
    file.write_text(YAML.replace("statistics:mean", "statistics:median"))
    ws.run(file)
    file.unlink()
    first = ws.add_schedule("first", "middle:1", cron="@daily")
    newest = ws.add_schedule("newest", "middle", cron="@daily", params={"rows": [1, 5, 7]})
    assert first.run().outputs["middle"].load() == 3
    assert newest.run().outputs["middle"].load() == 5
    assert "no entrypoint 'middle:9'" in mistakes(ws, target="middle:9")
    assert "y: " in mistakes(ws, target="middle", params={"y": 1.0})


def test_a_recorded_pipeline_runs_as_it_is_now(ws: Workspace, flows: Path) -> None:
    ws.run("flow.py:daily")
    job = ws.add_schedule("s", "daily", cron="@daily", params={"x": 2}).run()
    assert (job.status, job.params) == ("finished", {"x": 2})
    assert "no versions" in mistakes(ws, target="daily:1")


def test_references_are_looked_up_by_each_job(ws: Workspace, flows: Path) -> None:
    ws.save_artifact(1, "number")
    schedule = ws.add_schedule("s", "flow.py:daily", cron="@daily", artifacts={"x": "number"})
    versions = [schedule.run().artifacts["x"].version]
    ws.save_artifact(2, "number")
    versions.append(schedule.run().artifacts["x"].version)
    assert versions == [1, 2]


# --------------------------------------------------------------------------- claimed jobs


def test_a_claimed_job_begins_once(ws: Workspace, flows: Path) -> None:
    schedule = ws.add_schedule("s", "flow.py:daily", cron="@daily")
    id = claimed(schedule)
    job = start_claimed(ws, "default", "s", id)
    assert job is not None
    assert (job.id, job.status) == (id, "finished")
    assert job.labels == {"schedule": "s", "due": START.isoformat()}
    assert start_claimed(ws, "default", "s", id) is None
    assert len(ws.list_jobs()) == 1


def test_two_that_begin_the_same_job_make_one(ws: Workspace, flows: Path) -> None:
    (flows / "slow.py").write_text(BEGINS_ELSEWHERE + FLOW)
    schedule = ws.add_schedule("s", "slow.py:daily", cron="@daily")
    id = claimed(schedule)
    del sys.modules["slow"]
    os.environ["BEGUN_ELSEWHERE"] = id
    assert start_claimed(ws, "default", "s", id) is None
    assert [(job.id, job.name) for job in ws.list_jobs()] == [(id, "elsewhere")]
    assert not (flows / "notes.txt").exists()


def test_what_was_removed_or_claimed_anew_does_not_begin(ws: Workspace, flows: Path) -> None:
    schedule = ws.add_schedule("s", "flow.py:daily", cron="@daily")
    old = claimed(schedule)
    new = claimed(schedule.refresh())
    assert start_claimed(ws, "default", "s", old) is None
    schedule.remove()
    assert start_claimed(ws, "default", "s", new) is None
    assert ws.list_jobs() == []


def test_a_job_that_cannot_begin_is_recorded_as_failed(ws: Workspace, flows: Path) -> None:
    schedule = ws.add_schedule("s", "flow.py:daily", cron="@daily")
    (flows / "flow.py").unlink()
    id = claimed(schedule)
    job = start_claimed(ws, "default", "s", id)
    assert job is not None
    assert (job.id, job.status) == (id, "failed")
    assert job.failure is not None
    assert "flow.py" in job.failure.message
    assert job.labels["due"] == START.isoformat()
    assert ws.get_job(id).status == "failed"


def test_a_folder_that_is_gone(ws: Workspace, flows: Path) -> None:
    inner = flows / "inner"
    inner.mkdir()
    os.chdir(inner)
    schedule = ws.add_schedule("s", "../flow.py:daily", cron="@daily")
    os.chdir(flows)
    inner.rmdir()
    job = start_claimed(ws, "default", "s", claimed(schedule))
    assert job is not None
    assert job.failure is not None
    assert "no folder" in job.failure.message
