"""The times of a cron expression in a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice

from findspot.engine.scheduling.errors import BadCron, CronLibraryMissing, UnknownTimeZone

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = 5
_SPANS = tuple(timedelta(hours=hours) for hours in (1, 24, 32 * 24, 366 * 24))
"""How far back the latest time is looked for, one after the other."""
_START = datetime(2024, 1, 1, tzinfo=UTC)


class Timetable:
    """When a schedule is due: whole minutes, in order, each instant once.

    A time of day that a change of the clocks leaves out is due at the first minute after the gap,
    one that comes twice is due the first time. Where minute or hour begin with ``*``, the times
    follow the time that passes instead: every hour has its full number.

    Args:
        cron: five fields (minute, hour, day of month, month, day of week), with ``*``, lists,
            ranges, steps and names; or one of ``@hourly``, ``@daily``, ``@weekly``,
            ``@monthly``, ``@yearly``. Where both days are restricted, either will do.
        zone: IANA name of the time zone that the fields mean.

    Raises:
        BadCron: the text is none, or no time ever meets it.
        UnknownTimeZone: there is no zone of that name.

    >>> berlin = Timetable("30 2 * * *", "Europe/Berlin")
    >>> night = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the clocks leave out 02:00 to 03:00
    >>> [f"{time:%d %H:%M %Z}" for time in berlin.times(night, 2)]
    ['29 03:00 CEST', '30 02:30 CEST']
    """

    def __init__(self, cron: str, zone: str = "UTC") -> None:
        self.cron, self.zone = cron, zone
        self._zone = _time_zone(zone)
        self._fields = _fields(cron)
        if self.following(_START) is None:
            raise BadCron(cron, "no day ever meets it")

    def following(self, after: datetime) -> datetime | None:
        """The first time later than ``after``, in UTC; None where none comes in 50 years."""
        return next(self._after(after), None)

    def times(self, after: datetime, count: int) -> list[datetime]:
        """The next times, as clocks of the zone show them."""
        return [found.astimezone(self._zone) for found in islice(self._after(after), count)]

    def latest(self, first: datetime, until: datetime) -> datetime:
        """The last time up to ``until``, given that ``first``, not later than that, is one.

        It takes about as long for a minute as for a year.
        """
        for span in _SPANS:
            if until - span <= first:
                break
            found = self._last(until - span, until)
            if found is not None:
                return found
        return self._last(first, until) or first

    def _last(self, after: datetime, until: datetime) -> datetime | None:
        found = None
        for time in self._after(after):
            if time > until:
                break
            found = time
        return found

    def _after(self, after: datetime) -> Iterator[datetime]:
        from cronsim import CronSim

        last = after.astimezone(UTC)
        for found in CronSim(self._fields, after.astimezone(self._zone)):
            time = found.astimezone(UTC)
            # Two times of day may be the same instant after a gap; and in the hour that comes
            # twice, the times of day begin anew.
            if time > last:
                last = time
                yield time


def _fields(cron: str) -> str:
    """Five fields in the form that cronsim reads.

    Raises:
        BadCron, CronLibraryMissing
    """
    try:
        from cronsim import CronSim, CronSimError
    except ModuleNotFoundError as error:
        raise CronLibraryMissing from error
    text = _NICKNAMES.get(cron.strip().lower(), cron.strip())
    if text.startswith("@"):
        raise BadCron(cron, "it is no name of a time")
    count = len(text.split())
    if count != _FIELDS:
        raise BadCron(cron, f"it has {count} fields, not {_FIELDS}")
    try:
        CronSim(text, _START)
    except CronSimError as error:
        reason = str(error)
        raise BadCron(cron, f"its {reason.removeprefix('Bad ')} is wrong") from error
    return text


@lru_cache(maxsize=64)
def _time_zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        from difflib import get_close_matches

        known = {zone.lower(): zone for zone in sorted(available_timezones())}
        wanted = name.lower()
        near = [zone for zone in known if zone.endswith(f"/{wanted}")]
        near += get_close_matches(wanted, known, 3, cutoff=0.7)
        raise UnknownTimeZone(name, tuple(known[zone] for zone in near[:3])) from None
