"""`findspot diff`, `findspot reproduce` and `findspot job export`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from findspot.cli.options import AsJson, Project, UsageMistake, existing_workspace

if TYPE_CHECKING:
    from findspot.engine.jobs import Job
    from findspot.experiments.comparing import RunComparison
    from findspot.provenance import ExperimentDiff
    from findspot.workspace import Workspace


def diff(
    before: Annotated[
        str, typer.Argument(help="A job; or an experiment, or a run of one: name@2.")
    ],
    after: Annotated[str, typer.Argument(help="The other one.")],
    experiment: Annotated[
        bool, typer.Option("--experiment", "-e", help="These are experiments, whatever jobs say.")
    ] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two jobs or experiments: parameters, code, inputs, environment,
    metrics, outputs.

    Versions are compared by `findspot artifact diff`.
    """
    from findspot.cli.printing import print_json
    from findspot.provenance import diff_jobs

    workspace = existing_workspace()
    jobs = None if experiment else _jobs(workspace, before, after)
    found = (
        _of_experiments(workspace, before, after, project)
        if jobs is None
        else diff_jobs(workspace, *jobs)
    )
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.render())


def _jobs(workspace: Workspace, before: str, after: str) -> tuple[Job, Job] | None:
    """Two jobs; None where experiments of both names are on record instead.

    Raises:
        NotFound: there are neither.
    """
    from findspot.core.errors import NotFound

    if "@" in before or "@" in after:  # which no job's id holds
        return None
    try:
        return workspace.get_job(before), workspace.get_job(after)
    except NotFound:
        if all(workspace.list_jobs(experiment=name, limit=1) for name in (before, after)):
            return None
        raise


def _of_experiments(
    workspace: Workspace, before: str, after: str, project: str | None
) -> RunComparison | ExperimentDiff:
    """Runs of experiments; or else the newest jobs of pipelines that carry the names."""
    from findspot.experiments.comparing import compare_runs
    from findspot.experiments.errors import NoExperiment
    from findspot.provenance import diff_experiments

    try:
        return compare_runs(workspace, before, after, project=project)
    except NoExperiment as error:
        if not error.grouped:
            raise
        return diff_experiments(workspace, before, after, project=project)


def export(
    job: Annotated[
        str, typer.Argument(help="The job's id, its beginning or end, or 'latest'.", metavar="JOB")
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="PLACE", help="A new folder (RO-Crate) or a file."),
    ] = None,
    format: Annotated[
        Literal["ro-crate", "openlineage"],
        typer.Option(help="A Workflow Run RO-Crate, or OpenLineage events, one a line."),
    ] = "ro-crate",
    contents: Annotated[
        bool, typer.Option("--contents/--no-contents", help="Copy files into the crate.")
    ] = True,
    license: Annotated[
        str, typer.Option(help="Under which the crate may be used: a URL or a text.")
    ] = "unspecified",
    steps: Annotated[bool, typer.Option(help="Events of each step too.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a job's provenance for other systems: as a Workflow Run RO-Crate, or as OpenLineage
    events."""
    from findspot.cli.printing import print_json
    from findspot.provenance import to_openlineage, to_ro_crate

    workspace = existing_workspace()
    found = workspace.get_job(job)
    if format == "ro-crate":
        if to is None:
            raise UsageMistake("Where is the crate to go?", how="Name a new folder: --to crate.")
        typer.echo(str(to_ro_crate(workspace, found, to, contents=contents, license=license)))
        return
    events = to_openlineage(workspace, found, steps=steps)
    if to is None:
        print_json(events)
        return
    if os.path.lexists(to) and not force:
        raise UsageMistake(f"There is already {to}.", how="Choose another name, or say --force.")
    lines = (json.dumps(event, ensure_ascii=False) for event in events)
    to.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    typer.echo(str(to))


def reproduce(
    ref: Annotated[str, typer.Argument(help="A version: key, key:3, store:// or uid.")],
    fresh_environment: Annotated[
        bool, typer.Option(help="In a new environment with the recorded packages.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Work in this folder, and keep it.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="For numbers; absolute.")] = 0.0,
    timeout: Annotated[float | None, typer.Option(min=0.0, help="Seconds at most.")] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Make a version again from its record, in a fresh process, and compare.

    Ends with exit code 0 where the bytes or the content are equal, 1 where they are not.
    """
    from findspot.cli.printing import print_json
    from findspot.provenance import reproduce

    workspace = existing_workspace()
    found = reproduce(
        workspace,
        workspace.get_artifact(ref, project=project),
        fresh_environment=fresh_environment,
        folder=keep,
        tolerance=tolerance,
        timeout=timeout,
    )
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.render())
    if not found:
        raise typer.Exit(1)
