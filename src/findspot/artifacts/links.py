"""Links between versions, and from versions to other things ("extra data").

A model points to its confusion matrix, a dataset to its chart or to the page that describes it.
Links are no part of a version's bytes: they can be added, changed and taken off later.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

from findspot.core.errors import FindspotError, NotFound
from findspot.core.names import check_key
from findspot.core.records import Link, now
from findspot.core.references import SCHEME

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion

    LinkTarget: TypeAlias = ArtifactLike | os.PathLike[str]

_LENGTH = 4096


class BrokenLink(FindspotError):
    """What a link points to is not there."""

    exit_code = 3

    def __init__(self, link: Link, reason: str) -> None:
        self.link, self.reason = link, reason
        super().__init__(
            f"The link {link.name!r} leads nowhere: {reason}.",
            where=link.target,
            how="Set it again, or take it off.",
        )


@dataclass(frozen=True, slots=True)
class LinkedFrom:
    """A version that points to another one, and the link's name."""

    version: ArtifactVersion
    name: str


def link(space: ArtifactSpace, artifact: ArtifactLike, name: str, target: LinkTarget) -> Link:
    """Link a version to something under a name; the newest link of a name counts.

    Args:
        name: as a key: parts joined by ``/``.
        target: a version or a reference to one (fixed now: a tag may move, the link does not), a
            URL (recorded as it is), a file of the version itself by its path, or a `Path` to a file
            on this machine.

    Raises:
        NotFound: the version, or the version that it is to point to.
        InvalidName, InvalidReference, FindspotError: a name or a target is wrong.
    """
    version = space.get_artifact(artifact)
    kind, text = _target(space, version, target)
    if len(text) > _LENGTH:
        raise FindspotError(f"The target has over {_LENGTH} characters.", where=text[:80])
    made = Link(version.uid, check_key(name, "name of a link"), text, kind, space.owner, now())
    space.catalog.add_links([made])
    return made


def unlink(space: ArtifactSpace, artifact: ArtifactLike, name: str) -> None:
    """Take a link off; `NotFound` where there is none of the name."""
    version = space.get_artifact(artifact)
    known = [found.name for found in space.catalog.links(version.uid)]
    name = check_key(name, "name of a link")
    if name not in known:
        raise NotFound("link", name, near=known[:5])
    space.catalog.add_links([Link(version.uid, name, "", "artifact", space.owner, now())])


def links(space: ArtifactSpace, artifact: ArtifactLike) -> dict[str, Link]:
    """The links of a version by name."""
    found = space.catalog.links(space.get_artifact(artifact).uid)
    return {each.name: each for each in found}


def linked_from(space: ArtifactSpace, artifact: ArtifactLike) -> list[LinkedFrom]:
    """The versions that point to a version, newest link first."""
    found = space.catalog.linked_from(space.get_artifact(artifact).uid)
    return [
        LinkedFrom(space.get_artifact(each.version), each.name)
        for each in found
        if each.kind == "artifact" and space.catalog.version(each.version) is not None
    ]


def resolve(space: ArtifactSpace, each: Link) -> ArtifactVersion | str | Path:
    """What a link points to: a version, a URL, or the path of a file.

    Nothing is opened or fetched: a link that came from elsewhere may name any URL and any path.

    Raises:
        BrokenLink: the version or the file of a version is not there any more.
    """
    if each.kind == "url":
        return each.target
    if each.kind == "artifact":
        try:
            return space.get_artifact(each.target)
        except NotFound as error:
            raise BrokenLink(each, error.what) from error
    if os.path.isabs(each.target):
        return Path(each.target)
    version = space.get_artifact(each.version)
    if each.target not in {entry.path for entry in version.files}:
        raise BrokenLink(each, "the version has no such file")
    return version.path(each.target)


def _target(
    space: ArtifactSpace, version: ArtifactVersion, target: LinkTarget
) -> tuple[Literal["artifact", "url", "file"], str]:
    if isinstance(target, os.PathLike):
        path = Path(target).expanduser().absolute()
        if not path.exists():
            raise NotFound("file", str(path))
        return "file", str(path)
    if isinstance(target, str):
        if "://" in target and not target.startswith(SCHEME):
            try:
                parts = urlsplit(target)
            except ValueError as error:
                raise FindspotError(
                    f"{target[:80]!r} is no URL: {error}.", how="Check how it is written."
                ) from None
            if parts.password:
                raise FindspotError(
                    "The URL holds a password, which every reader of the record would see.",
                    how="Leave user and password out of the URL.",
                )
            if not target.isprintable() or " " in target:
                raise FindspotError(f"{target[:80]!r} is no URL.", how="Escape what is no letter.")
            return "url", target
        if target in {entry.path for entry in version.files}:
            return "file", target
    try:
        return "artifact", space.get_artifact(target).uid
    except NotFound as error:
        if isinstance(target, str) and Path(target).exists():
            how = f"To link the file: Path({target!r}), at the command line {os.curdir}/{target}"
            raise NotFound(error.role, error.name, how=how) from None
        raise
