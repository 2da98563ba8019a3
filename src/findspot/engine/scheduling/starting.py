"""Start the job of a schedule: in the process that a worker makes for it, or here and now.

Each job that the clock starts has a process of its own, so that it runs the code as it is then, and
so that nothing that it does to its process reaches the worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from types import FunctionType
from typing import TYPE_CHECKING, Any

from findspot.catalog.protocol import Batch
from findspot.core.errors import FindspotError, NotFound
from findspot.core.records import Failure, JobRecord, ScheduleRecord, StepRecord, now
from findspot.engine.jobs import Job
from findspot.engine.process import this_process
from findspot.engine.scheduling.definitions import (
    ScheduleDefinition,
    found_folder,
    found_target,
)

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


def run_definition(
    space: ArtifactSpace,
    definition: ScheduleDefinition,
    *,
    project: str,
    name: str,
    due: datetime | None,
    job_id: str | None = None,
    on_step: Callable[[StepRecord], None] | None = None,
) -> Job:
    """Run a job of a schedule in this process, to its end, in the folder that it was added in.

    Args:
        name: of the schedule.
        due: what the job is started for; None: somebody asked for it.

    Raises:
        NotFound: the folder, the file or the entrypoint is not there any more.
        CheckFailed: the target or the values have mistakes by now; there is no job then.
    """
    from findspot.engine.targets.stored import stored_entrypoint
    from findspot.engine.targets.target_jobs import run_target
    from findspot.engine.targets.targets import find_target

    labels = {**definition.labels, "schedule": name}
    if due is not None:
        labels["due"] = due.isoformat()
    options: dict[str, Any] = {
        "project": project,
        "experiment": definition.experiment,
        "labels": labels,
        "job_id": job_id,
    }
    folder = found_folder(space, definition)
    if not folder.is_dir():
        raise NotFound("folder", str(folder), how="Add the schedule again from where its code is.")
    params, artifacts = definition.params, definition.artifacts
    with contextlib.chdir(folder):
        target = (
            stored_entrypoint(space, definition.target, project)
            if definition.kind == "entrypoint"
            else find_target(found_target(space, definition))
        )
        if not isinstance(target, FunctionType):
            options |= {"executor": definition.executor, "on_step": on_step}
        return run_target(space, target, params=params, artifacts=artifacts, **options)


def start_claimed(space: ArtifactSpace, project: str, name: str, job_id: str) -> Job | None:
    """Run the job that was claimed for a schedule, to its end; None where it is not to be: the
    schedule was removed, or somebody else runs it.

    A job that cannot even begin is recorded as failed, so that its due time is accounted for.
    """
    catalog = space.catalog
    record = catalog.schedule(project, name)
    if record is None or record.last_job != job_id or catalog.job(job_id) is not None:
        return None
    snapshot = catalog.snapshot(record.definition)
    try:
        if snapshot is None:
            raise NotFound("definition of the schedule", name)
        return run_definition(
            space,
            ScheduleDefinition.of(snapshot),
            project=project,
            name=name,
            due=record.last_due,
            job_id=job_id,
        )
    except Exception as error:
        if catalog.job(job_id) is not None:
            return None  # it began: what went wrong is in its record; or another process had it
        text = "".join(traceback.format_exception(error))
        kind = type(error)
        message = error.args[0] if isinstance(error, FindspotError) else f"{kind.__name__}: {error}"
        return record_failure(space, record, Failure(kind.__name__, str(message), text))


def record_failure(space: ArtifactSpace, schedule: ScheduleRecord, failure: Failure) -> Job | None:
    """Record the claimed job of a schedule as one that failed before it began; None where somebody
    recorded it by now."""
    assert schedule.last_job is not None
    labels = {"schedule": schedule.name}
    if schedule.last_due is not None:
        labels["due"] = schedule.last_due.isoformat()
    moment = now()
    job = JobRecord(
        id=schedule.last_job,
        project=schedule.project,
        name=schedule.name,
        status="failed",
        owner=space.owner,
        process=this_process(),
        labels=labels,
        created=moment,
        started=moment,
        ended=moment,
        failure=failure,
    )
    try:
        space.catalog.write(Batch(jobs=[job]))
    except FindspotError:
        if space.catalog.job(job.id) is None:
            raise
        return None
    return Job(space, job)


def main() -> None:
    """The process of one job: what to start is read from standard input, as JSON."""
    from findspot.artifacts.space import ArtifactSpace

    # Whoever started the worker may ignore signals, but a job can always be interrupted.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    asked = json.load(sys.stdin)
    os.environ["FINDSPOT_WORKSPACE"] = asked["workspace"]
    space = ArtifactSpace(asked["workspace"], **asked["settings"])
    try:
        start_claimed(space, asked["project"], asked["name"], asked["job"])
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        space.close()


if __name__ == "__main__":
    main()
