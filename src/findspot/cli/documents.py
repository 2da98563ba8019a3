"""Records as plain JSON, for ``--json``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findspot.artifacts.version import ArtifactVersion
    from findspot.core.records import Failure, Lineage, Snapshot, SourceRead, StepRecord, TagEvent
    from findspot.engine.jobs import Job


def version_document(version: ArtifactVersion, *, files: bool = False) -> dict[str, Any]:
    """One version; with ``files``, each of its files too."""
    producer = version.producer
    document: dict[str, Any] = {
        "uri": version.uri,
        "uid": version.uid,
        "project": version.project,
        "key": version.key,
        "version": version.version,
        "name": version.version_name,
        "iteration": version.record.iteration,
        "kind": version.kind,
        "digest": version.digest,
        "size": version.size,
        "handler": version.handler,
        "python_type": version.python_type,
        "metadata": dict(version.metadata),
        "labels": dict(version.labels),
        "tags": list(version.tags),
        "owner": version.owner,
        "created": version.created.isoformat(),
        "producer": None
        if producer is None
        else {"job": producer.job, "step": producer.step, "output": producer.output},
    }
    if files:
        document["files"] = [
            {"path": entry.path, "digest": entry.digest, "size": entry.size}
            for entry in version.files
        ]
    return document


def job_document(job: Job, *, details: bool = False) -> dict[str, Any]:
    """One job; with ``details``, its steps, metrics, what it read and made, and environment too."""
    record = job.record
    document: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "status": record.status,
        "project": record.project,
        "experiment": record.experiment,
        "params": dict(record.params),
        "artifacts": dict(record.artifacts),
        "labels": dict(record.labels),
        "options": dict(record.options),
        "seed": record.seed,
        "owner": record.owner,
        "parent": record.parent,
        "entrypoint": record.entrypoint,
        "plugins": dict(record.plugins),
        "created": _time(record.created),
        "started": _time(record.started),
        "ended": _time(record.ended),
        "failure": failure_document(record.failure),
    }
    if details:
        document["steps"] = [step_document(step.record) for step in job.steps.values()]
        document["metrics"] = job.metrics
        document["inputs"] = {name: v.uri for name, v in job.inputs.items()}
        document["sources"] = [source_document(source) for source in job.sources]
        document["outputs"] = {name: v.uri for name, v in job.outputs.items()}
        document["environment"] = dict(job.environment)
    return document


def step_document(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "task": step.task,
        "status": step.status,
        "cached": step.cached,
        "source_job": step.source_job,
        "params": dict(step.params),
        "inputs": dict(step.inputs),
        "outputs": dict(step.outputs),
        "attempt": step.attempt,
        "started": _time(step.started),
        "ended": _time(step.ended),
        "failure": failure_document(step.failure),
    }


def failure_document(failure: Failure | None) -> dict[str, str] | None:
    if failure is None:
        return None
    return {"type": failure.type, "message": failure.message, "traceback": failure.traceback}


def lineage_document(lineage: Lineage) -> dict[str, Any]:
    """Nodes (versions, steps, jobs) and edges of a lineage."""
    from findspot.artifacts.version import uri_of

    return {
        "root": lineage.root,
        "versions": [
            {
                "uid": uid,
                "uri": uri_of(record),
                "key": record.key,
                "version": record.number,
                "kind": record.kind,
                "digest": record.digest,
            }
            for uid, record in lineage.versions.items()
        ],
        "steps": [
            {
                "job": job,
                "step": step,
                "task": None if record is None else record.task,
                "params": {} if record is None else dict(record.params),
                "cached": record is not None and record.cached,
            }
            for (job, step), record in lineage.steps.items()
        ],
        "jobs": [
            {
                "id": id,
                "name": record.name,
                "status": record.status,
                "experiment": record.experiment,
                "created": _time(record.created),
            }
            for id, record in lineage.jobs.items()
        ],
        "edges": [
            {
                "version": edge.version,
                "job": edge.job,
                "step": edge.step,
                "name": edge.name,
                "direction": edge.direction,
            }
            for edge in lineage.edges
        ],
        "sources": [
            source_document(source) for sources in lineage.sources.values() for source in sources
        ],
    }


def source_document(source: SourceRead) -> dict[str, Any]:
    """What a job read from outside the workspace."""
    return {
        "job": source.job,
        "step": source.step or "",
        "name": source.name,
        "url": source.url,
        "size": source.size,
        "etag": source.etag,
        "digest": source.digest,
        "modified": _time(source.modified),
        "time": _time(source.time),
    }


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "number": snapshot.number,
        "project": snapshot.project,
        "digest": snapshot.digest,
        "owner": snapshot.owner,
        "created": _time(snapshot.created),
        "tasks": [task["name"] for task in _list(snapshot.body, "tasks")],
        "handlers": [handler["name"] for handler in _list(snapshot.body, "handlers")],
    }


def entrypoint_document(snapshot: Snapshot) -> dict[str, Any]:
    """One entrypoint's snapshot: where it was read from, and the plugins it was read with."""
    body = snapshot.body
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "number": snapshot.number,
        "project": snapshot.project,
        "digest": snapshot.digest,
        "owner": snapshot.owner,
        "created": _time(snapshot.created),
        "syntax": body["syntax"],
        "file": body.get("file"),
        "target": body.get("target"),
        "plugins": dict(body.get("plugins") or {}),
    }


def tag_document(event: TagEvent) -> dict[str, Any]:
    return {
        "key": event.key,
        "tag": event.tag,
        "version": event.version,
        "previous": event.previous,
        "owner": event.owner,
        "time": _time(event.time),
    }


def _list(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = body.get(name, [])
    return found if isinstance(found, list) else []


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
