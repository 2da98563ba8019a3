"""Rules of retention, plans of collections, and what collections do; also leases."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from findspot import Workspace
from findspot.artifacts.collecting import CollectionReport, collect, plan_collection
from findspot.artifacts.kinds.updates import updates_of
from findspot.artifacts.leases import LeaseLost, lease
from findspot.artifacts.links import link, unlink
from findspot.artifacts.retention import RetentionRule, retention_rules, rules_from
from findspot.artifacts.settings import BadSettings
from findspot.catalog.errors import AlreadyLeased
from findspot.catalog.protocol import Batch
from findspot.core.digests import Digest
from findspot.core.errors import CheckFailed, NotFound
from findspot.core.ids import new_uid
from findspot.core.records import JobInput, JobRecord, Lease, Producer, StepRecord, now
from findspot.models import update_model

DAY = timedelta(days=1)
LAST = RetentionRule(keep_last=1)
BIG = b"x" * 10_000


def reasons(space: Workspace, *rules: RetentionRule, at: datetime | None = None) -> dict[str, str]:
    """``key:number`` to why it goes (with a minus) or stays."""
    plan = plan_collection(space, rules, now=at)
    return {
        version.name.partition("/")[2]: f"{'-' if version.goes else ''}{version.reason}"
        for version in plan.versions
    }


def run(
    space: Workspace,
    *rules: RetentionRule,
    days: float = 0,
    quarantine_days: float = 7,
    grace_hours: float = 0,
) -> CollectionReport:
    return collect(
        space,
        rules,
        dry_run=False,
        now=now() + days * DAY + timedelta(seconds=1),
        quarantine_days=quarantine_days,
        grace_hours=grace_hours,
    )


def digests(space: Workspace) -> set[Digest]:
    return {blob.digest for blob in space.store.list()}


def waiting(space: Workspace) -> set[Digest]:
    return {blob.digest for blob in space.store.quarantined()}


# --------------------------------------------------------------------------- rules


def test_the_newest_of_each_artifact_stay(local: Workspace) -> None:
    for value in range(3):
        local.save_artifact(value, "a")
    local.save_artifact(0, "b")
    assert reasons(local, RetentionRule(keep_last=2)) == {
        "a:3": "one of the newest 2",
        "a:2": "one of the newest 2",
        "a:1": "-not one of the newest 2",
        "b:1": "one of the newest 2",
    }


def test_young_ones_stay(local: Workspace) -> None:
    local.save_artifact(1, "a")
    rule = RetentionRule(keep_days=2)
    assert reasons(local, rule, at=now() + DAY) == {"a:1": "younger than 2 days"}
    assert reasons(local, rule, at=now() + 3 * DAY) == {"a:1": "-older than 2 days"}


def test_tagged_ones_stay_unless_the_rule_says_otherwise(local: Workspace) -> None:
    local.save_artifact(1, "a", tags=["golden"])
    local.save_artifact(2, "a")
    assert reasons(local, LAST)["a:1"] == "tagged golden"
    assert reasons(local, RetentionRule(keep_last=1, keep_tagged=False))["a:1"].startswith("-")
    local.catalog.protect_tag("default", "a", "golden", True)
    rule = RetentionRule(keep_last=1, keep_tagged=False)
    assert reasons(local, rule)["a:1"] == "its tag 'golden' is protected"


def test_the_first_rule_that_speaks_of_a_version_decides(local: Workspace) -> None:
    for value in range(2):
        local.save_artifact(value, "run/model", labels={"stage": "trial"})
        local.save_artifact(value, "run/report")
        local.save_artifact(b"x", "file", kind="file")
    rules = (
        RetentionRule(key="run/*", labels={"stage": "trial"}, keep_last=0),
        RetentionRule(kind="file", keep_last=1),
        RetentionRule(project="other", keep_last=0),
    )
    found = reasons(local, *rules)
    assert found["run/model:2"] == found["run/model:1"] == "-not one of the newest 0"
    assert found["run/report:1"] == "no rule speaks of it"
    assert (found["file:1"][0], found["file:2"]) == ("-", "one of the newest 1")


def record_chain(space: Workspace, *keys: str) -> list[str]:
    """Versions that were each made from the one before, by finished jobs; their uids."""
    uids: list[str] = []
    for key in keys:
        job = JobRecord(
            id=new_uid(), project="default", name="chain", status="finished", created=now()
        )
        new = space.prepare(key, key)
        object.__setattr__(new.record, "producer", Producer(job.id, "step", "out"))
        step = StepRecord(
            job=job.id,
            name="step",
            task="t",
            position=0,
            status="finished",
            inputs={"x": uids[-1]} if uids else {},
            outputs={"out": new.record.uid},
        )
        space.catalog.write(Batch(jobs=[job], versions=[new], steps=[step]))
        uids.append(new.record.uid)
    return uids


def test_what_a_kept_version_descends_from_stays(local: Workspace) -> None:
    record_chain(local, "raw", "clean", "model")
    local.save_artifact(0, "other")
    rules = (RetentionRule(key="model", keep_last=1), RetentionRule(keep_last=0))
    found = reasons(local, *rules)
    assert found["clean:1"] == "model:1 descends from it"
    assert found["raw:1"] == "clean:1 descends from it"
    assert found["other:1"].startswith("-")
    loose = (rules[0], RetentionRule(keep_last=0, keep_lineage=False))
    assert all(reasons(local, *loose)[key].startswith("-") for key in ("clean:1", "raw:1"))


def test_descent_leads_through_what_was_deleted(local: Workspace) -> None:
    uids = record_chain(local, "raw", "clean", "model")
    local.catalog.delete_version(uids[1])
    rules = (RetentionRule(key="model", keep_last=1), RetentionRule(keep_last=0))
    assert reasons(local, *rules)["raw:1"] == "model:1 descends from it"


def test_what_a_script_read_stays_with_what_it_made(local: Workspace) -> None:
    read = local.save_artifact(1, "read")
    job = JobRecord(id=new_uid(), project="default", name="s", status="finished", created=now())
    made = local.prepare(2, "made")
    object.__setattr__(made.record, "producer", Producer(job.id))
    inputs = [JobInput(job.id, None, "x", read.uid)]
    local.catalog.write(Batch(jobs=[job], versions=[made], inputs=inputs))
    rules = (RetentionRule(key="made", keep_last=1), RetentionRule(keep_last=0))
    assert reasons(local, *rules)["read:1"] == "made:1 descends from it"


class TestLinks:
    """What a version that stays links to stays with it."""

    RULES = (RetentionRule(key="model", keep_last=1), RetentionRule(keep_last=0))

    def test_extra_data_stay_and_what_they_descend_from(self, space: Workspace) -> None:
        data, _ = record_chain(space, "data", "chart")
        model = space.save_artifact(1, "model")
        link(space, model, "chart", space.get_artifact("chart"))
        link(space, model, "page", "https://example.org/card")
        found = reasons(space, *self.RULES)
        assert found["chart:1"] == "model:1 links to it"
        assert found["data:1"] == "chart:1 descends from it"
        report = run(space, *self.RULES, days=1)
        assert report.deleted == []
        assert space.load_artifact(data) == "data"

    def test_only_links_of_versions_that_stay_count(self, local: Workspace) -> None:
        chart = local.save_artifact(0, "chart")
        old = local.save_artifact(1, "model")
        local.save_artifact(2, "model")
        link(local, old, "chart", chart)
        assert set(run(local, *self.RULES).deleted) == {chart.uid, old.uid}

    def test_a_link_that_was_taken_off_or_set_anew_keeps_nothing(self, local: Workspace) -> None:
        first, second, third = (local.save_artifact(n, "chart") for n in range(3))
        model = local.save_artifact(1, "model")
        link(local, model, "chart", first)
        link(local, model, "chart", second)
        link(local, model, "other", third)
        unlink(local, model, "other")
        assert set(run(local, *self.RULES).deleted) == {first.uid, third.uid}

    def test_circles_and_links_to_what_is_gone(self, local: Workspace) -> None:
        names = ("model", "a", "b")
        uids = {name: local.save_artifact(0, name).uid for name in names}
        gone = local.save_artifact(0, "gone")
        for name, target in zip(names, ("a", "b", "model"), strict=True):
            link(local, name, "next", local.get_artifact(target))
        link(local, "b", "itself", local.get_artifact("b"))
        link(local, "b", "gone", gone)
        local.catalog.delete_version(gone.uid)
        found = reasons(local, *self.RULES)
        assert (found["a:1"], found["b:1"]) == ("model:1 links to it", "a:1 links to it")
        local.catalog.delete_version(uids["model"])
        assert set(run(local, *self.RULES).deleted) == {uids["a"], uids["b"]}

    def test_a_rule_may_say_otherwise(self, local: Workspace) -> None:
        link(local, local.save_artifact(1, "model"), "chart", local.save_artifact(0, "chart"))
        loose = (self.RULES[0], RetentionRule(keep_last=0, keep_links=False))
        assert reasons(local, *loose)["chart:1"].startswith("-")
        assert reasons(local, self.RULES[0], *rules_from([{"keep_last": 0}], "f"))["chart:1"]
        record_chain(local, "raw", "clean")
        link(local, "model", "clean", local.get_artifact("clean"))
        no_lineage = (self.RULES[0], RetentionRule(keep_last=0, keep_lineage=False))
        found = reasons(local, *no_lineage)
        assert found["clean:1"] == "model:1 links to it"
        assert found["raw:1"].startswith("-")

    def test_a_link_to_what_lineage_alone_would_not_keep(self, local: Workspace) -> None:
        """``raw`` is first met as an ancestor that its rule does not keep, then as a target."""
        record_chain(local, "origin", "raw", "model")
        link(local, "model", "raw", local.get_artifact("raw"))
        link(local, "raw", "note", local.save_artifact(0, "note"))
        rules = (
            self.RULES[0],
            RetentionRule(key="raw", keep_last=0, keep_lineage=False),
            RetentionRule(keep_last=0),
        )
        found = reasons(local, *rules)
        assert found["raw:1"] == "model:1 links to it"
        assert found["note:1"] == "raw:1 links to it"
        assert not found["origin:1"].startswith("-")

    def test_updates_of_a_model_stay_with_it(self, local: Workspace) -> None:
        model = local.save_artifact(1, "model", kind="model")
        update_model(model, metrics={"accuracy": 0.5}, workspace=local)
        local.save_artifact(3, "old/updates")
        report = run(local, *self.RULES)
        assert len(report.deleted) == 1
        assert updates_of(local, model)[0].fields == {"metrics": {"accuracy": 0.5}}

    def test_linked_to_since_the_plan_was_made(self, space: Workspace) -> None:
        chart, other = space.save_artifact(0, "chart"), space.save_artifact(0, "other")
        space.save_artifact(1, "model")
        plan = plan_collection(space, self.RULES)
        assert {version.uid for version in plan.going} == {chart.uid, other.uid}
        link(space, "model", "chart", chart)
        report = collect(space, plan, dry_run=False)
        assert (report.spared, report.deleted) == ([chart.uid], [other.uid])


def test_an_unfinished_job_keeps_what_it_uses(local: Workspace) -> None:
    given = local.save_artifact(1, "given")
    job = JobRecord(
        id=new_uid(),
        project="default",
        name="j",
        status="running",
        artifacts={"x": given.uid},
        process={"pid": 1},
        created=now(),
    )
    local.catalog.write(Batch(jobs=[job]))
    rule = RetentionRule(keep_last=0)
    assert reasons(local, rule) == {"given:1": f"job {job.id} uses it"}
    plan = plan_collection(local, [rule], is_alive=lambda process: False)
    assert len(plan.going) == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "keep_last or keep_days"),
        ({"keep_last": -1}, "negative"),
        ({"keep_last": 1.5}, "whole number"),
        ({"keep_days": "7"}, "a number"),
        ({"keep_last": 1, "kind": "thing"}, "no kind 'thing'"),
        ({"keep_last": 1, "keys": "a"}, "a rule has"),
        ({"keep_last": 1, "labels": {"a": 1}}, "table of texts"),
        ({"keep_last": 1, "keep_tagged": 1}, "true or false"),
        ({"keep_last": 1, "keep_links": "no"}, "true or false"),
        ({"keep_last": 1, "key": 1}, "text"),
        (7, "no table"),
    ],
)
def test_mistakes_in_rules_are_all_listed(table: object, message: str) -> None:
    with pytest.raises(BadSettings, match=message) as caught:
        rules_from([{"keep_last": 1}, table, {"keep_days": -1}], "findspot.toml")
    assert {p.path.partition(".")[0] for p in caught.value.problems} == {
        "retention[1]",
        "retention[2]",
    }


def test_rules_come_from_the_settings_file(local: Workspace) -> None:
    assert retention_rules(local) == ()
    file = local.folder / "findspot.toml"
    text = '\n[[retention]]\nkey = "a/*"\nkeep_last = 2\n\n[[retention]]\nkeep_days = 1.5\n'
    file.write_text(file.read_text() + text)
    rules = retention_rules(local)
    assert rules == (RetentionRule(key="a/*", keep_last=2), RetentionRule(keep_days=1.5))
    file.write_text("retention = 3\n")
    with pytest.raises(BadSettings, match="double brackets"):
        retention_rules(local)
    file.write_text("[[[")
    with pytest.raises(BadSettings, match="cannot be read"):
        retention_rules(local)


# --------------------------------------------------------------------------- collections


def test_a_dry_run_changes_nothing(space: Workspace) -> None:
    for value in (BIG, BIG + b"y"):
        space.save_artifact(value, "a")
    before = digests(space)
    report = collect(space, [LAST], grace_hours=0, now=now() + DAY)
    assert report.dry_run
    assert [version.number for version in report.plan.going] == [1]
    assert [(b.action, b.reason) for b in report.plan.blobs] == [
        ("quarantine", "its last version goes")
    ]
    assert report.plan.needed == 1
    assert (digests(space), waiting(space)) == (before, set())
    assert space.catalog.counts()["versions"] == 2


def test_versions_go_then_their_blobs_then_the_bytes(space: Workspace) -> None:
    for value in (BIG, BIG + b"y"):
        space.save_artifact(value, "a")
    first = run(space, LAST)
    assert len(first.deleted) == len(first.quarantined) == 1
    assert waiting(space) == set(first.quarantined)
    second = run(space, LAST, days=6)
    assert (second.purged, second.deleted) == ([], [])
    plan = plan_collection(space, now=now() + 8 * DAY)
    assert [blob.action for blob in plan.blobs] == ["delete"]
    assert plan.freed == 10_000
    third = run(space, LAST, days=8)
    assert third.purged == first.quarantined
    assert third.freed >= plan.freed
    assert waiting(space) == set()
    assert space.load_artifact("a") == BIG + b"y"


def test_without_rules_only_orphans_go(space: Workspace) -> None:
    space.save_artifact(BIG, "a")
    orphan = space.store.put(BIG + b"orphan").digest
    young = run(space, grace_hours=24)
    assert young.quarantined == []
    report = run(space, days=2, grace_hours=24)
    assert report.quarantined == [orphan]
    assert report.deleted == []
    assert space.load_artifact("a") == BIG


def test_a_needed_blob_comes_back_from_quarantine(space: Workspace) -> None:
    version = space.save_artifact(BIG, "a")
    digest = version.files[0].digest
    assert space.store.quarantine(digest)
    assert space.load_artifact("a") == BIG
    assert space.store.quarantine(digest)
    plan = plan_collection(space)
    assert [(b.action, b.reason) for b in plan.blobs] == [("restore", "a version needs it")]
    report = run(space, days=30)
    assert report.restored == [digest]
    assert digests(space) == {digest}


def test_the_race_of_a_save_that_found_its_blob_stored(space: Workspace) -> None:
    old = space.save_artifact(BIG, "a")
    space.catalog.delete_version(old.uid)
    new = space.prepare(BIG, "a")  # found stored, and not written again
    assert run(space).quarantined == [new.files[0].digest]
    space.catalog.write(Batch(versions=[new]))
    assert run(space, days=30).purged == []
    assert space.load_artifact("a") == BIG


def test_a_save_under_a_lease_may_take_longer_than_the_quarantine(space: Workspace) -> None:
    old = space.save_artifact(BIG, "a")
    space.catalog.delete_version(old.uid)
    with lease(space, purpose="slow save"):
        new = space.prepare(BIG, "a")
        assert space.store.quarantine(new.files[0].digest)
        assert run(space, days=30).purged == []
        space.catalog.write(Batch(versions=[new]))
    run(space, days=30)
    assert space.load_artifact("a") == BIG


def test_what_is_written_under_a_lease_is_no_orphan(space: Workspace) -> None:
    with lease(space, purpose="work"):
        orphan = space.store.put(BIG).digest
        plan = plan_collection(space, now=now() + 30 * DAY)
        assert [b.reason for b in plan.blobs] == ["a lease for 'work' began before"]
        assert run(space, days=30).quarantined == []
    assert run(space, days=30).quarantined == [orphan]


def test_leased_and_newly_tagged_versions_are_spared(space: Workspace) -> None:
    kept, tagged, gone = (space.save_artifact(value, "a") for value in range(3))
    plan = plan_collection(space, [RetentionRule(keep_last=0)])
    assert len(plan.going) == 3
    space.catalog.set_tag("default", "a", "golden", tagged.version)
    with lease(space, [kept]):
        report = collect(space, plan, dry_run=False)
    assert set(report.spared) == {kept.uid, tagged.uid}
    assert report.deleted == [gone.uid]


def test_used_since_the_plan_was_made(space: Workspace) -> None:
    version = space.save_artifact(1, "a")
    plan = plan_collection(space, [RetentionRule(keep_last=0)])
    job = JobRecord(id=new_uid(), project="default", name="j", status="finished", created=now())
    inputs = [JobInput(job.id, None, "x", version.uid)]
    space.catalog.write(Batch(jobs=[job], inputs=inputs))
    assert collect(space, plan, dry_run=False).spared == [version.uid]


def test_an_interrupted_collection_goes_on(space: Workspace) -> None:
    for value in range(5):
        space.save_artifact(BIG + bytes([value]), "a")

    def interrupt(what: str, done: int, of: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(space, [LAST], dry_run=False, progress=interrupt)
    report = run(space, LAST)
    assert len(report.deleted) <= 4
    assert len(waiting(space)) == 4
    assert space.load_artifact("a") == BIG + bytes([4])


def test_one_collection_at_a_time(space: Workspace) -> None:
    with lease(space, purpose="collect", exclusive=True):
        with pytest.raises(AlreadyLeased):
            run(space)
        assert collect(space).dry_run
    run(space)


def test_progress_is_told(local: Workspace) -> None:
    for value in range(3):
        local.save_artifact(BIG + bytes([value]), "a")
    told: list[tuple[str, int, int | None]] = []
    collect(
        local,
        [LAST],
        dry_run=False,
        grace_hours=0,
        now=now() + DAY,
        progress=lambda *step: told.append(step),
    )
    assert told == [("versions", 2, 2), ("blobs", 3, None)]


# --------------------------------------------------------------------------- leases


@pytest.mark.slow
def test_a_lease_is_renewed_and_released(space: Workspace) -> None:
    version = space.save_artifact(1, "a")
    with lease(space, [version], "read", seconds=8) as held:
        (first,) = space.catalog.leases(now())
        end = time.monotonic() + 120
        while (found := space.catalog.leases(first.since)[0]).until == first.until:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert found.until > first.until
        assert (found.versions, found.purpose, found.id) == ((version.uid,), "read", held.id)
        assert not held.lost
        held.check()
    assert space.catalog.leases(now()) == []
    held.release()


def test_more_versions_can_be_kept(space: Workspace) -> None:
    first, second = space.save_artifact(1, "a"), space.save_artifact(2, "a")
    with lease(space, [first]) as held:
        held.keep([second.uid])
        assert collect(space, [RetentionRule(keep_last=0)], dry_run=False).deleted == []
        with pytest.raises(NotFound):
            held.keep([new_uid()])
    assert len(collect(space, [RetentionRule(keep_last=0)], dry_run=False).deleted) == 2


def test_versions_that_are_gone_cannot_be_leased(space: Workspace) -> None:
    version = space.save_artifact(1, "a")
    space.catalog.delete_version(version.uid)
    with pytest.raises(NotFound), lease(space, [version]):
        raise AssertionError("not reached")
    assert space.catalog.leases(now()) == []


def test_a_lost_lease_is_noticed(local: Workspace) -> None:
    with lease(local, purpose="read", seconds=1) as held:
        local.catalog.release_lease(held.id)
        with pytest.raises(LeaseLost, match="'read'"):
            held.keep([])
        assert held.lost
    with pytest.raises(CheckFailed, match="at least"), lease(local, seconds=0.1):
        raise AssertionError("not reached")


def test_the_lease_of_a_dead_process_ends_early(local: Workspace) -> None:
    version = local.save_artifact(1, "a")
    start = now()
    dead = Lease(new_uid(), "ada", "job", (version.uid,), {"pid": 7}, start, start + DAY)
    local.catalog.take_lease(dead)

    def spared(*, alive: bool | None) -> int:
        rules = [RetentionRule(keep_last=0)]
        plan = plan_collection(local, rules, is_alive=lambda process: alive)
        return len(plan.versions) - len(plan.going)

    assert [spared(alive=True), spared(alive=None), spared(alive=False)] == [1, 1, 0]
    report = collect(
        local, [RetentionRule(keep_last=0)], dry_run=False, is_alive=lambda process: False
    )
    assert [found.id for found in report.leases] == [dead.id]
    assert report.deleted == [version.uid]


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({}, "keep_last or keep_days"),
        ({"keep_last": -1}, "keep_last: it is -1, and must not be negative"),
        ({"keep_last": True}, "keep_last: it must be a whole number"),
        ({"keep_days": float("nan")}, "must not be negative"),
        ({"keep_last": 1, "kind": "thing"}, "no kind 'thing'"),
        ({"keep_last": 1, "labels": ["a"]}, "labels: it must be a table of texts"),
        ({"keep_last": 1, "key": None, "project": 3}, "project: it must be text"),
    ],
)
def test_a_rule_in_python_is_checked_too(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(CheckFailed, match=re.escape(part)):
        RetentionRule(**wrong)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"seconds": -1}, "seconds"),
        ({"seconds": "long"}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 1e300}, "seconds"),
        ({"purpose": None}, "purpose"),
        ({"versions": [5]}, "versions[0]"),
        ({"versions": "a-single-uid"}, "versions"),
        ({"versions": 5}, "versions"),
    ],
)
def test_a_lease_of_rubbish_is_refused(local: Workspace, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(CheckFailed) as refused, lease(local, **{"purpose": "x", **wrong}):
        raise AssertionError("not reached")
    assert [problem.path for problem in refused.value.problems] == [field]
    assert local.catalog.leases(now()) == []
