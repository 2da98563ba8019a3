"""Another name for an artifact: its rows change, its versions' uids, numbers and bytes do not."""

from __future__ import annotations

import time

from findspot.catalog.database import Session
from findspot.catalog.errors import ArtifactExists
from findspot.catalog.rows import from_json
from findspot.catalog.tagging import lock_artifact
from findspot.core.errors import NotFound

_FOLLOWING = ("tags", "tag_events", "protected_tags")


def move_artifact(
    session: Session, for_update: str, project: str, key: str, to_project: str, to_key: str
) -> int:
    """See `Catalog.move_artifact`."""
    source, target = (project, key), (to_project, to_key)
    if source == target:
        raise ArtifactExists(*target)
    now = time.time_ns() // 1000
    session.run(
        "INSERT INTO projects (name, created) VALUES (?,?) ON CONFLICT DO NOTHING",
        (to_project, now),
    )
    # In the order in which every writer locks artifacts.
    for artifact in sorted((source, target)):
        if artifact == source:
            if not lock_artifact(session, for_update, *source):
                raise NotFound("artifact", key)
        elif not session.run(
            "INSERT INTO artifacts (project, key, last_number, newest, created)"
            " VALUES (?,?,0,NULL,?) ON CONFLICT DO NOTHING",
            (*target, now),
        ):
            raise ArtifactExists(*target)
    row = session.row(
        "SELECT last_number, newest, created FROM artifacts WHERE project = ? AND key = ?", source
    )
    assert row is not None
    if row[1] is None:
        raise NotFound("artifact", key)
    session.run("DELETE FROM artifacts WHERE project = ? AND key = ?", source)
    session.run(
        "UPDATE artifacts SET last_number = ?, newest = ?, created = ?"
        " WHERE project = ? AND key = ?",
        (*row, *target),
    )
    if project != to_project:
        _move_labels(session, source, to_project)
    for table in _FOLLOWING:
        session.run(
            f"UPDATE {table} SET project = ?, key = ? WHERE project = ? AND key = ?",
            (*target, *source),
        )
    return session.run(
        "UPDATE versions SET project = ?, key = ? WHERE project = ? AND key = ?",
        (*target, *source),
    )


def _move_labels(session: Session, source: tuple[str, str], to_project: str) -> None:
    """Let searches by label find the versions in their new project."""
    rows = session.rows(
        "SELECT id, created, labels FROM versions WHERE project = ? AND key = ? AND labels <> '{}'"
        " ORDER BY id",
        source,
    )
    session.many(
        "UPDATE labels SET project = ? WHERE project = ? AND name = ? AND value = ?"
        " AND created = ? AND version = ?",
        [
            (to_project, source[0], name, value, created, id)
            for id, created, labels in rows
            for name, value in from_json(labels).items()
        ],
    )
