"""What earlier runs of an experiment left in the catalog: which cells have a result, and which.

A run (``v1``, ``v2`` ...) is one job, or several where it was resumed; all carry its number. Of
each cell the newest finished result counts, and a failure only where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from findspot.catalog.protocol import Batch
from findspot.core.digests import Digest
from findspot.core.records import (
    ENDED,
    Failure,
    JobQuery,
    JobRecord,
    JobUpdate,
    MetricPoint,
    StepRecord,
)
from findspot.engine.caching.reusing import expired

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_PAGE = 200
RUN = "run"
"""The job's parameter that holds the number of its run."""
RUN_LABELS = {"findspot": "run of an experiment"}
"""Labels of the artifact ``<experiment>/run``, whose versions number the runs."""
PRUNED = "pruned"
"""The job's parameter that holds the parameters of treatments that were given up after it."""
DATA = "datasource"
"""What the steps are called that make the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """What became of one cell.

    Args:
        job: the job that ran it; its metrics are there. step: the step's name in that job.
        outputs: ``step/name`` to the uid of the version.
        identity, code: digests of what it was to do, and of the code that did it.
        resolved: of artifacts that its code, or that of its datum, loaded by their names: the
            references, and the digests of what they led to.
    """

    condition: str
    replicate: int
    job: str
    step: str
    status: str
    outputs: Mapping[str, str]
    failure: Failure | None
    identity: str
    code: str
    seed: int
    started: datetime | None
    ended: datetime | None
    resolved: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took; NaN where that is not known."""
        if self.started is None or self.ended is None:
            return float("nan")
        return (self.ended - self.started).total_seconds()


@dataclass(slots=True)
class Run:
    """One run, with all its jobs.

    Args:
        jobs: newest first.
        cells: by condition and replicate.
    """

    number: int
    jobs: list[JobRecord]
    cells: dict[tuple[str, int], CellRecord] = field(default_factory=dict)

    @property
    def replicates(self) -> int:
        """How many it has, or is to have, by its newest job."""
        return int(self.jobs[0].params["replicates"])

    @property
    def conditions(self) -> dict[str, dict[str, Any]]:
        """The parameters of each condition, the baseline first; without those that are pruned."""
        pruned = self.pruned
        found: dict[str, dict[str, Any]] = self.jobs[0].params["conditions"]
        return {name: given for name, given in found.items() if name not in pruned}

    @property
    def pruned(self) -> dict[str, dict[str, Any]]:
        """The parameters of treatments that a search gave up after some replicates, unless a later
        job had them again."""
        later: set[str] = set()
        found: dict[str, dict[str, Any]] = {}
        for job in self.jobs:
            conditions = job.params["conditions"]
            names = (name for name in job.params.get(PRUNED, {}) if name not in later)
            found.update({name: job.params[PRUNED][name] for name in names})
            later.update(conditions)
        return found

    @property
    def name(self) -> str:
        """The experiment's."""
        return self.jobs[0].name

    @property
    def started(self) -> datetime | None:
        """When its first cell began; None where none has."""
        return min((c.started for c in self.cells.values() if c.started is not None), default=None)

    @property
    def code(self) -> dict[str, str]:
        """A digest of the code of each step, by its newest job."""
        return dict(self.jobs[0].params.get("code", {}))

    def metrics(self, space: ArtifactSpace) -> dict[tuple[str, str], list[MetricPoint]]:
        """Every metric of its cells, by job and step (``condition/replicate/step``)."""
        found: dict[tuple[str, str], list[MetricPoint]] = {}
        for job in sorted({cell.job for cell in self.cells.values()}):
            for point in space.catalog.metrics(job):
                found.setdefault((job, point.step or ""), []).append(point)
        return found


def runs(space: ArtifactSpace, project: str, experiment: str) -> Iterator[JobRecord]:
    """The jobs of an experiment's runs, newest first; none where there is no workspace yet."""
    if not space.exists:
        return
    cursor: str | None = None
    query: dict[str, Any] = {"project": project, "experiment": experiment, "name": experiment}
    while True:
        page = space.catalog.search_jobs(JobQuery(**query, limit=_PAGE, cursor=cursor))
        yield from (job for job in page.items if type(job.params.get(RUN)) is int)
        if page.next is None:
            return
        cursor = page.next


def newest_run(
    space: ArtifactSpace, project: str, experiment: str, number: int | None = None
) -> Run | None:
    """The newest run, or the one of that number; None where there is none."""
    from findspot.engine.jobs import settle
    from findspot.experiments.run_index import read_index

    jobs = list(runs(space, project, experiment))
    # By number, not by time: a clock may have been set back since.
    wanted = max((job.params[RUN] for job in jobs), default=0) if number is None else number
    own = [settle(space, job) for job in jobs if job.params[RUN] == wanted]
    found = Run(wanted, own) if own else None
    if found is not None:
        known = read_index(space, project, experiment, found)
        if known is None:
            _collect(space, found)
        else:
            found.cells = known
    return found


def run_after(
    space: ArtifactSpace, job: JobRecord, steps: Iterable[StepRecord], before: Run | None
) -> Run:
    """A run whose newest job has just ended.

    Args:
        steps: of the job.
        before: the run until then; None: it has no other jobs.
    """
    found = Run(job.params[RUN], [job, *(before.jobs if before is not None else ())])
    _add(found, _cells(space, list(steps)))
    if before is not None:
        _add(found, before.cells.values())
    return found


def _collect(space: ArtifactSpace, run: Run) -> None:
    for job in run.jobs:
        _add(run, _cells(space, space.catalog.steps(job.id)))


def _cells(space: ArtifactSpace, steps: Sequence[StepRecord]) -> Iterator[CellRecord]:
    """The cells of one job."""
    resolved = _resolved(space, steps)
    no_data = {s.name: s.failure for s in steps if s.name.startswith(f"{DATA}/") and s.failure}
    for step in steps:
        cell = _cell(step, no_data)
        if cell is not None:
            of_datum = resolved.get(f"{DATA}/{cell.replicate}", {})
            found = {**of_datum, **resolved.get(step.name, {})}
            yield replace(cell, resolved=found) if found else cell


def _resolved(space: ArtifactSpace, steps: Sequence[StepRecord]) -> dict[str, Mapping[str, str]]:
    """By step, what the references that its code loaded led to; only where there are any."""
    reused: dict[str, set[str]] = {}
    for step in steps:
        if step.source_job is not None:
            reused.setdefault(step.source_job, set()).add(step.name)
    ran = [step for job, names in reused.items() for step in _named(space, job, names)]
    found: dict[str, Mapping[str, str]] = {}
    for step in (*steps, *ran):
        of_step = step.parts.get("logged", {}).get("resolved")
        if of_step:
            found[step.name] = of_step
    return found


def _named(space: ArtifactSpace, job: str, names: set[str]) -> Iterator[StepRecord]:
    return (step for step in space.catalog.steps(job) if step.name in names)


def _add(run: Run, older: Iterable[CellRecord]) -> None:
    """Cells of a job that is older than those that are there already."""
    for cell in older:
        place = (cell.condition, cell.replicate)
        newer = run.cells.get(place)
        if newer is None or (cell.status == "finished" and _same_work(newer, cell)):
            run.cells[place] = cell


def _same_work(newer: CellRecord, older: CellRecord) -> bool:
    """Whether an older result stands for a newer attempt that did not finish."""
    if newer.status == "finished" or older.resolved:  # what it loaded may have been something else
        return False
    return not newer.identity or (newer.identity, newer.code) == (older.identity, older.code)


def _cell(step: StepRecord, no_data: Mapping[str, Failure]) -> CellRecord | None:
    facts = step.params.get("cell")
    failure = step.failure
    if not isinstance(facts, Mapping):
        condition, _, replicate = step.name.rpartition("/")
        if step.status != "skipped" or not condition or condition == DATA:
            return None
        # It was never started, because its datum could not be had.
        facts = {"condition": condition, "replicate": int(replicate), "seed": 0, "identity": ""}
        of_data = no_data.get(f"{DATA}/{replicate}")
        if of_data is not None:
            place = f"In step {DATA!r} of condition {condition!r}, replicate {replicate}."
            failure = replace(of_data, traceback=f"{of_data.traceback}\n{place}")
    if not facts["condition"]:
        return None  # a datum, which is of no condition
    return CellRecord(
        condition=facts["condition"],
        replicate=facts["replicate"],
        job=step.source_job or step.job,
        step=step.name,
        status=step.status,
        outputs=step.outputs,
        failure=failure,
        identity=facts.get("identity", ""),
        code=facts.get("code", ""),
        seed=facts["seed"],
        started=step.started,
        ended=step.ended,
    )


def give_up(space: ArtifactSpace, job: JobRecord, treatments: Mapping[str, Any]) -> None:
    """Record that a search runs these treatments, given with their parameters, for no more
    replicates than it has by the end of a job, the newest of its run."""
    pruned = {**job.params.get(PRUNED, {}), **treatments}
    update = JobUpdate(id=job.id, expected=ENDED, params={PRUNED: pruned})
    space.catalog.write(Batch(updates=[update]))


def older(
    space: ArtifactSpace, cells: Mapping[tuple[str, int], CellRecord], seconds: float
) -> set[tuple[str, int]]:
    """The cells that were made longer ago than so many seconds."""
    made = space.catalog.versions({uid for cell in cells.values() for uid in cell.outputs.values()})
    found = set()
    for place, cell in cells.items():
        # One that was reused ended when it was, its artifacts are as old as they are.
        times = [made[uid].created for uid in cell.outputs.values() if uid in made]
        if expired(min(times, default=cell.ended), seconds):
            found.add(place)
    return found


def lost(space: ArtifactSpace, cells: Mapping[tuple[str, int], CellRecord]) -> set[tuple[str, int]]:
    """The cells some of whose artifacts were deleted, or have lost their bytes."""
    catalog = space.catalog
    users: dict[str, list[tuple[str, int]]] = {}
    for place, cell in cells.items():
        for uid in cell.outputs.values():
            users.setdefault(uid, []).append(place)
    known = catalog.stored_blobs(users)
    gone = {place for uid, places in users.items() if uid not in known for place in places}
    blobs: dict[Digest, set[tuple[str, int]]] = {}
    for uid, digests in known.items():
        for digest in digests:
            blobs.setdefault(digest, set()).update(users[uid])
    for digest in space.store.missing(list(blobs)) if blobs else ():
        gone |= blobs[digest]
    return gone
