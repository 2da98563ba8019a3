"""`findspot artifact tag`, `untag`, `history`, `protect`, `unprotect` and `move`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from findspot.cli.artifact_commands import Key, Ref
from findspot.cli.options import AsJson, Project, existing_workspace

Tag = Annotated[str, typer.Argument(help="The tag.", metavar="TAG")]
Force = Annotated[bool, typer.Option("--force", help="Even if the tag is protected.")]


def tag(
    ref: Ref,
    name: Tag,
    expected: Annotated[
        int | None,
        typer.Option(help="Move it only from this version's number; 0: only if it is not set."),
    ] = None,
    force: Force = False,
    project: Project = None,
) -> None:
    """Set or move a tag to a version."""
    options: dict[str, Any] = {} if expected is None else {"expected": expected or None}
    event = existing_workspace().tag(ref, name, project=project, force=force, **options)
    before = "" if event.previous is None else f" (was on {event.previous})"
    typer.echo(f"{event.key}:{event.tag} is version {event.version}{before}")


def untag(key: Key, name: Tag, force: Force = False, project: Project = None) -> None:
    """Take a tag off."""
    event = existing_workspace().untag(key, name, project=project, force=force)
    typer.echo(f"{event.key}:{event.tag} is no more (was on {event.previous})")


def history(key: Key, name: Tag, project: Project = None, as_json: AsJson = False) -> None:
    """List all moves of a tag, oldest first."""
    from findspot.cli.documents import tag_document
    from findspot.cli.printing import print_json, print_table

    workspace = existing_workspace()
    events = workspace.tag_history(key, name, project=project)
    if not events:
        workspace.get_artifact(key, project=project)  # is there such an artifact at all?
    if as_json:
        print_json([tag_document(event) for event in events])
        return
    print_table(
        ("time", "from", "to", "by"),
        (
            (
                f"{event.time.astimezone():%Y-%m-%d %H:%M:%S}",
                event.previous or "-",
                event.version or "-",
                event.owner,
            )
            for event in events
        ),
        empty="The tag was never set.",
    )


def protect(key: Key, name: Tag, project: Project = None) -> None:
    """Keep a tag where it is, and its version from being deleted."""
    from findspot.artifacts.moving import protect_tag

    protect_tag(existing_workspace(), key, name, project=project)
    typer.echo(f"{key}:{name} is protected.")


def unprotect(key: Key, name: Tag, project: Project = None) -> None:
    """Let a protected tag be moved again."""
    from findspot.artifacts.moving import protect_tag

    protect_tag(existing_workspace(), key, name, False, project=project)
    typer.echo(f"{key}:{name} is not protected.")


def move(
    key: Key,
    to_key: Annotated[
        str | None, typer.Argument(help="The new key; the same where it is left out.")
    ] = None,
    to_project: Annotated[
        str | None, typer.Option("--to-project", help="The new project; made where it is new.")
    ] = None,
    project: Project = None,
) -> None:
    """Rename an artifact, or move it to another project; uids, numbers, tags and lineage stay."""
    from findspot.artifacts.moving import move_artifact

    workspace = existing_workspace()
    count = move_artifact(workspace, key, to_key, project=project, to_project=to_project)
    where = f"{to_project or project or workspace.project}/{to_key or key}"
    typer.echo(f"{key} is {where} now, with {count} version{'' if count == 1 else 's'}.")
