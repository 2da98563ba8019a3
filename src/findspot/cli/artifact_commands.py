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
    seconds,
)
from findspot.cli.parts import AsType, Columns, Rows, chosen_part, write_form

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


def show(
    ref: Ref,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the whole record as YAML, to be read back.")
    ] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show one version: the fields of its kind, labels, tags, files, links, who made it."""
    from findspot.artifacts.kinds.updates import described, extra_data_of
    from findspot.cli.printing import print_json

    if yaml and as_json:
        raise UsageMistake("The record is printed as YAML or as JSON, not as both.")
    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    extra = extra_data_of(workspace, version)
    if yaml:
        from findspot.artifacts.kinds import to_yaml

        typer.echo(to_yaml(version, extra), nl=False)
        return
    fields = described(workspace, version)
    if as_json:
        from findspot.cli.documents import version_document

        document = version_document(version, files=True)
        present = {name: each for name, each in fields.present().items() if name != "extra_data"}
        print_json({**document, "fields": present, "extra_data": extra})
        return
    from findspot.cli.version_text import print_version

    print_version(workspace, version, fields, extra)


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
    as_type: AsType = None,
    columns: Columns = None,
    rows: Rows = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Load a value, or a part of it, and print it; of large ones a part (--json prints all)."""
    from findspot.cli.loaded_values import print_value
    from findspot.cli.printing import print_json

    version = existing_workspace().get_artifact(ref, project=project)
    value = version.load(trust=trust, as_type=as_type, **chosen_part(columns, rows))
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
    as_type: AsType = None,
    columns: Columns = None,
    rows: Rows = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Write a version's files, verified, into a folder.

    With --as, --columns or --rows, the files that saving that form or part would make.
    """
    from findspot.cli.printing import print_json

    workspace = existing_workspace()
    part = chosen_part(columns, rows)
    if as_type is None and not part:
        written = workspace.download(ref, to, replace=force, project=project)
    else:
        version = workspace.get_artifact(ref, project=project)
        value = version.load(as_type=as_type, **part)
        written = write_form(workspace, version, value, to, replace=force)
    if as_json:
        print_json([str(path) for path in written])
    else:
        for path in written:
            typer.echo(str(path))


def url(
    ref: Ref,
    file: Annotated[
        str | None, typer.Option("--file", help="One file of several; all by default.")
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", help="How long it is valid: 90s, 15m, 12h, at most 7d.")
    ] = "1h",
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Print a URL by which anybody can fetch a version's file from the bucket, for a while.

    Who has the URL can read the file: treat it as a password.
    """
    from findspot.cli.printing import print_json

    span = seconds(expires)
    version = existing_workspace().get_artifact(ref, project=project)
    names = [entry.path for entry in version.files] if file is None else [file]
    urls = {name: version.presigned(name, expires=span) for name in names}
    if as_json:
        print_json(urls)
    elif len(urls) == 1:
        typer.echo(next(iter(urls.values())))
    else:
        for name, found in urls.items():
            typer.echo(f"{name}\t{found}")


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
    force: Annotated[bool, typer.Option("--force", help="Even under a protected tag.")] = False,
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
        count = workspace.delete_artifact(version.key, project=version.project, force=force)
        typer.echo(f"Deleted {count} version{'' if count == 1 else 's'} of {version.key}.")
    else:
        workspace.delete_version(version, force=force)
        typer.echo(f"Deleted {version.uri}.")
