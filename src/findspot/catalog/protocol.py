"""The seam between Findspot and the databases that keep its records.

Every write is one `Batch` in one transaction: a single save is a batch of one version, and the
engine gathers what many steps did into one. So nothing is ever half-recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol, runtime_checkable

from findspot.core.digests import Digest
from findspot.core.pickling import quick_to_pickle
from findspot.core.records import (
    CacheEntry,
    Event,
    FileEntry,
    JobInput,
    JobOutput,
    JobQuery,
    JobRecord,
    JobUpdate,
    Lease,
    Lineage,
    Link,
    LogLine,
    MetricPoint,
    Page,
    Resource,
    ScheduleRecord,
    Signature,
    Snapshot,
    SourceRead,
    StepRecord,
    TagEvent,
    VersionQuery,
    VersionRecord,
)


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be recorded, with its files. The catalog gives it the next number of its key,
    creates project and artifact where they are new, and sets `record.tags` on it."""

    record: VersionRecord
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A finished job whose outputs are all recorded still.

    Args:
        blobs: digests of those that must be in the store for the outputs to be whole.
    """

    job: str
    blobs: frozenset[Digest]


@dataclass(frozen=True, slots=True)
class JobGroup:
    """The jobs of a project that carry the same experiment's name.

    Args:
        newest: when the newest of them was created.
    """

    name: str
    jobs: int
    newest: datetime


@dataclass(slots=True)
class Batch:
    """Changes that are recorded together or not at all, in the order of the fields."""

    documents: dict[Digest, bytes] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    jobs: list[JobRecord] = field(default_factory=list)
    versions: list[NewVersion] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    outputs: list[JobOutput] = field(default_factory=list)
    inputs: list[JobInput] = field(default_factory=list)
    cache: list[tuple[str, str, str]] = field(default_factory=list)
    """(cache key, job, step): the step's outputs may be reused under the key; the newest wins."""
    repeats: list[tuple[str, str]] = field(default_factory=list)
    """(job, earlier job): the job's steps and outputs are those of the earlier one, reused."""
    metrics: list[MetricPoint] = field(default_factory=list)
    log: list[LogLine] = field(default_factory=list)
    updates: list[JobUpdate] = field(default_factory=list)
    sources: list[SourceRead] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__dataclass_fields__)


class _Any:
    def __repr__(self) -> str:
        return "ANY_VERSION"


ANY_VERSION: Final = _Any()
"""As `expected` of a tag's move: whatever it is on now."""


@runtime_checkable
class Catalog(Protocol):
    """Records, in a database that many processes share.

    Guarantees of every implementation: a `write` is recorded whole or not at all, and when it
    returns it survives the death of the process; readers see only whole writes; version numbers
    of a key are 1, 2, 3 ... in the order of recording, never given twice, not even after a
    deletion; concurrent writers wait for each other and never fail for it; all methods may be
    called from any thread. A forked child opens connections of its own.

    Errors: `NotFound`, `Conflict`, `FormatTooNew`, `ReadOnly`, `StorageFull`.
    """

    url: str

    def close(self) -> None: ...

    def setting(self, name: str, default: str | None = None) -> str | None:
        """A setting kept in the catalog; with ``default``, stored first where it is not set yet
        (atomically: two processes get the same answer). ``workspace`` is the workspace's id."""
        ...

    def write(self, batch: Batch) -> Mapping[str, int]:
        """Record a batch; the numbers given, by uid of version and id of snapshot.

        A version whose `name` is taken under its key raises `Conflict`, as does a `JobUpdate` whose
        job is in none of the expected states. A snapshot whose digest equals that of the newest
        under its name is not recorded again: its number is the existing one's.
        Each job, each job's and step's change of status appends an `Event`. A tag of a new version
        that is protected raises `TagProtected`.
        """
        ...

    def import_records(self, batch: Batch) -> dict[str, int]:
        """Record what of a batch from another workspace is not recorded here yet, whole or not at
        all; to do it again changes nothing. The numbers, by uid of version and id of snapshot, of
        all that are in the batch, new or not.

        Uids and ids stay. A version keeps its number where that is higher than every number that
        was given under its key here, and else gets the next one. Jobs, snapshots, versions, steps
        and outputs that exist stay as they are; inputs, sources, metrics and log lines are taken
        with the first import of their job. Errors as `write`; updates are no records (ValueError).
        """
        ...

    # ------------------------------------------------------------------ projects

    def projects(self) -> list[str]: ...

    def add_project(self, name: str) -> bool:
        """Create a project; False where it exists."""
        ...

    # ------------------------------------------------------------------ artifacts

    def version(self, uid: str) -> VersionRecord | None: ...

    def versions(self, uids: Iterable[str]) -> dict[str, VersionRecord]:
        """Many at once; those that do not exist are left out."""
        ...

    def stored_blobs(self, uids: Iterable[str]) -> dict[str, set[Digest]]:
        """Of each of these versions that exists, the blobs that it needs from the store."""
        ...

    def find_version(
        self,
        project: str,
        key: str,
        selector: str | int | None = None,
        *,
        kind: str | None = None,
        iteration: int | None = None,
    ) -> VersionRecord | None:
        """A version by its artifact and a number, a tag, or a version's name (text that is a number
        counts as one; a tag wins over a version's name); None or ``latest``: the highest number."""
        ...

    def files(self, uid: str) -> tuple[FileEntry, ...]:
        """The files of a version or a snapshot, sorted by path, with inline bytes where the catalog
        keeps them."""
        ...

    def files_of(self, uids: Iterable[str]) -> dict[str, tuple[FileEntry, ...]]:
        """As `files`, of many at once; empty for what does not exist."""
        ...

    def search_versions(self, query: VersionQuery) -> Page[VersionRecord]: ...

    def keys(self, project: str, *, near: str | None = None, limit: int = 1000) -> list[str]:
        """The artifact keys of a project; with ``near``, the likeliest meant, nearest first."""
        ...

    def set_labels(self, uid: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of a version; a value of None takes the label off."""
        ...

    def set_tag(
        self,
        project: str,
        key: str,
        tag: str,
        version: int | None,
        *,
        expected: int | _Any | None = ANY_VERSION,
        owner: str = "",
        force: bool = False,
    ) -> TagEvent:
        """Move a tag to a version's number (None: take it off), by compare-and-swap: `Conflict`
        where it is not on ``expected`` (None: on nothing). A protected tag is moved only with
        ``force`` (`TagProtected`)."""
        ...

    def tags(self, project: str, key: str) -> dict[str, int]: ...

    def tag_history(self, project: str, key: str, tag: str) -> list[TagEvent]:
        """All moves of a tag, oldest first."""
        ...

    def protect_tag(self, project: str, key: str, tag: str, protected: bool) -> None:
        """Keep a tag where it is, and its version from being deleted, until the protection is taken
        off. It need not be on a version yet. `NotFound` where there is no such artifact."""
        ...

    def protected_tags(self, project: str, key: str) -> set[str]: ...

    def protected_versions(self) -> list[tuple[str, str]]:
        """The uid of every version under a protected tag, and the tag."""
        ...

    def move_artifact(self, project: str, key: str, to_project: str, to_key: str) -> int:
        """Rename an artifact, with all versions, tags, their protection and history; how many
        versions it has. Uids, numbers and bytes stay. The project is created where it is new.

        Errors: `NotFound` where it has no versions; `ArtifactExists` (a `Conflict`) where there is
        an artifact of the new name, or was one: its numbers were given already.
        """
        ...

    def delete_version(self, uid: str, *, force: bool = False) -> bool:
        """Forget a version: record, files, tags on it. Its place in lineages stays, as a uid
        without a record; its number is never given again. False where there was none.
        `TagProtected` where a protected tag is on it, unless ``force``."""
        ...

    def delete_artifact(self, project: str, key: str, *, force: bool = False) -> int:
        """Forget all versions of a key, as `delete_version` does; how many there were."""
        ...

    def delete_versions(
        self,
        uids: Iterable[str],
        *,
        now: datetime,
        tagged: bool = True,
        used_since: datetime | None = None,
        dead: Collection[str] = (),
    ) -> list[str]:
        """Forget those of the versions that nobody uses; the uids of those that were forgotten.

        Left out, in the same transaction, are versions that a lease keeps which has not expired
        at ``now``; versions that a running or queued job made, reads, reuses or was given; versions
        with a protected tag. ``dead`` are ids of jobs that count as over whatever their status is.

        Args:
            tagged: False leaves out versions with any tag.
            used_since: leaves out versions that are inputs of a job created later than this, or
                that a link made later than this leads to.
        """
        ...

    # ------------------------------------------------------------------ beside versions

    def add_links(self, links: Iterable[Link]) -> None:
        """Add links; a later one replaces an earlier one of its name, an empty target takes the
        name off. `NotFound` where a version that shall point does not exist."""
        ...

    def links(self, uid: str) -> list[Link]:
        """The newest link of each name, by name."""
        ...

    def linked_from(self, target: str) -> list[Link]:
        """Links that point at exactly this target now, newest first."""
        ...

    def linked(self, uids: Iterable[str]) -> dict[str, set[str]]:
        """For versions, the uids of the versions that they link to now, deleted ones too; those
        that link to none are left out."""
        ...

    def add_signature(self, signature: Signature) -> None:
        """Add a signature of a version (`NotFound`), in place of one by the same key."""
        ...

    def signatures(self, uid: str) -> list[Signature]:
        """The signatures of a version, oldest first."""
        ...

    # ------------------------------------------------------------------ leases

    def take_lease(self, lease: Lease, *, exclusive: bool = False) -> None:
        """Record a lease. Versions that existed when it returned are kept by it until it ends;
        look whether they do after it, not before.

        ``exclusive``: `AlreadyLeased` (a `Conflict`) while another lease for the same purpose lasts
        at ``lease.since``.
        """
        ...

    def renew_lease(self, id: str, until: datetime, versions: Iterable[str] = ()) -> bool:
        """Let a lease last until then, and keep more versions from now on; False where it was
        released, or expired so long ago that it was forgotten."""
        ...

    def release_lease(self, id: str) -> bool:
        """End a lease; False where there was none."""
        ...

    def leases(self, now: datetime) -> list[Lease]:
        """The leases that last at ``now``, oldest first."""
        ...

    # ------------------------------------------------------------------ blobs

    def blob_references(self) -> Iterator[tuple[Digest, int]]:
        """Digest and size of every blob that some version or snapshot needs from the store."""
        ...

    def referenced(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those of the digests that some version or snapshot needs from the store now."""
        ...

    def blob_owners(self, digests: Iterable[Digest]) -> dict[Digest, set[str]]:
        """The uids of versions and ids of snapshots that need each of them from the store;
        digests that nobody needs are left out."""
        ...

    def users_of_blob(self, digest: Digest, *, limit: int = 20) -> list[tuple[VersionRecord, str]]:
        """Versions with a file of these bytes, and the file's path."""
        ...

    def inline_blobs(self) -> Iterator[tuple[Digest, bytes]]:
        """All blobs that the catalog keeps itself, for verification."""
        ...

    def document(self, digest: str) -> bytes | None:
        """A document (environment, code) by its digest."""
        ...

    # ------------------------------------------------------------------ jobs

    def job(self, id: str) -> JobRecord | None: ...

    def search_jobs(self, query: JobQuery) -> Page[JobRecord]: ...

    def job_groups(self, project: str) -> list[JobGroup]:
        """The experiments' names that jobs carry, those with the newest jobs first."""
        ...

    def steps(self, job: str) -> list[StepRecord]:
        """The steps of a job in their order of position."""
        ...

    def outputs(self, job: str) -> dict[str, str]:
        """The named outputs of a job: name to uid."""
        ...

    def inputs(self, job: str) -> list[JobInput]: ...

    def sources(self, job: str) -> list[SourceRead]:
        """What a job read from outside of the workspace, in the order of recording."""
        ...

    def metrics(self, job: str, *, name: str | None = None) -> list[MetricPoint]: ...

    def log(self, job: str, *, after: int = 0, limit: int = 10_000) -> list[tuple[int, LogLine]]:
        """Lines of a job's log with their numbers, from the one after ``after`` on."""
        ...

    def events(
        self, *, after: int = 0, job: str | None = None, limit: int = 1000
    ) -> list[Event]: ...

    def cached(self, key: str) -> CacheEntry | None:
        """The newest finished step that was recorded under a cache key."""
        ...

    def repeatable(self, key: str) -> Repeatable | None:
        """The finished job that was recorded under a key of whole jobs (in `Batch.cache` with a
        step of ""); None where there is none, or where some of what its steps made was deleted."""
        ...

    def cached_in(self, job: str) -> dict[str, CacheEntry]:
        """What `cached` gives for every key whose newest step is of that job, by key."""
        ...

    # ------------------------------------------------------------------ snapshots

    def snapshot(self, id: str) -> Snapshot | None:
        """A snapshot without its files (see `files`)."""
        ...

    def find_snapshot(
        self, resource: Resource, project: str, name: str, number: int | None = None
    ) -> Snapshot | None: ...

    def snapshots(
        self, resource: Resource, project: str, name: str | None = None
    ) -> Sequence[Snapshot]:
        """All snapshots of a name, or the newest one of each name."""
        ...

    # ------------------------------------------------------------------ schedules

    def add_schedule(self, record: ScheduleRecord) -> None:
        """Record a schedule, and its project where that is new; `ScheduleExists` (a `Conflict`)
        where there is one of its name."""
        ...

    def move_schedule(self, record: ScheduleRecord) -> bool:
        """Change a schedule to what the record says, its revision becoming the next one; False,
        and nothing changes, where it is not at the record's revision any more. Of several who
        read the same revision, one succeeds."""
        ...

    def remove_schedule(self, project: str, name: str) -> bool:
        """Forget a schedule; its definitions and its jobs stay. False where there was none."""
        ...

    def schedule(self, project: str, name: str) -> ScheduleRecord | None: ...

    def schedules(self, project: str | None = None) -> list[ScheduleRecord]:
        """The schedules of a project, or of all, by name."""
        ...

    # ------------------------------------------------------------------ lineage

    def lineage(
        self,
        uid: str,
        direction: Literal["upstream", "downstream"],
        *,
        depth: int | None = None,
    ) -> Lineage:
        """All that made a version, or was made from it; ``depth`` counts steps."""
        ...

    def parents(self, uids: Iterable[str]) -> dict[str, set[str]]:
        """For versions, deleted ones too, the uids of what their makers were given or read; those
        that were made from nothing are left out."""
        ...

    def check(self) -> list[str]:
        """The database's own integrity check; a list of faults."""
        ...

    def counts(self) -> dict[str, Any]:
        """How many projects, artifacts, versions, jobs there are, and bytes inline."""
        ...
