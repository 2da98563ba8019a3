"""Leases: promises that versions stay while somebody uses them.

Leases are taken and versions are deleted one after the other (the lock ``leases``), so a lease that
was taken in time is seen by every deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from findspot.catalog.database import Row, Session, chunks, insert, marks
from findspot.catalog.errors import AlreadyLeased
from findspot.catalog.rows import from_json, micros, moment, to_json
from findspot.core.records import Lease

LOCK = "leases"
_FORGOTTEN_AFTER = timedelta(days=1)
"""An expired lease may still be renewed for so long: its owner's machine may have slept."""

_LEASE = insert("leases", ("id", "owner", "purpose", "process", "since", "until"))
_VERSION = insert("lease_versions", ("version", "lease"), "ON CONFLICT DO NOTHING")
_COLUMNS = "id, owner, purpose, process, since, until"


def take_lease(session: Session, lease: Lease, *, exclusive: bool) -> None:
    """See `Catalog.take_lease`."""
    session.lock(LOCK)
    _forget_expired(session, micros(lease.since - _FORGOTTEN_AFTER))
    if exclusive:
        other = session.row(
            "SELECT owner, until FROM leases WHERE purpose = ? AND until > ?",
            (lease.purpose, micros(lease.since)),
        )
        if other is not None:
            raise AlreadyLeased(lease.purpose, other[0], f"{moment(other[1]):%H:%M:%S} UTC")
    row = (
        *(lease.id, lease.owner, lease.purpose, to_json(lease.process)),
        *(micros(lease.since), micros(lease.until)),
    )
    session.run(_LEASE, row)
    session.many(_VERSION, [(uid, lease.id) for uid in sorted(set(lease.versions))])


def renew_lease(session: Session, id: str, until: datetime, versions: Iterable[str]) -> bool:
    """See `Catalog.renew_lease`."""
    session.lock(LOCK)
    renewed = session.run("UPDATE leases SET until = ? WHERE id = ?", (micros(until), id))
    if renewed:
        session.many(_VERSION, [(uid, id) for uid in sorted(set(versions))])
    return renewed == 1


def release_lease(session: Session, id: str) -> bool:
    """See `Catalog.release_lease`."""
    session.lock(LOCK)
    session.run("DELETE FROM lease_versions WHERE lease = ?", (id,))
    return session.run("DELETE FROM leases WHERE id = ?", (id,)) == 1


def read_leases(session: Session, now: datetime) -> list[Lease]:
    """See `Catalog.leases`."""
    rows = session.rows(
        f"SELECT {_COLUMNS} FROM leases WHERE until > ? ORDER BY since, id", (micros(now),)
    )
    versions: dict[str, list[str]] = {row[0]: [] for row in rows}
    for chunk in chunks(versions):
        text, ids = marks(chunk)
        for lease, uid in session.rows(
            f"SELECT lease, version FROM lease_versions WHERE lease IN ({text})"
            " ORDER BY lease, version",
            ids,
        ):
            versions[lease].append(uid)
    return [_lease_from(row, versions[row[0]]) for row in rows]


def leased(session: Session, uids: Sequence[str], now: int) -> Iterator[str]:
    """Those of a few versions that a lease keeps."""
    text, values = marks(uids)
    for row in session.rows(
        "SELECT DISTINCT w.version FROM lease_versions w JOIN leases l ON l.id = w.lease"
        f" WHERE l.until > ? AND w.version IN ({text})",
        [now, *values],
    ):
        yield row[0]


def _forget_expired(session: Session, before: int) -> None:
    for (id,) in session.rows("SELECT id FROM leases WHERE until < ?", (before,)):
        session.run("DELETE FROM lease_versions WHERE lease = ?", (id,))
        session.run("DELETE FROM leases WHERE id = ?", (id,))


def _lease_from(row: Row, versions: Sequence[str]) -> Lease:
    return Lease(
        id=row[0],
        owner=row[1],
        purpose=row[2],
        versions=tuple(versions),
        process=from_json(row[3]),
        since=moment(row[4]),
        until=moment(row[5]),
    )
