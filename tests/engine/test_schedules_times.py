"""When schedules are due: cron expressions, time zones, and clocks that are changed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.engine.scheduling.errors import BadCron, UnknownTimeZone
from findspot.engine.scheduling.times import Timetable


def shown(table: Timetable, after: datetime, count: int) -> list[str]:
    return [f"{moment:%m-%d %H:%M %z}" for moment in table.times(after, count)]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 3 * * *", ["03-01 03:30", "03-02 03:30"]),
        ("*/20 9-10 * * MON-FRI", ["03-02 09:00", "03-02 09:20"]),
        ("0 0 29 2 *", ["02-29 00:00", "02-29 00:00"]),
        ("0 0 13 * FRI", ["03-06 00:00", "03-13 00:00"]),
        ("@hourly", ["03-01 01:00", "03-01 02:00"]),
        ("@daily", ["03-02 00:00", "03-03 00:00"]),
        ("@midnight", ["03-02 00:00", "03-03 00:00"]),
        ("@weekly", ["03-08 00:00", "03-15 00:00"]),
        ("@Monthly", ["04-01 00:00", "05-01 00:00"]),
        ("@yearly", ["01-01 00:00", "01-01 00:00"]),
        ("@annually", ["01-01 00:00", "01-01 00:00"]),
    ],
)
def test_expressions(cron: str, expected: list[str]) -> None:
    found = Timetable(cron).times(datetime(2026, 3, 1, tzinfo=UTC), 2)
    assert [f"{moment:%m-%d %H:%M}" for moment in found] == expected


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("0 * * * * *", "6 fields"),
        ("61 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * * 13 *", "month"),
        ("* * * * 9", "day-of-week"),
        ("*/0 * * * *", "minute"),
        ("a b c d e", "minute"),
        ("0 0 30 2 *", "day-of-month"),
        ("0 0 31 4,6 *", "day-of-month"),
        ("@reboot", "no name of a time"),
        ("@", "no name of a time"),
    ],
)
def test_texts_that_are_no_expression(cron: str, reason: str) -> None:
    with pytest.raises(BadCron, match=reason) as caught:
        Timetable(cron)
    assert "@daily" in str(caught.value)


@pytest.mark.parametrize(
    ("zone", "near"),
    [
        ("Berlin", "Europe/Berlin"),
        ("europe/berln", "Europe/Berlin"),
        ("../../etc/passwd", "IANA"),
        ("", "IANA"),
        ("\0", "IANA"),
    ],
)
def test_names_of_no_time_zone(zone: str, near: str) -> None:
    with pytest.raises(UnknownTimeZone, match=near):
        Timetable("@daily", zone)


def test_a_time_that_the_clocks_leave_out_comes_right_after_the_gap() -> None:
    night = datetime(2026, 3, 28, 12, tzinfo=UTC)
    table = Timetable("30 2 * * *", "Europe/Berlin")
    assert shown(table, night, 3) == ["03-29 03:00 +0200", "03-30 02:30 +0200", "03-31 02:30 +0200"]
    # Several of them are one instant, and that is due once.
    table = Timetable("0,30 2,3 * * *", "Europe/Berlin")
    assert shown(table, night, 3) == ["03-29 03:00 +0200", "03-29 03:30 +0200", "03-30 02:00 +0200"]


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    night = datetime(2026, 10, 24, 12, tzinfo=UTC)
    table = Timetable("30 2 * * *", "Europe/Berlin")
    assert shown(table, night, 2) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]
    # Also for somebody who asks within the hour that comes again.
    again = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert shown(table, again, 1) == ["10-26 02:30 +0100"]


def test_every_hour_means_every_hour_that_passes() -> None:
    table = Timetable("0 * * * *", "Europe/Berlin")
    autumn = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    assert shown(table, autumn, 4) == [
        "10-25 01:00 +0200",
        "10-25 02:00 +0200",
        "10-25 02:00 +0100",
        "10-25 03:00 +0100",
    ]
    spring = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    assert shown(table, spring, 3) == [
        "03-29 01:00 +0100",
        "03-29 03:00 +0200",
        "03-29 04:00 +0200",
    ]


CRONS = ("* * * * *", "*/7 * * * *", "0 3 * * *", "30 2 * * *", "0 0 1 * *", "15 1,2 * * 0")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(st.sampled_from(CRONS), st.sampled_from(ZONES), MOMENTS, st.integers(0, 60 * 24 * 40))
def test_times_grow_and_the_latest_is_one_of_them(
    cron: str, zone: str, after: datetime, minutes: int
) -> None:
    table = Timetable(cron, zone)
    times = [moment.astimezone(UTC) for moment in table.times(after, 5)]
    assert all(a < b for a, b in zip([after, *times], times, strict=False))
    first = times[0]
    assert table.following(after) == first
    assert table.following(first - timedelta(microseconds=1)) == first
    until = first + timedelta(minutes=minutes)
    latest = table.latest(first, until)
    following = table.following(latest)
    assert first <= latest <= until
    assert following is not None
    assert following > until


def test_the_latest_of_years_is_found_at_once() -> None:
    start, until = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 5, 5, 5, 5, 30, tzinfo=UTC)
    began = time.thread_time()
    assert Timetable("* * * * *").latest(start, until) == datetime(2026, 5, 5, 5, 5, tzinfo=UTC)
    assert Timetable("0 0 29 2 *").latest(start, until) == datetime(2024, 2, 29, tzinfo=UTC)
    assert time.thread_time() - began < 10
