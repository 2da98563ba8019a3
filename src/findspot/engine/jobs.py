"""`Job`: what became of one execution of a graph, or becomes of it while it runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from findspot.artifacts.version import ArtifactVersion
from findspot.catalog.protocol import Batch
from findspot.core.errors import Conflict, NotFound
from findspot.core.records import (
    Failure,
    JobQuery,
    JobRecord,
    JobUpdate,
    LogLine,
    MetricPoint,
    SourceRead,
    StepRecord,
    now,
)
from findspot.engine.errors import JobFailed

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.caching.explaining import Explanation
    from findspot.engine.plans import Plan

_SHORTEST = 4
_SEARCHED = 1000
_RECENT = 50
_LOOKED_UP = (
    "artifacts",
    "inputs",
    "sources",
    "outputs",
    "steps",
    "metric_points",
    "log_lines",
    "environment",
)


class Job:
    """One execution of a graph, as it was when it was looked up; `refresh` looks again."""

    def __init__(self, space: ArtifactSpace, record: JobRecord, plan: Plan | None = None) -> None:
        self.space = space
        self.record = record
        self._plan = plan

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        """The name of the pipeline or entrypoint that it runs."""
        return self.record.name

    @property
    def project(self) -> str:
        return self.record.project

    @property
    def experiment(self) -> str | None:
        return self.record.experiment

    @property
    def status(self) -> str:
        """``queued``, ``running``, ``finished``, ``failed``, ``interrupted`` or ``cancelled``."""
        return self.record.status

    @property
    def params(self) -> Mapping[str, Any]:
        """The chosen values of all parameters."""
        return self.record.params

    @property
    def labels(self) -> Mapping[str, str]:
        return self.record.labels

    @property
    def seed(self) -> int | None:
        return self.record.seed

    @property
    def owner(self) -> str:
        return self.record.owner

    @property
    def created(self) -> datetime:
        return self.record.created

    @property
    def started(self) -> datetime | None:
        return self.record.started

    @property
    def ended(self) -> datetime | None:
        return self.record.ended

    @property
    def duration(self) -> timedelta | None:
        """From its start to its end; None while it has none."""
        record = self.record
        return None if not record.started or not record.ended else record.ended - record.started

    @property
    def failure(self) -> Failure | None:
        """Why it failed."""
        return self.record.failure

    @cached_property
    def artifacts(self) -> Mapping[str, ArtifactVersion]:
        """The chosen versions of all artifact inputs; deleted ones are left out."""
        return self._versions(self.record.artifacts)

    @cached_property
    def inputs(self) -> Mapping[str, ArtifactVersion]:
        """The versions that it was given or that its code loaded, by name, without those that it
        made itself; deleted ones are left out."""
        uids = {
            f"{read.step}.{read.name}" if read.step else read.name: read.version
            for read in self.space.catalog.inputs(self.id)
        }
        found = {
            name: version
            for name, version in self._versions(uids).items()
            if version.producer is None or version.producer.job != self.id
        }
        return {**self.artifacts, **found}

    @cached_property
    def sources(self) -> list[SourceRead]:
        """What it read from outside the workspace (data items), in the order of reading: URL, size,
        etag and digest as far as they are known."""
        return self.space.catalog.sources(self.id)

    @cached_property
    def outputs(self) -> Outputs:
        """The saved outputs by name."""
        return Outputs(self, self._versions(self.space.catalog.outputs(self.id)))

    @cached_property
    def steps(self) -> Mapping[str, JobStep]:
        """The steps that were reached, by name, in their order."""
        return {step.name: JobStep(self, step) for step in self.space.catalog.steps(self.id)}

    @cached_property
    def metric_points(self) -> list[MetricPoint]:
        """Every metric that was logged, in the order of logging; before them those of reused steps,
        as they were logged when the steps ran."""
        return [*self._reused_metrics(), *self.space.catalog.metrics(self.id)]

    def _reused_metrics(self) -> Iterator[MetricPoint]:
        reused: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for step in self.steps.values():
            if step.source_job is not None and step.record.key is not None:
                reused[step.source_job][step.record.key] = step.name
        for source, names in reused.items():
            points = self.space.catalog.metrics(source)
            if not points:
                continue
            keys = {step.name: step.key for step in self.space.catalog.steps(source)}
            for point in points:
                name = names.get(keys.get(point.step or "") or "")
                if name is not None:
                    yield replace(point, job=self.id, step=name)

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric."""
        return {point.name: point.value for point in self.metric_points}

    @cached_property
    def log_lines(self) -> list[LogLine]:
        """The log, in the order of recording."""
        return list(self._lines())

    @property
    def log(self) -> str:
        """The log as text: a line each, with time, level and step."""
        return log_text(self.log_lines)

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        """Python, packages, platform, git commit ... it ran with; empty while it runs."""
        if self.record.environment is None:
            return {}
        import json

        document = self.space.catalog.document(self.record.environment)
        return {} if document is None else dict(json.loads(document))

    def refresh(self) -> Job:
        """Look again; the same object."""
        record = self.space.catalog.job(self.id)
        if record is None:
            raise NotFound("job", self.id)
        self.record = settle(self.space, record)
        for name in _LOOKED_UP:
            self.__dict__.pop(name, None)
        return self

    def resume(
        self,
        pipeline: Any = None,
        *,
        executor: str | None = None,
        workers: int | None = None,
        on_step: Callable[[StepRecord], None] | None = None,
    ) -> Job:
        """Run what is missing: steps that finished are kept, all others are run; the same object.

        The job keeps its id, its code, parameters and artifacts: plugins and YAML are those of its
        snapshots, whatever was edited since.

        Args:
            pipeline: the pipeline, where the job's own cannot be imported (a notebook's).

        Raises:
            CannotResume: it finished, still runs, or its pipeline cannot be found.
        """
        from findspot.engine.launching import resume

        resume(self, self._plan, pipeline, executor=executor, workers=workers, on_step=on_step)
        return self.refresh()

    def explain(self, step: str | None = None) -> Explanation:
        """Why each step ran or was reused, and if it ran, what was new in it; see
        `findspot.engine.caching.explaining.explain`."""
        from findspot.engine.caching.explaining import explain

        return explain(self.space, self.id, step)

    def cancel(self) -> Job:
        """Have it stopped, wherever it runs; it notices within a second or two. The same object.

        Raises:
            CannotCancel: it has ended.
        """
        from findspot.engine.cancelling import cancel

        cancel(self.space, self.id)
        return self.refresh()

    def _versions(self, uids: Mapping[str, str]) -> dict[str, ArtifactVersion]:
        found = self.space.catalog.versions(uids.values())
        return {
            name: ArtifactVersion(self.space, found[uid])
            for name, uid in uids.items()
            if uid in found
        }

    def _lines(self) -> Iterator[LogLine]:
        after = 0
        while lines := self.space.catalog.log(self.id, after=after):
            yield from (line for _, line in lines)
            after = lines[-1][0]

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name}: {self.status}>"


class JobStep:
    """One step of a job."""

    def __init__(self, job: Job, record: StepRecord) -> None:
        self._job = job
        self.record = record

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def task(self) -> str:
        return self.record.task

    @property
    def status(self) -> str:
        """``running``, ``finished``, ``failed``, ``skipped`` or ``interrupted``."""
        return self.record.status

    @property
    def cached(self) -> bool:
        """True where it did not run, because an equal step's outputs were reused."""
        return self.record.cached

    @property
    def source_job(self) -> str | None:
        """The id of the job that made the reused outputs."""
        return self.record.source_job

    @property
    def params(self) -> Mapping[str, Any]:
        """Its arguments that are plain values."""
        return self.record.params

    @property
    def failure(self) -> Failure | None:
        return self.record.failure

    @property
    def duration(self) -> timedelta | None:
        record = self.record
        return None if not record.started or not record.ended else record.ended - record.started

    @property
    def inputs(self) -> Mapping[str, ArtifactVersion]:
        """Its arguments that are saved versions, by argument (``x``, ``x[0]``)."""
        return self._job._versions(self.record.inputs)

    @property
    def outputs(self) -> Mapping[str, ArtifactVersion]:
        """What it made, by output."""
        return self._job._versions(self.record.outputs)

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric that it logged."""
        inside = f"{self.name}/"  # the steps of an experiment's cell are within it
        return {
            point.name: point.value
            for point in self._job.metric_points
            if point.step == self.name or (point.step or "").startswith(inside)
        }

    @property
    def log(self) -> str:
        """Its part of the log."""
        return log_text([line for line in self._job.log_lines if line.step == self.name])

    def __repr__(self) -> str:
        reused = " (reused)" if self.cached else ""
        return f"<JobStep {self.name}: {self.status}{reused}>"


class Outputs(dict[str, ArtifactVersion]):
    """The outputs of a job; asking for a missing one says why it is missing."""

    def __init__(self, job: Job, found: Mapping[str, ArtifactVersion]) -> None:
        super().__init__(found)
        self._job = job

    def __missing__(self, name: str) -> ArtifactVersion:
        job = self._job
        if job.status == "finished":
            raise NotFound("output", name, near=list(self), how=f"Job {job.id} has no such output.")
        reason = job.failure.message if job.failure else "see its log"
        raise JobFailed(job.id, job.status, reason)


def log_text(lines: list[LogLine]) -> str:
    """Lines of a log as text."""
    return "\n".join(
        f"{line.time.astimezone():%H:%M:%S} {line.level:<7} {line.step or '-'}: {line.text}"
        for line in lines
    )


def get_job(space: ArtifactSpace, id: str) -> Job:
    """A job by its id, by the beginning or end of it where only one of the last 1,000 jobs has it,
    or, as ``latest``, the newest one of the current project that no other job began.

    Raises:
        NotFound: there is none, or there are several.
    """
    record = space.existing_catalog.job(id)
    if record is None and id == "latest":
        newest = space.catalog.search_jobs(JobQuery(project=space.project, limit=_RECENT)).items
        record = next((job for job in newest if job.parent is None), newest[0] if newest else None)
    elif record is None and len(id) >= _SHORTEST:
        jobs = space.catalog.search_jobs(JobQuery(limit=_SEARCHED)).items
        found = [job for job in jobs if job.id.startswith(id) or job.id.endswith(id)]
        if len(found) > 1:
            raise NotFound("single job", id, near=[job.id for job in found[:5]])
        record = found[0] if found else None
    if record is None:
        raise NotFound("job", id, how="List them: findspot jobs")
    return Job(space, settle(space, record))


def settle(space: ArtifactSpace, record: JobRecord) -> JobRecord:
    """The record as it is in truth: a job whose process died is interrupted, and so are the steps
    that it ran."""
    if record.status != "running":
        return record
    from findspot.engine.process import is_alive

    if is_alive(record.process) is not False:
        return record
    failure = Failure("ProcessDied", "The process that ran the job ended before the job did.")
    steps = [
        replace(step, status="interrupted")
        for step in space.catalog.steps(record.id)
        if step.status in ("running", "pending")
    ]
    update = JobUpdate(
        id=record.id,
        expected=("running",),
        status="interrupted",
        ended=now(),
        failure=failure,
    )
    with suppress(Conflict):  # somebody else was faster
        space.catalog.write(Batch(steps=steps, updates=[update]))
    return space.catalog.job(record.id) or record
