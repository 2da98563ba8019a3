"""`findspot lineage`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from findspot.cli.artifact_commands import Ref
from findspot.cli.options import AsJson, Project, existing_workspace


def lineage(
    ref: Ref,
    direction: Annotated[
        Literal["upstream", "downstream"],
        typer.Option("--direction", "-d", help="What it came from, or what came of it."),
    ] = "upstream",
    depth: Annotated[int | None, typer.Option(min=1, help="At most so many steps away.")] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what a version came from, or what was made from it."""
    from findspot.cli.documents import lineage_document
    from findspot.cli.lineage_tree import lineage_tree
    from findspot.cli.printing import console, print_json

    workspace = existing_workspace()
    found = workspace.lineage(workspace.get_artifact(ref, project=project), direction, depth=depth)
    if as_json:
        print_json(lineage_document(found))
        return
    console().print(lineage_tree(found, direction))
