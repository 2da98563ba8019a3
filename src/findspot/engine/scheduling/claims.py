"""Whose a due time is: the next state of a schedule, which one worker of many can bring about.

A claim chooses the id of the job before there is the job. So a due time that a worker claimed and
then died over is known, and started again under the same id; and if that worker was not dead after
all, the catalog takes only one job of an id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from findspot.core.ids import new_uid
from findspot.core.records import JobQuery, ScheduleRecord
from findspot.core.records import now as present
from findspot.engine.jobs import settle
from findspot.engine.process import is_alive
from findspot.engine.scheduling.definitions import ScheduleDefinition

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import JobRecord

PATIENCE = timedelta(minutes=5)
"""After so long a job that was claimed and did not begin is started by somebody else."""
_UNLEASED = timedelta(minutes=2)
"""A job of another machine that holds no lease so long after its start runs no more."""

LastJob = Literal["none", "starting", "lost", "begun"]


def claim(
    record: ScheduleRecord,
    definition: ScheduleDefinition,
    now: datetime,
    *,
    last: LastJob,
    running: bool,
    worker: Mapping[str, Any],
) -> ScheduleRecord | None:
    """What a schedule becomes if a worker acts on it now; None: there is nothing to do.

    Where ``last`` is lost, or it says another ``last_job`` than before, that job is to be started;
    else a due time was passed over.

    Args:
        last: what became of the job that was claimed last.
        running: whether a job of it runs now, whoever started it.
        worker: the process that asks.
    """
    if record.paused:
        return None
    if last == "lost":
        return replace(record, worker=worker, claimed=now)
    if record.due is None or record.due > now or last == "starting":
        return None
    timetable = definition.timetable()
    if running and definition.overlap == "skip":
        if definition.catch_up == "all":
            return None
        return replace(record, due=timetable.following(now))
    if definition.catch_up == "all":
        due = record.due
        following = timetable.following(due)
    else:
        due = timetable.latest(record.due, now)
        following = timetable.following(now)
    return replace(
        record,
        due=following,
        last_due=due,
        last_job=new_uid(),
        worker=worker,
        claimed=now,
    )


def last_job(space: ArtifactSpace, record: ScheduleRecord, now: datetime) -> LastJob:
    """What became of the job that a schedule last claimed, as far as the records tell."""
    if record.last_job is None:
        return "none"
    if space.catalog.job(record.last_job) is not None:
        return "begun"
    return "lost" if _is_abandoned(record, now) else "starting"


def running_jobs(space: ArtifactSpace, project: str, name: str) -> list[JobRecord]:
    """The jobs of a schedule that run now, those that somebody started by hand too."""
    query = JobQuery(project=project, status="running", labels={"schedule": name})
    found = [settle(space, job) for job in space.catalog.search_jobs(query).items]
    return [job for job in found if job.status == "running" and not _is_gone(space, job)]


def _is_abandoned(record: ScheduleRecord, now: datetime) -> bool:
    if is_alive(record.worker) is False:
        return True
    # A clock that was set back must not make it wait.
    return record.claimed is None or abs(now - record.claimed) > PATIENCE


def _is_gone(space: ArtifactSpace, job: JobRecord) -> bool:
    """Whether a job of another machine has surely ended, though nobody noted it."""
    if is_alive(job.process) is not None:
        return False
    moment = present()
    if moment - (job.started or job.created) < _UNLEASED:
        return False
    held = {lease.purpose for lease in space.catalog.leases(moment)}
    return f"job {job.id}" not in held
