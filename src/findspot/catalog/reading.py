"""Look-ups of single records, and of what belongs to one job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from findspot.catalog.database import Database, Row, chunks, marks
from findspot.catalog.protocol import JobGroup
from findspot.catalog.rows import (
    IN_STORE,
    JOB,
    SNAPSHOT,
    STEP,
    VERSION,
    event_from,
    from_json,
    job_from,
    job_input_from,
    log_from,
    metric_from,
    moment,
    snapshot_from,
    step_from,
    version_from,
)
from findspot.core.digests import Digest
from findspot.core.records import (
    CacheEntry,
    Event,
    FileEntry,
    JobInput,
    JobRecord,
    LogLine,
    MetricPoint,
    Resource,
    Snapshot,
    StepRecord,
    VersionRecord,
)

_FILE = "f.path, f.digest, f.size, b.data FROM files f"
_INLINE = "LEFT JOIN inline_blobs b ON NOT f.in_store AND b.digest = f.digest"


class CatalogReader:
    """The part of `Catalog` that looks records up; see there for what each method guarantees."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------------ artifacts

    def projects(self) -> list[str]:
        return [row[0] for row in self._database.rows("SELECT name FROM projects ORDER BY name")]

    def job_groups(self, project: str) -> list[JobGroup]:
        rows = self._database.rows(
            "SELECT experiment, COUNT(*), MAX(created) FROM jobs"
            " WHERE project = ? AND experiment IS NOT NULL"
            " GROUP BY experiment ORDER BY MAX(created) DESC, experiment",
            (project,),
        )
        return [JobGroup(name, int(jobs), moment(newest)) for name, jobs, newest in rows]

    def version(self, uid: str) -> VersionRecord | None:
        row = self._database.row(f"SELECT {VERSION} FROM versions v WHERE v.uid = ?", (uid,))
        return None if row is None else version_from(row)

    def versions(self, uids: Iterable[str]) -> dict[str, VersionRecord]:
        return {row[0]: version_from(row) for row in self._version_rows(uids)}

    def _version_rows(self, uids: Iterable[str]) -> list[Row]:
        found: list[Row] = []
        for chunk in chunks(uids):
            text, values = marks(chunk)
            found += self._database.rows(
                f"SELECT {VERSION} FROM versions v WHERE v.uid IN ({text})", values
            )
        return found

    def stored_blobs(self, uids: Iterable[str]) -> dict[str, set[Digest]]:
        found: dict[str, set[Digest]] = {}
        held: list[str] = []
        for chunk in chunks(uids):
            text, values = marks(chunk)
            for uid, in_store in self._database.rows(
                f"SELECT uid, in_store FROM versions WHERE uid IN ({text})", values
            ):
                found[uid] = set()
                if in_store:
                    held.append(uid)
        for chunk in chunks(held):
            text, values = marks(chunk)
            for uid, digest in self._database.rows(
                f"SELECT owner, digest FROM files WHERE owner IN ({text}) AND in_store", values
            ):
                found[uid].add(Digest(digest))
        return found

    def find_version(
        self,
        project: str,
        key: str,
        selector: str | int | None = None,
        *,
        kind: str | None = None,
        iteration: int | None = None,
    ) -> VersionRecord | None:
        if isinstance(selector, str):
            if selector == "latest":
                selector = None
            elif selector.isascii() and selector.isdigit() and len(selector) < 19:
                selector = int(selector)
        conditions = ""
        params: list[str | int] = []
        if kind is not None:
            conditions += " AND v.kind = ?"
            params.append(kind)
        if iteration is not None:
            conditions += " AND v.iteration = ?"
            params.append(iteration)
        base = f"SELECT {VERSION} FROM versions v WHERE v.project = ? AND v.key = ?"
        row: Row | None
        if selector is None:
            row = self._database.row(
                f"{base}{conditions} ORDER BY v.number DESC LIMIT 1", (project, key, *params)
            )
        elif isinstance(selector, int):
            row = self._database.row(
                f"{base} AND v.number = ?{conditions}", (project, key, selector, *params)
            )
        else:
            row = self._database.row(
                f"SELECT {VERSION} FROM tags t JOIN versions v ON v.id = t.version"
                f" WHERE t.project = ? AND t.key = ? AND t.tag = ?{conditions}",
                (project, key, selector, *params),
            ) or self._database.row(
                f"{base} AND v.name = ?{conditions}", (project, key, selector, *params)
            )
        return None if row is None else version_from(row)

    def files(self, uid: str) -> tuple[FileEntry, ...]:
        rows = self._database.rows(
            f"SELECT {_FILE} {_INLINE} WHERE f.owner = ? ORDER BY f.path", (uid,)
        )
        return tuple(
            FileEntry(path, digest, size, None if data is None else bytes(data))
            for path, digest, size, data in rows
        )

    def files_of(self, uids: Iterable[str]) -> dict[str, tuple[FileEntry, ...]]:
        found: dict[str, list[FileEntry]] = {}
        for chunk in chunks(uids):
            found.update((uid, []) for uid in chunk)
            text, values = marks(chunk)
            for uid, path, digest, size, data in self._database.rows(
                f"SELECT f.owner, {_FILE} {_INLINE} WHERE f.owner IN ({text})"
                " ORDER BY f.owner, f.path",
                values,
            ):
                inline = None if data is None else bytes(data)
                found[uid].append(FileEntry(path, digest, size, inline))
        return {uid: tuple(files) for uid, files in found.items()}

    def document(self, digest: str) -> bytes | None:
        row = self._database.row("SELECT data FROM documents WHERE digest = ?", (digest,))
        return None if row is None else bytes(row[0])

    def users_of_blob(self, digest: Digest, *, limit: int = 20) -> list[tuple[VersionRecord, str]]:
        rows = self._database.rows(
            f"SELECT {VERSION}, f.path FROM files f JOIN versions v ON v.uid = f.owner"
            " WHERE f.digest = ? ORDER BY v.created DESC, v.id DESC LIMIT ?",
            (digest, limit),
        )
        return [(version_from(row), row[-1]) for row in rows]

    # ------------------------------------------------------------------ jobs

    def job(self, id: str) -> JobRecord | None:
        row = self._database.row(f"SELECT {JOB} FROM jobs WHERE id = ?", (id,))
        return None if row is None else job_from(row)

    def steps(self, job: str) -> list[StepRecord]:
        rows = self._database.rows(
            f"SELECT {STEP} FROM steps s WHERE s.job = ? ORDER BY s.position, s.name", (job,)
        )
        return [step_from(row) for row in rows]

    def outputs(self, job: str) -> dict[str, str]:
        rows = self._database.rows(
            "SELECT name, version FROM job_outputs WHERE job = ? ORDER BY name", (job,)
        )
        return {row[0]: row[1] for row in rows}

    def inputs(self, job: str) -> list[JobInput]:
        rows = self._database.rows(
            "SELECT job, step, name, version FROM job_inputs WHERE job = ? ORDER BY id", (job,)
        )
        return [job_input_from(row) for row in rows]

    def metrics(self, job: str, *, name: str | None = None) -> list[MetricPoint]:
        which = "" if name is None else " AND name = ?"
        params = [job] if name is None else [job, name]
        rows = self._database.rows(
            "SELECT job, step, name, value, at, time FROM metrics"
            f" WHERE job = ?{which} ORDER BY id",
            params,
        )
        return [metric_from(row) for row in rows]

    def log(self, job: str, *, after: int = 0, limit: int = 10_000) -> list[tuple[int, LogLine]]:
        rows = self._database.rows(
            "SELECT job, step, time, level, source, text, id FROM log"
            " WHERE job = ? AND id > ? ORDER BY id LIMIT ?",
            (job, after, limit),
        )
        return [(row[6], log_from(row)) for row in rows]

    def events(self, *, after: int = 0, job: str | None = None, limit: int = 1000) -> list[Event]:
        params: list[Any] = [after, limit] if job is None else [after, job, limit]
        rows = self._database.rows(
            "SELECT id, project, job, step, time, what FROM events"
            f" WHERE id > ?{'' if job is None else ' AND job = ?'} ORDER BY id LIMIT ?",
            params,
        )
        return [event_from(row) for row in rows]

    def cached(self, key: str) -> CacheEntry | None:
        return self._cache_entries("c.key = ?", key).get(key)

    def cached_in(self, job: str) -> dict[str, CacheEntry]:
        return self._cache_entries("c.job = ?", job)

    def _cache_entries(self, condition: str, value: str) -> dict[str, CacheEntry]:
        found = self._database.rows(
            "SELECT c.key, c.job, c.step, s.outputs, s.parts FROM cache c"
            " JOIN steps s ON s.job = c.job AND s.name = c.step"
            f" WHERE {condition} AND s.status = 'finished'",
            (value,),
        )
        outputs: list[dict[str, str]] = [from_json(row[3]) for row in found]
        rows = {row[0]: row for row in self._version_rows({u for o in outputs for u in o.values()})}
        return {
            key: CacheEntry(
                key=key,
                job=job,
                step=step,
                outputs={
                    name: version_from(rows[uid]) for name, uid in of_step.items() if uid in rows
                },
                complete=all(uid in rows for uid in of_step.values()),
                in_store=any(rows[uid][IN_STORE] for uid in of_step.values() if uid in rows),
                # Few steps log anything; of the others the parts need not be read.
                logged=from_json(parts).get("logged", {}) if '"logged"' in parts else {},
            )
            for (key, job, step, _, parts), of_step in zip(found, outputs, strict=True)
        }

    # ------------------------------------------------------------------ snapshots

    def snapshot(self, id: str) -> Snapshot | None:
        row = self._database.row(f"SELECT {SNAPSHOT} FROM snapshots s WHERE s.id = ?", (id,))
        return None if row is None else snapshot_from(row)

    def find_snapshot(
        self, resource: Resource, project: str, name: str, number: int | None = None
    ) -> Snapshot | None:
        which = "" if number is None else " AND s.number = ?"
        params: list[str | int] = [] if number is None else [number]
        row = self._database.row(
            f"SELECT {SNAPSHOT} FROM snapshots s WHERE s.resource = ? AND s.project = ?"
            f" AND s.name = ?{which} ORDER BY s.number DESC LIMIT 1",
            [resource, project, name, *params],
        )
        return None if row is None else snapshot_from(row)

    def snapshots(
        self, resource: Resource, project: str, name: str | None = None
    ) -> Sequence[Snapshot]:
        if name is not None:
            rows = self._database.rows(
                f"SELECT {SNAPSHOT} FROM snapshots s WHERE s.resource = ? AND s.project = ?"
                " AND s.name = ? ORDER BY s.number",
                (resource, project, name),
            )
        else:
            rows = self._database.rows(
                f"SELECT {SNAPSHOT} FROM snapshots s WHERE s.resource = ? AND s.project = ?"
                " AND s.number = (SELECT MAX(x.number) FROM snapshots x WHERE"
                " x.resource = s.resource AND x.project = s.project AND x.name = s.name)"
                " ORDER BY s.name",
                (resource, project),
            )
        return [snapshot_from(row) for row in rows]
