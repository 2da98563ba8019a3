"""`JobContext`: what code inside a job can say and ask; `current_job()` gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.version import ArtifactVersion
from findspot.core.canonical import is_plain
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import check_name
from findspot.core.records import (
    JobInput,
    JobUpdate,
    LogLine,
    MetricPoint,
    Producer,
    VersionRecord,
    now,
)
from findspot.engine.errors import NoJob

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.recorder import Recorder

CURRENT: ContextVar[JobContext | None] = ContextVar("findspot_job", default=None)


class JobContext:
    """A running job, or one step of it, as the code in it sees it.

    Args:
        space: the workspace.
        recorder: where metrics and notes go.
        job: the job's id.
        step: the step's name; None in a job without steps.
        params: the values chosen for the parameters.
        seed: of the step where it has one, else of the job.
    """

    def __init__(
        self,
        space: ArtifactSpace,
        recorder: Recorder,
        *,
        job: str,
        step: str | None,
        project: str,
        experiment: str | None,
        params: Mapping[str, Any],
        seed: int | None,
    ) -> None:
        self.id = job
        self.step = step
        self.project = project
        self.experiment = experiment
        self.params: Mapping[str, Any] = params
        self.seed = seed
        self.space = space
        self._recorder = recorder
        self._labels: dict[str, str] = {}
        self._read: set[str] = set()

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record a number; ``step`` counts training steps or epochs. Recorded within 50 ms."""
        self.log_metrics({name: value}, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record several numbers at once. NaN and infinities are kept as they are.

        Raises:
            CheckFailed: lists every name that is no name and every value that is no number.
        """
        time = now()
        at: Any = step
        points: list[MetricPoint] = []
        problems: list[Problem] = []
        for name, value in metrics.items():
            try:
                check_name(name, "metric")
                points.append(MetricPoint(self.id, self.step, name, float(value), step, time))
            except FindspotError as error:
                problems.append(Problem(str(name), error.what))
            except (TypeError, ValueError):
                problems.append(
                    Problem(str(name), "a metric is a number", found=type(value).__name__)
                )
        if at is not None and (not isinstance(at, int) or isinstance(at, bool)):
            problems.append(Problem("step", "it is no whole number", found=type(at).__name__))
        if problems:
            raise CheckFailed("The metrics", problems)
        for point in points:
            self._recorder.metric(point)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add to the job's parameters; plain JSON values only."""
        problems = [
            Problem(str(name), "a parameter is a plain JSON value", found=type(value).__name__)
            for name, value in params.items()
            if not is_plain(value)
        ]
        if problems:
            raise CheckFailed("The parameters", problems)
        self.params = {**self.params, **params}
        self._recorder.update(JobUpdate(id=self.id, expected=("running",), params=self.params))

    def set_label(self, name: str, value: object) -> None:
        """Set a label of the job."""
        self._labels[check_name(name, "label")] = str(value)
        self._recorder.update(JobUpdate(id=self.id, expected=("running",), labels=self._labels))

    def log(self, text: str, level: str = "INFO") -> None:
        """Write a line into the job's log."""
        self._recorder.line(LogLine(self.id, self.step, now(), level, "findspot", text))

    def log_artifact(self, key: str, value: Any, **options: Any) -> ArtifactVersion:
        """Save a value as an artifact made by this job; options as `Workspace.save_artifact`."""
        return self.space.save_artifact(value, key, **options)

    def flush(self) -> None:
        """Record everything that was logged so far."""
        self._recorder.flush()

    @contextmanager
    def active(self) -> Iterator[JobContext]:
        """Make it the current job of the code in the ``with`` block."""
        current, active = CURRENT.set(self), ACTIVE.set(self)
        try:
            yield self
        finally:
            ACTIVE.reset(active)
            CURRENT.reset(current)

    # What the artifacts layer asks (`findspot.artifacts.active.Active`).

    def producer(self) -> Producer:
        return Producer(self.id, self.step, None)

    def read(self, record: VersionRecord) -> None:
        """Note that the code loaded a version by itself: it becomes an input in the lineage."""
        if record.uid not in self._read:
            self._read.add(record.uid)
            self._recorder.read(JobInput(self.id, self.step, record.key, record.uid))

    def __repr__(self) -> str:
        return f"<JobContext {self.id}{f' step {self.step}' if self.step else ''}>"


def current_job() -> JobContext:
    """The job (and step) that this code runs in.

    Raises:
        NoJob: none runs here.
    """
    context = CURRENT.get()
    if context is None:
        raise NoJob
    return context
