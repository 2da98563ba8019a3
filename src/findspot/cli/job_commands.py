"""`findspot jobs`, `findspot job ...` and `findspot explain`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from findspot.cli.options import (
    AsJson,
    Executor,
    Labels,
    Limit,
    Project,
    Since,
    Status,
    Until,
    Workers,
    existing_workspace,
    moment,
    pairs,
)

if TYPE_CHECKING:
    from findspot.cli.run_commands import StepListener
    from findspot.engine.jobs import Job

JobId = Annotated[
    str, typer.Argument(help="The job's id, its beginning or end, or 'latest'.", metavar="JOB")
]


def jobs(
    project: Project = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="Of this experiment.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of this pipeline or entrypoint.")] = None,
    status: Annotated[Status | None, typer.Option(help="In this state.")] = None,
    label: Labels = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from findspot.cli.documents import job_document
    from findspot.cli.printing import (
        age,
        coloured,
        duration,
        note,
        print_json,
        print_table,
        short_id,
    )

    found = existing_workspace().list_jobs(
        project=project,
        experiment=experiment,
        name=name,
        status=status,
        labels=pairs(label, "--label"),
        since=moment(since),
        until=moment(until),
        limit=limit,
    )
    if as_json:
        print_json([job_document(job) for job in found])
        return
    print_table(
        ("job", "name", "status", "experiment", "created", "took"),
        (
            (
                short_id(job.id),
                job.name,
                coloured(job.status),
                job.experiment or "",
                age(job.created),
                duration(job.duration),
            )
            for job in found
        ),
        empty="There are no such jobs. Run one: findspot run <entrypoint>",
        whole=("job", "status", "created", "took"),
    )
    if found.next is not None:
        note(f"There are more: --limit {2 * limit}")


def show(job: JobId, as_json: AsJson = False) -> None:
    """Show what became of a job: steps, parameters, metrics, outputs, environment."""
    from findspot.cli.documents import job_document
    from findspot.cli.printing import print_json

    found = existing_workspace().get_job(job)
    if as_json:
        print_json(job_document(found, details=True))
    else:
        from findspot.cli.job_text import print_job

        print_job(found, failure_to=sys.stdout)


def log(
    job: JobId,
    step: Annotated[str | None, typer.Option(help="Only this step's lines.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a job's log."""
    from findspot.cli.printing import print_json
    from findspot.engine.errors import NoStep
    from findspot.engine.jobs import log_text

    found = existing_workspace().get_job(job)
    if step is not None and step not in found.steps and found.status not in ("running", "queued"):
        raise NoStep(step, found.steps)
    if as_json:
        print_json(
            [
                {
                    "time": line.time.isoformat(),
                    "level": line.level,
                    "source": line.source,
                    "step": line.step,
                    "text": line.text,
                }
                for line in found.log_lines
                if step is None or line.step == step
            ]
        )
        return
    printed = 0
    while True:
        lines = found.log_lines
        for line in lines[printed:]:
            if step is None or line.step == step:
                sys.stdout.write(log_text([line]) + "\n")
        printed = len(lines)
        if not follow or found.status not in ("running", "queued"):
            return
        sys.stdout.flush()
        time.sleep(0.3)
        found.refresh()


def resume(
    job: JobId,
    pipeline: Annotated[
        str | None,
        typer.Option(
            help="The job's pipeline, as module:pipeline or file.py:pipeline, where it is not "
            "found by itself."
        ),
    ] = None,
    executor: Executor = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Run what is missing of a job that failed or was interrupted."""
    from findspot.cli.run_commands import find_pipeline, follow

    workspace = existing_workspace()
    found = workspace.get_job(job)

    def resumed(on_step: StepListener) -> Job:
        given = None if pipeline is None else find_pipeline(pipeline)
        return found.resume(given, executor=executor, workers=workers, on_step=on_step)

    follow(f"job {found.id}", resumed, as_json=as_json)


def cancel(job: JobId, as_json: AsJson = False) -> None:
    """Have a running or queued job stopped, wherever it runs."""
    from findspot.cli.documents import job_document
    from findspot.cli.printing import print_json

    cancelled = existing_workspace().get_job(job).cancel()
    if as_json:
        print_json(job_document(cancelled))
    else:
        typer.echo(f"Job {cancelled.id} is cancelled; it stops within a second or two.")


def explain(
    job: JobId,
    step: Annotated[str | None, typer.Argument(help="Only this step.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say why each step of a job ran or was reused, and what had changed."""
    from findspot.cli.printing import print_json
    from findspot.engine.caching.explaining import explain as explained

    found = explained(existing_workspace(), job, step)
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.render())
