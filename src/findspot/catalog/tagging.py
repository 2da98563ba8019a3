"""Tags: names that move from version to version, and the history of their moves.

Every move happens while the artifact's row is locked, so moves of one artifact's tags follow each
other. A version's row repeats its tags, so that reading it needs no second look-up.
"""

from __future__ import annotations

import json
import time

from findspot.catalog.database import Session
from findspot.catalog.errors import TagMoved, TagProtected
from findspot.catalog.protocol import ANY_VERSION, _Any
from findspot.catalog.rows import moment, tag_event_from, tags_from
from findspot.core.errors import NotFound
from findspot.core.records import TagEvent


def set_tag(
    session: Session,
    for_update: str,
    project: str,
    key: str,
    tag: str,
    version: int | None,
    expected: int | _Any | None,
    owner: str,
    force: bool,
) -> TagEvent:
    """Move a tag if it is where it is expected; see `Catalog.set_tag`."""
    lock_artifact(session, for_update, project, key)
    row = session.row(
        "SELECT number FROM tags WHERE project = ? AND key = ? AND tag = ?", (project, key, tag)
    )
    found = None if row is None else row[0]
    if expected is not ANY_VERSION and expected != found:
        assert expected is None or isinstance(expected, int)
        raise TagMoved(project, key, tag, expected, found)
    if version != found and not force:
        guard_tag(session, project, key, tag)
    return move_tag(session, project, key, tag, version, owner, time.time_ns() // 1000)


def guard_tag(session: Session, project: str, key: str, tag: str) -> None:
    """`TagProtected` if a tag of an artifact that is locked is to stay where it is."""
    if session.row(
        "SELECT 1 FROM protected_tags WHERE project = ? AND key = ? AND tag = ?",
        (project, key, tag),
    ):
        raise TagProtected(project, key, tag)


def protect_tag(
    session: Session, for_update: str, project: str, key: str, tag: str, protected: bool
) -> None:
    """See `Catalog.protect_tag`."""
    if not lock_artifact(session, for_update, project, key):
        raise NotFound("artifact", key)
    session.run(
        "INSERT INTO protected_tags (project, key, tag) VALUES (?,?,?) ON CONFLICT DO NOTHING"
        if protected
        else "DELETE FROM protected_tags WHERE project = ? AND key = ? AND tag = ?",
        (project, key, tag),
    )


def lock_artifact(session: Session, for_update: str, project: str, key: str) -> bool:
    """Keep others from changing an artifact until the transaction ends; False if there is none."""
    row = session.row(
        f"SELECT last_number FROM artifacts WHERE project = ? AND key = ?{for_update}",
        (project, key),
    )
    return row is not None


def move_tag(
    session: Session,
    project: str,
    key: str,
    tag: str,
    version: int | None,
    owner: str,
    now: int,
) -> TagEvent:
    """Move a tag of an artifact that is locked; None takes it off."""
    row = session.row(
        "SELECT number, version FROM tags WHERE project = ? AND key = ? AND tag = ?",
        (project, key, tag),
    )
    previous, old_id = (None, None) if row is None else row
    if version is not None:
        target = session.row(
            "SELECT id, created, tags FROM versions WHERE project = ? AND key = ? AND number = ?",
            (project, key, version),
        )
        if target is None:
            raise NotFound("version", f"{key}:{version}")
        new_id, created, tags = target
        if new_id != old_id:
            session.run(
                "INSERT INTO tags (project, key, tag, number, created, version)"
                " VALUES (?,?,?,?,?,?) ON CONFLICT (project, key, tag) DO UPDATE SET"
                " number = excluded.number, created = excluded.created,"
                " version = excluded.version",
                (project, key, tag, version, created, new_id),
            )
            _write_tags(session, new_id, {*tags_from(tags), tag})
    elif row is not None:
        session.run(
            "DELETE FROM tags WHERE project = ? AND key = ? AND tag = ?", (project, key, tag)
        )
    if old_id is not None and (version is None or new_id != old_id):
        old = session.row("SELECT tags FROM versions WHERE id = ?", (old_id,))
        if old is not None:
            _write_tags(session, old_id, {*tags_from(old[0])} - {tag})
    event = (project, key, tag, version, previous, owner, now)
    if version != previous:
        session.run(
            "INSERT INTO tag_events (project, key, tag, version, previous, owner, time)"
            " VALUES (?,?,?,?,?,?,?)",
            event,
        )
    return TagEvent(project, key, tag, version, previous, owner, moment(now))


def _write_tags(session: Session, version: int, tags: set[str]) -> None:
    session.run("UPDATE versions SET tags = ? WHERE id = ?", (json.dumps(sorted(tags)), version))


def tag_history(session: Session, project: str, key: str, tag: str) -> list[TagEvent]:
    return [
        tag_event_from(row)
        for row in session.rows(
            "SELECT project, key, tag, version, previous, owner, time FROM tag_events"
            " WHERE project = ? AND key = ? AND tag = ? ORDER BY id",
            (project, key, tag),
        )
    ]
