"""Mistakes that only the catalog can find."""

from __future__ import annotations

from collections.abc import Sequence

from findspot.core.errors import Conflict, FindspotError


class NameTaken(Conflict):
    """A version's name is in use under its key."""

    def __init__(self, project: str, key: str, name: str) -> None:
        self.project, self.key, self.name = project, key, name
        super().__init__(
            f"Artifact {key!r} in project {project!r} has a version named {name!r} already.",
            how="Choose another name, or use a tag, which can move.",
        )


class TagMoved(Conflict):
    """A tag is not where the caller expected it."""

    def __init__(
        self, project: str, key: str, tag: str, expected: int | None, found: int | None
    ) -> None:
        self.project, self.key, self.tag = project, key, tag
        self.expected, self.found = expected, found
        super().__init__(
            f"Tag {tag!r} of artifact {key!r} in project {project!r} is on {_place(found)}, "
            f"not on {_place(expected)}: somebody moved it first.",
            how="Look where it is now and decide again.",
        )


class TagProtected(Conflict):
    """A protected tag stays where it is, and with it its version."""

    def __init__(self, project: str, key: str, tag: str) -> None:
        self.project, self.key, self.tag = project, key, tag
        super().__init__(
            f"Tag {tag!r} of artifact {key!r} in project {project!r} is protected; "
            "nothing was changed.",
            how="Move it with force, or take its protection off first.",
        )


class ArtifactExists(Conflict):
    """The name that an artifact shall move to is in use, or was: its numbers were given."""

    def __init__(self, project: str, key: str) -> None:
        self.project, self.key = project, key
        super().__init__(
            f"There is an artifact {key!r} in project {project!r} already, or there was one.",
            how="Choose another key: numbers of versions are never given twice.",
        )


class AlreadyLeased(Conflict):
    """Somebody else does what only one may do at a time."""

    def __init__(self, purpose: str, owner: str, until: str) -> None:
        self.purpose, self.owner, self.until = purpose, owner, until
        super().__init__(
            f"{owner or 'Somebody'} holds the only lease for {purpose!r}, until {until} at least.",
            how="Wait for the end, or end that process: its lease then runs out by itself.",
        )


class ScheduleExists(Conflict):
    """The name of a new schedule is in use."""

    def __init__(self, project: str, name: str) -> None:
        self.project, self.name = project, name
        super().__init__(
            f"There is a schedule {name!r} in project {project!r} already.",
            how="Choose another name, or say that it is to be replaced.",
        )


class JobMoved(Conflict):
    """A job is in none of the states that a change of it expects."""

    def __init__(self, job: str, expected: Sequence[str], found: str) -> None:
        self.job, self.expected, self.found = job, tuple(expected), found
        super().__init__(
            f"Job {job} is {found}, not {' or '.join(expected)}.",
            how="Look at its state again; somebody else changed it first.",
        )


class RecordExists(Conflict):
    """A record with the same identifier is in the catalog already."""

    def __init__(self, where: str, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"The record exists already ({detail}); nothing was saved.",
            where=where,
            how="Records are written once; give a new one a new uid.",
        )


class InvalidCursor(FindspotError):
    """A page was asked for by a text that no listing gave."""

    exit_code = 2

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        super().__init__(
            f"{cursor[:80]!r} is no cursor of this listing.",
            how="Pass the `next` of the page before unchanged, or none for the first page.",
        )


class InvalidRecord(FindspotError):
    """A record holds something that no database can keep."""

    exit_code = 2

    def __init__(self, where: str, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"The record cannot be kept ({detail}); nothing was saved.",
            where=where,
            how="Take control characters and lone surrogates out of its texts, and keep whole "
            "numbers below 2 to the power of 63.",
        )


class CatalogDamaged(FindspotError):
    """The database is damaged, or no catalog of Findspot."""

    exit_code = 5

    def __init__(self, where: str, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"This is no readable catalog ({detail}).",
            where=where,
            how="Restore the file from a backup, or move it away to begin a new catalog.",
        )


class CatalogUnavailable(FindspotError):
    """The database cannot be reached or refuses to work."""

    exit_code = 6

    def __init__(self, where: str, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"The catalog cannot be used now ({detail}).",
            where=where,
            how="Check that the path or URL is right, and that the database runs and admits you.",
        )


class InvalidCatalogUrl(FindspotError):
    """A text names no catalog."""

    exit_code = 2

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            f"{url[:200]!r} is no address of a catalog.",
            how="Give a path to a file, sqlite:///path, or postgresql://user@host/database.",
        )


def _place(number: int | None) -> str:
    return "nothing" if number is None else f"version {number}"
