"""`findspot push`, `pull`, `export` and `import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from findspot.cli.options import (
    AsJson,
    Project,
    existing_workspace,
    open_workspace,
)

if TYPE_CHECKING:
    from findspot.artifacts.transfer import TransferReport
    from findspot.artifacts.version import ArtifactVersion
    from findspot.workspace import Workspace

Other = Annotated[
    str, typer.Argument(help="The other workspace: a folder or a URL.", metavar="WORKSPACE")
]
Refs = Annotated[
    list[str],
    typer.Argument(help="Keys, key:tag, key:3, store:// references, or uids.", metavar="REF..."),
]
Lineage = Annotated[
    Literal["all", "records", "none"],
    typer.Option(
        help="all: also what they came from; records: only the records of how they were made."
    ),
]
Links = Annotated[
    bool, typer.Option("--links/--no-links", help="Also the versions that they link to.")
]
_LINEAGE: dict[str, bool | str] = {"all": True, "records": "records", "none": False}


def push(
    other: Other,
    refs: Refs,
    lineage: Lineage = "all",
    links: Links = True,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Send versions to another workspace, with what they came from."""
    from findspot.artifacts.transfer import push as send
    from findspot.cli.printing import note
    from findspot.cli.progress import bar
    from findspot.workspace import Workspace

    workspace = existing_workspace()
    versions = _versions(workspace, refs, project)
    with Workspace(other, ambient=False) as target:
        if not target.exists:
            target.init()
            note(f"Made a workspace in {target.folder}")
        with bar("sending", as_json=as_json) as shown:
            report = send(
                workspace,
                target,
                versions,
                lineage=_LINEAGE[lineage],
                links=links,
                progress=shown.done,
            )
    _print(report, f"in {target.folder}", as_json=as_json)


def pull(
    other: Other,
    refs: Refs,
    lineage: Lineage = "all",
    links: Links = True,
    project: Annotated[
        str | None, typer.Option("--project", help="The project in the other workspace.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch versions from another workspace, with what they came from."""
    from findspot.artifacts.transfer import pull as fetch
    from findspot.cli.progress import bar
    from findspot.workspace import Workspace

    workspace = open_workspace()
    with Workspace(other, ambient=False) as source:
        _check_there(source)
        versions = _versions(source, refs, project)
        with bar("fetching", as_json=as_json) as shown:
            report = fetch(
                workspace,
                source,
                versions,
                lineage=_LINEAGE[lineage],
                links=links,
                progress=shown.done,
            )
    _print(report, "here", as_json=as_json)


def export(
    refs: Refs,
    file: Annotated[Path, typer.Argument(help="The bundle; by custom, *.findspot.")],
    lineage: Lineage = "all",
    links: Links = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Write versions, with what they came from, into one file."""
    from findspot.artifacts.bundles import export_bundle
    from findspot.cli.printing import print_json, size
    from findspot.cli.progress import bar

    workspace = existing_workspace()
    versions = _versions(workspace, refs, project)
    with bar("writing", as_json=as_json) as shown:
        written = export_bundle(
            workspace,
            versions,
            file,
            lineage=_LINEAGE[lineage],
            links=links,
            replace=force,
            progress=shown.done,
        )
    length = written.stat().st_size
    if as_json:
        print_json({"file": written, "size": length, "versions": [v.uri for v in versions]})
    else:
        typer.echo(f"{written}: {size(length)}")


def import_file(
    file: Annotated[Path, typer.Argument(help="A bundle.")], as_json: AsJson = False
) -> None:
    """Take the versions of a bundle into the workspace: all of them, or nothing."""
    from findspot.artifacts.bundles import import_bundle
    from findspot.cli.progress import bar

    workspace = open_workspace()
    with bar("reading", as_json=as_json) as shown:
        report = import_bundle(workspace, file, progress=shown.done)
    _print(report, "here", as_json=as_json)


def _versions(workspace: Workspace, refs: list[str], project: str | None) -> list[ArtifactVersion]:
    return [workspace.get_artifact(ref, project=project) for ref in refs]


def _check_there(workspace: Workspace) -> None:
    from findspot.artifacts.location import NoWorkspace

    if not workspace.exists:
        raise NoWorkspace(str(workspace.folder))


def _print(report: TransferReport, where: str, *, as_json: bool) -> None:
    from findspot.cli.printing import counted, note, print_json, size

    if as_json:
        print_json(report.to_json())
        return
    for uri in report.versions:
        typer.echo(uri)
    others = {"job": report.jobs, "link": report.links, "signature": report.signatures}
    more = "".join(f", {counted(count, name)}" for name, count in others.items() if count)
    note(
        f"New {where}: {counted(len(report.versions), 'version')} (known: {report.known}), "
        f"{counted(report.blobs, 'blob')} of {size(report.size)} (known: {report.blobs_known})"
        f"{more}."
    )
    for text in report.conflicts:
        note(text)
