"""Renaming and moving artifacts, and tags that stay where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from findspot.core.errors import Conflict, NotFound
from findspot.core.names import check_key, check_name, check_tag

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


def move_artifact(
    space: ArtifactSpace,
    key: str,
    to_key: str | None = None,
    *,
    project: str | None = None,
    to_project: str | None = None,
) -> int:
    """Give an artifact another key, another project, or both, at once; how many versions it has.

    No bytes are copied. Versions keep uid, number, labels, tags and lineage; references by uid stay
    right, and references by the old key are not found any more.

    Args:
        to_key: None: the key it has.
        to_project: None: the project it is in.

    Raises:
        NotFound: there is no such artifact.
        Conflict: there is one of the new name, or was one: its numbers were given already.
    """
    here = space.project if project is None else check_name(project, "project name")
    there = here if to_project is None else check_name(to_project, "project name")
    key = check_key(key)
    new = key if to_key is None else check_key(to_key)
    if (here, key) == (there, new):
        raise Conflict(
            f"The artifact {key!r} is there already.", how="Give another key or another project."
        )
    catalog = space.catalog
    if catalog.find_version(here, key) is None:
        raise NotFound("artifact", f"{here}/{key}", near=catalog.keys(here, near=key, limit=3))
    return catalog.move_artifact(here, key, there, new)


def protect_tag(
    space: ArtifactSpace,
    key: str,
    tag: str,
    protected: bool = True,
    *,
    project: str | None = None,
) -> None:
    """Let a tag stay on the version that it is on: moving it or taking it off is then a `Conflict`,
    and so is deleting the version.

    Args:
        protected: False takes the protection off.

    Raises:
        NotFound: there is no such artifact; or no such tag to be protected.
    """
    where = space.project if project is None else check_name(project, "project name")
    key, tag = check_key(key), check_tag(tag)
    tags = space.catalog.tags(where, key)
    if protected and tag not in tags:
        raise NotFound("tag", f"{key}:{tag}", near=list(tags)[:5])
    space.catalog.protect_tag(where, key, tag, protected)


def protected_tags(space: ArtifactSpace, key: str, *, project: str | None = None) -> set[str]:
    """The tags of an artifact that are protected."""
    where = space.project if project is None else check_name(project, "project name")
    return space.catalog.protected_tags(where, check_key(key))
