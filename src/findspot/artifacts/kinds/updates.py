"""What is learned of a version after it was saved: metrics of a later test, a description, a chart.

A version never changes. An update is a small artifact of its own, ``<key>/updates``, of kind value,
which holds the new fields; a link ``updates/<its uid>`` leads from the version to it. So an update
has an owner, a time and a job that made it, two updates at once are both kept, and the lineage says
which evaluation a number came from. Extra data are links alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from findspot.artifacts.kinds.fields import KindFields
from findspot.artifacts.kinds.views import KIND_FIELDS, kind_of
from findspot.artifacts.version import ArtifactVersion, uri_of
from findspot.core.records import Link, now

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace

FOLDER = "updates"
_OF = "update_of"


@dataclass(frozen=True)
class Update:
    """One update of a version.

    Args:
        fields: metadata that were added, or took the place of others.
        record: the version that holds them; its `producer` is the job that added them.
    """

    fields: Mapping[str, Any]
    record: ArtifactVersion

    @property
    def time(self) -> datetime:
        return self.record.created


def add_update(
    space: ArtifactSpace, version: ArtifactVersion, fields: Mapping[str, Any]
) -> ArtifactVersion:
    """Record an update of a version; the small artifact that holds it."""
    saved = space.save_artifact(
        dict(fields),
        f"{version.key}/{FOLDER}",
        kind="value",
        metadata={_OF: version.uid},
        project=version.project,
    )
    name = f"{FOLDER}/{saved.uid}"
    space.catalog.add_links([Link(version.uid, name, saved.uid, "artifact", space.owner, now())])
    return saved


def updates_of(space: ArtifactSpace, artifact: ArtifactLike) -> list[Update]:
    """The updates of a version, oldest first; deleted ones are left out."""
    version = space.get_artifact(artifact)
    targets = [
        link.target
        for link in space.catalog.links(version.uid)
        if link.name.startswith(f"{FOLDER}/") and link.kind == "artifact"
    ]
    found = [
        ArtifactVersion(space, record)
        for record in space.catalog.versions(targets).values()
        if record.metadata.get(_OF) == version.uid
    ]
    found.sort(key=lambda each: (each.created, each.uid))
    return [Update(space.load_version(each.record, each.files), each) for each in found]


def described(space: ArtifactSpace, artifact: ArtifactLike) -> KindFields:
    """The fields of a version's kind with all updates applied: mappings (metrics, parameters ...)
    grow, everything else is replaced. `kind_of` gives them as they were when it was saved."""
    version = space.get_artifact(artifact)
    updates = updates_of(space, version)
    if not updates:
        return kind_of(version)
    metadata = dict(version.metadata)
    for update in updates:
        for name, value in update.fields.items():
            before = metadata.get(name)
            if isinstance(before, Mapping) and isinstance(value, Mapping):
                value = {**before, **value}
            metadata[name] = value
    return KIND_FIELDS.get(version.kind, KindFields).from_metadata(metadata, strict=False)


def extra_data_of(space: ArtifactSpace, artifact: ArtifactLike) -> dict[str, str]:
    """What belongs to a version, by name: full references of versions, URLs, paths of files.

    Those of the version's own metadata stay; a link of the same name takes their place. Artifacts
    that were deleted since are left out, and those that were moved have their new name. A relative
    path is that of a file of the version itself.
    """
    version = space.get_artifact(artifact)
    found = dict(kind_of(version).extra_data or {})
    files: dict[str, str] = {}
    for link in space.catalog.links(version.uid):
        if link.name.startswith(f"{FOLDER}/"):
            continue
        found.pop(link.name, None)
        (files if link.kind == "file" else found)[link.name] = link.target
    uids = {name: target.rpartition("@")[2] for name, target in found.items()}
    records = space.catalog.versions(uids.values())
    there = {
        name: uri_of(records[uids[name]]) if uids[name] in records else target
        for name, target in found.items()
        if uids[name] in records or ("://" in target and not target.startswith("store://"))
    }
    return there | files
