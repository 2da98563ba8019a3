"""What is added to versions later, beside their bytes: links and signatures; and what jobs read
from outside of the workspace."""

from __future__ import annotations

from collections.abc import Iterable

from findspot.catalog.database import Row, Session, chunks, insert, marks
from findspot.catalog.rows import micros, moment
from findspot.core.errors import NotFound
from findspot.core.records import Link, Signature, SourceRead

_LINK_COLUMNS = "version, name, target, kind, owner, time"
_LINK = insert("links", _LINK_COLUMNS.split(", "))
_SIGNATURE = insert(
    "signatures",
    ("version", "key", "signature", "owner", "time"),
    "ON CONFLICT (version, key) DO UPDATE SET signature = excluded.signature,"
    " owner = excluded.owner, time = excluded.time",
)
SOURCE_COLUMNS = "job, step, name, url, size, etag, digest, modified, time"
SOURCE = insert("sources", SOURCE_COLUMNS.split(", "))


def add_links(session: Session, links: Iterable[Link]) -> None:
    """See `Catalog.add_links`."""
    rows = [(i.version, i.name, i.target, i.kind, i.owner, micros(i.time)) for i in links]
    check_versions(session, {row[0] for row in rows})
    session.many(_LINK, rows)


def links_of(session: Session, uid: str) -> list[Link]:
    """See `Catalog.links`."""
    rows = session.rows(
        f"SELECT {_LINK_COLUMNS} FROM links WHERE version = ? ORDER BY name, id", (uid,)
    )
    newest = {row[1]: row for row in rows}
    return [_link_from(row) for row in newest.values() if row[2]]


def links_to(session: Session, target: str) -> list[Link]:
    """See `Catalog.linked_from`."""
    rows = session.rows(
        f"SELECT {_LINK_COLUMNS} FROM links l WHERE target = ? AND id ="
        " (SELECT MAX(n.id) FROM links n WHERE n.version = l.version AND n.name = l.name)"
        " ORDER BY id DESC",
        (target,),
    )
    return [_link_from(row) for row in rows]


def linked_by(session: Session, uids: Iterable[str]) -> dict[str, set[str]]:
    """See `Catalog.linked`."""
    found: dict[str, set[str]] = {}
    for chunk in chunks(uids):
        text, values = marks(chunk)
        newest = {
            (version, name): (target, kind)
            for version, name, target, kind in session.rows(
                f"SELECT version, name, target, kind FROM links WHERE version IN ({text})"
                " ORDER BY id",
                values,
            )
        }
        for (version, _), (target, kind) in newest.items():
            if kind == "artifact" and target:
                found.setdefault(version, set()).add(target)
    return found


def add_signature(session: Session, signature: Signature) -> None:
    """See `Catalog.add_signature`."""
    check_versions(session, {signature.version})
    row = (signature.version, signature.key, signature.signature, signature.owner)
    session.run(_SIGNATURE, (*row, micros(signature.time)))


def signatures_of(session: Session, uid: str) -> list[Signature]:
    """See `Catalog.signatures`."""
    rows = session.rows(
        "SELECT version, key, signature, owner, time FROM signatures WHERE version = ?"
        " ORDER BY time, key",
        (uid,),
    )
    return [Signature(row[0], row[1], row[2], row[3], moment(row[4])) for row in rows]


def source_row(source: SourceRead) -> Row:
    modified = None if source.modified is None else micros(source.modified)
    place = (source.job, source.step, source.name, source.url)
    return (*place, source.size, source.etag, source.digest, modified, micros(source.time))


def sources_of(session: Session, job: str) -> list[SourceRead]:
    """See `Catalog.sources`."""
    rows = session.rows(f"SELECT {SOURCE_COLUMNS} FROM sources WHERE job = ? ORDER BY id", (job,))
    return [source_from(row) for row in rows]


def check_versions(session: Session, uids: set[str]) -> None:
    """`NotFound` where a version does not exist."""
    for chunk in chunks(sorted(uids)):
        text, values = marks(chunk)
        found = {
            row[0]
            for row in session.rows(f"SELECT uid FROM versions WHERE uid IN ({text})", values)
        }
        for uid in chunk:
            if uid not in found:
                raise NotFound("version", uid)


def _link_from(row: Row) -> Link:
    return Link(row[0], row[1], row[2], row[3], row[4], moment(row[5]))


def source_from(row: Row) -> SourceRead:
    return SourceRead(
        job=row[0],
        step=row[1],
        name=row[2],
        url=row[3],
        size=row[4],
        etag=row[5],
        digest=row[6],
        modified=None if row[7] is None else moment(row[7]),
        time=moment(row[8]),
    )
