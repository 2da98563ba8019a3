"""`findspot artifact link`, `unlink` and `links`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from findspot.cli.artifact_commands import Ref
from findspot.cli.options import AsJson, Project, existing_workspace

if TYPE_CHECKING:
    from findspot.core.records import Link

LinkName = Annotated[str, typer.Argument(help="The link's name.", metavar="NAME")]
_PATHS = ("/", "./", "../", "~")


def link(
    ref: Ref,
    name: LinkName,
    target: Annotated[
        str,
        typer.Argument(
            help="A reference, a URL, a file of the version, or a local path that begins with "
            "/, ./, ../ or ~.",
            metavar="TARGET",
        ),
    ],
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Link a version to another one, a URL or a file."""
    from findspot.artifacts.links import link as made
    from findspot.cli.printing import print_json

    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    found = made(workspace, version, name, Path(target) if target.startswith(_PATHS) else target)
    if as_json:
        print_json(_document(found))
    else:
        typer.echo(f"{version.key}:{version.version} {found.name} -> {target}")


def unlink(ref: Ref, name: LinkName, project: Project = None) -> None:
    """Take a link off."""
    from findspot.artifacts.links import unlink as take_off

    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    take_off(workspace, version, name)
    typer.echo(f"{version.key}:{version.version} has no link {name} any more.")


def links(
    ref: Ref,
    back: Annotated[
        bool, typer.Option("--from", help="The versions that point to this one instead.")
    ] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List what a version points to, or what points to it."""
    from findspot.artifacts.links import linked_from
    from findspot.artifacts.links import links as links_of
    from findspot.artifacts.version import uri_of
    from findspot.cli.printing import print_json, print_table

    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    if back:
        sources = linked_from(workspace, version)
        if as_json:
            print_json([{"version": each.version.uri, "name": each.name} for each in sources])
        else:
            print_table(
                ("version", "link"),
                ((each.version.uri, each.name) for each in sources),
                empty="Nothing points to it.",
            )
        return
    found = links_of(workspace, version)
    if as_json:
        print_json([_document(each) for each in found.values()])
        return
    records = workspace.existing_catalog.versions(
        each.target for each in found.values() if each.kind == "artifact"
    )

    def shown(each: Link) -> str:
        if each.kind != "artifact":
            return each.target
        record = records.get(each.target)
        return f"{each.target} (deleted)" if record is None else uri_of(record)

    print_table(
        ("link", "kind", "target", "by"),
        ((name, each.kind, shown(each), each.owner) for name, each in found.items()),
        empty="It has no links.",
        whole=("link", "kind"),
    )


def _document(link: Link) -> dict[str, str]:
    return {
        "name": link.name,
        "kind": link.kind,
        "target": link.target,
        "owner": link.owner,
        "time": link.time.isoformat(),
    }
