"""The reference grammar: how people and programs name a version of an artifact, in one place.

    store://<kind>/<project>/<key>[#<iteration>][:<tag or version>][@<uid>]
    <key>[#<iteration>][:<tag or version>][@<uid>]          in the current project
    <uid>                                                   the version itself

``artifacts`` as kind matches any kind; a kind may be written in the singular or the plural. Behind
``store://``, as in every URI, ``%20`` stands for a space and ``%25`` for ``%``.
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
_ITERATION_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A parsed reference.

    Args:
        kind: one of `KINDS`, or None for any; it is written only together with a project.
        project: None for the current project.
        key: None only where `uid` alone is given.
        version: a tag, a version's name, its number as text, or None: the newest.
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
        if self.iteration is not None:
            text += f"#{self.iteration}"
        if self.version is not None:
            text += f":{self.version}"
        if self.project is not None:
            kind = ANY_KIND if self.kind is None else _PLURALS[self.kind]
            # No name can hold the other marks of a URI, so only this one is to be escaped.
            text = f"{kind}/{self.project}/{text}".replace("%", "%25")
            text = f"{SCHEME}{text}"
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
    if len(text) == 36 and is_uid(text.lower()):
        return Reference(uid=text.lower())
    try:
        return _parse(text)
    except InvalidName as error:
        raise InvalidReference(text, error.what) from None


def _parse(text: str) -> Reference:
    rest, uid = _split_last(text, "@")
    if uid is not None:
        uid = uid.lower()
        if not is_uid(uid):
            raise InvalidReference(text, f"{uid[:80]!r} after '@' is no uid")
    kind: str | None = None
    project: str | None = None
    is_uri = "://" in rest
    if is_uri:
        kind, project, rest = _parse_place(text, rest)
    rest, version = _split_last(rest, ":")
    rest, iteration_text = _split_last(rest, "#")
    iteration = None
    if iteration_text is not None:
        digits = iteration_text.isascii() and iteration_text.isdigit()
        if not digits or len(iteration_text) > _ITERATION_DIGITS:
            raise InvalidReference(
                text,
                f"the iteration {iteration_text[:80]!r} is no whole number of at most "
                f"{_ITERATION_DIGITS} digits",
            )
        iteration = int(iteration_text)
    if is_uri:
        # Only now, so that an escaped mark stays a part of the name that it stands in.
        rest = _unquoted(text, rest)
        version = None if version is None else _unquoted(text, version)
    named = None if version is None else version.lower()
    if named is not None and is_uid(named):
        if uid is not None and uid != named:
            raise InvalidReference(text, "it names two different uids")
        version, uid = None, named
    return Reference(
        key=check_key(rest),
        project=project,
        kind=kind,
        iteration=iteration,
        version=None if version is None else check_name(version, "tag or version"),
        uid=uid,
    )


def _parse_place(text: str, rest: str) -> tuple[str | None, str, str]:
    """Kind, project and what follows them in ``store://kind/project/...``."""
    if not rest.startswith(SCHEME):
        scheme = rest.split("://", 1)[0]
        raise InvalidReference(text, f"its scheme is {scheme[:80]!r}, not 'store'")
    parts = rest.removeprefix(SCHEME).split("/", 2)
    if len(parts) != 3:
        raise InvalidReference(text, "after store:// come a kind, a project and a key")
    kind, project, rest = parts
    if kind not in _KINDS:
        known = ", ".join([ANY_KIND, *_PLURALS.values()])
        raise InvalidReference(text, f"{kind[:80]!r} is no kind; kinds are {known}")
    return _KINDS[kind], check_name(_unquoted(text, project), "project name"), rest


def _unquoted(text: str, part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise InvalidReference(text, f"{part[:80]!r} stands for no text in UTF-8") from None


def _split_last(text: str, mark: str) -> tuple[str, str | None]:
    head, found, tail = text.rpartition(mark)
    return (head, tail) if found else (text, None)
