"""A version for people: its record, the fields of its kind, what belongs to it, its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from findspot.cli.previews import print_preview
from findspot.cli.printing import print_fields, print_table, short_digest, size

if TYPE_CHECKING:
    from findspot.artifacts.kinds import KindFields
    from findspot.artifacts.version import ArtifactVersion
    from findspot.workspace import Workspace


def print_version(
    workspace: Workspace,
    version: ArtifactVersion,
    fields: KindFields,
    extra: Mapping[str, str],
) -> None:
    """Print a version.

    Args:
        fields: of its kind, with all updates.
        extra: what belongs to it, by name.
    """
    from findspot.artifacts.moving import protected_tags

    producer = version.producer
    guarded = protected_tags(workspace, version.key, project=version.project)
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
            ("tags", [f"{tag} (protected)" if tag in guarded else tag for tag in version.tags]),
            ("labels", dict(version.labels)),
            *((f"  {name}", value) for name, value in _described(fields)),
            *((f"  {name} ->", target) for name, target in extra.items()),
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


def _described(fields: KindFields) -> Iterator[tuple[str, Any]]:
    for name, value in {**fields.present(), **fields.other}.items():
        if name == "extra_data":
            continue
        if isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            yield name, [_column(each) for each in value]
        elif isinstance(value, Mapping):
            yield name, dict(value)
        else:
            yield name, value


def _column(each: Mapping[str, Any]) -> str:
    """A column of a model's signature, as ``petal: float64``; other mappings as they are."""
    if "name" in each and "type" in each:
        return f"{each['name']}: {each['type']}"
    return str(dict(each))
