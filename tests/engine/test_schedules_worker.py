"""Workers: each due time is started once, whoever is killed and whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace
from findspot.catalog.protocol import Batch
from findspot.core.ids import new_uid
from findspot.core.records import JobRecord
from findspot.engine.process import this_process
from findspot.engine.scheduling.claims import PATIENCE
from findspot.engine.scheduling.schedules import JobSchedule, add_schedule
from findspot.engine.scheduling.worker import ScheduleWorker
from scheduled import START, Clock, folder_of_flows, until


@pytest.fixture
def flows(ws: Workspace) -> Iterator[Path]:
    folder = ws.folder.parent
    with folder_of_flows(folder):
        yield folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Served:
    """A worker that is driven step by step, and what it says."""

    def __init__(self, ws: Workspace, clock: Clock, **options: Any) -> None:
        self.lines: list[str] = []
        self.worker = ScheduleWorker(ws, clock=clock, report=self.lines.append, **options)

    def look(self) -> datetime | None:
        return self.worker.look()

    def finish(self) -> None:
        """Until no process of it runs."""

        def ended() -> bool:
            self.worker.reap()
            return not self.worker.jobs

        until(ended)


def scheduled(ws: Workspace, clock: Clock, target: str = "daily", **options: Any) -> JobSchedule:
    return add_schedule(
        ws, "s", f"flow.py:{target}", **{"cron": "* * * * *", "clock": clock, **options}
    )


def dues(ws: Workspace) -> list[str]:
    """The minutes that jobs were started for, oldest first."""
    found = ws.list_jobs(labels={"schedule": "s"})
    return [datetime.fromisoformat(job.labels["due"]).strftime("%H:%M") for job in found][::-1]


def dead_process() -> dict[str, Any]:
    """The description of a process that has ended."""
    code = (
        "import json; from findspot.engine.process import this_process;"
        "print(json.dumps(this_process()))"
    )
    import json

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --------------------------------------------------------------------------- due times


def test_a_due_time_is_started_once(ws: Workspace, flows: Path, clock: Clock) -> None:
    scheduled(ws, clock, params={"x": 7}, labels={"team": "a"})
    served = Served(ws, clock)
    assert served.look() == datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
    assert served.worker.jobs == []
    clock.move(seconds=30)
    assert served.look() == datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
    served.look()
    served.finish()
    served.look()
    (job,) = ws.list_jobs()
    assert (job.status, job.params) == ("finished", {"x": 7})
    assert job.labels == {"schedule": "s", "due": "2026-03-01T12:01:00+00:00", "team": "a"}
    assert (flows / "notes.txt").read_text() == "7\n"
    assert "is started, due" in served.lines[0]
    assert f"{job.id} finished after" in served.lines[1]


@pytest.mark.slow
def test_a_changed_file_is_run_as_it_is_then(ws: Workspace, flows: Path, clock: Clock) -> None:
    scheduled(ws, clock)
    file = flows / "flow.py"
    file.write_text(file.read_text().replace('f"{x}', 'f"new {x}'))
    clock.move(minutes=1)
    served = Served(ws, clock)
    served.look()
    served.finish()
    assert (flows / "notes.txt").read_text() == "new 1\n"


@pytest.mark.slow
def test_missed_times_are_made_up_for_as_wanted(ws: Workspace, flows: Path, clock: Clock) -> None:
    schedule = scheduled(ws, clock, catch_up="all")
    clock.move(minutes=3)
    Workspace(ws.url).run_schedules(once=True, clock=clock)
    assert dues(ws) == ["12:01", "12:02", "12:03"]
    schedule.remove()


@pytest.mark.slow
def test_by_default_one_job_makes_up_for_all(ws: Workspace, flows: Path, clock: Clock) -> None:
    scheduled(ws, clock)
    clock.move(hours=1)
    ws.run_schedules(once=True, clock=clock)
    assert dues(ws) == ["13:00"]
    clock.move(minutes=-50)  # somebody set the clock back
    ws.run_schedules(once=True, clock=clock)
    clock.move(minutes=49)
    ws.run_schedules(once=True, clock=clock)
    assert dues(ws) == ["13:00"]
    clock.move(minutes=1)
    ws.run_schedules(once=True, clock=clock)
    assert dues(ws) == ["13:00"]
    clock.move(minutes=1)
    ws.run_schedules(once=True, clock=clock)
    assert dues(ws) == ["13:00", "13:01"]


@pytest.mark.slow
def test_while_a_job_runs(ws: Workspace, flows: Path, clock: Clock) -> None:
    schedule = scheduled(ws, clock, "waiting")
    served = Served(ws, clock, at_once=4)
    clock.move(minutes=1)
    served.look()
    until((flows / "begun").exists)
    clock.move(minutes=1)
    assert served.look() == datetime(2026, 3, 1, 12, 3, tzinfo=UTC)
    assert "passed over" in served.lines[-1]
    scheduled(ws, clock, "waiting", overlap="allow", replace_it=True)
    clock.move(minutes=1)
    served.look()
    until(lambda: len(ws.list_jobs(status="running")) == 2)
    (flows / "flag").touch()
    served.finish()
    assert dues(ws) == ["12:01", "12:03"]
    assert {job.status for job in ws.list_jobs()} == {"finished"}
    schedule.remove()


def test_a_job_that_was_started_by_hand_runs_too(ws: Workspace, flows: Path, clock: Clock) -> None:
    schedule = scheduled(ws, clock)
    now = datetime.now(UTC)
    by_hand = JobRecord(
        id=new_uid(),
        project="default",
        name="daily",
        status="running",
        process=this_process(),
        labels={"schedule": "s"},
        created=now,
        started=now,
    )
    ws.catalog.write(Batch(jobs=[by_hand]))
    clock.move(minutes=1)
    served = Served(ws, clock)
    served.look()
    assert served.worker.jobs == []
    assert schedule.refresh().due == datetime(2026, 3, 1, 12, 2, tzinfo=UTC)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "minutes", "passed_over"),
    [
        ({"host": "far", "pid": 7}, 1, True),
        ({"host": "far", "pid": 7}, 60, False),
        (None, 1, False),
    ],
)
def test_a_job_of_a_dead_process_holds_nothing_up(
    ws: Workspace,
    flows: Path,
    clock: Clock,
    process: dict[str, Any] | None,
    minutes: int,
    passed_over: bool,
) -> None:
    scheduled(ws, clock)
    began = datetime.now(UTC) - timedelta(minutes=minutes)
    job = JobRecord(
        id=new_uid(),
        project="default",
        name="daily",
        status="running",
        process=dead_process() if process is None else process,
        labels={"schedule": "s", "due": START.isoformat()},
        created=began,
        started=began,
    )
    ws.catalog.write(Batch(jobs=[job]))
    clock.move(minutes=1)
    served = Served(ws, clock)
    served.look()
    assert bool(served.worker.jobs) is not passed_over
    served.finish()


@pytest.mark.slow
def test_paused_ones_and_other_projects_are_left_alone(
    ws: Workspace, flows: Path, clock: Clock
) -> None:
    scheduled(ws, clock).pause()
    clock.move(minutes=5)
    assert Served(ws, clock).look() is None
    add_schedule(ws, "t", "flow.py:daily", cron="* * * * *", clock=clock, project="other")
    clock.move(minutes=1)
    assert Served(ws, clock, project="default").look() is None
    ws.run_schedules(once=True, clock=clock)
    assert [job.labels["schedule"] for job in ws.list_jobs(project="other")] == ["t"]
    assert ws.list_jobs() == []


@pytest.mark.slow
def test_no_more_jobs_at_once_than_wanted(ws: Workspace, flows: Path, clock: Clock) -> None:
    for name in ("a", "b", "c"):
        add_schedule(ws, name, "flow.py:daily", cron="* * * * *", clock=clock)
    clock.move(minutes=1)
    served = Served(ws, clock, at_once=2)
    served.look()
    assert len(served.worker.jobs) == 2
    served.finish()
    served.look()
    served.finish()
    assert sorted(job.labels["schedule"] for job in ws.list_jobs()) == ["a", "b", "c"]


# --------------------------------------------------------------------------- failures


@pytest.mark.slow
def test_jobs_that_fail_or_cannot_begin_are_told_of(
    ws: Workspace, flows: Path, clock: Clock
) -> None:
    scheduled(ws, clock)
    (flows / "flow.py").write_text("raise SystemExit(3)\n")
    clock.move(minutes=1)
    served = Served(ws, clock)
    served.look()
    served.finish()
    assert "failed" in served.lines[-1]
    assert "exit code 3" in served.lines[-1]
    (flows / "flow.py").write_text("1 / 0\n")
    clock.move(minutes=1)
    served.look()
    served.finish()
    assert "ZeroDivisionError" in served.lines[-1]
    jobs = ws.list_jobs(labels={"schedule": "s"})
    assert [job.status for job in jobs] == ["failed", "failed"]
    assert dues(ws) == ["12:01", "12:02"]


@pytest.mark.slow
def test_a_job_that_is_killed_is_interrupted(ws: Workspace, flows: Path, clock: Clock) -> None:
    scheduled(ws, clock, "dying")
    clock.move(minutes=1)
    served = Served(ws, clock)
    served.look()
    served.finish()
    assert "interrupted" in served.lines[-1]
    served.look()
    assert [job.status for job in ws.list_jobs()] == ["interrupted"]


@pytest.mark.slow
def test_a_catalog_out_of_reach_is_told_of_once_and_tried_again(
    ws: Workspace, flows: Path, clock: Clock
) -> None:
    scheduled(ws, clock)
    clock.move(minutes=1)
    served = Served(ws, clock)
    ws.close()
    file = ws.folder / "catalog.db"
    hidden = file.rename(ws.folder / "hidden.db")
    file.write_bytes(b"no catalog at all" * 1000)
    other = Served(Workspace(ws.folder), clock)
    assert other.look() is None
    assert other.look() is None
    assert len(other.lines) == 1
    assert other.lines[0].endswith("Trying again.")
    hidden.replace(file)
    again = Served(Workspace(ws.folder), clock)
    again.look()
    again.finish()
    assert dues(Workspace(ws.folder)) == ["12:01"]
    assert served.lines == []


# --------------------------------------------------------------------------- several workers


def lost(schedule: JobSchedule, worker: dict[str, Any], at: datetime) -> str:
    """A due time that a worker took on and did not start."""
    record = replace(
        schedule.record,
        due=at + timedelta(days=1),
        last_due=at,
        last_job=new_uid(),
        worker=worker,
        claimed=at,
    )
    assert schedule.space.catalog.move_schedule(record)
    assert record.last_job is not None
    return record.last_job


@pytest.mark.slow
def test_what_a_killed_worker_had_taken_on_is_started(
    ws: Workspace, flows: Path, clock: Clock
) -> None:
    id = lost(scheduled(ws, clock), dead_process(), clock())
    served = Served(ws, clock)
    served.look()
    served.finish()
    served.look()
    assert [(job.id, job.status) for job in ws.list_jobs()] == [(id, "finished")]
    assert ws.list_jobs()[0].labels["due"] == START.isoformat()


@pytest.mark.slow
def test_what_another_worker_is_about_to_start_is_left_to_it_for_a_while(
    ws: Workspace, flows: Path, clock: Clock
) -> None:
    id = lost(scheduled(ws, clock), {"host": "far", "pid": 7}, clock())
    served = Served(ws, clock)
    served.look()
    clock.now += PATIENCE - timedelta(seconds=1)
    served.look()
    assert served.worker.jobs == []
    clock.move(seconds=2)
    served.look()
    assert served.worker.jobs == [id]
    served.finish()


@pytest.mark.slow
def test_two_workers_start_each_time_once(ws: Workspace, flows: Path, clock: Clock) -> None:
    scheduled(ws, clock, catch_up="all")
    clock.move(minutes=4)

    def work() -> None:
        Workspace(ws.url).run_schedules(once=True, clock=clock)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert dues(ws) == ["12:01", "12:02", "12:03", "12:04"]
    assert (flows / "notes.txt").read_text() == "1\n" * 4


WORKER = """
import sys
from datetime import UTC, datetime
from findspot import Workspace
moment = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
Workspace(sys.argv[1]).run_schedules(clock=lambda: moment, report=print)
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3, 0.6])
def test_a_worker_that_is_killed_loses_nothing(
    ws: Workspace, flows: Path, clock: Clock, delay: float
) -> None:
    scheduled(ws, clock)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", WORKER, ws.url], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "is started" in process.stdout.readline()
    time.sleep(delay)
    process.kill()
    process.wait()
    process.stdout.close()
    clock.move(seconds=30)
    ws.run_schedules(once=True, clock=clock)
    until(lambda: [job.status for job in ws.list_jobs()] == ["finished"])
    assert dues(ws) == ["12:01"]
    assert (flows / "notes.txt").read_text() == "1\n"


@pytest.mark.slow
def test_told_to_end_it_lets_jobs_finish_and_told_twice_it_interrupts_them(
    ws: Workspace, flows: Path, clock: Clock
) -> None:
    scheduled(ws, clock, "waiting")

    def begun() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", WORKER, ws.url], stdout=subprocess.PIPE, text=True
        )
        until((flows / "begun").exists)
        return process

    def ended(process: subprocess.Popen[str]) -> int:
        process.communicate(timeout=120)
        return process.returncode

    def told(process: subprocess.Popen[str], number: signal.Signals) -> None:
        """Tell it to end, and wait until it has heard it."""
        process.send_signal(number)
        assert process.stdout is not None
        while "waiting for 1 job(s)" not in (line := process.stdout.readline()):
            assert line

    process = begun()
    told(process, signal.SIGTERM)
    assert process.poll() is None
    (flows / "flag").touch()
    assert ended(process) == 0
    assert [job.status for job in ws.list_jobs()] == ["finished"]
    for name in ("flag", "begun"):
        os.unlink(flows / name)
    clock.now = START - timedelta(days=1)
    scheduled(ws, clock, "waiting", replace_it=True)
    record = ws.get_schedule("s").record
    ws.catalog.move_schedule(replace(record, due=START))
    process = begun()
    told(process, signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert ended(process) == 0
    assert [job.status for job in ws.list_jobs()] == ["interrupted", "finished"]
