"""What a schedule becomes when a worker acts on it: a decision, without catalog or clock."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.records import ScheduleRecord
from findspot.engine.scheduling.claims import LastJob, claim
from findspot.engine.scheduling.definitions import CatchUp, ScheduleDefinition

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORKER = {"host": "here", "pid": 7}


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def schedule(**fields: Any) -> ScheduleRecord:
    record = ScheduleRecord(
        project="default", name="often", definition="d", due=minutes(1), created=NOON
    )
    return replace(record, **fields)


def definition(**fields: Any) -> ScheduleDefinition:
    return ScheduleDefinition(target="f.py:p", kind="file", cron="* * * * *", **fields)


def claimed(
    record: ScheduleRecord,
    at: datetime,
    *,
    last: LastJob = "none",
    running: bool = False,
    **fields: Any,
) -> ScheduleRecord | None:
    return claim(record, definition(**fields), at, last=last, running=running, worker=WORKER)


def test_what_is_not_due_stays() -> None:
    assert claimed(schedule(), minutes(0.99)) is None
    assert claimed(schedule(due=None), minutes(5)) is None
    assert claimed(schedule(paused=True), minutes(5)) is None


def test_a_due_time_is_claimed_with_a_job() -> None:
    found = claimed(schedule(), minutes(1))
    assert found is not None
    assert (found.last_due, found.due, found.claimed) == (minutes(1), minutes(2), minutes(1))
    assert found.worker == WORKER
    assert found.last_job
    again = claimed(replace(found, due=minutes(1)), minutes(1), last="begun")
    assert again is not None
    assert again.last_job not in (None, found.last_job)


def test_missed_times_are_one_job_for_the_latest() -> None:
    found = claimed(schedule(), minutes(90.5))
    assert found is not None
    assert (found.last_due, found.due) == (minutes(90), minutes(91))


def test_or_one_job_each() -> None:
    record, starts = schedule(), []
    while (found := claimed(record, minutes(4.5), last="begun", catch_up="all")) is not None:
        starts.append(found.last_due)
        record = found
    assert starts == [minutes(1), minutes(2), minutes(3), minutes(4)]
    assert record.due == minutes(5)


def test_while_a_job_runs_a_time_is_passed_over() -> None:
    record = schedule(last_job="j", last_due=NOON)
    found = claimed(record, minutes(3.5), last="begun", running=True)
    assert found == replace(record, due=minutes(4))


def test_or_waits_where_none_is_to_be_left_out() -> None:
    record = schedule(last_job="j")
    assert claimed(record, minutes(3), last="begun", running=True, catch_up="all") is None


@pytest.mark.parametrize("catch_up", ["skip", "all"])
def test_or_starts_beside_it(catch_up: CatchUp) -> None:
    found = claimed(
        schedule(last_job="j"),
        minutes(1),
        last="begun",
        running=True,
        overlap="allow",
        catch_up=catch_up,
    )
    assert found is not None
    assert found.last_due == minutes(1)


def test_nothing_is_claimed_over_a_job_that_has_not_begun() -> None:
    record = schedule(last_job="j", last_due=NOON)
    assert claimed(record, minutes(3), last="starting") is None
    assert claimed(record, minutes(3), last="starting", overlap="allow") is None


def test_a_lost_job_is_started_again_as_it_was() -> None:
    record = schedule(last_job="j", last_due=NOON, due=minutes(9), worker={"pid": 1}, claimed=NOON)
    found = claimed(record, minutes(3), last="lost", running=True)
    assert found == replace(record, worker=WORKER, claimed=minutes(3))
    assert claimed(replace(record, paused=True), minutes(3), last="lost") is None


@pytest.mark.slow
@given(st.lists(st.floats(-300, 300), min_size=1, max_size=30), st.sampled_from(["skip", "all"]))
def test_no_due_time_comes_twice_whatever_the_clock_does(
    moments: list[float], catch_up: CatchUp
) -> None:
    record, starts = schedule(), []
    for moment in moments:
        at = minutes(moment)
        while (found := claimed(record, at, last="begun", catch_up=catch_up)) is not None:
            assert found.last_due is not None
            assert found.last_due <= at
            starts.append(found.last_due)
            record = found
    assert all(a < b for a, b in itertools.pairwise(starts))
    if catch_up == "all" and starts:
        assert starts == [minutes(1 + n) for n in range(len(starts))]
