"""`findspot jobs` and `findspot job ...`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.options import AsJson, Limit, Project, Since, Until, moment, open_workspace

if TYPE_CHECKING:
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
    status: Annotated[
        str | None, typer.Option(help="running, finished, failed, interrupted ...")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from findspot.cli.documents import job_document
    from findspot.cli.printing import age, coloured, duration, print_json, print_table

    options: dict[str, Any] = {"status": status}
    found = open_workspace().jobs(
        project=project,
        experiment=experiment,
        name=name,
        since=moment(since),
        until=moment(until),
        limit=limit,
        **options,
    )
    if as_json:
        print_json([job_document(job) for job in found])
        return
    print_table(
        ("job", "name", "status", "experiment", "created", "took"),
        (
            (
                job.id,
                job.name,
                coloured(job.status),
                job.experiment or "",
                age(job.created),
                duration(job.duration),
            )
            for job in found
        ),
        empty="There are no such jobs. Run one: findspot run <entrypoint>",
    )


def show(job: JobId, as_json: AsJson = False) -> None:
    """Show what became of a job: steps, parameters, metrics, outputs, environment."""
    from findspot.cli.documents import job_document
    from findspot.cli.printing import print_json

    found = open_workspace().get_job(job)
    if as_json:
        print_json(job_document(found, details=True))
    else:
        print_job(found)


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
    from findspot.engine.jobs import log_text

    found = open_workspace().get_job(job)
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
    executor: Annotated[
        str | None, typer.Option("--executor", help="inline, threads or processes.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Steps at once; 0: one for each core.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run what is missing of a job that failed or was interrupted."""
    from findspot.cli.run_commands import print_outcome

    found = open_workspace().get_job(job)
    print_outcome(found.resume(executor=executor, workers=workers), as_json=as_json)


def print_job(job: Job) -> None:
    """A job for people."""
    from findspot.cli.printing import coloured, duration, print_fields, print_table

    environment = job.environment
    git = environment.get("git") or {}
    commit = str(git.get("commit") or "")[:12]
    print_fields(
        [
            ("job", job.id),
            ("name", job.name),
            ("status", coloured(job.status)),
            ("project", job.project),
            ("experiment", job.experiment),
            ("created", f"{job.created.astimezone():%Y-%m-%d %H:%M:%S} by {job.owner}"),
            ("took", duration(job.duration)),
            ("parameters", dict(job.params)),
            ("artifacts", {name: v.uri for name, v in job.artifacts.items()}),
            ("labels", dict(job.labels)),
            ("seed", job.seed),
            ("metrics", {name: round(value, 6) for name, value in job.metrics.items()}),
            ("commit", commit + (" (with changes)" if git.get("dirty") else "")),
        ]
    )
    if job.steps:
        print_table(
            ("step", "task", "status", "took", "outputs"),
            (
                (
                    step.name,
                    step.task,
                    coloured(step.status, note=" (reused)" if step.cached else ""),
                    duration(step.duration),
                    ", ".join(f"{v.key}:{v.version}" for v in step.outputs.values()),
                )
                for step in job.steps.values()
            ),
            empty="",
        )
    for name, version in job.outputs.items():
        typer.echo(f"{name}: {version.uri}")
    if job.failure is not None:
        typer.echo(f"\n{job.failure.message}")
        typer.echo(f"Log: findspot job log {job.id}; go on: findspot job resume {job.id}")
