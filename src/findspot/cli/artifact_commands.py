"""`findspot artifacts` and `findspot artifact ...`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.options import (
    AsJson,
    ChosenKind,
    Labels,
    Limit,
    Project,
    Since,
    Until,
    UsageMistake,
    Yes,
    confirm,
    existing_workspace,
    moment,
    open_workspace,
    pairs,
)

if TYPE_CHECKING:
    from findspot.artifacts.version import ArtifactVersion

Ref = Annotated[
    str,
    typer.Argument(help="A key, key:tag, key:3, a store:// reference, or a uid.", metavar="REF"),
]
Key = Annotated[str, typer.Argument(help="The artifact's key.")]


def artifacts(
    name: Annotated[str | None, typer.Argument(help="A key, or a glob such as 'sam*'.")] = None,
    kind: ChosenKind = None,
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
    from findspot.cli.printing import age, note, print_json, print_table, short_id, size

    workspace = existing_workspace()
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
                _maker(v, short_id),
            )
            for v in found
        ),
        empty="There are no such artifacts.",
        whole=("artifact", "kind", "size", "created"),
    )
    if found.next is not None:
        note(f"There are more: --limit {2 * limit}")


def _maker(version: ArtifactVersion, written: Callable[[str], str]) -> str:
    producer = version.producer
    if producer is None:
        return version.owner
    return f"{producer.step or 'job'} of {written(producer.job)}"


def show(ref: Ref, project: Project = None, as_json: AsJson = False) -> None:
    """Show one version: metadata, labels, tags, files, who made it."""
    from findspot.cli.documents import version_document
    from findspot.cli.previews import print_preview
    from findspot.cli.printing import print_fields, print_json, print_table, short_digest, size

    version = existing_workspace().get_artifact(ref, project=project)
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
    typer.echo()
    print_table(
        ("file", "size", "digest"),
        ((entry.path, size(entry.size), short_digest(entry.digest)) for entry in version.files),
        empty="It has no files.",
        whole=("size", "digest"),
    )
    print_preview(version.preview)


def save(
    key: Key,
    path: Annotated[
        Path | None, typer.Argument(help="A file or folder; leave out with --value.")
    ] = None,
    value: Annotated[str | None, typer.Option(help="A JSON value instead of a file.")] = None,
    kind: ChosenKind = None,
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

    if (path is None) == (value is None):
        raise UsageMistake(
            "Say what to save: a file or folder, or --value, not both.",
            how="For example: findspot artifact save samples data/samples.npy",
        )
    content: Any = path
    if value is not None:
        try:
            content = json.loads(value)
        except ValueError as error:
            raise UsageMistake(
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
    """Load a value and print it; of large arrays and tables, a part (--json prints all)."""
    from findspot.cli.loaded_values import print_value
    from findspot.cli.printing import print_json

    value = existing_workspace().load_artifact(ref, project=project, trust=trust)
    if as_json:
        print_json(value)
    else:
        print_value(value)


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

    written = existing_workspace().download(ref, to, replace=force, project=project)
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
    event = existing_workspace().tag(ref, name, project=project, **options)
    before = "" if event.previous is None else f" (was on {event.previous})"
    typer.echo(f"{event.key}:{event.tag} is version {event.version}{before}")


def untag(
    key: Key,
    name: Annotated[str, typer.Argument(help="The tag.", metavar="TAG")],
    project: Project = None,
) -> None:
    """Take a tag off."""
    event = existing_workspace().untag(key, name, project=project)
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


def label(
    ref: Ref,
    labels: Annotated[
        list[str], typer.Argument(help="name=value; an empty value takes the label off.")
    ],
    project: Project = None,
) -> None:
    """Set labels of a version."""
    given = pairs(labels, "labels")
    workspace = existing_workspace()
    found = workspace.get_artifact(ref, project=project)
    version = workspace.set_labels(found, {k: v or None for k, v in given.items()})
    typer.echo(", ".join(f"{k}={v}" for k, v in version.labels.items()) or "no labels")


def trust(ref: Ref, project: Project = None, yes: Yes = False) -> None:
    """Let a version from elsewhere be loaded, even if loading it can run code."""
    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    if not yes:
        confirm(
            f"{version.uri} was saved with {version.handler} by workspace "
            f"{version.record.origin or 'unknown'}. Loading it may run any code. Trust it?",
            undone="It is not trusted.",
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
    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    what = f"all versions of {version.key!r}" if every else version.uri
    if not yes:
        confirm(f"Delete {what}?", undone="Nothing is deleted.")
    if every:
        count = workspace.delete_artifact(version.key, project=version.project)
        typer.echo(f"Deleted {count} version{'' if count == 1 else 's'} of {version.key}.")
    else:
        workspace.delete_version(version)
        typer.echo(f"Deleted {version.uri}.")
