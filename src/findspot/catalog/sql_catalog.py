"""The catalog in a SQL database."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from findspot.catalog.database import Database, chunks, marks
from findspot.catalog.deleting import delete_artifact, delete_version, delete_versions
from findspot.catalog.errors import RecordExists
from findspot.catalog.importing import ImportWriter, only_new
from findspot.catalog.leasing import read_leases, release_lease, renew_lease, take_lease
from findspot.catalog.lineage import LineageReader, parents_of
from findspot.catalog.linking import (
    add_links,
    add_signature,
    linked_by,
    links_of,
    links_to,
    signatures_of,
    sources_of,
)
from findspot.catalog.moving import move_artifact
from findspot.catalog.naming import nearest_keys
from findspot.catalog.protocol import ANY_VERSION, Batch, Repeatable, _Any
from findspot.catalog.reading import CatalogReader
from findspot.catalog.repeating import find_repeatable
from findspot.catalog.rows import from_json, micros, to_json
from findspot.catalog.schedules import (
    add_schedule,
    find_schedule,
    move_schedule,
    read_schedules,
    remove_schedule,
)
from findspot.catalog.searching import search_jobs, search_versions
from findspot.catalog.tagging import protect_tag, set_tag, tag_history
from findspot.catalog.writing import BatchWriter, projects_in
from findspot.core.digests import Digest
from findspot.core.errors import NotFound
from findspot.core.records import (
    JobQuery,
    JobRecord,
    Lease,
    Lineage,
    Link,
    Page,
    ScheduleRecord,
    Signature,
    SourceRead,
    TagEvent,
    VersionQuery,
    VersionRecord,
)

_PAGE = 1000
"""Blobs that are read at a time when all of them are listed."""

_IMPORT_ATTEMPTS = 5

_FAULTS = {
    "{} version(s) without all their files": "SELECT COUNT(*) FROM versions v WHERE v.file_count"
    " <> (SELECT COUNT(*) FROM files f WHERE f.owner = v.uid)",
    "{} file(s) whose inline bytes are missing": "SELECT COUNT(*) FROM files f"
    " WHERE NOT f.in_store AND NOT EXISTS"
    " (SELECT 1 FROM inline_blobs b WHERE b.digest = f.digest)",
    "{} artifact(s) whose newest version is not the newest": "SELECT COUNT(*) FROM artifacts a"
    " WHERE COALESCE(a.newest, 0) <> COALESCE((SELECT MAX(v.number) FROM versions v"
    " WHERE v.project = a.project AND v.key = a.key), 0)",
    "{} version(s) whose number was not given to them": "SELECT COUNT(*) FROM versions v"
    " WHERE NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.project = v.project"
    " AND a.key = v.key AND a.last_number >= v.number)",
    "{} tag(s) on a version that is not there": "SELECT COUNT(*) FROM tags t WHERE NOT EXISTS"
    " (SELECT 1 FROM versions v WHERE v.id = t.version AND v.number = t.number)",
}


class SqlCatalog(CatalogReader):
    """Implements `findspot.catalog.protocol.Catalog` on SQLite and PostgreSQL.

    Args:
        url: the address that opens it again, also in another process.
        database: where it is.
    """

    def __init__(self, url: str, database: Database) -> None:
        super().__init__(database)
        self.url = url
        self._known_projects: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._database.where}>"

    def close(self) -> None:
        self._database.close()

    def setting(self, name: str, default: str | None = None) -> str | None:
        text = "SELECT value FROM settings WHERE name = ?"
        row = self._database.row(text, (name,))
        if row is None and default is not None:
            self._database.run(
                "INSERT INTO settings (name, value) VALUES (?,?) ON CONFLICT DO NOTHING",
                (name, default),
            )
            row = self._database.row(text, (name,))
        return None if row is None else row[0]

    def write(self, batch: Batch) -> Mapping[str, int]:
        if not batch:
            return {}
        writer = BatchWriter(batch, self._known_projects, self._database.for_update)
        with self._database.writing() as session:
            numbers = writer.write(session)
        self._known_projects |= projects_in(batch)
        return numbers

    def import_records(self, batch: Batch) -> dict[str, int]:
        if batch.updates:
            raise ValueError("updates of jobs cannot be imported: import the jobs as they are")
        attempt = 1
        while True:
            with self._database.reading() as session:
                new, numbers = only_new(session, batch)
            writer = ImportWriter(new, self._known_projects, self._database.for_update)
            try:
                with self._database.writing() as session:
                    numbers.update(writer.write(session))
            except RecordExists:
                # Somebody else records the same in this moment: look again.
                if attempt == _IMPORT_ATTEMPTS:
                    raise
                attempt += 1
                continue
            self._known_projects |= projects_in(batch)
            return numbers

    def add_project(self, name: str) -> bool:
        count = self._database.run(
            "INSERT INTO projects (name, created) VALUES (?,?) ON CONFLICT DO NOTHING",
            (name, time.time_ns() // 1000),
        )
        return count == 1

    def repeatable(self, key: str) -> Repeatable | None:
        return find_repeatable(self._database, key)

    # ------------------------------------------------------------------ artifacts

    def search_versions(self, query: VersionQuery) -> Page[VersionRecord]:
        return search_versions(self._database, query)

    def keys(self, project: str, *, near: str | None = None, limit: int = 1000) -> list[str]:
        if near is not None:
            return nearest_keys(self._database, project, near, limit)
        rows = self._database.rows(
            "SELECT key FROM artifacts WHERE project = ? AND newest IS NOT NULL"
            " ORDER BY key LIMIT ?",
            (project, limit),
        )
        return [row[0] for row in rows]

    def set_labels(self, uid: str, labels: Mapping[str, str | None]) -> None:
        with self._database.writing() as session:
            row = session.row(
                "SELECT id, project, created, labels FROM versions WHERE uid = ?"
                + self._database.for_update,
                (uid,),
            )
            if row is None:
                raise NotFound("version", uid)
            id, project, created, text = row
            before: dict[str, str] = from_json(text)
            after = {**before, **labels}
            kept = {name: value for name, value in after.items() if value is not None}
            gone = [(n, v) for n, v in before.items() if kept.get(n) != v]
            new = [(n, v) for n, v in kept.items() if before.get(n) != v]
            session.many(
                "DELETE FROM labels WHERE project = ? AND name = ? AND value = ?"
                " AND created = ? AND version = ?",
                [(project, name, value, created, id) for name, value in gone],
            )
            session.many(
                "INSERT INTO labels (project, name, value, created, version) VALUES (?,?,?,?,?)",
                [(project, name, value, created, id) for name, value in new],
            )
            session.run("UPDATE versions SET labels = ? WHERE id = ?", (to_json(kept), id))

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
        with self._database.writing() as session:
            return set_tag(
                session,
                self._database.for_update,
                project,
                key,
                tag,
                version,
                expected,
                owner,
                force,
            )

    def tags(self, project: str, key: str) -> dict[str, int]:
        rows = self._database.rows(
            "SELECT tag, number FROM tags WHERE project = ? AND key = ? ORDER BY tag",
            (project, key),
        )
        return {row[0]: row[1] for row in rows}

    def tag_history(self, project: str, key: str, tag: str) -> list[TagEvent]:
        return tag_history(self._database, project, key, tag)

    def protect_tag(self, project: str, key: str, tag: str, protected: bool) -> None:
        with self._database.writing() as session:
            protect_tag(session, self._database.for_update, project, key, tag, protected)

    def protected_tags(self, project: str, key: str) -> set[str]:
        rows = self._database.rows(
            "SELECT tag FROM protected_tags WHERE project = ? AND key = ?", (project, key)
        )
        return {row[0] for row in rows}

    def protected_versions(self) -> list[tuple[str, str]]:
        rows = self._database.rows(
            "SELECT v.uid, t.tag FROM protected_tags p JOIN tags t"
            " ON t.project = p.project AND t.key = p.key AND t.tag = p.tag"
            " JOIN versions v ON v.id = t.version ORDER BY v.id, t.tag"
        )
        return [(row[0], row[1]) for row in rows]

    def move_artifact(self, project: str, key: str, to_project: str, to_key: str) -> int:
        with self._database.writing() as session:
            return move_artifact(
                session, self._database.for_update, project, key, to_project, to_key
            )

    def delete_version(self, uid: str, *, force: bool = False) -> bool:
        with self._database.writing() as session:
            return delete_version(session, self._database.for_update, uid, force=force)

    def delete_artifact(self, project: str, key: str, *, force: bool = False) -> int:
        with self._database.writing() as session:
            return delete_artifact(session, self._database.for_update, project, key, force=force)

    def delete_versions(
        self,
        uids: Iterable[str],
        *,
        now: datetime,
        tagged: bool = True,
        used_since: datetime | None = None,
        dead: Collection[str] = (),
    ) -> list[str]:
        wanted = list(dict.fromkeys(uids))
        with self._database.writing() as session:
            return delete_versions(
                session,
                self._database.for_update,
                wanted,
                now=micros(now),
                tagged=tagged,
                used_since=None if used_since is None else micros(used_since),
                dead=dead,
            )

    # ------------------------------------------------------------------ beside versions

    def add_links(self, links: Iterable[Link]) -> None:
        with self._database.writing() as session:
            add_links(session, links)

    def links(self, uid: str) -> list[Link]:
        return links_of(self._database, uid)

    def linked_from(self, target: str) -> list[Link]:
        return links_to(self._database, target)

    def linked(self, uids: Iterable[str]) -> dict[str, set[str]]:
        return linked_by(self._database, uids)

    def add_signature(self, signature: Signature) -> None:
        with self._database.writing() as session:
            add_signature(session, signature)

    def signatures(self, uid: str) -> list[Signature]:
        return signatures_of(self._database, uid)

    # ------------------------------------------------------------------ leases

    def take_lease(self, lease: Lease, *, exclusive: bool = False) -> None:
        with self._database.writing() as session:
            take_lease(session, lease, exclusive=exclusive)

    def renew_lease(self, id: str, until: datetime, versions: Iterable[str] = ()) -> bool:
        with self._database.writing() as session:
            return renew_lease(session, id, until, versions)

    def release_lease(self, id: str) -> bool:
        with self._database.writing() as session:
            return release_lease(session, id)

    def leases(self, now: datetime) -> list[Lease]:
        with self._database.reading() as session:
            return read_leases(session, now)

    # ------------------------------------------------------------------ blobs

    def blob_references(self) -> Iterator[tuple[Digest, int]]:
        # Page by page, so that no connection is held while the caller works.
        last = ""
        while True:
            rows = self._database.rows(
                "SELECT digest, MAX(size) FROM files WHERE digest > ? AND in_store"
                " GROUP BY digest ORDER BY digest LIMIT ?",
                (last, _PAGE),
            )
            yield from ((Digest(digest), size) for digest, size in rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def referenced(self, digests: Iterable[Digest]) -> set[Digest]:
        found: set[Digest] = set()
        for chunk in chunks(digests):
            text, values = marks(chunk)
            rows = self._database.rows(
                f"SELECT DISTINCT digest FROM files WHERE digest IN ({text}) AND in_store", values
            )
            found.update(Digest(row[0]) for row in rows)
        return found

    def blob_owners(self, digests: Iterable[Digest]) -> dict[Digest, set[str]]:
        found: dict[Digest, set[str]] = {}
        for chunk in chunks(digests):
            text, values = marks(chunk)
            for digest, owner in self._database.rows(
                f"SELECT digest, owner FROM files WHERE digest IN ({text}) AND in_store", values
            ):
                found.setdefault(Digest(digest), set()).add(owner)
        return found

    def inline_blobs(self) -> Iterator[tuple[Digest, bytes]]:
        last = 0
        while True:
            rows = self._database.rows(
                "SELECT digest, data, id FROM inline_blobs WHERE id > ? ORDER BY id LIMIT ?",
                (last, _PAGE),
            )
            yield from ((Digest(digest), bytes(data)) for digest, data, _ in rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1][2]

    # ------------------------------------------------------------------ schedules

    def add_schedule(self, record: ScheduleRecord) -> None:
        with self._database.writing() as session:
            add_schedule(session, record)

    def move_schedule(self, record: ScheduleRecord) -> bool:
        with self._database.writing() as session:
            return move_schedule(session, record)

    def remove_schedule(self, project: str, name: str) -> bool:
        with self._database.writing() as session:
            return remove_schedule(session, project, name)

    def schedule(self, project: str, name: str) -> ScheduleRecord | None:
        return find_schedule(self._database, project, name)

    def schedules(self, project: str | None = None) -> list[ScheduleRecord]:
        return read_schedules(self._database, project)

    # ------------------------------------------------------------------ the rest

    def sources(self, job: str) -> list[SourceRead]:
        return sources_of(self._database, job)

    def search_jobs(self, query: JobQuery) -> Page[JobRecord]:
        return search_jobs(self._database, query)

    def lineage(
        self,
        uid: str,
        direction: Literal["upstream", "downstream"],
        *,
        depth: int | None = None,
    ) -> Lineage:
        with self._database.reading() as session:
            return LineageReader(session).read(uid, direction, depth)

    def parents(self, uids: Iterable[str]) -> dict[str, set[str]]:
        with self._database.reading() as session:
            return parents_of(session, uids)

    def check(self) -> list[str]:
        faults = self._database.faults()
        if faults:
            return faults
        with self._database.reading() as session:
            for message, sql in _FAULTS.items():
                row = session.row(sql)
                if row is not None and row[0]:
                    faults.append(message.format(row[0]))
        return faults

    def counts(self) -> dict[str, Any]:
        row = self._database.row(
            "SELECT (SELECT COUNT(*) FROM projects),"
            " (SELECT COUNT(*) FROM artifacts WHERE newest IS NOT NULL),"
            " (SELECT COUNT(*) FROM versions), (SELECT COUNT(*) FROM jobs),"
            " (SELECT COALESCE(SUM(LENGTH(data)), 0) FROM inline_blobs)"
        )
        assert row is not None
        names = ("projects", "artifacts", "versions", "jobs", "inline_bytes")
        return dict(zip(names, map(int, row), strict=True))
