"""Collection: versions that retention gives up are forgotten, blobs that nobody needs are deleted.

Nothing reachable is ever lost, whatever runs beside a collection or cuts it off. The argument:

1. A version is forgotten in one transaction, which leaves out those that a lease keeps, that an
   unfinished job uses, that were tagged, linked to, or used by a job, since the plan was made. Only
   its record goes; its blobs are looked at afterwards, as any others.
2. A blob that no record needs goes to quarantine first, not away. The one danger is a save that
   found the blob stored, and so did not write it, and that records its version only now. To whoever
   asks for a quarantined blob the store gives it back, so the version loads meanwhile.
3. A blob leaves quarantine for good only if it was there for the whole quarantine period, and then:
   first the leases are read, then the references. If a save that holds a lease is under way since
   before the blob came here, its lease is seen and the blob stays. If its lease is not seen any
   more, it was released after the version was recorded, and the references show that. A save that
   began later than that did not find the blob stored: it wrote it anew, or brought it back.
4. Saves without a lease are under way for less than the quarantine period, days against seconds. A
   single save that takes longer than `LONGEST_SAVE` is to hold a lease, as every job does.
5. Each move is one rename (or, in a bucket, a copy and then a removal), so a blob is in one of the
   two places at every instant, and a collection that is cut off leaves nothing half done: the next
   one goes on. Only one collection runs at a time, held by an exclusive lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from findspot.artifacts.leases import HeldLease, Liveness, lease, release_dead
from findspot.artifacts.retention import PlannedVersion, RetentionRule, decide
from findspot.core.digests import Digest
from findspot.core.records import JobQuery, JobRecord, JobStatus, Lease, VersionQuery, VersionRecord
from findspot.core.records import now as present
from findspot.store.protocol import StoredBlob

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

PURPOSE: Final = "collect"
"""The purpose of the lease that keeps a second collection from beginning."""
QUARANTINE_DAYS: Final = 7.0
GRACE_HOURS: Final = 24.0
"""A blob that nobody needs stays where it is for so long after it was written."""
LONGEST_SAVE: Final = timedelta(days=1)
CLOCK_SLACK = timedelta(minutes=5)
"""A lease counts as begun so much earlier: its time is by its owner's clock, a blob's by that of
the store, and the time of a file by a coarser clock than even its own machine's."""

_VERSIONS_AT_ONCE = 250
_BLOBS_AT_ONCE = 500

Action = Literal["stays", "quarantine", "delete", "restore"]
Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many of it are done, and of how many (None: not known)."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlannedBlob:
    """What is to become of one blob that no version which stays needs, and why."""

    digest: Digest
    size: int
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """What a collection would do, and why.

    Args:
        time: when it was made.
        versions: every version there is.
        blobs: every blob of the store that no version or snapshot needs which stays.
        needed: how many blobs are needed, and stay.
    """

    time: datetime
    versions: tuple[PlannedVersion, ...]
    blobs: tuple[PlannedBlob, ...]
    needed: int

    @property
    def going(self) -> tuple[PlannedVersion, ...]:
        """The versions that go."""
        return tuple(version for version in self.versions if version.goes)

    @property
    def freed(self) -> int:
        """Bytes that would be deleted now; those of blobs that go to quarantine are not."""
        return sum(blob.size for blob in self.blobs if blob.action == "delete")


@dataclass(slots=True, kw_only=True)
class CollectionReport:
    """What a collection did; of a dry run, what it would have done.

    Args:
        plan: what was decided beforehand.
        deleted: uids of the versions that were forgotten.
        spared: uids of versions that were to go, but that somebody uses or tagged meanwhile.
        quarantined, restored, purged: blobs that were moved out of the way, moved back because
            somebody needs them, and deleted for good.
        freed: bytes of the blobs and unfinished writes that were deleted.
        leases: leases of dead processes that were released.
    """

    plan: CollectionPlan
    dry_run: bool
    deleted: list[str] = field(default_factory=list)
    spared: list[str] = field(default_factory=list)
    quarantined: list[Digest] = field(default_factory=list)
    restored: list[Digest] = field(default_factory=list)
    purged: list[Digest] = field(default_factory=list)
    freed: int = 0
    leases: list[Lease] = field(default_factory=list)


def unknown(process: Mapping[str, Any]) -> None:
    """As `is_alive`: nothing is known of any process, so none counts as dead."""


def plan_collection(
    space: ArtifactSpace,
    rules: Iterable[RetentionRule] = (),
    *,
    now: datetime | None = None,
    grace_hours: float = GRACE_HOURS,
    quarantine_days: float = QUARANTINE_DAYS,
    is_alive: Liveness = unknown,
) -> CollectionPlan:
    """What a collection would do, without changing anything.

    Args:
        rules: which versions stay; with none all do, and only blobs that nobody needs go.
        now: the time by which ages are reckoned; None: the present.
        grace_hours: an unneeded blob stays so long after it was written.
        quarantine_days: and so long in quarantine before it is deleted.
        is_alive: whether a job's or a lease's process still runs.
    """
    time = present() if now is None else now
    live, _ = release_dead(space, is_alive, forget=False)
    versions = tuple(decide(space, rules, time, _kept(space, live, is_alive)))
    going = {version.uid for version in versions if version.goes}
    blobs: list[PlannedBlob] = []
    needed = 0
    oldest = time - timedelta(hours=grace_hours)
    for some in _chunks(space.store.list(), _BLOBS_AT_ONCE):
        owners = space.existing_catalog.blob_owners(blob.digest for blob in some)
        for blob in some:
            of_blob = owners.get(blob.digest, set())
            if of_blob - going:
                needed += 1
                continue
            why = "its last version goes" if of_blob else "nobody needs it"
            stays = _stays(blob, oldest, live)
            action: Action = "stays" if stays else "quarantine"
            blobs.append(PlannedBlob(blob.digest, blob.size, action, stays or why))
    last = time - timedelta(days=quarantine_days)
    for some in _chunks(space.store.quarantined(), _BLOBS_AT_ONCE):
        referenced = space.existing_catalog.referenced(blob.digest for blob in some)
        blobs += (_of_waiting(blob, blob.digest in referenced, last, live) for blob in some)
    return CollectionPlan(time, versions, tuple(blobs), needed)


def collect(
    space: ArtifactSpace,
    what: CollectionPlan | Iterable[RetentionRule] = (),
    *,
    dry_run: bool = True,
    quarantine_days: float = QUARANTINE_DAYS,
    grace_hours: float = GRACE_HOURS,
    now: datetime | None = None,
    is_alive: Liveness = unknown,
    process: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> CollectionReport:
    """Forget the versions that retention gives up, quarantine the blobs that nobody needs, and
    delete those that were in quarantine long enough. Nothing that is reachable is lost, whatever
    runs beside it; interrupted, it may simply be started again.

    Args:
        what: a plan, of which the versions are taken; or rules, by which one is made now.
        dry_run: change nothing.
        quarantine_days, grace_hours, now, is_alive: see `plan_collection`.
        process: this process, as the engine describes it.
        progress: called as the work goes on.

    Raises:
        AlreadyLeased: another collection is under way.
        LeaseLost: the machine was asleep for longer than the collection's lease lasts.
    """

    def plan() -> CollectionPlan:
        if isinstance(what, CollectionPlan):
            return what
        return plan_collection(
            space,
            what,
            now=now,
            grace_hours=grace_hours,
            quarantine_days=quarantine_days,
            is_alive=is_alive,
        )

    if dry_run:
        return CollectionReport(plan=plan(), dry_run=True)
    _, dead = release_dead(space, is_alive)
    with lease(space, (), PURPOSE, process=process, exclusive=True) as held:
        report = CollectionReport(plan=plan(), dry_run=False, leases=dead)
        collection = _Collection(space, report, held, is_alive, progress or _silent)
        time = present() if now is None else now
        collection.forget_versions()
        # First those of earlier collections, so that what goes to quarantine now is not asked for.
        collection.purge(time - timedelta(days=quarantine_days))
        collection.quarantine(time - timedelta(hours=grace_hours))
        report.freed += space.store.tidy()
    return report


class _Collection:
    """One collection at work."""

    def __init__(
        self,
        space: ArtifactSpace,
        report: CollectionReport,
        held: HeldLease,
        is_alive: Liveness,
        progress: Progress,
    ) -> None:
        self._catalog, self._store = space.catalog, space.store
        self._space, self._report, self._held = space, report, held
        self._is_alive, self._progress = is_alive, progress

    def forget_versions(self) -> None:
        going = self._report.plan.going
        dead = _dead_jobs(self._space, self._is_alive)
        for tagged in (False, True):
            wanted = [version.uid for version in going if version.tagged is tagged]
            for some in _chunks(wanted, _VERSIONS_AT_ONCE):
                self._held.check()
                gone = self._catalog.delete_versions(
                    some,
                    now=present(),
                    tagged=tagged,  # one that had no tag has one now for a reason
                    used_since=self._report.plan.time,
                    dead=dead,
                )
                self._report.deleted += gone
                self._report.spared += set(some) - set(gone)
                self._progress("versions", len(self._report.deleted), len(going))

    def quarantine(self, oldest: datetime) -> None:
        count = 0
        for some in _chunks(self._store.list(), _BLOBS_AT_ONCE):
            self._held.check()
            live = self._catalog.leases(present())
            old = [blob.digest for blob in some if not _stays(blob, oldest, live)]
            moved = [
                digest
                for digest in set(old) - self._catalog.referenced(old)
                if self._store.quarantine(digest)
            ]
            # Not needed for safety; it spares a reader the way back.
            needed = self._catalog.referenced(moved)
            self._restore(needed)
            self._report.quarantined += set(moved) - needed
            count += len(some)
            self._progress("blobs", count, None)

    def purge(self, oldest: datetime) -> None:
        for some in _chunks(self._store.quarantined(), _BLOBS_AT_ONCE):
            self._held.check()
            # In this order; see the argument above.
            live = self._catalog.leases(present())
            needed = self._catalog.referenced(blob.digest for blob in some)
            self._restore(needed)
            gone = [
                blob
                for blob in some
                if blob.digest not in needed
                and blob.modified < oldest
                and not _protected(blob.modified, live)
            ]
            digests = [blob.digest for blob in gone]
            self._report.freed += self._store.purge(digests, older_than=oldest)
            self._report.purged += digests
            self._progress("quarantine", len(self._report.purged), None)

    def _restore(self, needed: Iterable[Digest]) -> None:
        for digest in needed:
            if self._store.restore(digest):
                self._report.restored.append(digest)


def _stays(blob: StoredBlob, oldest: datetime, live: Iterable[Lease]) -> str:
    """Why a blob that nobody needs stays where it is; "" if nothing says so."""
    if blob.modified >= oldest:
        return "written a short while ago"
    return _protected(blob.modified, live)


def _protected(since: datetime, live: Iterable[Lease]) -> str:
    """Which lease began before a blob was written, or came to quarantine; "" if none."""
    for found in live:
        if found.purpose != PURPOSE and found.since - CLOCK_SLACK <= since:
            return f"a lease for {found.purpose or 'something'!r} began before"
    return ""


def _of_waiting(
    blob: StoredBlob, needed: bool, last: datetime, live: Iterable[Lease]
) -> PlannedBlob:
    protected = _protected(blob.modified, live)
    action: Action = "stays"
    if needed:
        action, reason = "restore", "a version needs it"
    elif blob.modified >= last:
        reason = "in quarantine for a short while only"
    elif protected:
        reason = protected
    else:
        action, reason = "delete", "in quarantine long enough"
    return PlannedBlob(blob.digest, blob.size, action, reason)


def _kept(space: ArtifactSpace, live: Iterable[Lease], is_alive: Liveness) -> dict[str, str]:
    """Versions that stay whatever the rules say, and why."""
    catalog = space.existing_catalog
    kept: dict[str, str] = {}
    dead = _dead_jobs(space, is_alive)
    for job in _unfinished_jobs(space):
        if job.id not in dead:
            used = {*job.artifacts.values(), *catalog.outputs(job.id).values()}
            used.update(read.version for read in catalog.inputs(job.id))
            for step in catalog.steps(job.id):
                used.update(step.inputs.values(), step.outputs.values())
            used.update(record.uid for record in _made_by(space, job.id))
            kept.update(dict.fromkeys(used, f"job {job.id} uses it"))
    for found in live:
        reason = f"leased for {found.purpose or 'something'!r}"
        kept.update(dict.fromkeys(found.versions, reason))
    kept.update((uid, f"its tag {tag!r} is protected") for uid, tag in catalog.protected_versions())
    return kept


def _made_by(space: ArtifactSpace, job: str) -> Iterator[VersionRecord]:
    cursor = None
    while True:
        page = space.existing_catalog.search_versions(
            VersionQuery(job=job, limit=1000, cursor=cursor)
        )
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _unfinished_jobs(space: ArtifactSpace) -> Iterator[JobRecord]:
    statuses: tuple[JobStatus, ...] = ("running", "queued")
    for status in statuses:
        cursor = None
        while True:
            page = space.existing_catalog.search_jobs(
                JobQuery(status=status, limit=1000, cursor=cursor)
            )
            yield from page.items
            cursor = page.next
            if cursor is None:
                break


def _dead_jobs(space: ArtifactSpace, is_alive: Liveness) -> set[str]:
    """Jobs that count as running, but whose processes are surely dead."""
    return {
        job.id
        for job in _unfinished_jobs(space)
        if job.status == "running" and job.process and is_alive(job.process) is False
    }


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while some := list(islice(source, size)):
        yield some


def _silent(what: str, done: int, of: int | None) -> None:
    """No progress is shown."""
