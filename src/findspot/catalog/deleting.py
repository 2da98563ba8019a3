"""Forgetting versions: all but their place in lineages and their numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence

from findspot.catalog.database import Session, chunks, marks
from findspot.catalog.rows import from_json
from findspot.catalog.tagging import lock_artifact, move_tag


def delete_version(session: Session, for_update: str, uid: str) -> bool:
    """See `Catalog.delete_version`."""
    row = session.row("SELECT project, key FROM versions WHERE uid = ?", (uid,))
    if row is None:
        return False
    project, key = row
    lock_artifact(session, for_update, project, key)
    found = session.rows(f"SELECT uid, id, number FROM versions WHERE uid = ?{for_update}", (uid,))
    if not found:
        return False  # somebody else was faster
    _delete(session, project, key, found)
    return True


def delete_artifact(session: Session, for_update: str, project: str, key: str) -> int:
    """See `Catalog.delete_artifact`."""
    if not lock_artifact(session, for_update, project, key):
        return 0
    found = session.rows(
        "SELECT uid, id, number FROM versions WHERE project = ? AND key = ?"
        f" ORDER BY id{for_update}",
        (project, key),
    )
    _delete(session, project, key, found)
    return len(found)


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
