"""What can be wrong with a schedule."""

from __future__ import annotations

from findspot.core.errors import Conflict, FindspotError


class BadCron(FindspotError):
    """A text is no cron expression, or one that no time ever meets."""

    exit_code = 2

    def __init__(self, text: str, reason: str) -> None:
        self.text, self.reason = text, reason
        super().__init__(
            f"{text[:100]!r} is no cron expression: {reason}.",
            how="Give minute, hour, day of month, month and day of week, such as '30 3 * * 1-5'; "
            "or @hourly, @daily, @weekly, @monthly or @yearly.",
        )


class UnknownTimeZone(FindspotError):
    """There is no time zone of a name."""

    exit_code = 2

    def __init__(self, name: str, near: tuple[str, ...] = ()) -> None:
        self.name, self.near = name, near
        super().__init__(
            f"There is no time zone {name[:100]!r}.",
            how=f"Did you mean {', '.join(near)}?"
            if near
            else "Name one of the IANA database, such as Europe/Berlin, or UTC.",
        )


class CronLibraryMissing(FindspotError):
    """The library that reads cron expressions is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Schedules need cronsim, which is not installed.",
            how="Install it: pip install 'findspot[schedules]'",
        )


class ScheduleChanged(Conflict):
    """A schedule was changed or removed by somebody else in the meantime."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            "Somebody else changed or removed it just now.",
            where=f"schedule {name}",
            how="Look at it again, and decide again.",
        )
