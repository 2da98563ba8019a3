"""`findspot schedule ...`"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from findspot.cli.options import (
    Artifacts,
    AsJson,
    Executor,
    Labels,
    Params,
    Project,
    UsageMistake,
    existing_workspace,
    open_workspace,
    pairs,
)

if TYPE_CHECKING:
    from findspot.engine.scheduling.schedules import JobSchedule

# The words of `engine.scheduling.definitions`, written out as those in `options` are.
CatchUp = Literal["skip", "all"]
Overlap = Literal["skip", "allow"]

Name = Annotated[str, typer.Argument(help="The schedule's name.", metavar="NAME")]


def add(
    name: Name,
    target: Annotated[
        str,
        typer.Argument(
            help="A YAML entrypoint, file.py:name or module:name of a pipeline or function, or the "
            "name of a recorded entrypoint (name:3 for its third version)."
        ),
    ],
    cron: Annotated[
        str,
        typer.Option(
            help="Minute, hour, day of month, month and day of week, such as '30 3 * * 1-5'; or "
            "@hourly, @daily, @weekly, @monthly, @yearly."
        ),
    ],
    timezone: Annotated[
        str, typer.Option(help="What zone's clocks it goes by, such as Europe/Berlin.")
    ] = "UTC",
    param: Params = None,
    artifact: Artifacts = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="What the jobs belong to.")
    ] = None,
    executor: Executor = None,
    label: Labels = None,
    catch_up: Annotated[
        CatchUp,
        typer.Option(
            help="Times at which no worker was there: one job for all of them (skip), or one each."
        ),
    ] = "skip",
    overlap: Annotated[
        Overlap,
        typer.Option(help="While its last job still runs: start no other one (skip), or do."),
    ] = "skip",
    project: Project = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change the schedule of this name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have jobs started by the clock; a worker does it: findspot schedule run."""
    from findspot.cli.printing import print_json
    from findspot.cli.run_commands import import_from_here
    from findspot.cli.task_code import prints_aside

    texts, artifacts = pairs(param, "--param"), pairs(artifact, "--artifact")
    labels = pairs(label, "--label")
    import_from_here()
    with prints_aside():
        schedule = open_workspace().add_schedule(
            name,
            target,
            cron=cron,
            timezone=timezone,
            texts=texts,
            artifacts=artifacts,
            experiment=experiment,
            executor=executor,
            labels=labels,
            catch_up=catch_up,
            overlap=overlap,
            project=project,
            replace=replace,
        )
    if as_json:
        print_json(schedule_document(schedule))
    else:
        due = schedule.times(1)[0]
        typer.echo(f"{schedule.name}: due {due:%Y-%m-%d %H:%M %Z}, if a worker runs then.")


def list_schedules(project: Project = None, as_json: AsJson = False) -> None:
    """List schedules."""
    from findspot.cli.printing import print_json, print_table

    found = existing_workspace().list_schedules(project=project)
    if as_json:
        print_json([schedule_document(schedule) for schedule in found])
        return
    print_table(
        ("schedule", "target", "cron", "zone", "due"),
        ((s.name, s.target, s.cron, s.timezone, _due(s)) for s in found),
        empty="There are no schedules. Add one: findspot schedule add <name> <target> --cron ...",
        whole=("schedule", "cron", "due"),
    )


def show(name: Name, project: Project = None, as_json: AsJson = False) -> None:
    """Show a schedule: what it runs, the next five times, its last job."""
    from findspot.cli.printing import print_fields, print_json

    schedule = existing_workspace().get_schedule(name, project=project)
    if as_json:
        print_json(schedule_document(schedule, details=True))
        return
    definition, last = schedule.definition, schedule.last_job
    print_fields(
        [
            ("schedule", schedule.name),
            ("version", schedule.version),
            ("project", schedule.project),
            ("target", schedule.target),
            ("folder", definition.folder),
            ("cron", schedule.cron),
            ("time zone", schedule.timezone),
            ("parameters", dict(definition.params)),
            ("artifacts", dict(definition.artifacts)),
            ("experiment", definition.experiment),
            ("executor", definition.executor),
            ("labels", dict(definition.labels)),
            ("catch up", definition.catch_up),
            ("overlap", definition.overlap),
            ("state", "paused" if schedule.paused else f"due {_due(schedule)}"),
            ("last job", None if last is None else f"{last.id} {last.status}"),
            ("next", [f"{time:%Y-%m-%d %H:%M %Z}" for time in schedule.times(5)]),
        ]
    )


def pause(name: Name, project: Project = None) -> None:
    """Start no more jobs of a schedule, until it is unpaused."""
    existing_workspace().get_schedule(name, project=project).pause()
    typer.echo(f"{name} is paused.")


def unpause(name: Name, project: Project = None) -> None:
    """Go on with a schedule; what was due while it was paused is not made up for."""
    schedule = existing_workspace().get_schedule(name, project=project).unpause()
    typer.echo(f"{name}: due {_due(schedule)}.")


def remove(name: Name, project: Project = None) -> None:
    """Forget a schedule; its jobs stay."""
    existing_workspace().get_schedule(name, project=project).remove()
    typer.echo(f"{name} is removed.")


def run(
    name: Annotated[
        str | None,
        typer.Argument(help="Run a job of this schedule now, once, whatever the clock says."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Start what is due now, and end when it has ended.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--for", metavar="SECONDS", min=0, help="Start nothing after so long."),
    ] = None,
    at_once: Annotated[
        int, typer.Option(min=0, help="Jobs at the same time; 0: one for each core.")
    ] = 0,
    project: Annotated[
        str | None, typer.Option("--project", help="Only schedules of this project.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look after the schedules: wait for due times, and run their jobs.

    Several such workers may run at once. Ctrl-C ends one when the jobs that run have ended; the
    second Ctrl-C interrupts them.
    """
    from datetime import timedelta

    from findspot.cli.run_commands import follow
    from findspot.core.records import now

    workspace = existing_workspace()
    if name is not None:
        if once or seconds is not None or at_once:
            raise UsageMistake("A schedule that is named runs once; leave the other options out.")
        schedule = workspace.get_schedule(name, project=project)
        follow(name, lambda on_step: schedule.run(on_step=on_step), as_json=as_json)
        return
    if as_json:
        raise UsageMistake("--json needs the name of a schedule.")
    until: datetime | None = None
    if seconds is not None:
        try:
            until = now() + timedelta(seconds=seconds)
        except (OverflowError, ValueError):
            raise UsageMistake(f"{seconds:g} seconds are no time to wait for.") from None

    def report(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    workspace.run_schedules(once=once, until=until, project=project, report=report, at_once=at_once)


def schedule_document(schedule: JobSchedule, *, details: bool = False) -> dict[str, Any]:
    """One schedule; with ``details``, its next five times and its last job too."""
    document = {
        "name": schedule.name,
        "version": schedule.version,
        "project": schedule.project,
        **schedule.definition.to_json(),
        "paused": schedule.paused,
        "due": schedule.due,
        "last_due": schedule.last_due,
        "owner": schedule.record.owner,
        "created": schedule.record.created,
    }
    del document["format"]
    if details:
        last = schedule.last_job
        document["next"] = schedule.times(5)
        document["last_job"] = None if last is None else {"id": last.id, "status": last.status}
    return document


def _due(schedule: JobSchedule) -> str:
    if schedule.paused:
        return "paused"
    if schedule.due is None:
        return "never"
    from zoneinfo import ZoneInfo

    return f"{schedule.due.astimezone(ZoneInfo(schedule.timezone)):%Y-%m-%d %H:%M}"
