"""Leases, and deletions that spare what somebody uses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from catalog_records import at, made_by, new_job, new_step, new_version, save
from findspot.catalog.errors import AlreadyLeased
from findspot.catalog.protocol import Batch, Catalog
from findspot.core.digests import hash_bytes
from findspot.core.errors import Conflict
from findspot.core.ids import new_uid
from findspot.core.records import JobInput, JobOutput, Lease


def lease(*versions: str, since: float = 0, seconds: float = 60, purpose: str = "read") -> Lease:
    return Lease(
        id=new_uid(),
        owner="ada",
        purpose=purpose,
        versions=versions,
        process={"host": "here", "pid": 7},
        since=at(since),
        until=at(since + seconds),
    )


def test_a_lease_lasts_until_its_end(catalog: Catalog) -> None:
    uid = save(catalog).uid
    taken = lease(uid)
    catalog.take_lease(taken)
    assert catalog.leases(at(59)) == [taken]
    assert catalog.leases(at(60)) == []
    assert catalog.delete_versions([uid], now=at(59)) == []
    assert catalog.delete_versions([uid], now=at(60)) == [uid]
    assert catalog.version(uid) is None


def test_renewed_extended_and_released(catalog: Catalog) -> None:
    first, second = save(catalog).uid, save(catalog).uid
    taken = lease(first)
    catalog.take_lease(taken)
    assert catalog.renew_lease(taken.id, at(120), [second])
    assert set(catalog.leases(at(100))[0].versions) == {first, second}
    assert catalog.delete_versions([first, second], now=at(100)) == []
    assert catalog.release_lease(taken.id)
    assert not catalog.release_lease(taken.id)
    assert not catalog.renew_lease(taken.id, at(200))
    assert catalog.leases(at(0)) == []
    assert catalog.delete_versions([second, first], now=at(100)) == [first, second]


def test_an_expired_lease_can_be_renewed_until_it_is_forgotten(catalog: Catalog) -> None:
    taken = lease()
    catalog.take_lease(taken)
    catalog.take_lease(lease(since=3600))
    assert catalog.renew_lease(taken.id, at(3700))
    days = timedelta(days=3).total_seconds()
    catalog.take_lease(lease(since=days))
    assert not catalog.renew_lease(taken.id, at(days))
    assert len(catalog.leases(at(days))) == 1


def test_only_one_at_a_time(catalog: Catalog) -> None:
    catalog.take_lease(lease(purpose="collect"), exclusive=True)
    catalog.take_lease(lease(purpose="other"), exclusive=True)
    with pytest.raises(AlreadyLeased, match="'collect'") as caught:
        catalog.take_lease(lease(purpose="collect", since=30), exclusive=True)
    assert isinstance(caught.value, Conflict)
    catalog.take_lease(lease(purpose="collect", since=61), exclusive=True)
    assert len(catalog.leases(at(62))) == 1


# --------------------------------------------------------------------------- deletions


def test_many_are_deleted_at_once(catalog: Catalog) -> None:
    records = [save(catalog, f"key/{i % 7}", labels={"n": "1"}) for i in range(21)]
    wanted = [record.uid for record in records if record.number < 3]
    gone = catalog.delete_versions([*wanted, new_uid(), wanted[0]], now=at(0))
    assert sorted(gone) == sorted(wanted)
    kept = catalog.versions(record.uid for record in records)
    assert {record.number for record in kept.values()} == {3}
    assert catalog.delete_versions(wanted, now=at(0)) == []
    assert catalog.check() == []


def test_tagged_ones_may_be_spared(catalog: Catalog) -> None:
    tagged, plain = save(catalog, tags=["golden"]), save(catalog)
    uids = [tagged.uid, plain.uid]
    assert catalog.delete_versions(uids, now=at(0), tagged=False) == [plain.uid]
    assert catalog.delete_versions(uids, now=at(0)) == [tagged.uid]


def test_what_a_running_job_needs_stays(catalog: Catalog) -> None:
    given, read, out, reused, logged, free = (save(catalog, key).uid for key in "abcdef")
    job = new_job(artifacts={"x": given})
    made = new_version("made", producer=made_by(job.id, "fit"))
    step = new_step(job.id, "fit", inputs={"x": read}, outputs={"y": reused}, cached=True)
    catalog.write(
        Batch(
            jobs=[job],
            versions=[made],
            steps=[step],
            outputs=[JobOutput(job.id, "out", out)],
            inputs=[JobInput(job.id, None, "logged", logged)],
        )
    )
    used = [given, read, out, reused, logged, made.record.uid]
    assert catalog.delete_versions([*used, free], now=at(0)) == [free]
    assert sorted(catalog.delete_versions(used, now=at(0), dead=[job.id])) == sorted(used)


def test_jobs_that_are_over_need_nothing(catalog: Catalog) -> None:
    given = save(catalog).uid
    for status in ("finished", "failed", "interrupted", "cancelled"):
        catalog.write(Batch(jobs=[new_job(status, artifacts={"x": given})]))
    assert catalog.delete_versions([given], now=at(0)) == [given]


def test_what_was_used_since_stays(catalog: Catalog) -> None:
    read, declared, old = (save(catalog, key).uid for key in "abc")
    early, late = new_job("finished", seconds=1), new_job("finished", seconds=10)
    catalog.write(
        Batch(
            jobs=[early, late],
            steps=[new_step(early.id, "s", inputs={"x": old})],
            inputs=[JobInput(late.id, None, "x", read)],
        )
    )
    catalog.write(Batch(steps=[new_step(late.id, "s", inputs={"x": declared})]))
    uids = [read, declared, old]
    assert catalog.delete_versions(uids, now=at(20), used_since=at(5)) == [old]
    assert len(catalog.delete_versions(uids, now=at(20), used_since=at(10))) == 2


def test_blobs_that_are_needed_from_the_store(catalog: Catalog) -> None:
    stored = save(catalog, content=b"stored", stored=True)
    save(catalog, content=b"inline")
    digests = [hash_bytes(data) for data in (b"stored", b"inline", b"never")]
    assert catalog.referenced(digests) == {digests[0]}
    assert catalog.blob_owners(digests) == {digests[0]: {stored.uid}}
    catalog.delete_version(stored.uid)
    assert catalog.referenced(digests) == set()
