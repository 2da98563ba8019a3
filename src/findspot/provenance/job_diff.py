"""`diff_jobs`: what differs between two jobs, from what they were given to what they made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from findspot.artifacts.comparing.changes import Change, changes
from findspot.artifacts.version import uri_of
from findspot.core.records import JobRecord
from findspot.engine.jobs import Job, get_job
from findspot.provenance.code import StepCode, job_code, step_code

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric that differs: its last values, None where it was not measured."""

    name: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        """``after - before``; None where one of them is missing."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
        }


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a step took in both jobs, in seconds; None where it did not run there.

    Args:
        step: "" for the whole job.
    """

    step: str
    before: float | None
    after: float | None

    def to_json(self) -> dict[str, Any]:
        return {"step": self.step, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDiff:
    """What differs between two jobs; a field is empty where nothing of it does.

    Args:
        before, after: the records.
        record: name, project, experiment, status, failure, owner, labels.
        params: the values of parameters.
        options: how they were run: executor, cache, seed, a function's inputs ...
        code: by step; of the job as a whole under "".
        inputs: versions that came from elsewhere, by name: reference and content's digest.
        sources: what was read from outside the workspace: URL, digest, size, the server's mark.
        environment: Python, packages, platform, git commit, variables ...
        metrics: the last values that differ.
        outputs: name to the digest of the content; only those that differ.
        equal_outputs: names of outputs with equal content.
        durations: of the jobs, and of the steps that ran in at least one of them.
    """

    before: JobRecord
    after: JobRecord
    record: tuple[Change, ...] = ()
    params: tuple[Change, ...] = ()
    options: tuple[Change, ...] = ()
    code: tuple[StepCode, ...] = ()
    inputs: tuple[Change, ...] = ()
    sources: tuple[Change, ...] = ()
    environment: tuple[Change, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    outputs: tuple[Change, ...] = ()
    equal_outputs: tuple[str, ...] = ()
    durations: tuple[Duration, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything but the time that they took differs."""
        return any(getattr(self, name) for name in (*CHANGES, "code", "metrics"))

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        document: dict[str, Any] = {"before": _named(self.before), "after": _named(self.after)}
        for name in CHANGES:
            document[name] = [change.to_json() for change in getattr(self, name)]
        document["code"] = [code.to_json() for code in self.code]
        document["metrics"] = [metric.to_json() for metric in self.metrics]
        document["equal_outputs"] = list(self.equal_outputs)
        document["durations"] = [duration.to_json() for duration in self.durations]
        return document

    def render(self) -> str:
        """What differs, as text to be read."""
        from findspot.provenance.diff_text import render_job_diff

        return render_job_diff(self)

    def __str__(self) -> str:
        return self.render()


CHANGES = ("record", "params", "options", "inputs", "sources", "environment", "outputs")
"""The fields of a `JobDiff` that hold a `Change` for each place."""


def diff_jobs(space: ArtifactSpace, a: str | Job, b: str | Job) -> JobDiff:
    """What differs from job ``a`` to job ``b``. Nothing is run, changed or noted in any lineage.

    Args:
        a, b: jobs, or what `get_job` takes: ids, their beginnings or ends, ``latest``.

    Raises:
        NotFound: there is no such job.
    """
    old = a if isinstance(a, Job) else get_job(space, a)
    new = b if isinstance(b, Job) else get_job(space, b)
    outputs = _digests(old), _digests(new)
    return JobDiff(
        before=old.record,
        after=new.record,
        record=changes(_record(old.record), _record(new.record)),
        params=changes(dict(old.params), dict(new.params)),
        options=changes(_options(old.record), _options(new.record)),
        code=_code(space, old, new),
        inputs=changes(job_inputs(old), job_inputs(new)),
        sources=changes(job_sources(old), job_sources(new)),
        environment=changes(dict(old.environment), dict(new.environment)),
        metrics=_metrics(old.metrics, new.metrics),
        outputs=changes(*outputs),
        equal_outputs=tuple(n for n, d in outputs[0].items() if outputs[1].get(n) == d),
        durations=_durations(old, new),
    )


def job_inputs(job: Job) -> dict[str, Any]:
    """The versions that a job was given or read and did not make, by name; of each its reference
    and the digest of its content (of a deleted one only the uid)."""
    uids = input_uids(job)
    known = job.space.catalog.versions(uids.values())
    found: dict[str, Any] = {}
    for name, uid in uids.items():
        record = known.get(uid)
        if record is None:
            found[name] = {"deleted": uid}
        elif record.producer is None or record.producer.job != job.id or name in job.artifacts:
            found[name] = {"version": uri_of(record), "digest": record.digest}
    return found


def input_uids(job: Job) -> dict[str, str]:
    """The uids of all versions that a job or its steps were given or read, by name; those that the
    job made itself for its own steps are among them."""
    uids = dict(job.record.artifacts)
    chosen = set(uids.values())
    for step in job.steps.values():
        for argument, uid in step.record.inputs.items():
            if uid not in chosen:
                uids[f"{step.name}.{argument}"] = uid
    for read in job.space.catalog.inputs(job.id):
        uids[f"{read.step}.{read.name}" if read.step else read.name] = read.version
    return uids


def job_sources(job: Job) -> dict[str, Any]:
    """What a job read from outside of the workspace, by name."""
    found: dict[str, Any] = {}
    for read in job.space.catalog.sources(job.id):
        name = f"{read.step}.{read.name}" if read.step else read.name
        facts = {"url": read.url, "digest": read.digest, "size": read.size, "etag": read.etag}
        found[name] = {fact: value for fact, value in facts.items() if value is not None}
    return found


def _record(job: JobRecord) -> dict[str, Any]:
    failure = None if job.failure is None else f"{job.failure.type}: {job.failure.message}"
    return {
        "name": job.name,
        "project": job.project,
        "experiment": job.experiment,
        "status": job.status,
        "failure": failure,
        "owner": job.owner,
        "labels": dict(job.labels),
    }


_APART = ("code", "file", "labels")
"""Options that are compared elsewhere, or say only where things are."""


def _options(job: JobRecord) -> dict[str, Any]:
    shown = {name: value for name, value in job.options.items() if name not in _APART}
    return {**shown, "seed": job.seed}


def _code(space: ArtifactSpace, old: Job, new: Job) -> tuple[StepCode, ...]:
    found = [job_code(space, old.record, new.record)]
    for name, step in new.steps.items():
        before = old.steps.get(name)
        if before is not None:
            found.append(step_code(space, before.record, space, step.record))
    return tuple(code for code in found if code is not None)


def _digests(job: Job) -> dict[str, str]:
    return {name: version.record.digest for name, version in job.outputs.items()}


def _metrics(old: Mapping[str, float], new: Mapping[str, float]) -> tuple[MetricChange, ...]:
    found = []
    for name in dict.fromkeys((*old, *new)):
        metric = MetricChange(name, old.get(name), new.get(name))
        both_nan = all(v is not None and math.isnan(v) for v in (metric.before, metric.after))
        if metric.before != metric.after and not both_nan:
            found.append(metric)
    return tuple(found)


def _durations(old: Job, new: Job) -> tuple[Duration, ...]:
    found = [Duration("", _seconds(old), _seconds(new))]
    left, right = old.steps, new.steps
    for name in dict.fromkeys((*left, *right)):
        before = _seconds(left[name]) if name in left and not left[name].cached else None
        after = _seconds(right[name]) if name in right and not right[name].cached else None
        if before is not None or after is not None:
            found.append(Duration(name, before, after))
    return tuple(found)


def _seconds(what: Any) -> float | None:
    return None if what.duration is None else float(what.duration.total_seconds())


def _named(job: JobRecord) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "project": job.project,
        "status": job.status,
        "created": job.created.isoformat(),
    }
