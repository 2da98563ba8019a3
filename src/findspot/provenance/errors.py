"""Mistakes of this layer."""

from __future__ import annotations

from collections.abc import Sequence

from findspot.core.errors import FindspotError


class CannotReproduce(FindspotError):
    """What made a version is not recorded, or not all of it is there any more; nothing has run.

    Args:
        version: its reference.
        reason: why, as a sentence.
        missing: what would be needed, one sentence or name each.
    """

    exit_code = 5

    def __init__(
        self, version: str, reason: str, *, missing: Sequence[str] = (), how: str | None = None
    ) -> None:
        self.version, self.reason, self.missing = version, reason, tuple(missing)
        listing = "".join(f"\n  - {item}" for item in self.missing)
        super().__init__(f"It cannot be made again: {reason}{listing}", where=version, how=how)


class FolderInUse(FindspotError):
    """A folder that is to be written holds something already; nothing was written."""

    exit_code = 4

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            "The folder is not empty.", where=folder, how="Name a new folder, or an empty one."
        )


class NotEnded(FindspotError):
    """A job that still runs, or waits to, cannot be exported as a whole."""

    exit_code = 4

    def __init__(self, job: str, status: str) -> None:
        self.job, self.status = job, status
        super().__init__(
            f"The job {job} is {status}.", how="Wait until it has ended, or cancel it."
        )
