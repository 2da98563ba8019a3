"""Schedules in a catalog: rows that many workers move, one at a time; and jobs by their labels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from catalog_records import at, new_job
from findspot.catalog.errors import ScheduleExists
from findspot.catalog.protocol import Batch, Catalog
from findspot.core.errors import Conflict
from findspot.core.ids import new_uid
from findspot.core.records import JobQuery, ScheduleRecord


def schedule(name: str = "nightly", **fields: Any) -> ScheduleRecord:
    record = ScheduleRecord(
        project="default", name=name, definition=new_uid(), due=at(60), created=at(0), owner="ada"
    )
    return replace(record, **fields)


def test_kept_as_they_are(catalog: Catalog) -> None:
    bare = schedule("bare", due=None)
    full = schedule(
        "full",
        project="other",
        paused=True,
        last_due=at(1.5),
        last_job=new_uid(),
        worker={"host": "here", "pid": 7},
        claimed=at(2),
    )
    catalog.add_schedule(bare)
    catalog.add_schedule(full)
    assert catalog.schedule("default", "bare") == bare
    assert catalog.schedule("other", "full") == full
    assert catalog.schedule("default", "full") is None
    assert catalog.schedules() == [bare, full]
    assert catalog.schedules("other") == [full]
    assert "other" in catalog.projects()


def test_a_name_is_taken_once(catalog: Catalog) -> None:
    first = schedule()
    catalog.add_schedule(first)
    with pytest.raises(ScheduleExists, match="'nightly'") as caught:
        catalog.add_schedule(schedule(due=at(99)))
    assert isinstance(caught.value, Conflict)
    assert catalog.schedules("default") == [first]
    catalog.add_schedule(schedule(project="other"))


def test_only_the_revision_that_was_read_is_moved(catalog: Catalog) -> None:
    read = schedule()
    catalog.add_schedule(read)
    moved = replace(read, due=at(120), last_due=at(60), last_job=new_uid(), worker={"pid": 1})
    assert catalog.move_schedule(moved)
    assert catalog.schedule("default", "nightly") == replace(moved, revision=2)
    assert not catalog.move_schedule(replace(read, paused=True))
    assert catalog.schedule("default", "nightly") == replace(moved, revision=2)
    assert not catalog.move_schedule(schedule("never"))


def test_what_is_removed_can_neither_move_nor_be_removed_again(catalog: Catalog) -> None:
    record = schedule()
    catalog.add_schedule(record)
    assert catalog.remove_schedule("default", "nightly")
    assert not catalog.remove_schedule("default", "nightly")
    assert not catalog.move_schedule(record)
    assert catalog.schedules() == []


def test_of_many_workers_one_moves_it(catalog: Catalog) -> None:
    record = schedule()
    catalog.add_schedule(record)
    wanted = [replace(record, last_job=f"job {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        moved = list(threads.map(catalog.move_schedule, wanted))
    assert sum(moved) == 1
    found = catalog.schedule("default", "nightly")
    assert found is not None
    assert found.last_job == wanted[moved.index(True)].last_job


# --------------------------------------------------------------------------- jobs by label


def test_jobs_by_label(catalog: Catalog) -> None:
    nightly = new_job(labels={"schedule": "nightly", "due": "monday"})
    other = new_job(labels={"schedule": "nightly-2"}, seconds=1)
    plain = new_job(seconds=2)
    catalog.write(Batch(jobs=[nightly, other, plain]))

    def found(**labels: str) -> list[str]:
        return [job.id for job in catalog.search_jobs(JobQuery(labels=labels)).items]

    assert found(schedule="nightly") == [nightly.id]
    assert found(schedule="nightly-2") == [other.id]
    assert found(schedule="nightly", due="monday") == [nightly.id]
    assert found(schedule="nightly", due="tuesday") == []
    assert found(schedule="Nightly") == []
    assert found(due="nightly") == []
    assert found() == [plain.id, other.id, nightly.id]


@pytest.mark.parametrize("value", ["%", "*", "_", 'a"b', "a\\b", "ü☃", "", '"schedule":"x"'])
def test_any_text_may_be_a_label(catalog: Catalog, value: str) -> None:
    job = new_job(labels={"note": value})
    decoys = [new_job(labels={"note": text}) for text in ("x", "abc", f"{value}y")]
    catalog.write(Batch(jobs=[job, *decoys]))
    page = catalog.search_jobs(JobQuery(labels={"note": value}))
    assert [found.id for found in page.items] == [job.id]
    assert catalog.search_jobs(JobQuery(labels={"schedule": "x"})).items == ()
