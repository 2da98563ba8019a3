"""Records that were made in another workspace, taken over with their own identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from findspot.catalog.database import Session, chunks, insert, marks
from findspot.catalog.protocol import Batch
from findspot.catalog.rows import micros, snapshot_row
from findspot.catalog.writing import ARTIFACT, SNAPSHOT, BatchWriter
from findspot.core.records import Snapshot, VersionRecord

_LOCK_ARTIFACT = insert(
    "artifacts",
    ARTIFACT,
    "ON CONFLICT (project, key) DO UPDATE SET last_number = artifacts.last_number"
    " RETURNING last_number",
)


class ImportWriter(BatchWriter):
    """Writes records that are new here, versions with the numbers they had elsewhere if these are
    higher than all that were given here, and else the next ones."""

    def _give_numbers(self) -> dict[tuple[str, str], int]:
        wishes: dict[tuple[str, str], list[VersionRecord]] = {}
        for new in self._batch.versions:
            wishes.setdefault((new.record.project, new.record.key), []).append(new.record)
        self._chosen: dict[str, int] = {}
        for artifact in sorted(wishes):
            records = sorted(wishes[artifact], key=lambda record: record.number)
            created = min(micros(record.created) for record in records)
            row = self._session.row(_LOCK_ARTIFACT, (*artifact, 0, None, created))
            assert row is not None
            last = row[0]
            for record in records:
                last = self._chosen[record.uid] = max(record.number, last + 1)
            self._session.run(
                "UPDATE artifacts SET last_number = ?, newest = ? WHERE project = ? AND key = ?",
                (last, last, *artifact),
            )
        return dict.fromkeys(wishes, 0)

    def _number(self, nexts: dict[tuple[str, str], int], record: VersionRecord) -> int:
        return self._chosen[record.uid]

    def _write_snapshot(self, snapshot: Snapshot) -> None:
        # Under its own id even where an equal one exists: jobs name it by the id.
        row = self._session.row(
            "SELECT MAX(number) FROM snapshots WHERE resource = ? AND project = ? AND name = ?",
            (snapshot.resource, snapshot.project, snapshot.name),
        )
        assert row is not None
        number = (row[0] or 0) + 1
        self._session.run(SNAPSHOT, snapshot_row(snapshot, number))
        self._add_files(snapshot.id, snapshot.files)
        self._numbers[snapshot.id] = number


def only_new(session: Session, batch: Batch) -> tuple[Batch, dict[str, int]]:
    """What of a batch is not recorded yet; and the numbers of its versions and snapshots that are.

    What has no identifier of its own (metrics, log lines) belongs to its job: new if that is.
    """
    jobs = _found(session, "jobs", "id", {job.id for job in batch.jobs})
    snapshots = _numbers(session, "snapshots", "id", {s.id for s in batch.snapshots})
    versions = _numbers(session, "versions", "uid", {new.record.uid for new in batch.versions})
    steps = _pairs(session, "steps", {step.job for step in batch.steps})
    outputs = _pairs(session, "job_outputs", {output.job for output in batch.outputs})
    cache = _found(session, "cache", "key", {key for key, _, _ in batch.cache})
    with_sources = _found(session, "sources", "job", {source.job for source in batch.sources})
    with_inputs = _found(session, "job_inputs", "job", {i.job for i in batch.inputs})
    new = Batch(
        documents=batch.documents,
        snapshots=[s for s in batch.snapshots if s.id not in snapshots],
        jobs=[job for job in batch.jobs if job.id not in jobs],
        versions=[v for v in batch.versions if v.record.uid not in versions],
        steps=[step for step in batch.steps if (step.job, step.name) not in steps],
        outputs=[o for o in batch.outputs if (o.job, o.name) not in outputs],
        inputs=[i for i in batch.inputs if i.job not in with_inputs],
        sources=[source for source in batch.sources if source.job not in with_sources],
        cache=[entry for entry in batch.cache if entry[0] not in cache],
        metrics=[point for point in batch.metrics if point.job not in jobs],
        log=[line for line in batch.log if line.job not in jobs],
    )
    return new, {**snapshots, **versions}


def _found(session: Session, table: str, column: str, values: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunks(sorted(values)):
        text, params = marks(chunk)
        sql = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IN ({text})"
        found.update(row[0] for row in session.rows(sql, params))
    return found


def _numbers(session: Session, table: str, column: str, values: Iterable[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for chunk in chunks(sorted(values)):
        text, params = marks(chunk)
        sql = f"SELECT {column}, number FROM {table} WHERE {column} IN ({text})"
        found.update((row[0], row[1]) for row in session.rows(sql, params))
    return found


def _pairs(session: Session, table: str, jobs: Iterable[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for chunk in chunks(sorted(jobs)):
        text, params = marks(chunk)
        sql = f"SELECT job, name FROM {table} WHERE job IN ({text})"
        found.update((row[0], row[1]) for row in session.rows(sql, params))
    return found
