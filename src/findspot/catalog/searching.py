"""Listings of versions and jobs, newest first, a page at a time.

Each page begins where a cursor points and reads along an index in the order of the listing, so its
cost grows neither with the number of records nor with the number of pages before.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from findspot.catalog.cursors import after, cursor_after
from findspot.catalog.database import Database, Row
from findspot.catalog.rows import JOB, VERSION, job_from, micros, version_from
from findspot.core.records import JobQuery, JobRecord, Page, VersionQuery, VersionRecord

FEW = 2000
"""So many versions are rather found by their keys and sorted than met along an index by time."""
MOST = 10_000
"""Records on a page, however many are asked for."""

_CREATED = len(VERSION.split(","))


@dataclass(slots=True)
class _Where:
    """The conditions of a SELECT and their parameters, in the order of the text."""

    conditions: list[str] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)

    def add(self, condition: str, *params: Any) -> None:
        self.conditions.append(condition)
        self.params.extend(params)

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


def search_versions(database: Database, query: VersionQuery) -> Page[VersionRecord]:
    """See `Catalog.search_versions`."""
    limit = max(1, min(query.limit, MOST))
    start = None if query.cursor is None else after("versions", query.cursor)
    if query.labels and query.project is None:
        # Labels are indexed by project; the few newest of each project are merged.
        projects = [row[0] for row in database.rows("SELECT name FROM projects")]
        pages = [
            _rows(database, replace(query, project=project), start, limit) for project in projects
        ]
        rows = heapq.nlargest(
            limit + 1, (row for page in pages for row in page), key=lambda row: row[_CREATED:]
        )
    else:
        rows = _rows(database, query, start, limit)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        tuple(version_from(row) for row in rows),
        cursor_after("versions", rows[-1][_CREATED], rows[-1][_CREATED + 1]) if more else None,
    )


def _rows(
    database: Database, query: VersionQuery, start: tuple[int, int | str] | None, limit: int
) -> list[Row]:
    """One row more than a page holds, if there are so many."""
    where = _Where()
    labels = dict(query.labels)
    # The table whose index leads: the narrowest there is. The others are asked for each row.
    if query.tag is not None:
        source, order = "tags t JOIN versions v ON v.id = t.version", ("t.created", "t.version")
        where.add("t.tag = ?", query.tag)
        if query.project is not None:
            where.add("t.project = ?", query.project)
    elif labels:
        source, order = "labels l JOIN versions v ON v.id = l.version", ("l.created", "l.version")
        name, value = labels.popitem()
        where.add("l.project = ? AND l.name = ? AND l.value = ?", query.project, name, value)
    else:
        source, order = "versions v", ("v.created", "v.id")
        if query.project is not None:
            where.add("v.project = ?", query.project)
    created, id = order
    if start is not None:
        where.add(f"({created}, {id}) < (?, ?)", *start)
    if query.since is not None:
        where.add(f"{created} >= ?", micros(query.since))
    if query.until is not None:
        where.add(f"{created} < ?", micros(query.until))
    for name, value in labels.items():
        where.add(
            "EXISTS (SELECT 1 FROM labels x WHERE x.project = v.project AND x.name = ?"
            " AND x.value = ? AND x.created = v.created AND x.version = v.id)",
            name,
            value,
        )
    _add_key(database, query, where)
    if query.kind is not None:
        where.add("v.kind = ?", query.kind)
    if query.job is not None:
        where.add("v.job = ?", query.job)
        if query.step is not None:
            where.add("v.step = ?", query.step)
    if query.digest is not None:
        where.add("v.digest = ?", query.digest)
    if query.latest_only:
        where.add(
            "v.number = (SELECT a.newest FROM artifacts a"
            " WHERE a.project = v.project AND a.key = v.key)"
        )
    return database.rows(
        f"SELECT {VERSION},{created},{id} FROM {source} {where}"
        f" ORDER BY {created} DESC, {id} DESC LIMIT ?",
        [*where.params, limit + 1],
    )


def _add_key(database: Database, query: VersionQuery, where: _Where) -> None:
    """The condition on the key, in the form that finds it soonest."""
    pattern = query.key
    if pattern is not None and "*" not in pattern and "?" not in pattern:
        where.add("v.key = ?", pattern)
        return
    if pattern is None and not query.latest_only:
        return
    keys = _Where()
    if query.project is not None:
        keys.add("a.project = ?", query.project)
    if pattern is not None:
        keys.add(*_matches(database, "a.key", pattern))
    led = query.tag is not None or query.labels or query.job is not None
    if not led and query.project is not None and _are_few(database, keys, query):
        wanted = "SELECT a.key, a.newest" if query.latest_only else "SELECT a.key"
        columns = "(v.key, v.number)" if query.latest_only else "v.key"
        where.add(f"{columns} IN ({wanted} FROM artifacts a {keys})", *keys.params)
    elif pattern is not None:
        where.add(*_matches(database, "v.key", pattern))


def _matches(database: Database, column: str, pattern: str) -> tuple[Any, ...]:
    """A condition for a glob and its parameters, narrowed to the keys with its beginning."""
    condition, param = database.glob(column, pattern)
    prefix = pattern[: min(i for i in (pattern.find("*"), pattern.find("?")) if i >= 0)]
    if not prefix:
        return condition, param
    return (
        f"{column} >= ? AND {column} < ? AND {condition}",
        prefix,
        f"{prefix}\U0010ffff",
        param,
    )


def _are_few(database: Database, keys: _Where, query: VersionQuery) -> bool:
    each = "1" if query.latest_only else "a.last_number"
    row = database.row(
        "SELECT COUNT(*), SUM(n) FROM"
        f" (SELECT {each} AS n FROM artifacts a {keys} LIMIT {FEW + 1}) AS found",
        keys.params,
    )
    return row is not None and row[0] <= FEW and (row[1] or 0) <= FEW


# --------------------------------------------------------------------------- jobs


def search_jobs(database: Database, query: JobQuery) -> Page[JobRecord]:
    """See `Catalog.search_jobs`."""
    limit = max(1, min(query.limit, MOST))
    where = _Where()
    equal: Sequence[tuple[str, str | None]] = (
        ("project", query.project),
        ("experiment", query.experiment),
        ("name", query.name),
        ("status", query.status),
    )
    for name, value in equal:
        if value is not None:
            where.add(f"{name} = ?", value)
    if query.since is not None:
        where.add("created >= ?", micros(query.since))
    if query.until is not None:
        where.add("created < ?", micros(query.until))
    if query.cursor is not None:
        where.add("(created, id) < (?, ?)", *after("jobs", query.cursor))
    rows = database.rows(
        f"SELECT {JOB} FROM jobs {where} ORDER BY created DESC, id DESC LIMIT ?",
        [*where.params, limit + 1],
    )
    jobs = tuple(job_from(row) for row in rows[:limit])
    more = len(rows) > limit
    return Page(jobs, cursor_after("jobs", micros(jobs[-1].created), jobs[-1].id) if more else None)
