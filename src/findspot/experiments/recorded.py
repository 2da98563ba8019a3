"""Experiments as their runs recorded them: read without a line of the user's code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.errors import FindspotError
from findspot.core.names import check_name
from findspot.core.records import JobQuery, VersionQuery
from findspot.experiments.errors import BadRunName, NoExperiment, NoRun
from findspot.experiments.history import RUN, RUN_LABELS, Run, newest_run, runs
from findspot.experiments.hypotheses import Hypothesis
from findspot.experiments.registration import Registration, registration_of, registrations
from findspot.experiments.results import Result

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import JobRecord
    from findspot.engine.jobs import Job


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in short.

    Args:
        status: ``running``, ``interrupted`` or ``cancelled`` as its newest job is; else that of the
            result: ``finished``, ``failed`` or ``incomplete``.
        finished, failed, total: cells. jobs: of the run, newest first.
    """

    number: int
    status: str
    started: datetime
    ended: datetime | None
    finished: int
    failed: int
    total: int
    jobs: tuple[Job, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.number,
            "status": self.status,
            "started": self.started.isoformat(),
            "ended": None if self.ended is None else self.ended.isoformat(),
            "cells": {"total": self.total, "finished": self.finished, "failed": self.failed},
            "jobs": [job.id for job in self.jobs],
        }


class RecordedExperiment:
    """An experiment, by the records of its newest run."""

    def __init__(
        self, space: ArtifactSpace, project: str, name: str, jobs: list[JobRecord]
    ) -> None:
        self.name = name
        self.project = project
        self._space = space
        self._numbers = list(dict.fromkeys(sorted((j.params[RUN] for j in jobs), reverse=True)))

    @property
    def run(self) -> int:
        """The number of its newest run."""
        return int(self._numbers[0])

    @cached_property
    def _newest(self) -> Run:
        return self._run(None)

    def _run(self, number: int | None) -> Run:
        found = newest_run(self._space, self.project, self.name, number)
        if found is None:
            raise NoRun(self.name, self._space.url, number, tuple(self._numbers))
        return found

    @cached_property
    def description(self) -> str:
        """What it says of itself."""
        record = self._space.catalog.find_version(self.project, f"{self.name}/run")
        if record is None:
            return ""
        found = self._space.load_version(record, self._space.catalog.files(record.uid))
        return str(found.get("description", "")) if isinstance(found, Mapping) else ""

    @property
    def conditions(self) -> dict[str, dict[str, Any]]:
        """The parameters of each condition, the baseline first."""
        return self._newest.conditions

    @property
    def replicates(self) -> int:
        return self._newest.replicates

    @property
    def seed(self) -> int:
        return int(self._newest.jobs[0].params["seed"])

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """As they were when the newest job began."""
        return hypotheses_of(self._newest)

    @cached_property
    def registrations(self) -> list[Registration]:
        """When hypotheses were fixed, and which; newest first."""
        return list(registrations(self._space, self.project, self.name))

    @cached_property
    def runs(self) -> list[RunSummary]:
        """All runs, newest first."""
        rest = (self._run(number) for number in self._numbers[1:])
        return [_summary(self._space, run) for run in (self._newest, *rest)]

    @property
    def newest(self) -> RunSummary:
        """Its newest run."""
        return _summary(self._space, self._newest)

    def result(self, run: int | None = None) -> Result:
        """What the newest run, or another one, found.

        Raises:
            NoRun: there is no run of that number.
        """
        found = self._newest if run in (None, self.run) else self._run(run)
        params = found.jobs[0].params
        view = params.get("view")
        hypotheses = hypotheses_of(found)
        return Result(
            self._space,
            found,
            experiment=self.name,
            conditions=list(found.conditions),
            replicates=found.replicates,
            hypotheses=hypotheses,
            declared=params.get("metrics", ()),
            registration=registration_of(self._space, self.project, found) if hypotheses else None,
            folder=None if view is None else Path(view),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "project": self.project,
            "description": self.description,
            "conditions": self.conditions,
            "replicates": self.replicates,
            "seed": self.seed,
            "hypotheses": [hypothesis.plain() for hypothesis in self.hypotheses],
            "registrations": [
                {"uri": r.uri, "digest": r.digest, "time": r.time.isoformat()}
                for r in self.registrations
            ],
            "runs": [run.to_json() for run in self.runs],
        }

    def __repr__(self) -> str:
        return f"<RecordedExperiment {self.name}, run {self.run}>"


class ExperimentListing(list[RecordedExperiment]):
    """Experiments, those with the newest runs first; `next` is the cursor of the next page, None on
    the last."""

    def __init__(self, items: Iterable[RecordedExperiment], next: str | None) -> None:
        super().__init__(items)
        self.next = next


def get_experiment(
    space: ArtifactSpace, name: str, *, project: str | None = None
) -> RecordedExperiment:
    """An experiment by the name that its runs have on record.

    Raises:
        NoExperiment: no run has it.
    """
    check_name(name, "name of an experiment")
    where = space.project if project is None else check_name(project, "project name")
    catalog = space.existing_catalog
    jobs = list(runs(space, where, name))
    if not jobs:
        others = catalog.search_jobs(JobQuery(project=where, experiment=name, limit=1)).items
        known = [version.key.removesuffix("/run") for version in _run_versions(space, where)]
        raise NoExperiment(name, known, grouped=bool(others))
    return RecordedExperiment(space, where, name, jobs)


def list_experiments(
    space: ArtifactSpace,
    *,
    project: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> ExperimentListing:
    """Experiments that have been run, those with the newest runs first.

    Args:
        project: None: the current one.
        limit: at most so many; `ExperimentListing.next` is the cursor of the rest.
    """
    if type(limit) is not int or limit < 1:
        raise FindspotError(f"A page of {limit!r} experiments cannot be.", how="Say 1 or more.")
    where = space.project if project is None else check_name(project, "project name")
    page = space.existing_catalog.search_versions(
        VersionQuery(
            project=where,
            key="*/run",
            labels=RUN_LABELS,
            latest_only=True,
            limit=limit,
            cursor=cursor,
        )
    )
    found = []
    for record in page.items:
        name = record.key.removesuffix("/run")
        jobs = list(runs(space, where, name))
        if jobs:  # else it was stopped before its first job
            found.append(RecordedExperiment(space, where, name, jobs))
    return ExperimentListing(found, page.next)


def get_result(
    space: ArtifactSpace, name: str, run: int | None = None, *, project: str | None = None
) -> Result:
    """What an experiment's newest run (or another one) found, by its name alone.

    Raises:
        NoExperiment, NoRun: there is none.
    """
    return get_experiment(space, name, project=project).result(run)


def run_named(text: str) -> tuple[str, int | None]:
    """The experiment and the number of the run that a text names; None: the newest one.

    Raises:
        BadRunName: what follows the ``@`` is no number.

    >>> run_named("trimming@2"), run_named("trimming")
    (('trimming', 2), ('trimming', None))
    """
    name, at, number = text.partition("@")
    if at and not number.isdecimal():
        raise BadRunName(text)
    return name, int(number) if at else None


def hypotheses_of(run: Run) -> tuple[Hypothesis, ...]:
    """The hypotheses that the newest job of a run recorded."""
    return tuple(Hypothesis.of_plain(plain) for plain in run.jobs[0].params.get("hypotheses", ()))


def _run_versions(space: ArtifactSpace, project: str) -> Iterator[Any]:
    yield from space.list_artifacts(
        name="*/run", labels=RUN_LABELS, latest=True, project=project, limit=200
    )


def _summary(space: ArtifactSpace, run: Run) -> RunSummary:
    from findspot.engine.jobs import Job

    wanted = {(c, r) for c in run.conditions for r in range(run.replicates)}
    statuses = [cell.status for place, cell in run.cells.items() if place in wanted]
    finished = statuses.count("finished")
    failed = statuses.count("failed") + statuses.count("skipped")
    newest = run.jobs[0]
    if newest.status in ("running", "queued", "interrupted", "cancelled"):
        status: str = newest.status
    else:
        complete = "finished" if finished == len(wanted) else "incomplete"
        status = "failed" if failed else complete
    return RunSummary(
        number=run.number,
        status=status,
        started=run.jobs[-1].created,
        ended=newest.ended,
        finished=finished,
        failed=failed,
        total=len(wanted),
        jobs=tuple(Job(space, job) for job in run.jobs),
    )
