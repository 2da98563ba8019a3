"""`findspot init`, `projects`, `verify` and `doctor`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from findspot.cli.options import AsJson, existing_workspace, open_workspace


def init(
    folder: Annotated[
        Path | None, typer.Argument(help="Where; the current folder by default.")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="The project where none is named.")
    ] = None,
) -> None:
    """Make a workspace in a folder."""
    from findspot.cli.printing import note
    from findspot.workspace import Workspace

    named = os.environ.get("FINDSPOT_WORKSPACE")
    workspace = Workspace(folder.absolute() if folder is not None else named or Path.cwd())
    made = workspace.init(project=project)
    typer.echo(f"{'Made' if made else 'There is already'} a workspace in {workspace.folder}")
    if named and workspace.folder != Workspace(named).folder:
        note(f"Commands use another one, that FINDSPOT_WORKSPACE names: {named}")


def projects(as_json: AsJson = False) -> None:
    """List projects."""
    from findspot.cli.printing import print_json

    found = existing_workspace().projects()
    if as_json:
        print_json(found)
    else:
        for name in found:
            typer.echo(name)


def verify(
    ref: Annotated[
        str | None, typer.Argument(help="One version; the whole workspace by default.")
    ] = None,
    signatures: Annotated[
        bool,
        typer.Option(
            "--signatures", help="Check signatures too; a version that is named must have one."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every byte again and compare it with its digest; exit code 5 on any fault.

    With --signatures also if a signature is false; exit code 7 if no trusted key's owner signed the
    version that is named.
    """
    from findspot.cli.key_commands import checked_signatures, print_signatures
    from findspot.cli.printing import note, print_json, size
    from findspot.cli.progress import bar

    workspace = existing_workspace()
    with bar("verifying", as_json=as_json) as shown:
        report = workspace.verify(ref, progress=shown.done)
    signed = checked_signatures(workspace, ref) if signatures else []
    if as_json:
        print_json(
            {
                "blobs": report.blobs,
                "size": report.size,
                "faults": [
                    {
                        "digest": fault.digest,
                        "what": fault.what,
                        "found": fault.found,
                        "users": list(fault.users),
                        "jobs": list(fault.jobs),
                    }
                    for fault in report.faults
                ],
                "catalog": list(report.catalog),
                **({"signatures": [each.document() for each in signed]} if signatures else {}),
            }
        )
    else:
        typer.echo(f"{report.blobs} blobs, {size(report.size)} read.")
        for fault in report.faults:
            typer.echo(f"{fault.what}: {fault.digest}")
            for user in fault.users:
                typer.echo(f"    needed by {user}")
            for job in fault.jobs:
                typer.echo(f"    job {job} could make it again")
        for text in report.catalog:
            typer.echo(f"catalog: {text}")
        typer.echo("Everything is as recorded." if report.sound else "There are faults.")
        if signatures:
            print_signatures(signed)
    if not report.sound or any(each.damaged for each in signed):
        raise typer.Exit(5)
    if ref is not None and signatures and not signed[0].trusted:
        note(f"No trusted key's owner signed {signed[0].version.uri}")
        raise typer.Exit(7)


def doctor(as_json: AsJson = False) -> None:
    """Check the workspace and what is installed; exit code 1 where something wants mending."""
    from findspot.cli.doctoring import examine
    from findspot.cli.printing import print_json, print_table

    findings = examine(open_workspace())
    if as_json:
        print_json([{"what": f.what, "good": f.good, "said": f.said} for f in findings])
    else:
        from rich.text import Text

        print_table(
            ("", "what", "found"),
            (
                (Text("ok", "green") if f.good else Text("!!", "red"), f.what, f.said)
                for f in findings
            ),
            empty="",
            whole=("", "what"),
        )
    if not all(f.good for f in findings):
        raise typer.Exit(1)
