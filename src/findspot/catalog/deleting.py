"""Forgetting versions: all but their place in lineages and their numbers."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence

from findspot.catalog.database import Session, chunks, marks
from findspot.catalog.errors import TagProtected
from findspot.catalog.leasing import LOCK as LEASES_LOCK
from findspot.catalog.leasing import leased
from findspot.catalog.rows import from_json
from findspot.catalog.tagging import lock_artifact, move_tag

_LIVE = "status IN ('running', 'queued')"
_OF_JOBS = (
    "SELECT uid FROM versions WHERE job IN ({})",
    "SELECT version FROM job_outputs WHERE job IN ({})",
    "SELECT version FROM job_inputs WHERE job IN ({})",
)
"""Versions of jobs. What their steps were given and reuse is in the steps' own rows."""


def delete_version(session: Session, for_update: str, uid: str, *, force: bool) -> bool:
    """See `Catalog.delete_version`."""
    row = session.row("SELECT project, key FROM versions WHERE uid = ?", (uid,))
    if row is None:
        return False
    project, key = row
    lock_artifact(session, for_update, project, key)
    found = session.rows(f"SELECT uid, id, number FROM versions WHERE uid = ?{for_update}", (uid,))
    if not found:
        return False  # somebody else was faster
    if not force:
        _guard(session, project, key, found)
    _delete(session, project, key, found)
    return True


def delete_artifact(
    session: Session, for_update: str, project: str, key: str, *, force: bool
) -> int:
    """See `Catalog.delete_artifact`."""
    if not lock_artifact(session, for_update, project, key):
        return 0
    found = session.rows(
        "SELECT uid, id, number FROM versions WHERE project = ? AND key = ?"
        f" ORDER BY id{for_update}",
        (project, key),
    )
    if not force:
        _guard(session, project, key, found)
    _delete(session, project, key, found)
    return len(found)


def _guard(session: Session, project: str, key: str, found: Sequence[tuple[str, int, int]]) -> None:
    ids = {id for _, id, _ in found}
    for tag, version in session.rows(
        "SELECT t.tag, t.version FROM protected_tags p JOIN tags t"
        " ON t.project = p.project AND t.key = p.key AND t.tag = p.tag"
        " WHERE p.project = ? AND p.key = ? ORDER BY t.tag",
        (project, key),
    ):
        if version in ids:
            raise TagProtected(project, key, tag)


def delete_versions(
    session: Session,
    for_update: str,
    uids: Sequence[str],
    *,
    now: int,
    tagged: bool,
    used_since: int | None,
    dead: Collection[str],
) -> list[str]:
    """See `Catalog.delete_versions`."""
    artifacts = set()
    for chunk in chunks(uids):
        text, values = marks(chunk)
        artifacts.update(
            session.rows(f"SELECT project, key FROM versions WHERE uid IN ({text})", values)
        )
    for project, key in sorted(artifacts):
        lock_artifact(session, for_update, project, key)
    session.lock(LEASES_LOCK)
    kept = _used_by_jobs(session, uids, used_since, dead)
    found: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for chunk in chunks(uids):
        kept.update(leased(session, chunk, now))
        kept.update(_protected(session, chunk))
        text, values = marks(chunk)
        for project, key, tags, uid, id, number in session.rows(
            f"SELECT project, key, tags, uid, id, number FROM versions WHERE uid IN ({text})"
            f" ORDER BY id{for_update}",
            values,
        ):
            if (project, key) in artifacts and uid not in kept and (tagged or tags == "[]"):
                found.setdefault((project, key), []).append((uid, id, number))
    for project, key in sorted(found):
        _delete(session, project, key, found[project, key])
    return [uid for versions in found.values() for uid, _, _ in versions]


def _protected(session: Session, uids: Sequence[str]) -> Iterator[str]:
    text, values = marks(uids)
    for row in session.rows(
        "SELECT v.uid FROM versions v JOIN protected_tags p"
        " ON p.project = v.project AND p.key = v.key JOIN tags t"
        " ON t.project = p.project AND t.key = p.key AND t.tag = p.tag AND t.version = v.id"
        f" WHERE v.uid IN ({text})",
        values,
    ):
        yield row[0]


def _used_by_jobs(
    session: Session, uids: Sequence[str], since: int | None, dead: Collection[str]
) -> set[str]:
    """Those of the versions that a job which is not over made, reads, or was given; and those that
    a job created since then reads, or that were linked to since then."""
    wanted = set(uids)
    used: set[str] = set()
    live: list[str] = []
    for id, artifacts in session.rows(f"SELECT id, artifacts FROM jobs WHERE {_LIVE}"):
        if id not in dead:
            live.append(id)
            used.update(wanted.intersection(from_json(artifacts).values()))
    for chunk in chunks(live):
        text, ids = marks(chunk)
        for sql in _OF_JOBS:
            used.update(wanted.intersection(row[0] for row in session.rows(sql.format(text), ids)))
        for inputs, outputs in session.rows(
            f"SELECT inputs, outputs FROM steps WHERE job IN ({text})", ids
        ):
            used.update(wanted.intersection(from_json(inputs).values()))
            used.update(wanted.intersection(from_json(outputs).values()))
    if since is not None:
        for chunk in chunks(uids):
            text, values = marks(chunk)
            for table in ("step_inputs", "job_inputs"):
                sql = (
                    f"SELECT u.version FROM {table} u JOIN jobs j ON j.id = u.job"
                    f" WHERE u.version IN ({text}) AND j.created > ?"
                )
                used.update(row[0] for row in session.rows(sql, [*values, since]))
            linked = f"SELECT target FROM links WHERE target IN ({text}) AND time > ?"
            used.update(row[0] for row in session.rows(linked, [*values, since]))
    return used


def _delete(
    session: Session, project: str, key: str, found: Sequence[tuple[str, int, int]]
) -> None:
    now = time.time_ns() // 1000
    numbers = {number for _, _, number in found}
    for tag, number in session.rows(
        "SELECT tag, number FROM tags WHERE project = ? AND key = ? ORDER BY tag", (project, key)
    ):
        if number in numbers:
            move_tag(session, project, key, tag, None, "", now)
    session.lock_deletion()
    digests: set[str] = set()
    for chunk in chunks(found):
        text, uids = marks([uid for uid, _, _ in chunk])
        digests.update(
            row[0]
            for row in session.rows(
                f"SELECT digest FROM files WHERE owner IN ({text}) AND NOT in_store", uids
            )
        )
        session.run(f"DELETE FROM files WHERE owner IN ({text})", uids)
        session.run(f"DELETE FROM links WHERE version IN ({text})", uids)
        session.run(f"DELETE FROM signatures WHERE version IN ({text})", uids)
        _delete_labels(session, project, uids, text)
        session.run(f"DELETE FROM versions WHERE uid IN ({text})", uids)
    session.run(
        "UPDATE artifacts SET newest = (SELECT MAX(v.number) FROM versions v"
        " WHERE v.project = artifacts.project AND v.key = artifacts.key)"
        " WHERE project = ? AND key = ?",
        (project, key),
    )
    for digest_chunk in chunks(sorted(digests)):
        text, values = marks(digest_chunk)
        session.run(
            f"DELETE FROM inline_blobs WHERE digest IN ({text}) AND NOT EXISTS"
            " (SELECT 1 FROM files f WHERE f.digest = inline_blobs.digest AND NOT f.in_store)",
            values,
        )


def _delete_labels(session: Session, project: str, uids: list[str], text: str) -> None:
    """Take versions' rows out of the table that serves searches by label."""
    session.many(
        "DELETE FROM labels WHERE project = ? AND name = ? AND value = ?"
        " AND created = ? AND version = ?",
        [
            (project, name, value, created, id)
            for id, created, labels in set(
                session.rows(
                    f"SELECT id, created, labels FROM versions WHERE uid IN ({text})", uids
                )
            )
            for name, value in from_json(labels).items()
        ],
    )
