"""Lineage: breadth first, one level of the graph with a few statements, however wide it is.

Two kinds of nodes take turns: versions, and steps (a job and a step's name; ``""`` is the job
itself). Edges stay when a version is deleted, so a lineage may lead through uids without a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from findspot.catalog.database import Row, Session, chunks, marks, pairs
from findspot.catalog.linking import SOURCE_COLUMNS, source_from
from findspot.catalog.rows import JOB, STEP, VERSION, from_json, job_from, step_from, version_from
from findspot.core.records import (
    JobRecord,
    Lineage,
    LineageEdge,
    SourceRead,
    StepRecord,
    VersionRecord,
)

Place = tuple[str, str]
"""A job and the name of a step."""


class LineageReader:
    """Follows the edges from one version. Use it once, in a session that reads one moment."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._versions: dict[str, VersionRecord] = {}
        self._steps: dict[Place, StepRecord | None] = {}
        self._edges: dict[LineageEdge, None] = {}

    def read(
        self, root: str, direction: Literal["upstream", "downstream"], depth: int | None
    ) -> Lineage:
        """See `Catalog.lineage`."""
        seen = {root}
        frontier = [root]
        self._read_versions(frontier)
        while frontier and (depth is None or depth > 0):
            if direction == "upstream":
                places = self._makers(frontier)
                reached = self._inputs_of(places)
            else:
                places = self._users(frontier)
                reached = self._outputs_of(places)
            frontier = list(dict.fromkeys(uid for uid in reached if uid not in seen))
            seen.update(frontier)
            self._read_versions(frontier)
            depth = None if depth is None else depth - 1
        return Lineage(
            root=root,
            versions=self._versions,
            steps=self._steps,
            jobs=self._jobs({job for job, _ in self._steps}),
            edges=tuple(self._edges),
            sources=self._sources() if direction == "upstream" else {},
        )

    # ------------------------------------------------------------------ upstream

    def _makers(self, uids: list[str]) -> list[Place]:
        """The steps that made versions (not those that only reused them), new ones only."""
        found: dict[Place, None] = {}
        made: set[str] = set()
        for uid, job, step, name in self._select_in(
            "SELECT o.version, o.job, o.step, o.name FROM step_outputs o"
            " JOIN steps s ON s.job = o.job AND s.name = o.step"
            " WHERE NOT s.cached AND o.version IN ({})",
            uids,
        ):
            made.add(uid)
            found[job, step] = None
            self._edges[LineageEdge(uid, job, step, name, "out")] = None
        for uid in uids:
            record = self._versions.get(uid)
            if uid not in made and record is not None and record.producer is not None:
                maker = record.producer
                place = (maker.job, maker.step or "")
                found[place] = None
                name = maker.output or record.key
                self._edges[LineageEdge(uid, *place, name, "out")] = None
        return self._read_steps(found)

    def _inputs_of(self, places: list[Place]) -> Iterator[str]:
        for job, step in places:
            record = self._steps[job, step]
            for name, uid in ({} if record is None else record.inputs).items():
                self._edges[LineageEdge(uid, job, step, name, "in")] = None
                yield uid
        wanted = set(places)
        for job, step, name, uid in self._select_in(
            "SELECT job, step, name, version FROM job_inputs WHERE job IN ({}) ORDER BY id",
            dict.fromkeys(job for job, _ in places),
        ):
            if (job, step or "") in wanted:
                self._edges[LineageEdge(uid, job, step or "", name, "in")] = None
                yield uid

    # ------------------------------------------------------------------ downstream

    def _users(self, uids: list[str]) -> list[Place]:
        """The steps that were given versions or read them, new ones only."""
        found: dict[Place, None] = {}
        for table in ("step_inputs", "job_inputs"):
            for uid, job, step, name in self._select_in(
                f"SELECT version, job, step, name FROM {table} WHERE version IN ({{}})", uids
            ):
                place = (job, step or "")
                found[place] = None
                self._edges[LineageEdge(uid, *place, name, "in")] = None
        return self._read_steps(found)

    def _outputs_of(self, places: list[Place]) -> Iterator[str]:
        for job, step in places:
            record = self._steps[job, step]
            for name, uid in ({} if record is None else record.outputs).items():
                self._edges[LineageEdge(uid, job, step, name, "out")] = None
                yield uid
        # What a step or a script saved by itself is known by its producer only.
        for chunk in chunks(places):
            text, params = pairs(chunk)
            for row in self._session.rows(
                f"SELECT {VERSION} FROM (VALUES {text}) AS w"
                " JOIN versions v ON v.job = w.column1 AND COALESCE(v.step, '') = w.column2",
                params,
            ):
                record_ = version_from(row)
                self._versions[record_.uid] = record_
                assert record_.producer is not None
                maker = record_.producer
                name = maker.output or record_.key
                edge = LineageEdge(record_.uid, maker.job, maker.step or "", name, "out")
                self._edges[edge] = None
                yield record_.uid

    # ------------------------------------------------------------------ records

    def _select_in(self, sql: str, values: Iterable[str]) -> Iterator[Row]:
        for chunk in chunks(values):
            text, params = marks(chunk)
            yield from self._session.rows(sql.format(text), params)

    def _read_versions(self, uids: Iterable[str]) -> None:
        missing = [uid for uid in uids if uid not in self._versions]
        for row in self._select_in(
            f"SELECT {VERSION} FROM versions v WHERE v.uid IN ({{}})", missing
        ):
            self._versions[row[0]] = version_from(row)

    def _read_steps(self, places: Iterable[Place]) -> list[Place]:
        """Read the records of those that were not met before; None where there is none."""
        new = [place for place in places if place not in self._steps]
        for chunk in chunks(new):
            text, params = pairs(chunk)
            for row in self._session.rows(
                f"SELECT {STEP} FROM (VALUES {text}) AS w"
                " JOIN steps s ON s.job = w.column1 AND s.name = w.column2",
                params,
            ):
                self._steps[row[0], row[1]] = step_from(row)
        for place in new:
            self._steps.setdefault(place, None)
        return new

    def _sources(self) -> dict[Place, tuple[SourceRead, ...]]:
        found: dict[Place, list[SourceRead]] = {}
        for row in self._select_in(
            f"SELECT {SOURCE_COLUMNS} FROM sources WHERE job IN ({{}}) ORDER BY id",
            dict.fromkeys(job for job, _ in self._steps),
        ):
            source = source_from(row)
            place = (source.job, source.step or "")
            if place in self._steps:
                found.setdefault(place, []).append(source)
        return {place: tuple(sources) for place, sources in found.items()}

    def _jobs(self, ids: Iterable[str]) -> dict[str, JobRecord]:
        rows: Iterator[Any] = self._select_in(
            f"SELECT {JOB} FROM jobs WHERE id IN ({{}})", sorted(ids)
        )
        return {row[0]: job_from(row) for row in rows}


_PARENTS = (
    "SELECT o.version, s.inputs FROM step_outputs o"
    " JOIN steps s ON s.job = o.job AND s.name = o.step"
    " WHERE NOT s.cached AND o.version IN ({})",
    "SELECT v.uid, s.inputs FROM versions v"
    " JOIN steps s ON s.job = v.job AND s.name = v.step WHERE v.uid IN ({})",
)
_READ_BY_MAKERS = (
    "SELECT o.version, i.version FROM step_outputs o"
    " JOIN job_inputs i ON i.job = o.job AND i.step = o.step WHERE o.version IN ({})",
    "SELECT v.uid, i.version FROM versions v JOIN job_inputs i ON i.job = v.job"
    " AND COALESCE(i.step, '') = COALESCE(v.step, '') WHERE v.uid IN ({})",
)


def parents_of(session: Session, uids: Iterable[str]) -> dict[str, set[str]]:
    """See `Catalog.parents`."""
    found: dict[str, set[str]] = {}
    for chunk in chunks(uids):
        text, params = marks(chunk)
        for sql in _PARENTS:
            for uid, inputs in session.rows(sql.format(text), params):
                found.setdefault(uid, set()).update(from_json(inputs).values())
        for sql in _READ_BY_MAKERS:
            for uid, read in session.rows(sql.format(text), params):
                found.setdefault(uid, set()).add(read)
    return found
