"""`findspot diff` and `findspot reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from findspot.cli.options import AsJson, Project, existing_workspace


def diff(
    before: Annotated[str, typer.Argument(help="A job, or with --experiment an experiment.")],
    after: Annotated[str, typer.Argument(help="The other one.")],
    experiment: Annotated[
        bool, typer.Option("--experiment", "-e", help="Compare the newest jobs of two experiments.")
    ] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two jobs: parameters, code, inputs, environment, metrics, outputs.

    Versions are compared by `findspot artifact diff`.
    """
    from findspot.cli.printing import print_json
    from findspot.provenance import diff_experiments, diff_jobs

    workspace = existing_workspace()
    found = (
        diff_experiments(workspace, before, after, project=project)
        if experiment
        else diff_jobs(workspace, workspace.get_job(before), workspace.get_job(after))
    )
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.render())


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
