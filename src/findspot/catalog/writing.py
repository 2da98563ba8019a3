"""One batch, one transaction.

Rows that other transactions may write too are written table by table in a fixed order, and sorted
within each table, so that two transactions never wait for each other: locks of snapshot names,
projects, artifacts (which give the version numbers), inline blobs, documents, tags, steps, cache,
jobs, and last of all the events.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from findspot.catalog.database import Row, Session, chunks, insert, marks
from findspot.catalog.errors import JobMoved, NameTaken
from findspot.catalog.linking import SOURCE, source_row
from findspot.catalog.protocol import Batch, NewVersion
from findspot.catalog.repeating import copy_job
from findspot.catalog.rows import (
    JOB_COLUMNS,
    NUMBER,
    SNAPSHOT_COLUMNS,
    STEP_COLUMNS,
    VERSION_COLUMNS,
    failure_text,
    from_json,
    job_row,
    log_row,
    metric_row,
    micros,
    snapshot_row,
    step_row,
    to_json,
    version_row,
)
from findspot.catalog.tagging import guard_tag, move_tag
from findspot.core.errors import NotFound
from findspot.core.records import FileEntry, JobUpdate, Snapshot, StepRecord, VersionRecord

EVENTS_LOCK = "events"
"""Held from the first event or log line of a transaction to its end: their numbers then grow in the
order in which they can be read, so a reader who follows them misses none."""

_NOTHING = "ON CONFLICT DO NOTHING"
_GIVE_NUMBERS = (
    "ON CONFLICT (project, key) DO UPDATE SET"
    " last_number = artifacts.last_number + excluded.last_number,"
    " newest = artifacts.last_number + excluded.last_number"
    " RETURNING project, key, last_number"
)
ARTIFACT = ("project", "key", "last_number", "newest", "created")
_PROJECT = insert("projects", ("name", "created"), _NOTHING)
_GIVE_ONE = insert("artifacts", ARTIFACT, _GIVE_NUMBERS)
_VERSION = insert("versions", VERSION_COLUMNS)
_FILE = insert("files", ("owner", "path", "digest", "size", "in_store"))
_FILE_ROWS = 10_000
"""A version may have very many files: their rows are made as they are written."""
_INLINE = insert("inline_blobs", ("digest", "data"), _NOTHING)
_DOCUMENT = insert("documents", ("digest", "data"), _NOTHING)
_LABEL = insert("labels", ("project", "name", "value", "created", "version"))
SNAPSHOT = insert("snapshots", SNAPSHOT_COLUMNS)
_JOB = insert("jobs", JOB_COLUMNS)
_STEP = insert(
    "steps",
    STEP_COLUMNS,
    "ON CONFLICT (job, name) DO UPDATE SET "
    + ",".join(f"{name}=excluded.{name}" for name in STEP_COLUMNS[2:]),
)
_EDGE = ("version", "job", "step", "name")
_STEP_INPUT = insert("step_inputs", _EDGE, _NOTHING)
_STEP_OUTPUT = insert("step_outputs", _EDGE, _NOTHING)
_OUTPUT = insert(
    "job_outputs",
    ("job", "name", "version"),
    "ON CONFLICT (job, name) DO UPDATE SET version = excluded.version",
)
_INPUT = insert("job_inputs", ("job", "step", "name", "version"))
_CACHE = insert(
    "cache",
    ("key", "job", "step"),
    "ON CONFLICT (key) DO UPDATE SET job = excluded.job, step = excluded.step",
)
_METRIC = insert("metrics", ("job", "step", "name", "value", "at", "time"))
_LOG = insert("log", ("job", "step", "time", "level", "source", "text"))
_EVENT = insert("events", ("project", "job", "step", "time", "what"))


class BatchWriter:
    """Writes one batch in one session. Use it once.

    Rows are made when it is, before the transaction begins and others have to wait.
    """

    _session: Session

    def __init__(self, batch: Batch, known: set[str], for_update: str) -> None:
        """``known`` are projects that are surely there."""
        self._batch = batch
        self._known = known
        self._for_update = for_update
        self._numbers: dict[str, int] = {}
        self._inline: dict[str, bytes] = {}
        self._files: list[tuple[str, Sequence[FileEntry]]] = []
        self._events: list[tuple[str, str | None, str]] = []
        self._now = 0
        self._versions = [
            version_row(new.record, self._add_files(new.record.uid, new.files))
            for new in batch.versions
        ]

    def write(self, session: Session) -> Mapping[str, int]:
        """Write all; the numbers given, as `Catalog.write` returns them."""
        batch, self._session = self._batch, session
        self._now = time.time_ns() // 1000
        if batch.snapshots:
            for name in sorted({f"{s.resource}/{s.project}/{s.name}" for s in batch.snapshots}):
                session.lock(name)
        self._write_projects()
        firsts = self._give_numbers() if batch.versions else {}
        for snapshot in batch.snapshots:
            self._write_snapshot(snapshot)
        if batch.jobs:
            session.many(_JOB, [job_row(job) for job in batch.jobs])
            self._events.extend((job.id, None, job.status) for job in batch.jobs)
        if batch.versions:
            self._write_versions(firsts)
        self._write_blobs()
        if batch.steps:
            self._write_steps()
        for job, earlier in batch.repeats:
            names = copy_job(session, job, earlier, self._now)
            self._events.extend((job, name, "finished") for name in names)
        if batch.outputs:
            last = {(o.job, o.name): (o.job, o.name, o.version) for o in batch.outputs}
            session.many(_OUTPUT, sorted(last.values()))
        if batch.inputs:
            session.many(_INPUT, [(i.job, i.step, i.name, i.version) for i in batch.inputs])
        if batch.sources:
            session.many(SOURCE, [source_row(source) for source in batch.sources])
        if batch.cache:
            newest = {key: (key, job, step) for key, job, step in batch.cache}
            session.many(_CACHE, sorted(newest.values()))
        if batch.metrics:
            session.many(_METRIC, [metric_row(point) for point in batch.metrics])
        for update in sorted(batch.updates, key=lambda update: update.id):
            self._update_job(update)
        if batch.log or self._events:
            session.lock(EVENTS_LOCK)
        if batch.log:
            session.many(_LOG, [log_row(line) for line in batch.log])
        if self._events:
            self._write_events()
        return self._numbers

    def _write_projects(self) -> None:
        batch = self._batch
        needed = {new.record.project for new in batch.versions}
        needed.update(job.project for job in batch.jobs)
        needed.update(snapshot.project for snapshot in batch.snapshots)
        rows = [(project, self._now) for project in sorted(needed - self._known)]
        self._session.many(_PROJECT, rows)

    # ------------------------------------------------------------------ versions

    def _give_numbers(self) -> dict[tuple[str, str], int]:
        """The first of the numbers that each artifact gets in this batch."""
        versions = self._batch.versions
        if len(versions) == 1:
            record = versions[0].record
            row = self._session.row(
                _GIVE_ONE, (record.project, record.key, 1, 1, micros(record.created))
            )
            assert row is not None
            return {(record.project, record.key): row[2]}
        counts: dict[tuple[str, str], int] = {}
        created: dict[tuple[str, str], int] = {}
        for new in versions:
            artifact = (new.record.project, new.record.key)
            if artifact in counts:
                counts[artifact] += 1
            else:
                counts[artifact] = 1
                created[artifact] = micros(new.record.created)
        firsts: dict[tuple[str, str], int] = {}
        for chunk in chunks(sorted(counts)):
            sql = insert("artifacts", ARTIFACT).rstrip()
            one = sql[sql.index("VALUES ") + 7 :]
            params = [
                value
                for artifact in chunk
                for value in (*artifact, counts[artifact], counts[artifact], created[artifact])
            ]
            text = f"{sql}{(',' + one) * (len(chunk) - 1)} {_GIVE_NUMBERS}"
            for project, key, last in self._session.rows(text, params):
                firsts[project, key] = last - counts[project, key] + 1
        return firsts

    def _write_versions(self, nexts: dict[tuple[str, str], int]) -> None:
        labelled: dict[str, VersionRecord] = {}
        tagged: list[tuple[NewVersion, int]] = []
        names: set[tuple[str, str, str]] = set()
        numbers = self._numbers
        for new, row in zip(self._batch.versions, self._versions, strict=True):
            record = new.record
            row[NUMBER] = numbers[record.uid] = number = self._number(nexts, record)
            if record.name is not None:
                self._check_name(record.project, record.key, record.name, names)
            if record.labels:
                labelled[record.uid] = record
            if record.tags:
                tagged.append((new, number))
        session = self._session
        session.many(_VERSION, self._versions)
        self._write_labels(labelled)
        for new, number in tagged:
            record = new.record
            for tag in record.tags:
                guard_tag(session, record.project, record.key, tag)
                move_tag(session, record.project, record.key, tag, number, record.owner, self._now)

    def _number(self, nexts: dict[tuple[str, str], int], record: VersionRecord) -> int:
        """The number of one version, of those that were given to its artifact."""
        artifact = (record.project, record.key)
        number = nexts[artifact]
        nexts[artifact] = number + 1
        return number

    def _write_labels(self, labelled: Mapping[str, VersionRecord]) -> None:
        rows: list[Row] = []
        for chunk in chunks(labelled):
            text, uids = marks(chunk)
            for uid, id in self._session.rows(
                f"SELECT uid, id FROM versions WHERE uid IN ({text})", uids
            ):
                record = labelled[uid]
                created = micros(record.created)
                rows += [(record.project, *label, created, id) for label in record.labels.items()]
        rows.sort()  # each label's are then beside each other in the table
        self._session.many(_LABEL, rows)

    def _check_name(
        self, project: str, key: str, name: str, seen: set[tuple[str, str, str]]
    ) -> None:
        taken = (project, key, name) in seen or self._session.row(
            "SELECT 1 FROM versions WHERE project = ? AND key = ? AND name = ?",
            (project, key, name),
        )
        if taken:
            raise NameTaken(project, key, name)
        seen.add((project, key, name))

    def _add_files(self, owner: str, files: Sequence[FileEntry]) -> bool:
        """Note files to be written; whether some of them are in the store."""
        some = False
        for entry in files:
            if entry.inline is None:
                some = True
            else:
                self._inline[entry.digest] = entry.inline
        self._files.append((owner, files))
        return some

    def _write_blobs(self) -> None:
        session = self._session
        session.many(_INLINE, sorted(self._inline.items()))
        for rows in chunks(self._file_rows(), _FILE_ROWS):
            session.many(_FILE, rows)
        session.many(_DOCUMENT, sorted(self._batch.documents.items()))

    def _file_rows(self) -> Iterator[Row]:
        for owner, files in self._files:
            for entry in files:
                yield owner, entry.path, entry.digest, entry.size, entry.inline is None

    # ------------------------------------------------------------------ snapshots

    def _write_snapshot(self, snapshot: Snapshot) -> None:
        newest = self._session.row(
            "SELECT number, digest FROM snapshots WHERE resource = ? AND project = ? AND name = ?"
            " ORDER BY number DESC LIMIT 1",
            (snapshot.resource, snapshot.project, snapshot.name),
        )
        if newest is not None and newest[1] == snapshot.digest:
            self._numbers[snapshot.id] = newest[0]
            return
        number = 1 if newest is None else newest[0] + 1
        self._session.run(SNAPSHOT, snapshot_row(snapshot, number))
        self._add_files(snapshot.id, snapshot.files)
        self._numbers[snapshot.id] = number

    # ------------------------------------------------------------------ jobs

    def _write_steps(self) -> None:
        session = self._session
        # Of a step that is there twice, only the last state is written, but both are events.
        steps = {(step.job, step.name): step for step in self._batch.steps}
        before = self._steps_before(steps.values())
        gone_inputs: list[Row] = []
        gone_outputs: list[Row] = []
        inputs: list[Row] = []
        outputs: list[Row] = []
        for place, step in steps.items():
            _, old_inputs, old_outputs = before.get(place, ("", {}, {}))
            _changes(step, old_inputs, step.inputs, inputs, gone_inputs)
            _changes(step, old_outputs, step.outputs, outputs, gone_outputs)
        status = {place: row[0] for place, row in before.items()}
        for step in self._batch.steps:
            if status.get((step.job, step.name)) != step.status:
                status[step.job, step.name] = step.status
                self._events.append((step.job, step.name, step.status))
        session.many(_STEP, [step_row(steps[place]) for place in sorted(steps)])
        which = "WHERE version = ? AND job = ? AND step = ? AND name = ?"
        session.many(f"DELETE FROM step_inputs {which}", sorted(gone_inputs))
        session.many(f"DELETE FROM step_outputs {which}", sorted(gone_outputs))
        session.many(_STEP_INPUT, sorted(inputs))
        session.many(_STEP_OUTPUT, sorted(outputs))

    def _steps_before(
        self, steps: Iterable[StepRecord]
    ) -> dict[tuple[str, str], tuple[str, dict[str, str], dict[str, str]]]:
        """Status, inputs and outputs of steps as they are in the catalog now."""
        names: dict[str, list[str]] = {}
        for step in steps:
            names.setdefault(step.job, []).append(step.name)
        found = {}
        for job, of_job in names.items():
            for chunk in chunks(of_job):
                text, values = marks(chunk)
                for name, status, inputs, outputs in self._session.rows(
                    "SELECT name, status, inputs, outputs FROM steps"
                    f" WHERE job = ? AND name IN ({text})",
                    (job, *values),
                ):
                    found[job, name] = (status, from_json(inputs), from_json(outputs))
        return found

    def _update_job(self, update: JobUpdate) -> None:
        row = self._session.row(
            f"SELECT status, params, labels FROM jobs WHERE id = ?{self._for_update}", (update.id,)
        )
        if row is None:
            raise NotFound("job", update.id)
        if row[0] not in update.expected:
            raise JobMoved(update.id, update.expected, row[0])
        changes = {
            "status": update.status,
            "started": None if update.started is None else micros(update.started),
            "ended": None if update.ended is None else micros(update.ended),
            "failure": failure_text(update.failure),
            "params": _added(row[1], update.params),
            "artifacts": None if update.artifacts is None else to_json(update.artifacts),
            "labels": _added(row[2], update.labels),
            "process": None if update.process is None else to_json(update.process),
            "environment": update.environment,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        sets = [f"{name}=?" for name in given]
        # A job that is resumed has neither failed nor ended any more.
        if update.status in ("running", "finished") and "failure" not in given:
            sets.append("failure=NULL")
        if update.status == "running" and "ended" not in given:
            sets.append("ended=NULL")
        if sets:
            self._session.run(
                f"UPDATE jobs SET {','.join(sets)} WHERE id = ?", [*given.values(), update.id]
            )
        if update.status is not None and update.status != row[0]:
            self._events.append((update.id, None, update.status))

    def _write_events(self) -> None:
        projects = self._projects_of({job for job, _, _ in self._events})
        self._session.many(
            _EVENT,
            [
                (projects.get(job, ""), job, step, self._now, what)
                for job, step, what in self._events
            ],
        )

    def _projects_of(self, jobs: set[str]) -> dict[str, str]:
        found = {job.id: job.project for job in self._batch.jobs}
        for chunk in chunks(sorted(jobs - found.keys())):
            text, values = marks(chunk)
            found.update(
                (id, project)
                for id, project in self._session.rows(
                    f"SELECT id, project FROM jobs WHERE id IN ({text})", values
                )
            )
        return found


def _changes(
    step: StepRecord,
    before: Mapping[str, str],
    after: Mapping[str, str],
    new: list[Row],
    gone: list[Row],
) -> None:
    for name, version in after.items():
        if before.get(name) != version:
            new.append((version, step.job, step.name, name))
    for name, version in before.items():
        if after.get(name) != version:
            gone.append((version, step.job, step.name, name))


def _added(text: str, more: Mapping[str, object] | None) -> str | None:
    """A JSON object with further entries; None where there are none to add."""
    return None if more is None else to_json({**from_json(text), **more})


def projects_in(batch: Batch) -> set[str]:
    """All projects that a batch has made sure of."""
    records: Sequence[Sequence[object]] = (batch.jobs, batch.snapshots)
    named = {record.project for group in records for record in group}  # type: ignore[attr-defined]
    return named | {new.record.project for new in batch.versions}
