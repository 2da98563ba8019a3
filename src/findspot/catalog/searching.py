"""Listings of versions and jobs, newest first, a page at a time.

Each page begins where a cursor points and reads along an index in the order of the listing, so its
cost grows neither with the number of records nor with the number of pages before. The versions of
one key are in the order of their numbers, all others in the order of their times.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from findspot.catalog.cursors import Listing, after, cursor_after
from findspot.catalog.database import Database, Row
from findspot.catalog.rows import JOB, VERSION, job_from, micros, to_json, version_from
from findspot.core.records import JobQuery, JobRecord, Page, VersionQuery, VersionRecord

FEW = 2000
"""So many versions are rather found by their keys and sorted than met along an index by time."""
MOST = 10_000
"""Records on a page, however many are asked for."""

_PLACE = len(VERSION.split(","))


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
    by_number = (
        _is_exact(query.key)
        and query.project is not None
        and query.tag is None
        and not query.labels
    )
    listing: Listing = "numbers" if by_number else "versions"
    start = None if query.cursor is None else after(listing, query.cursor)
    if query.project is None and not (query.tag or query.job or query.digest):
        # Every index is by project: the newest of each are merged.
        projects = [row[0] for row in database.rows("SELECT name FROM projects")]
        found = (
            row
            for project in projects
            for row in _rows(database, replace(query, project=project), start, limit, listing)
        )
        rows = heapq.nlargest(limit + 1, found, key=lambda row: row[_PLACE:])
    else:
        rows = _rows(database, query, start, limit, listing)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        tuple(version_from(row) for row in rows),
        cursor_after(listing, rows[-1][_PLACE], rows[-1][_PLACE + 1]) if more else None,
    )


def _rows(
    database: Database,
    query: VersionQuery,
    start: tuple[int, int | str] | None,
    limit: int,
    listing: Listing,
) -> list[Row]:
    """One row more than a page holds, if there are so many."""
    where = _Where()
    labels = dict(query.labels)
    created, id = "v.created", "v.id"
    led = query.job is not None or query.digest is not None
    by_keys = False
    # The table whose index leads: the narrowest there is. The others are asked for each row.
    if query.tag is not None:
        source, created, id = "tags t JOIN versions v ON v.id = t.version", "t.created", "t.version"
        where.add("t.tag = ?", query.tag)
        if query.project is not None:
            where.add("t.project = ?", query.project)
    elif labels and query.project is not None:
        source = "labels l JOIN versions v ON v.id = l.version"
        created, id = "l.created", "l.version"
        name, value = labels.popitem()
        where.add("l.project = ? AND l.name = ? AND l.value = ?", query.project, name, value)
    elif by_keys := not led and _by_keys(database, query, where):
        source = "artifacts a CROSS JOIN versions v"
    else:
        source = "versions v"
        if query.project is not None:
            where.add(f"{_hidden('v.project') if led else 'v.project'} = ?", query.project)
    first = "v.number" if listing == "numbers" else created
    # A computed value keeps a database from an index that is in order already, but leads past all
    # records where few are wanted.
    order = f"({first} + 0)" if led or by_keys else first
    if start is not None:
        where.add(f"({first}, {id}) < (?, ?)", *start)
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
    if query.key is not None and _is_exact(query.key):
        where.add("v.key = ?", query.key)
    elif query.key is not None and not by_keys:
        condition, param = database.glob(_hidden("v.key"), query.key)
        where.add(condition, param)
    if query.kind is not None:
        where.add(f"{_hidden('v.kind') if led or by_keys else 'v.kind'} = ?", query.kind)
    if query.job is not None:
        where.add("v.job = ?", query.job)
        if query.step is not None:
            where.add("v.step = ?", query.step)
    if query.digest is not None:
        where.add("v.digest = ?", query.digest)
    if query.latest_only and not by_keys:
        where.add(
            "v.number = (SELECT a.newest FROM artifacts a"
            " WHERE a.project = v.project AND a.key = v.key)"
        )
    return database.rows(
        f"SELECT {VERSION},{first},{id} FROM {source} {where}"
        f" ORDER BY {order} DESC, {id} DESC LIMIT ?",
        [*where.params, limit + 1],
    )


def _hidden(column: str) -> str:
    """A column whose indexes are not used."""
    return f"({column} || '')"


def _is_exact(key: str | None) -> bool:
    return key is not None and "*" not in key and "?" not in key


def _by_keys(database: Database, query: VersionQuery, where: _Where) -> bool:
    """Whether few versions belong to the keys that are asked for; the conditions for them then."""
    if query.project is None:
        return False
    if _is_exact(query.key) or (query.key is None and not query.latest_only):
        return False
    keys = _Where()
    keys.add("a.project = ?", query.project)
    if query.key is not None:
        prefix = re.split(r"[*?]", query.key, maxsplit=1)[0]
        if prefix:
            keys.add("a.key >= ? AND a.key < ?", prefix, f"{prefix}\U0010ffff")
        condition, param = database.glob("a.key", query.key)
        keys.add(condition, param)
    if not _are_few(database, keys, latest_only=query.latest_only):
        return False
    number = " AND v.number = a.newest" if query.latest_only else ""
    # Hidden, or else SQLite concludes that the prefix holds for v.key too, and looks up all keys
    # with the prefix, once for each of them, instead of the one.
    where.add(f"v.project = a.project AND v.key = {_hidden('a.key')}{number}")
    where.conditions += keys.conditions
    where.params += keys.params
    return True


def _are_few(database: Database, keys: _Where, *, latest_only: bool) -> bool:
    each = "1" if latest_only else "a.last_number"
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
    for name, value in query.labels.items():
        # The labels' JSON without this one: another text only where it is there.
        where.add("REPLACE(labels, ?, '') <> labels", to_json({name: value})[1:-1])
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
