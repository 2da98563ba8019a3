"""The seam between Findspot and the databases that keep its records.

Every write is one `Batch` in one transaction: a single save is a batch of one version, and the
engine gathers what many steps did into one. So nothing is ever half-recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, runtime_checkable

from findspot.core.digests import Digest
from findspot.core.records import (
    CacheEntry,
    Event,
    FileEntry,
    JobInput,
    JobOutput,
    JobQuery,
    JobRecord,
    JobUpdate,
    Lineage,
    LogLine,
    MetricPoint,
    Page,
    Resource,
    Snapshot,
    StepRecord,
    TagEvent,
    VersionQuery,
    VersionRecord,
)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be recorded, with its files. The catalog gives it the next number of its key,
    creates project and artifact where they are new, and sets `record.tags` on it."""

    record: VersionRecord
    files: tuple[FileEntry, ...]


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
    metrics: list[MetricPoint] = field(default_factory=list)
    log: list[LogLine] = field(default_factory=list)
    updates: list[JobUpdate] = field(default_factory=list)

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
        Each job, each job's and step's change of status appends an `Event`.
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
    ) -> TagEvent:
        """Move a tag to a version's number (None: take it off), by compare-and-swap: `Conflict`
        where it is not on ``expected`` (None: on nothing)."""
        ...

    def tags(self, project: str, key: str) -> dict[str, int]: ...

    def tag_history(self, project: str, key: str, tag: str) -> list[TagEvent]:
        """All moves of a tag, oldest first."""
        ...

    def delete_version(self, uid: str) -> bool:
        """Forget a version: record, files, tags on it. Its place in lineages stays, as a uid
        without a record; its number is never given again. False where there was none."""
        ...

    def delete_artifact(self, project: str, key: str) -> int:
        """Forget all versions of a key; how many there were."""
        ...

    # ------------------------------------------------------------------ blobs

    def blob_references(self) -> Iterator[tuple[Digest, int]]:
        """Digest and size of every blob that some version or snapshot needs from the store."""
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

    def steps(self, job: str) -> list[StepRecord]:
        """The steps of a job in their order of position."""
        ...

    def outputs(self, job: str) -> dict[str, str]:
        """The named outputs of a job: name to uid."""
        ...

    def inputs(self, job: str) -> list[JobInput]: ...

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

    def check(self) -> list[str]:
        """The database's own integrity check; a list of faults."""
        ...

    def counts(self) -> dict[str, Any]:
        """How many projects, artifacts, versions, jobs there are, and bytes inline."""
        ...
