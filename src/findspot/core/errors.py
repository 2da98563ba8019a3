"""Errors that more than one layer raises, and the base of all of them.

Every message says what is wrong, where, and how to mend it. A layer with mistakes of its own
defines them in its own ``errors`` module, derived from `FindspotError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class FindspotError(Exception):
    """The base of every error that Findspot raises on purpose.

    The message is assembled from three parts, so that a caller (a terminal, a web page) may also
    show them apart.

    Args:
        what: what is wrong, as a sentence.
        where: the place (an artifact, a file and line, a path in a document), if there is one.
        how: how to mend it, as an instruction.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, how: str | None = None) -> None:
        self.what = what
        self.where = where
        self.how = how
        parts = [what if where is None else f"{where}: {what}"]
        if how:
            parts.append(how)
        super().__init__("\n".join(parts))


class InvalidName(FindspotError):
    """A name of a project, an artifact, a tag, a step ... breaks the rules for names."""

    exit_code = 2

    def __init__(self, role: str, value: object, reason: str) -> None:
        self.role, self.value, self.reason = role, value, reason
        shown = repr(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(
            f"{shown} is no {role}: {reason}",
            how="Names hold letters of any alphabet, digits and . _ - + = space; "
            "artifact keys also '/' between their parts.",
        )


class InvalidReference(FindspotError):
    """A text is no artifact reference."""

    exit_code = 2

    def __init__(self, text: str, reason: str) -> None:
        self.text, self.reason = text, reason
        super().__init__(
            f"{text[:200]!r} is no artifact reference: {reason}",
            how="Write key, key:tag, key:3, or "
            "store://<kind>/<project>/<key>[#iteration][:tag or version][@uid].",
        )


class NotFound(FindspotError):
    """A record that was asked for does not exist.

    Args:
        role: what was looked for ("artifact", "job", "tag" ...).
        name: the name or reference it was asked by.
        near: existing names close to it, nearest first.
    """

    exit_code = 3

    def __init__(
        self, role: str, name: str, *, near: Sequence[str] = (), how: str | None = None
    ) -> None:
        self.role, self.name, self.near = role, name, tuple(near)
        hint = f"Did you mean {', '.join(self.near)}?" if near else None
        super().__init__(f"There is no {role} {name!r}.", how=how or hint)


class Conflict(FindspotError):
    """Somebody else changed the record first, or a name that must be new exists already."""

    exit_code = 4


class BlobMissing(FindspotError):
    """No blob is stored under a digest.

    ``where`` names the artifact and file, and ``how`` the job that could make the bytes again,
    where the caller knows them.
    """

    exit_code = 5

    def __init__(self, digest: str, *, where: str | None = None, how: str | None = None) -> None:
        self.digest = digest
        super().__init__(f"The blob {digest} is missing.", where=where, how=how)


class BlobDamaged(FindspotError):
    """The stored bytes do not have the digest they are stored under; they are never returned."""

    exit_code = 5

    def __init__(
        self, expected: str, found: str, *, where: str | None = None, how: str | None = None
    ) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"The stored bytes are damaged: expected {expected}, found {found}.",
            where=where,
            how=how
            or "Run `findspot verify` to see all damage; restore the file from a backup, "
            "or delete it and run the job that made it again.",
        )


class StorageFull(FindspotError):
    """The disk (or quota) under the workspace is full; nothing was recorded."""

    exit_code = 6

    def __init__(self, where: str, *, how: str | None = None) -> None:
        super().__init__(
            "There is no space left to write to; nothing was saved.",
            where=where,
            how=how or "Free some space, or move the workspace to a larger disk, and try again.",
        )


class ReadOnly(FindspotError):
    """The workspace cannot be written to."""

    exit_code = 6

    def __init__(self, where: str) -> None:
        super().__init__(
            "The workspace is read-only; nothing was saved.",
            where=where,
            how="Change the permissions of its folder, or use another workspace.",
        )


class FormatTooNew(FindspotError):
    """The workspace was written by a newer Findspot than this one."""

    exit_code = 6

    def __init__(self, found: int, supported: int, where: str) -> None:
        self.found, self.supported = found, supported
        super().__init__(
            f"The workspace has format {found}; this Findspot reads formats up to {supported}.",
            where=where,
            how="Upgrade Findspot: pip install --upgrade findspot",
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake found in something a person wrote.

    Args:
        path: where in the document, such as ``$.graph.scale_step.args[0]``.
        message: what is wrong.
        location: file and line, such as ``rescale.yaml:12`` (empty when unknown).
        expected: what was expected there.
        found: what was found instead.
        hint: how to mend it, such as the nearest existing name.
    """

    path: str
    message: str
    location: str = ""
    expected: str = ""
    found: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.location} ({self.path})" if self.location else self.path
        lines = [f"{place}: {self.message}"]
        if self.expected:
            lines.append(f"    expected: {self.expected}")
        if self.found:
            lines.append(f"    found:    {self.found}")
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)


class CheckFailed(FindspotError):
    """A document (a task graph, a plugin, a set of arguments) has mistakes; all are listed."""

    exit_code = 2

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.subject, self.problems = subject, tuple(problems)
        count = len(self.problems)
        listing = "\n".join(f"  {i}. {p}" for i, p in enumerate(self.problems, 1))
        super().__init__(
            f"{subject}: {count} mistake{'' if count == 1 else 's'}.\n{listing}",
        )
