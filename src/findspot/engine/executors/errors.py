"""What can be wrong with the choice of an executor."""

from __future__ import annotations

from findspot.core.errors import FindspotError


class ExecutorUnavailable(FindspotError):
    """An executor is known, but cannot be used here.

    Args:
        name: as it was asked for.
    """

    exit_code = 3

    def __init__(self, name: str, reason: str, how: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"Steps cannot run there: {reason}", where=f"executor {name}", how=how)


class ExecutorLibraryMissing(ExecutorUnavailable):
    """The library behind an executor is not installed.

    Args:
        extra: of Findspot, that brings the library.
    """

    def __init__(self, name: str, library: str, extra: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(
            name,
            f"{library} is not installed.",
            f"Install it: pip install 'findspot[{extra}]'",
        )
