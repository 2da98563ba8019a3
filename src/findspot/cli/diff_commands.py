"""`findspot artifact diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from findspot.cli.options import AsJson, Project, existing_workspace

_HELP = "A key, key:tag, key:3, a store:// reference, or a uid."


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=_HELP)],
    after: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    on: Annotated[
        list[str] | None,
        typer.Option(metavar="COL", help="A column that names a table's rows; repeatable."),
    ] = None,
    content: Annotated[
        bool, typer.Option("--content/--no-content", help="Look inside the files that differ.")
    ] = True,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions, and between the jobs that made them."""
    from findspot.artifacts.diffing import diff as compare
    from findspot.cli.printing import print_json

    workspace = existing_workspace()
    first, second = (workspace.get_artifact(ref, project=project) for ref in (before, after))
    found = compare(workspace, first, second, content=content, on=on or ())
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.render())
