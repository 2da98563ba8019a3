"""A worker in the foreground: it waits for due times and has their jobs started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from findspot.core.errors import FindspotError
from findspot.core.ids import new_uid
from findspot.core.records import Failure, ScheduleRecord, now
from findspot.engine.executors.choosing import cores
from findspot.engine.jobs import settle
from findspot.engine.process import this_process
from findspot.engine.scheduling.claims import LastJob, claim, last_job, running_jobs
from findspot.engine.scheduling.definitions import ScheduleDefinition
from findspot.engine.scheduling.starting import record_failure

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

LOOK_EVERY = 2.0
"""Seconds after which added, changed and removed schedules are noticed at the latest."""
_GLANCE = 0.1
"""Seconds between looks at processes that run."""
_WAITING = timedelta(seconds=0.5)
"""After so long a due time that has to wait is looked at again."""
_GRACE = 10.0
"""Seconds in which an interrupted job is to end."""


@dataclass(slots=True)
class _Running:
    """The process of a job."""

    schedule: ScheduleRecord
    process: subprocess.Popen[bytes]
    interrupted: float | None = None
    began: float = field(default_factory=time.monotonic)


class ScheduleWorker:
    """Starts the jobs of schedules when they are due, each in a process of its own.

    Any number of workers may look after the same schedules, on any number of machines: each due
    time is started by one of them, once, and what one that is killed had taken on is started by
    another (or by the next).

    Args:
        project: whose schedules; None: those of all projects.
        clock: gives the time, aware.
        report: told of each thing that happens, in a line.
        at_once: how many jobs at most; 0: one for each core.
    """

    def __init__(
        self,
        space: ArtifactSpace,
        *,
        project: str | None = None,
        clock: Callable[[], datetime] = now,
        report: Callable[[str], None] = lambda line: None,
        at_once: int = 0,
    ) -> None:
        self._space = space
        self._project = project
        self._clock = clock
        self._report = report
        self._at_once = at_once or cores()
        # Two workers in one process are two.
        self._me: dict[str, Any] = {**this_process(), "worker": new_uid()}
        self._running: dict[str, _Running] = {}
        # Set by a signal handler, so they are no locks.
        self._stopped = self._interrupted = False
        self._trouble = ""

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs whose processes run."""
        return list(self._running)

    def stop(self) -> None:
        """Start no more; those that run are finished. The second time they are interrupted. May be
        called from a signal handler and from any thread."""
        self._interrupted = self._stopped
        self._stopped = True

    def run(self, *, once: bool = False, until: datetime | None = None) -> None:
        """Look after the schedules until told to stop, and then until the last job has ended.

        What goes wrong is reported and tried again: a job that fails, a catalog out of reach.

        Args:
            once: start all that is due now, and end when it has ended.
            until: start nothing from then on.
        """
        limit = self._clock() if once else None
        due: datetime | None = None
        looked = -LOOK_EVERY
        while not self._stopped:
            moment = self._clock()
            if until is not None and moment >= until:
                break
            ended = self.reap()
            waited = time.monotonic() - looked
            if ended or waited >= LOOK_EVERY or (due is not None and due <= moment):
                due = self.look(limit)
                looked = time.monotonic()
                if once and due is None and not self._running and not self._trouble:
                    return
                if due is not None and due <= moment:
                    due = moment + _WAITING  # it waits for a job to end, or for another worker
            self._wait(due, until)
        self._finish()

    def look(self, limit: datetime | None = None) -> datetime | None:
        """Start what is due; the next due time of all, as far as it is known.

        Args:
            limit: nothing that is due later is started, or told of.
        """
        try:
            due = [self._look_at(record, limit) for record in self._schedules()]
        except (FindspotError, OSError) as error:
            self._complain(error)
            return None
        self._trouble = ""
        known = [time for time in due if time is not None and (limit is None or time <= limit)]
        return min(known, default=None)

    def reap(self) -> bool:
        """Note which processes have ended; whether there were any."""
        done = [id for id, job in self._running.items() if job.process.poll() is not None]
        for id in done:
            try:
                self._account(id, self._running[id])
            except FindspotError as error:
                self._complain(error)  # it is looked at again with the next glance
                return False
            del self._running[id]
        return bool(done)

    # ------------------------------------------------------------------ one schedule

    def _schedules(self) -> list[ScheduleRecord]:
        return self._space.existing_catalog.schedules(self._project)

    def _look_at(self, record: ScheduleRecord, limit: datetime | None) -> datetime | None:
        """Do what is to be done for one schedule; its next due time."""
        moment = self._clock() if limit is None else limit
        if record.paused:
            return None
        idle = record.due is None or record.due > moment
        last = self._last(record)
        if idle and last != "lost":
            return record.due
        if len(self._running) >= self._at_once:
            return record.due
        snapshot = self._space.catalog.snapshot(record.definition)
        if snapshot is None:
            return None  # another format's, or damaged: it cannot be known when it is due
        definition = ScheduleDefinition.of(snapshot)
        running = bool(running_jobs(self._space, record.project, record.name))
        try:
            changed = claim(record, definition, moment, last=last, running=running, worker=self._me)
        except FindspotError as error:
            self._complain(error)
            return None
        if changed is None or not self._space.catalog.move_schedule(changed):
            return record.due  # nothing to do, or somebody else did it
        if last == "lost" or changed.last_job != record.last_job:
            self._start(changed)
        else:
            self._say(record, f"{_time(record.due)} is passed over, its last job still runs")
        return changed.due

    def _last(self, record: ScheduleRecord) -> LastJob:
        last = last_job(self._space, record, self._clock())
        if record.last_job in self._running:
            return "starting" if last == "lost" else last
        if last == "starting" and record.worker.get("worker") == self._me["worker"]:
            return "lost"  # the catalog took the claim, but the answer did not arrive
        return last

    def _start(self, record: ScheduleRecord) -> None:
        assert record.last_job is not None
        asked = {
            "workspace": self._space.url,
            "settings": dict(self._space.overrides),
            "project": record.project,
            "name": record.name,
            "job": record.last_job,
        }
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "findspot.engine.scheduling.starting"],
                stdin=subprocess.PIPE,
                stdout=2,  # what tasks print is no result of the worker
                start_new_session=True,  # Ctrl-C in the worker's terminal is for the worker
            )
        except OSError as error:
            self._say(record, f"no process can be started ({error})")
            record_failure(self._space, record, Failure(type(error).__name__, str(error)))
            return
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(json.dumps(asked).encode())
        self._running[record.last_job] = _Running(record, process)
        self._say(record, f"job {record.last_job} is started, due {_time(record.last_due)}")

    def _account(self, id: str, running: _Running) -> None:
        """Say what became of a job, and see to it that it is recorded."""
        record = running.schedule
        job = self._space.catalog.job(id)
        if job is not None:
            job = settle(self._space, job)
        elif running.interrupted is None and self._is_claimed(record):
            code = running.process.returncode
            text = f"The process that was to run the job ended before it began (exit code {code})."
            made = record_failure(self._space, record, Failure("ProcessDied", text))
            job = None if made is None else made.record
        if job is None:
            self._say(record, f"job {id} did not begin")
            return
        took = time.monotonic() - running.began
        reason = "" if job.failure is None else f": {job.failure.message.splitlines()[0]}"
        self._say(record, f"job {id} {job.status} after {took:.1f} s{reason}")

    def _is_claimed(self, record: ScheduleRecord) -> bool:
        found = self._space.catalog.schedule(record.project, record.name)
        return found is not None and found.last_job == record.last_job

    # ------------------------------------------------------------------ the end

    def _finish(self) -> None:
        """Wait for the jobs that run; interrupt them if that is asked for."""
        if self._running:
            self._note(f"waiting for {len(self._running)} job(s); once more interrupts them")
        while self._running:
            if self._interrupted:
                self._interrupt_jobs()
            self.reap()
            time.sleep(_GLANCE)

    def _interrupt_jobs(self) -> None:
        for job in self._running.values():
            if job.interrupted is None:
                job.interrupted = time.monotonic()
                _signal(job.process, signal.SIGINT)
            elif time.monotonic() - job.interrupted > _GRACE:
                _signal(job.process, signal.SIGKILL)

    def _wait(self, due: datetime | None, until: datetime | None) -> None:
        """Wait until the next look, or a glance at the processes, or the order to stop."""
        end = time.monotonic() + (_GLANCE if self._running else LOOK_EVERY)
        while not self._stopped and time.monotonic() < end:
            moment = self._clock()
            left = [(time_ - moment) / timedelta(seconds=1) for time_ in (due, until) if time_]
            if min(left, default=1.0) <= 0:
                return
            time.sleep(min(_GLANCE, *left) if left else _GLANCE)

    def _complain(self, error: Exception) -> None:
        """Report what keeps the worker from its work, once."""
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        if text != self._trouble:
            self._note(f"{text} Trying again.")
            self._trouble = text

    def _say(self, record: ScheduleRecord, text: str) -> None:
        place = "" if self._project is not None else f"{record.project}/"
        self._note(f"{place}{record.name}: {text}")

    def _note(self, text: str) -> None:
        self._report(f"{self._clock().astimezone():%Y-%m-%d %H:%M:%S} {text}")


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """To the process and all that it started."""
    try:
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.terminate()
    except ProcessLookupError:
        return


def _time(moment: datetime | None) -> str:
    return "now" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def run_schedules(
    space: ArtifactSpace,
    *,
    once: bool = False,
    until: datetime | None = None,
    project: str | None = None,
    clock: Callable[[], datetime] = now,
    report: Callable[[str], None] = lambda line: None,
    at_once: int = 0,
) -> None:
    """Look after schedules in this process until it is told to end; see `ScheduleWorker`.

    Ctrl-C (or SIGTERM) ends it when the jobs that run have ended; the second one interrupts them.

    Args:
        once: start all that is due now, and return when it has ended.
        until: start nothing from then on (naive times are local).

    """
    worker = ScheduleWorker(space, project=project, clock=clock, report=report, at_once=at_once)
    with _signals(worker.stop):
        worker.run(once=once, until=None if until is None else until.astimezone())


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """What ends a process calls ``stop`` instead, where signals can be had: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
