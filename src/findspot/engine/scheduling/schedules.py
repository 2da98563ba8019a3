"""Schedules as people hold them: added, listed, paused, removed, run by hand."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.catalog.protocol import Batch
from findspot.core.errors import NotFound
from findspot.core.ids import new_uid
from findspot.core.names import check_name
from findspot.core.records import (
    JobQuery,
    ScheduleRecord,
    Snapshot,
    StepRecord,
    document_digest,
    now,
)
from findspot.engine.jobs import Job, settle
from findspot.engine.scheduling.definitions import (
    CatchUp,
    Overlap,
    ScheduleDefinition,
)
from findspot.engine.scheduling.errors import ScheduleChanged
from findspot.engine.targets.stored import target_kind

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

Clock = Callable[[], datetime]
_ATTEMPTS = 20


class JobSchedule:
    """A schedule as it was when it was looked up; `refresh` looks again."""

    def __init__(
        self, space: ArtifactSpace, record: ScheduleRecord, snapshot: Snapshot, clock: Clock = now
    ) -> None:
        self.space = space
        self.record = record
        self.snapshot = snapshot
        self.definition = ScheduleDefinition.of(snapshot)
        self._clock = clock

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def project(self) -> str:
        return self.record.project

    @property
    def version(self) -> int:
        """The number of its definition: 1, and one more with each that replaced another."""
        return self.snapshot.number

    @property
    def target(self) -> str:
        """What it runs; a file's path is relative to the workspace's folder where it is below."""
        return self.definition.target

    @property
    def cron(self) -> str:
        return self.definition.cron

    @property
    def timezone(self) -> str:
        return self.definition.timezone

    @property
    def paused(self) -> bool:
        return self.record.paused

    @property
    def due(self) -> datetime | None:
        """When it starts its next job; None while it is paused."""
        return None if self.record.paused else self.record.due

    @property
    def last_due(self) -> datetime | None:
        """The due time that its last job was started for."""
        return self.record.last_due

    @property
    def last_job(self) -> Job | None:
        """Its newest job, by the clock or by hand."""
        query = JobQuery(project=self.project, labels={"schedule": self.name}, limit=1)
        found = self.space.catalog.search_jobs(query).items
        return Job(self.space, settle(self.space, found[0])) if found else None

    def times(self, count: int = 5) -> list[datetime]:
        """The next times at which it is due, as clocks of its time zone show them; those that are
        due already are not among them."""
        return self.definition.timetable().times(self._clock(), count)

    def pause(self) -> JobSchedule:
        """Start no more jobs, until `unpause`; one that runs goes on. The same object."""
        return self._move(lambda record: replace(record, paused=True))

    def unpause(self) -> JobSchedule:
        """Go on with the next time from now; what was due in between is not made up for. The same
        object."""

        def resumed(record: ScheduleRecord) -> ScheduleRecord:
            if not record.paused:
                return record
            moment = self._clock()
            start = moment if record.last_due is None else max(moment, record.last_due)
            return replace(record, paused=False, due=self.definition.timetable().following(start))

        return self._move(resumed)

    def remove(self) -> None:
        """Forget it; its definitions and its jobs stay. `NotFound` where that happened before."""
        if not self.space.catalog.remove_schedule(self.project, self.name):
            raise NotFound("schedule", self.name)

    def run(self, *, on_step: Callable[[StepRecord], None] | None = None) -> Job:
        """Run a job of it here and now, whatever the clock says; its due times stay as they are."""
        from findspot.engine.scheduling.starting import run_definition

        return run_definition(
            self.space,
            self.definition,
            project=self.project,
            name=self.name,
            due=None,
            on_step=on_step,
        )

    def refresh(self) -> JobSchedule:
        """Look again; the same object."""
        found = get_schedule(self.space, self.name, project=self.project, clock=self._clock)
        self.record, self.snapshot, self.definition = found.record, found.snapshot, found.definition
        return self

    def _move(self, change: Callable[[ScheduleRecord], ScheduleRecord]) -> JobSchedule:
        for _ in range(_ATTEMPTS):
            changed = change(self.refresh().record)
            if changed == self.record or self.space.catalog.move_schedule(changed):
                return self.refresh()
        raise ScheduleChanged(self.name)

    def __repr__(self) -> str:
        return f"<JobSchedule {self.name}: {self.cron}{' (paused)' if self.paused else ''}>"


def add_schedule(
    space: ArtifactSpace,
    name: str,
    target: str | Path,
    *,
    cron: str,
    timezone: str = "UTC",
    params: Mapping[str, Any] | None = None,
    artifacts: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
    experiment: str | None = None,
    executor: str | None = None,
    labels: Mapping[str, Any] | None = None,
    catch_up: CatchUp = "skip",
    overlap: Overlap = "skip",
    project: str | None = None,
    replace_it: bool = False,
    clock: Clock = now,
) -> JobSchedule:
    """Have jobs started by the clock, as long as a worker looks after it (`run_schedules`).

    The target is loaded and checked now, with all values; but each job runs the code as it is when
    the job starts, and looks references up then.

    Args:
        name: new in its project, unless ``replace_it``.
        target: ``file.py:name``, a YAML file, ``module:name``; or a recorded entrypoint's name
            (``name:3`` for its third version).
        cron, timezone: when; see `findspot.engine.scheduling.times.Timetable`.
        params: plain values of parameters. texts: parameters as text, read by their types.
        artifacts: references for artifact inputs (for a function, also URLs).
        experiment, executor, labels: of the jobs, which get the labels ``schedule`` and ``due`` as
            well.
        catch_up, overlap: see `ScheduleDefinition`.
        replace_it: give a schedule that is there another definition; its history stays.

    Raises:
        CheckFailed: lists every mistake; nothing is recorded.
    """
    from findspot.engine.scheduling.checking import checked

    where = space.project if project is None else check_name(project, "project name")
    text = str(target)
    written = ScheduleDefinition(
        target=text,
        kind=target_kind(text),
        params=dict(params or {}),
        artifacts={key: str(value) for key, value in (artifacts or {}).items()},
        experiment=experiment,
        executor=executor,
        labels={key: str(value) for key, value in (labels or {}).items()},
        cron=cron,
        timezone=timezone,
        catch_up=catch_up,
        overlap=overlap,
    )
    found = checked(space, name, written, texts or {}, project=where, replaces=replace_it)
    moment = clock()
    snapshot = _recorded(space, found, check_name(name, "schedule name"), where)
    record = ScheduleRecord(
        project=where,
        name=snapshot.name,
        definition=snapshot.id,
        due=found.timetable().following(moment),
        owner=space.owner,
        created=moment,
    )
    if replace_it and space.catalog.schedule(where, name) is not None:
        schedule = get_schedule(space, snapshot.name, project=where, clock=clock)
        return schedule._move(lambda before: _redefined(before, snapshot, found, moment))
    space.catalog.add_schedule(record)
    return JobSchedule(space, record, snapshot, clock)


def get_schedule(
    space: ArtifactSpace, name: str, *, project: str | None = None, clock: Clock = now
) -> JobSchedule:
    """A schedule by its name.

    Raises:
        NotFound: there is none; the error names those that look alike.
    """
    where = space.project if project is None else check_name(project, "project name")
    record = space.existing_catalog.schedule(where, name)
    if record is None:
        known = [other.name for other in space.catalog.schedules(where)]
        near = difflib.get_close_matches(name, known, 3)
        raise NotFound(
            "schedule", name, near=near, how=None if near else "List them: findspot schedule list"
        )
    return JobSchedule(space, record, _definition(space, record), clock)


def list_schedules(
    space: ArtifactSpace, *, project: str | None = None, clock: Clock = now
) -> list[JobSchedule]:
    """The schedules of a project, by name."""
    where = space.project if project is None else check_name(project, "project name")
    return [
        JobSchedule(space, record, _definition(space, record), clock)
        for record in space.existing_catalog.schedules(where)
    ]


def _definition(space: ArtifactSpace, record: ScheduleRecord) -> Snapshot:
    found = space.catalog.snapshot(record.definition)
    if found is None:
        raise NotFound("definition of the schedule", record.name, how="Remove and add it again.")
    return found


def _recorded(
    space: ArtifactSpace, definition: ScheduleDefinition, name: str, project: str
) -> Snapshot:
    body = definition.to_json()
    made = Snapshot(
        id=new_uid(),
        resource="schedule",
        project=project,
        name=name,
        digest=document_digest(body),
        body=body,
        owner=space.owner,
        created=now(),
    )
    number = space.catalog.write(Batch(snapshots=[made]))[made.id]
    # Where the newest one is equal, it is that one's number.
    recorded = space.catalog.find_snapshot("schedule", project, name, number)
    assert recorded is not None
    return recorded


def _redefined(
    before: ScheduleRecord, snapshot: Snapshot, definition: ScheduleDefinition, moment: datetime
) -> ScheduleRecord:
    start = moment if before.last_due is None else max(moment, before.last_due)
    return replace(before, definition=snapshot.id, due=definition.timetable().following(start))
