"""The reference grammar: how people and programs name a version of an artifact, in one place.

    store://<kind>/<project>/<key>[#<iteration>][:<tag or version>][@<uid>]
    <key>[#<iteration>][:<tag or version>][@<uid>]          in the current project
    <uid>                                                   the version itself

``artifacts`` as kind matches any kind; a kind may be written in the singular or the plural.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from findspot.core.errors import InvalidName, InvalidReference
from findspot.core.ids import is_uid
from findspot.core.names import check_key, check_name
from findspot.core.records import KINDS

SCHEME = "store://"
ANY_KIND = "artifacts"
_PLURALS = {kind: {"directory": "directories"}.get(kind, f"{kind}s") for kind in KINDS}
_KINDS: dict[str, str | None] = {ANY_KIND: None, "artifact": None}
_KINDS.update({kind: kind for kind in KINDS})
_KINDS.update({plural: kind for kind, plural in _PLURALS.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A parsed reference. `version` is a tag, a version's name, its number as text, or None: latest.

    Args:
        kind: one of `KINDS`, or None for any.
        project: None for the current project.
        key: None only where `uid` alone is given.
    """

    key: str | None = None
    project: str | None = None
    kind: str | None = None
    iteration: int | None = None
    version: str | None = None
    uid: str | None = None

    def __str__(self) -> str:
        if self.key is None:
            return self.uid or ""
        text = self.key
        if self.project is not None:
            kind = ANY_KIND if self.kind is None else _PLURALS[self.kind]
            text = f"{SCHEME}{kind}/{self.project}/{self.key}"
        if self.iteration is not None:
            text += f"#{self.iteration}"
        if self.version is not None:
            text += f":{self.version}"
        if self.uid is not None:
            text += f"@{self.uid}"
        return text


def parse_reference(text: object) -> Reference:
    """``text`` as a `Reference`; `InvalidReference` says which part is wrong.

    >>> parse_reference("store://models/iris/tree#2:best").version
    'best'
    >>> str(parse_reference("samples:3"))
    'samples:3'
    """
    if not isinstance(text, str):
        raise InvalidReference(repr(text), f"it is a {type(text).__name__}, not text")
    if not text:
        raise InvalidReference(text, "it is empty")
    lowered = text.lower()
    if is_uid(lowered):
        return Reference(uid=lowered)
    rest, uid = _split_last(text, "@")
    if uid is not None:
        uid = uid.lower()
        if not is_uid(uid):
            raise InvalidReference(text, f"{uid!r} after '@' is no uid")
    project: str | None = None
    kind: str | None = None
    if "://" in rest:
        if not rest.startswith(SCHEME):
            raise InvalidReference(text, f"its scheme is {rest.split('://', 1)[0]!r}, not 'store'")
        parts = unquote(rest.removeprefix(SCHEME)).split("/", 2)
        if len(parts) != 3:
            raise InvalidReference(text, "after store:// come a kind, a project and a key")
        kind_text, project, rest = parts
        if kind_text not in _KINDS:
            raise InvalidReference(
                text,
                f"{kind_text!r} is no kind; kinds are {', '.join([ANY_KIND, *_PLURALS.values()])}",
            )
        kind = _KINDS[kind_text]
    rest, version = _split_last(rest, ":")
    rest, iteration_text = _split_last(rest, "#")
    iteration = None
    if iteration_text is not None:
        if not (iteration_text.isascii() and iteration_text.isdigit()):
            raise InvalidReference(text, f"the iteration {iteration_text!r} is no whole number")
        iteration = int(iteration_text)
    named = None if version is None else version.lower()
    if named is not None and is_uid(named):
        if uid is not None and uid != named:
            raise InvalidReference(text, "it names two different uids")
        version, uid = None, named
    try:
        return Reference(
            key=check_key(rest),
            project=None if project is None else check_name(project, "project name"),
            kind=kind,
            iteration=iteration,
            version=None if version is None else check_name(version, "tag or version"),
            uid=uid,
        )
    except InvalidName as error:
        raise InvalidReference(text, error.what) from None


def _split_last(text: str, mark: str) -> tuple[str, str | None]:
    head, found, tail = text.rpartition(mark)
    return (head, tail) if found else (text, None)
