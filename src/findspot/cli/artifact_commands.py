"""`findspot artifacts`, `findspot artifact ...` and `findspot lineage`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from findspot.cli.options import (
    AsJson,
    Labels,
    Limit,
    Project,
    Since,
    Until,
    moment,
    open_workspace,
    pairs,
)

Ref = Annotated[
    str,
    typer.Argument(help="A key, key:tag, key:3, a store:// reference, or a uid.", metavar="REF"),
]
Key = Annotated[str, typer.Argument(help="The artifact's key.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def artifacts(
    name: Annotated[str | None, typer.Argument(help="A key, or a glob such as 'sam*'.")] = None,
    kind: Annotated[str | None, typer.Option(help="dataset, model, plot, table ...")] = None,
    label: Labels = None,
    tag: Annotated[str | None, typer.Option(help="Has this tag.")] = None,
    job: Annotated[str | None, typer.Option(help="Made by this job.")] = None,
    since: Since = None,
    until: Until = None,
    versions: Annotated[
        bool, typer.Option("--all", help="All versions, not only the newest of each.")
    ] = False,
    project: Project = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List artifacts, newest first."""
    from findspot.cli.documents import version_document
    from findspot.cli.printing import age, print_json, print_table, size

    workspace = open_workspace()
    found = workspace.list_artifacts(
        name=name,
        kind=kind,
        labels=pairs(label, "--label"),
        tag=tag,
        job=None if job is None else workspace.get_job(job).id,
        since=moment(since),
        until=moment(until),
        latest=not versions and tag is None and job is None,
        project=project,
        limit=limit,
    )
    if as_json:
        print_json([version_document(version) for version in found])
        return
    print_table(
        ("artifact", "kind", "tags", "size", "created", "made by"),
        (
            (
                f"{v.key}:{v.version}",
                v.kind,
                " ".join(v.tags),
                size(v.size),
                age(v.created),
                f"{v.producer.step or 'job'} of {v.producer.job}" if v.producer else v.owner,
            )
            for v in found
        ),
        empty="There are no such artifacts.",
    )


def show(ref: Ref, project: Project = None, as_json: AsJson = False) -> None:
    """Show one version: metadata, labels, tags, files, who made it."""
    from findspot.cli.documents import version_document
    from findspot.cli.previews import print_preview
    from findspot.cli.printing import print_fields, print_json, print_table, size

    version = open_workspace().get_artifact(ref, project=project)
    if as_json:
        print_json(version_document(version, files=True))
        return
    producer = version.producer
    print_fields(
        [
            ("uri", version.uri),
            ("kind", version.kind),
            ("name", version.version_name),
            ("type", version.python_type),
            ("handler", version.handler),
            ("digest", version.digest),
            ("size", size(version.size)),
            ("created", f"{version.created.astimezone():%Y-%m-%d %H:%M:%S} by {version.owner}"),
            ("job", producer and producer.job),
            ("step", producer and producer.step),
            ("tags", list(version.tags)),
            ("labels", dict(version.labels)),
            *((f"  {name}", value) for name, value in version.metadata.items()),
        ]
    )
    print_table(
        ("file", "size", "digest"),
        ((entry.path, size(entry.size), entry.digest) for entry in version.files),
        empty="It has no files.",
    )
    print_preview(version.preview)


def save(
    key: Key,
    path: Annotated[
        Path | None, typer.Argument(help="A file or folder; leave out with --value.")
    ] = None,
    value: Annotated[str | None, typer.Option(help="A JSON value instead of a file.")] = None,
    kind: Annotated[str | None, typer.Option(help="dataset, model, plot, table ...")] = None,
    label: Labels = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", "-t", help="Repeatable.")] = None,
    version: Annotated[str | None, typer.Option(help="A name of the version's own.")] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Save a file, a folder or a JSON value as the next version of an artifact."""
    import json

    from findspot.cli.documents import version_document
    from findspot.cli.printing import print_json
    from findspot.core.errors import FindspotError

    if (path is None) == (value is None):
        raise FindspotError(
            "Say what to save: a file or folder, or --value, not both.",
            how="findspot artifact save samples data/samples.npy",
        )
    content: Any = path
    if value is not None:
        try:
            content = json.loads(value)
        except ValueError as error:
            raise FindspotError(
                f"The value is no JSON: {error}.", how="Text wants quotes: --value '\"text\"'."
            ) from None
    saved = open_workspace().save_artifact(
        content,
        key,
        kind=kind,
        labels=pairs(label, "--label"),
        tags=tag or (),
        version=version,
        project=project,
    )
    if as_json:
        print_json(version_document(saved, files=True))
    else:
        typer.echo(saved.uri)


def load(
    ref: Ref,
    trust: Annotated[bool, typer.Option(help="Load it even if that may run code.")] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Load a value and print it."""
    from findspot.cli.printing import print_json

    value = open_workspace().load_artifact(ref, project=project, trust=trust)
    if as_json:
        print_json(value)
    elif isinstance(value, bytes):
        sys.stdout.buffer.write(value)
    else:
        typer.echo(str(value))


def download(
    ref: Ref,
    to: Annotated[
        Path, typer.Option("--to", "-o", help="A folder; made where it is not.")
    ] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Write a version's files, verified, into a folder."""
    from findspot.cli.printing import print_json

    written = open_workspace().download(ref, to, replace=force, project=project)
    if as_json:
        print_json([str(path) for path in written])
    else:
        for path in written:
            typer.echo(str(path))


def tag(
    ref: Ref,
    name: Annotated[str, typer.Argument(help="The tag.", metavar="TAG")],
    expected: Annotated[
        int | None,
        typer.Option(help="Move it only from this version's number; 0: only if it is not set."),
    ] = None,
    project: Project = None,
) -> None:
    """Set or move a tag to a version."""
    options: dict[str, Any] = {} if expected is None else {"expected": expected or None}
    event = open_workspace().tag(ref, name, project=project, **options)
    before = "" if event.previous is None else f" (was on {event.previous})"
    typer.echo(f"{event.key}:{event.tag} is version {event.version}{before}")


def untag(
    key: Key,
    name: Annotated[str, typer.Argument(help="The tag.", metavar="TAG")],
    project: Project = None,
) -> None:
    """Take a tag off."""
    event = open_workspace().untag(key, name, project=project)
    typer.echo(f"{event.key}:{event.tag} is no more (was on {event.previous})")


def history(
    key: Key,
    name: Annotated[str, typer.Argument(help="The tag.", metavar="TAG")],
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List all moves of a tag, oldest first."""
    from findspot.cli.documents import tag_document
    from findspot.cli.printing import print_json, print_table

    events = open_workspace().tag_history(key, name, project=project)
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


def label(
    ref: Ref,
    labels: Annotated[
        list[str], typer.Argument(help="name=value; an empty value takes the label off.")
    ],
) -> None:
    """Set labels of a version."""
    given = pairs(labels, "labels")
    version = open_workspace().set_labels(ref, {k: v or None for k, v in given.items()})
    typer.echo(", ".join(f"{k}={v}" for k, v in version.labels.items()) or "no labels")


def trust(ref: Ref, yes: Yes = False) -> None:
    """Let a version from elsewhere be loaded, even if loading it can run code."""
    workspace = open_workspace()
    version = workspace.get_artifact(ref)
    if not yes:
        typer.confirm(
            f"{version.uri} was saved with {version.handler} by workspace "
            f"{version.record.origin or 'unknown'}. Loading it may run any code. Trust it?",
            abort=True,
        )
    workspace.trust_version(version)
    typer.echo(f"{version.uri} is trusted in this workspace.")


def delete(
    ref: Ref,
    every: Annotated[
        bool, typer.Option("--all", help="The artifact with all its versions.")
    ] = False,
    project: Project = None,
    yes: Yes = False,
) -> None:
    """Delete a version, or with --all an artifact."""
    workspace = open_workspace()
    version = workspace.get_artifact(ref, project=project)
    what = f"all versions of {version.key!r}" if every else version.uri
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True)
    if every:
        count = workspace.delete_artifact(version.key, project=version.project)
        typer.echo(f"Deleted {count} versions of {version.key}.")
    else:
        workspace.delete_version(version)
        typer.echo(f"Deleted {version.uri}.")


def lineage(
    ref: Ref,
    direction: Annotated[
        str, typer.Option("--direction", "-d", help="upstream or downstream.")
    ] = "upstream",
    depth: Annotated[int | None, typer.Option(min=1, help="At most so many steps away.")] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what a version came from, or what was made from it."""
    from findspot.cli.documents import lineage_document
    from findspot.cli.lineage_tree import lineage_tree
    from findspot.cli.printing import console, print_json

    workspace = open_workspace()
    way: Any = direction
    found = workspace.lineage(workspace.get_artifact(ref, project=project), way, depth=depth)
    if as_json:
        print_json(lineage_document(found))
        return
    chosen: Literal["upstream", "downstream"] = way
    console().print(lineage_tree(found, chosen))
