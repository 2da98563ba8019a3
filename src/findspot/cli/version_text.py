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

_CLIPPED = 20
_STATISTICS = {"column": "statistics", "training column": "feature_statistics"}


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
    for name, statistics in _STATISTICS.items():
        _print_statistics(name, getattr(fields, statistics, None) or {})
    typer.echo()
    print_table(
        ("file", "size", "digest"),
        ((entry.path, size(entry.size), short_digest(entry.digest)) for entry in version.files),
        empty="It has no files.",
        whole=("size", "digest"),
    )
    print_preview(version.preview)


def _print_statistics(header: str, statistics: Mapping[str, Mapping[str, Any]]) -> None:
    """A row for each column; quantiles and histograms are left to ``--json``."""
    if not statistics:
        return
    typer.echo()
    print_table(
        (header, "type", "missing", "values"),
        (
            (name, found.get("type", ""), found.get("missing", ""), _values(found))
            for name, found in statistics.items()
        ),
        empty="",
        whole=("missing",),
    )


def _values(found: Mapping[str, Any]) -> str:
    """What values a column holds, in a few words."""
    if "true" in found:
        return f"{found['true']} true, {found['false']} false"
    if "distinct" in found:
        top = ", ".join(
            f"{str(v)[:_CLIPPED]} ({count})" for v, count in (found.get("top") or [])[:3]
        )
        return f"{found['distinct']} distinct: {top}" if top else f"{found['distinct']} distinct"
    if found.get("min") is None:
        return ""
    ends = f"{_figure(found['min'])} to {_figure(found['max'])}"
    if found.get("mean") is None:
        return ends
    return f"{ends}, mean {_figure(found['mean'])}, std {_figure(found.get('std'))}"


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _described(fields: KindFields) -> Iterator[tuple[str, Any]]:
    for name, value in {**fields.present(), **fields.other}.items():
        if name == "extra_data" or name in _STATISTICS.values():
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
