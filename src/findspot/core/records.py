"""The records that the catalog keeps: frozen, without behaviour, without I/O.

Times are aware datetimes in UTC. Fields of type `JsonObject` hold plain JSON values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar, get_args

from findspot.core.canonical import canonical_json
from findspot.core.digests import Digest, Hasher, hash_bytes
from findspot.core.pickling import quick_to_pickle

Kind = Literal[
    "file",
    "directory",
    "dataset",
    "model",
    "plot",
    "table",
    "value",
    "feature-set",
    "feature-vector",
]
KINDS: tuple[str, ...] = get_args(Kind)

JobStatus = Literal["queued", "running", "finished", "failed", "interrupted", "cancelled"]
ENDED: tuple[JobStatus, ...] = ("finished", "failed", "interrupted", "cancelled")
StepStatus = Literal["pending", "running", "finished", "failed", "skipped", "interrupted"]
Resource = Literal["plugin", "entrypoint", "schedule"]

T = TypeVar("T")


def now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing, and the cursor that asks for the next (None on the last)."""

    items: tuple[T, ...]
    next: str | None = None


# --------------------------------------------------------------------------- artifacts


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a version: a relative path with ``/`` between its parts, and its blob.

    `inline` carries the bytes of a small file, which the catalog keeps itself.
    """

    path: str
    digest: Digest
    size: int
    inline: bytes | None = field(default=None, repr=False, compare=False)


def manifest_digest(files: tuple[FileEntry, ...], handler: str) -> Digest:
    """The digest of a version's content: the handler that reads it, and every path and blob.

    Two versions with equal manifest digests load as equal values.
    """
    if len(files) == 1:
        entry = files[0]
        return hash_bytes(f"{handler}\0{entry.path}\0{entry.digest}\n".encode())
    hasher = Hasher()
    hasher.update(f"{handler}\0".encode())
    entries = sorted(files, key=lambda f: f.path)
    for start in range(0, len(entries), _LISTED):  # the listing of all would be larger than they
        part = entries[start : start + _LISTED]
        hasher.update("".join([f"{f.path}\0{f.digest}\n" for f in part]).encode())
    return hasher.digest()


_LISTED = 1000


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of a value, made when it is saved. `data` is capped by the artifacts layer.

    Args:
        media_type: ``text/plain``, ``image/png``, ``text/html`` ... or
            ``application/vnd.findspot.table+json`` ({"columns": [...], "rows": [[...]],
            "total": n}).
        data: the bytes.
    """

    media_type: str
    data: bytes = field(repr=False)


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class Producer:
    """Who made a version: a job, and where there is one, its step and the step's output."""

    job: str
    step: str | None = None
    output: str | None = None


@quick_to_pickle
@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One immutable state of an artifact. `number` is 0 until the catalog has given one."""

    uid: str
    project: str
    key: str
    kind: str
    number: int = 0
    name: str | None = None
    iteration: int = 0
    digest: Digest
    size: int
    file_count: int
    handler: str
    handler_args: Mapping[str, Any] = field(default_factory=dict)
    python_type: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    preview: Preview | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    owner: str = ""
    created: datetime
    producer: Producer | None = None
    origin: str = ""
    seal: str = ""


@dataclass(frozen=True, slots=True)
class TagEvent:
    """One move of a tag: to `version` (None: the tag was taken off), from `previous`."""

    project: str
    key: str
    tag: str
    version: int | None
    previous: int | None
    owner: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionQuery:
    """What to list; every field narrows, None does not. Newest first.

    Args:
        key: an exact key, or a glob where it holds ``*`` or ``?``.
        since, until: created at or after, and before.
        job: made by this job. step: and by this step of it.
        cursor: the `Page.next` of the page before.
    """

    project: str | None = None
    key: str | None = None
    kind: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    job: str | None = None
    step: str | None = None
    digest: str | None = None
    latest_only: bool = False
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A named pointer from a version to something beside it: an artifact's reference or uid, a URL,
    a file. Of links of one name the newest counts; an empty `target` takes the name off."""

    version: str
    name: str
    target: str
    kind: Literal["artifact", "url", "file"]
    owner: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a version. `key` is the fingerprint of the public key that verifies it,
    `signature` is in base64."""

    version: str
    key: str
    signature: str
    owner: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A promise, for a while, that versions stay and that blobs written meanwhile are not orphans.

    Args:
        purpose: what for, in a person's words (``job 0198...``).
        versions: uids that are not deleted as long as it lasts; none for one who only writes.
        process: host, process id and start time of its owner, as a job has them.
        since, until: it lasts from the one to the other, unless it is renewed or released.
    """

    id: str
    owner: str
    purpose: str
    versions: tuple[str, ...]
    process: Mapping[str, Any]
    since: datetime
    until: datetime


# --------------------------------------------------------------------------- jobs


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step or a job failed."""

    type: str
    message: str
    traceback: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One execution of a graph.

    Args:
        name: the name of the pipeline or entrypoint.
        entrypoint: id of the snapshot of the graph that it runs (None for a bare script's job).
        plugins: plugin name to the snapshot it runs with.
        params: the chosen values of all parameters.
        artifacts: input name to the uid of the chosen version.
        environment: digest of the document that describes the environment.
        process: host, process id and the process's start time, to tell a dead job from a live one.
    """

    id: str
    project: str
    experiment: str | None = None
    name: str
    status: JobStatus
    entrypoint: str | None = None
    plugins: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: str | None = None
    seed: int | None = None
    owner: str = ""
    process: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdate:
    """A change of a job, made only if its status is among `expected` (`Conflict` if not).

    Fields that are None stay as they are; but a job that runs has no end and no failure, and one
    that finished has no failure. Labels and params are added to those that the job has.
    """

    id: str
    expected: tuple[JobStatus, ...]
    status: JobStatus | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure: Failure | None = None
    params: Mapping[str, Any] | None = None
    artifacts: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    process: Mapping[str, Any] | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One invocation of a task in a job; written again as a whole whenever it changes.

    Args:
        cached: its outputs were reused from `source_job`, nothing ran.
        key: the digest of all that determines its outputs; `parts` are what went into it.
        inputs: argument name (``x``, ``x[0]``) to the uid of the version that it was given.
        outputs: output name to the uid of the version that it made or reused.
    """

    job: str
    name: str
    task: str
    position: int
    status: StepStatus
    cached: bool = False
    key: str | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    source_job: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    started: datetime | None = None
    ended: datetime | None = None
    attempt: int = 1
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class JobOutput:
    """A named output of a job: the version behind ``job.outputs[name]``."""

    job: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class JobInput:
    """A version that a job (or one step of it) read besides its declared inputs."""

    job: str
    step: str | None
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class SourceRead:
    """Bytes from outside the workspace that a job (or one step of it) read: a data item's.

    Args:
        name: what the job calls it: the input's name, or the last part of the URL.
        url: without credentials.
        size: bytes. etag: the server's mark of these bytes. digest: of the bytes, where all of them
            were read; a source may lack any of the three.
        modified: when the source says it was last changed.
        time: when it was read.
    """

    job: str
    step: str | None
    name: str
    url: str
    size: int | None
    etag: str | None
    digest: str | None
    modified: datetime | None
    time: datetime


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One measured number. `at` counts training steps or epochs; None for a single value."""

    job: str
    step: str | None
    name: str
    value: float
    at: int | None
    time: datetime


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a job's log. `source` is logging, print, warnings, stderr or findspot."""

    job: str
    step: str | None
    time: datetime
    level: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change of state, in the order in which the catalog committed them."""

    number: int
    project: str
    job: str
    step: str | None
    time: datetime
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs to list; every field narrows. Newest first."""

    project: str | None = None
    experiment: str | None = None
    name: str | None = None
    status: JobStatus | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What one cache key led to: the step that ran, and its outputs that still exist.

    `complete` is False when a version of one of its outputs was deleted since. `logged` is what the
    step's code logged besides: ``outputs`` (key to uid), ``labels``, ``params``.
    `in_store` says that some file is not inline, so that its blob's existence must be asked for.
    """

    key: str
    job: str
    step: str
    outputs: Mapping[str, VersionRecord]
    complete: bool
    in_store: bool
    logged: Mapping[str, Any] = field(default_factory=dict)


# --------------------------------------------------------------------------- snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One immutable state of a plugin, an entrypoint or a schedule.

    They are numbered 1, 2, 3 ... under their name; `number` is 0 until the catalog has given one.
    `files` are a plugin's source files.
    """

    id: str
    resource: Resource
    project: str
    name: str
    number: int = 0
    digest: Digest
    body: Mapping[str, Any]
    files: tuple[FileEntry, ...] = ()
    owner: str = ""
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRecord:
    """Where a schedule stands; what it runs, and when, is its definition.

    Args:
        definition: id of the snapshot that defines it now.
        due: the next time at which it starts a job; None: never.
        last_due: the time that its last job was started for; None for one started by hand.
        last_job: id of the last job. It is chosen before the job is recorded, so that the job is
            recorded once however many workers try to start it.
        worker: the process that is to start the last job, as a job has its own.
        claimed: when it took that upon itself.
        revision: grows with each change; a change is made only to the revision that was read.
    """

    project: str
    name: str
    definition: str
    paused: bool = False
    due: datetime | None = None
    last_due: datetime | None = None
    last_job: str | None = None
    worker: Mapping[str, Any] = field(default_factory=dict)
    claimed: datetime | None = None
    owner: str = ""
    created: datetime
    revision: int = 1


def document_digest(body: Mapping[str, Any]) -> Digest:
    """The digest of a JSON document (an environment, a task graph, a plugin's analysis)."""
    return hash_bytes(canonical_json(body))


# --------------------------------------------------------------------------- lineage


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """``version`` went into (``direction`` "in") or came out of ("out") a step of a job.

    A step of "" stands for the job itself (a script, a notebook, an input given by value).
    """

    version: str
    job: str
    step: str
    name: str
    direction: Literal["in", "out"]


@dataclass(frozen=True, slots=True, repr=False)
class Lineage:
    """Everything that a version came from, or that came from it; printed, a line for each step."""

    root: str
    versions: Mapping[str, VersionRecord]
    steps: Mapping[tuple[str, str], StepRecord | None]
    jobs: Mapping[str, JobRecord]
    edges: tuple[LineageEdge, ...]
    sources: Mapping[tuple[str, str], tuple[SourceRead, ...]] = field(default_factory=dict)
    """What the steps that made something read from outside the workspace; empty downstream."""

    def __repr__(self) -> str:
        counts = f"{len(self.versions)} versions, {len(self.steps)} steps, {len(self.jobs)} jobs"
        return f"<Lineage of {self.root}: {counts}>"

    def __str__(self) -> str:
        from findspot.core.lineage_text import lineage_text

        return lineage_text(self)
