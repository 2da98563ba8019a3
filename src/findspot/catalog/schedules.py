"""Schedules: rows that move from due time to due time by compare-and-swap."""

from __future__ import annotations

from findspot.catalog.database import Row, Session, insert
from findspot.catalog.errors import ScheduleExists
from findspot.catalog.rows import from_json, micros, moment, to_json
from findspot.core.records import ScheduleRecord

_COLUMNS = (
    "project",
    "name",
    "definition",
    "paused",
    "due",
    "last_due",
    "last_job",
    "worker",
    "claimed",
    "owner",
    "created",
    "revision",
)
_SELECT = f"SELECT {','.join(_COLUMNS)} FROM schedules"
_INSERT = insert("schedules", _COLUMNS, "ON CONFLICT DO NOTHING")
_MOVE = (
    f"UPDATE schedules SET {','.join(f'{name} = ?' for name in _COLUMNS[2:-1])},"
    " revision = revision + 1 WHERE project = ? AND name = ? AND revision = ?"
)


def add_schedule(session: Session, record: ScheduleRecord) -> None:
    """See `Catalog.add_schedule`."""
    if not session.run(_INSERT, _row(record)):
        raise ScheduleExists(record.project, record.name)
    session.run(
        "INSERT INTO projects (name, created) VALUES (?,?) ON CONFLICT DO NOTHING",
        (record.project, micros(record.created)),
    )


def move_schedule(session: Session, record: ScheduleRecord) -> bool:
    """See `Catalog.move_schedule`."""
    changed = _row(record)[2:-1]
    return session.run(_MOVE, (*changed, record.project, record.name, record.revision)) == 1


def remove_schedule(session: Session, project: str, name: str) -> bool:
    """See `Catalog.remove_schedule`."""
    sql = "DELETE FROM schedules WHERE project = ? AND name = ?"
    return session.run(sql, (project, name)) == 1


def find_schedule(session: Session, project: str, name: str) -> ScheduleRecord | None:
    """See `Catalog.schedule`."""
    row = session.row(f"{_SELECT} WHERE project = ? AND name = ?", (project, name))
    return None if row is None else _record(row)


def read_schedules(session: Session, project: str | None) -> list[ScheduleRecord]:
    """See `Catalog.schedules`."""
    if project is None:
        rows = session.rows(f"{_SELECT} ORDER BY project, name")
    else:
        rows = session.rows(f"{_SELECT} WHERE project = ? ORDER BY name", (project,))
    return [_record(row) for row in rows]


def _row(record: ScheduleRecord) -> Row:
    return (
        record.project,
        record.name,
        record.definition,
        record.paused,
        None if record.due is None else micros(record.due),
        None if record.last_due is None else micros(record.last_due),
        record.last_job,
        to_json(record.worker),
        None if record.claimed is None else micros(record.claimed),
        record.owner,
        micros(record.created),
        record.revision,
    )


def _record(row: Row) -> ScheduleRecord:
    return ScheduleRecord(
        project=row[0],
        name=row[1],
        definition=row[2],
        paused=bool(row[3]),
        due=None if row[4] is None else moment(row[4]),
        last_due=None if row[5] is None else moment(row[5]),
        last_job=row[6],
        worker=from_json(row[7]),
        claimed=None if row[8] is None else moment(row[8]),
        owner=row[9],
        created=moment(row[10]),
        revision=row[11],
    )
