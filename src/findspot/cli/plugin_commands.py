"""`findspot plugins ...` and `findspot entrypoints`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from findspot.cli.options import AsJson, Project, existing_workspace, open_workspace


def plugins(context: typer.Context, project: Project = None, as_json: AsJson = False) -> None:
    """List plugins, or with a sub-command add or show one."""
    from findspot.cli.documents import snapshot_document
    from findspot.cli.printing import age, print_json, print_table

    if context.invoked_subcommand is not None:
        return
    found = [snapshot_document(s) for s in existing_workspace().plugins(project=project)]
    if as_json:
        print_json(found)
        return
    from datetime import datetime

    print_table(
        ("plugin", "snapshot", "tasks", "artifact tasks", "recorded"),
        (
            (
                s["name"],
                s["number"],
                ", ".join(s["tasks"]),
                ", ".join(s["handlers"]),
                age(datetime.fromisoformat(s["created"])),
            )
            for s in found
        ),
        empty="There are no plugins. Add one: findspot plugins add <folder>",
        whole=("plugin", "snapshot", "recorded"),
    )


def entrypoints(project: Project = None, as_json: AsJson = False) -> None:
    """List entrypoints and pipelines that were run, each in its newest snapshot."""
    from findspot.cli.documents import entrypoint_document
    from findspot.cli.printing import age, print_json, print_table

    found = existing_workspace().entrypoints(project=project)
    if as_json:
        print_json([entrypoint_document(snapshot) for snapshot in found])
        return
    print_table(
        ("entrypoint", "snapshot", "syntax", "from", "recorded"),
        (
            (
                snapshot.name,
                snapshot.number,
                snapshot.body["syntax"],
                snapshot.body.get("file") or snapshot.body.get("target", ""),
                age(snapshot.created),
            )
            for snapshot in found
        ),
        empty="There are no entrypoints. Run one: findspot run <entrypoint>",
        whole=("entrypoint", "snapshot", "syntax", "recorded"),
    )


def add(
    folder: Annotated[Path, typer.Argument(help="A folder of Python files, or one file.")],
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Record a plugin's files as they are now; its code is read, not run."""
    from findspot.cli.documents import snapshot_document
    from findspot.cli.printing import print_json

    recorded = open_workspace().add_plugin(folder, project=project)
    if as_json:
        print_json(snapshot_document(recorded))
    else:
        typer.echo(f"{recorded.name}, snapshot {recorded.number}")


def show(
    name: Annotated[str, typer.Argument(help="The plugin's name.")],
    number: Annotated[
        int | None, typer.Option("--snapshot", help="Its number; the newest by default.")
    ] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what a plugin offers: tasks with their inputs and outputs, artifact tasks."""
    from findspot.cli.documents import snapshot_document
    from findspot.cli.printing import print_fields, print_json, print_table
    from findspot.plugins.snapshots import read_analysis

    found = existing_workspace().get_plugin(name, number, project=project)
    if as_json:
        print_json({**snapshot_document(found), "body": dict(found.body)})
        return
    analysis = read_analysis(found)
    print_fields(
        [
            ("plugin", found.name),
            ("snapshot", found.number),
            ("digest", found.digest),
            ("files", list(analysis.files)),
        ]
    )

    def typed(items: Any) -> str:
        return ", ".join(f"{item.name}: {item.type}" for item in items)

    typer.echo()
    print_table(
        ("task", "inputs", "outputs", "where"),
        (
            (task.name, typed(task.inputs), typed(task.outputs), task.location)
            for task in analysis.tasks.values()
        ),
        empty="It has no tasks.",
    )
    if analysis.handlers:
        typer.echo()
        print_table(
            ("artifact task", "type", "where"),
            ((h.name, str(h.type), h.location) for h in analysis.handlers.values()),
            empty="",
        )
