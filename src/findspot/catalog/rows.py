"""Records as rows, and rows as records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from findspot.catalog.database import Row
from findspot.core.digests import Digest
from findspot.core.json_text import json_encoder
from findspot.core.records import (
    Event,
    Failure,
    JobInput,
    JobRecord,
    LogLine,
    MetricPoint,
    Preview,
    Producer,
    Snapshot,
    StepRecord,
    TagEvent,
    VersionRecord,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# ASCII with escapes: NUL and lone surrogates are then no trouble to any database.
_encode = json_encoder(sort_keys=False, ensure_ascii=True)
_NAN = float("nan")


def micros(moment: datetime) -> int:
    """Microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment_or_none(at: int | None) -> datetime | None:
    return None if at is None else moment(at)


def to_json(value: Mapping[str, Any] | tuple[str, ...]) -> str:
    """A mapping or a tuple of texts as JSON text."""
    if not value:
        return "[]" if isinstance(value, tuple) else "{}"
    if isinstance(value, tuple | dict):
        return _encode(value)
    return _encode(dict(value))


def from_json(text: str) -> dict[str, Any]:
    if text == "{}":
        return {}
    value: dict[str, Any] = json.loads(text)
    return value


def mappings_from(texts: Sequence[str]) -> list[dict[str, Any]]:
    """As `from_json` of each, at once."""
    found: list[dict[str, Any]] = json.loads(f"[{','.join(texts)}]")
    return found


def tags_from(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(json.loads(text))


def clean(text: str) -> str:
    """Free text as every database can keep it: what cannot be written is shown escaped."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


# --------------------------------------------------------------------------- versions

VERSION_COLUMNS = (
    "uid",
    "project",
    "key",
    "kind",
    "number",
    "name",
    "iteration",
    "digest",
    "size",
    "file_count",
    "handler",
    "handler_args",
    "python_type",
    "metadata",
    "preview_type",
    "preview",
    "labels",
    "tags",
    "owner",
    "created",
    "job",
    "step",
    "output",
    "origin",
    "seal",
    "in_store",
)
VERSION = ",".join("v." + name for name in VERSION_COLUMNS)
"""What to select of ``versions v``, for `version_from`."""
NUMBER = VERSION_COLUMNS.index("number")
IN_STORE = VERSION_COLUMNS.index("in_store")
"""Their places in such a row."""


def version_row(record: VersionRecord, in_store: bool) -> list[Any]:
    """The row of a version, whose number at `NUMBER` is still to be given."""
    preview, producer = record.preview, record.producer
    return [
        record.uid,
        record.project,
        record.key,
        record.kind,
        0,
        record.name,
        record.iteration,
        record.digest,
        record.size,
        record.file_count,
        record.handler,
        to_json(record.handler_args),
        record.python_type,
        to_json(record.metadata),
        None if preview is None else preview.media_type,
        None if preview is None else preview.data,
        to_json(record.labels),
        "[]",
        record.owner,
        micros(record.created),
        None if producer is None else producer.job,
        None if producer is None else producer.step,
        None if producer is None else producer.output,
        record.origin,
        record.seal,
        in_store,
    ]


def version_from(row: Row) -> VersionRecord:
    return VersionRecord(
        uid=row[0],
        project=row[1],
        key=row[2],
        kind=row[3],
        number=row[4],
        name=row[5],
        iteration=row[6],
        digest=row[7],
        size=row[8],
        file_count=row[9],
        handler=row[10],
        handler_args=from_json(row[11]),
        python_type=row[12],
        metadata=from_json(row[13]),
        preview=None if row[14] is None else Preview(row[14], bytes(row[15])),
        labels=from_json(row[16]),
        tags=tags_from(row[17]),
        owner=row[18],
        created=moment(row[19]),
        producer=None if row[20] is None else Producer(row[20], row[21], row[22]),
        origin=row[23],
        seal=row[24],
    )


def tag_event_from(row: Row) -> TagEvent:
    return TagEvent(row[0], row[1], row[2], row[3], row[4], row[5], moment(row[6]))


# --------------------------------------------------------------------------- jobs

JOB_COLUMNS = (
    "id",
    "project",
    "experiment",
    "name",
    "status",
    "entrypoint",
    "plugins",
    "params",
    "artifacts",
    "options",
    "environment",
    "seed",
    "owner",
    "process",
    "labels",
    "parent",
    "created",
    "started",
    "ended",
    "failure",
)
JOB = ",".join(JOB_COLUMNS)


def failure_text(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    return _encode([failure.type, failure.message, failure.traceback])


def _failure_from(text: str | None) -> Failure | None:
    return None if text is None else Failure(*json.loads(text))


def job_row(job: JobRecord) -> Row:
    return (
        job.id,
        job.project,
        job.experiment,
        job.name,
        job.status,
        job.entrypoint,
        to_json(job.plugins),
        to_json(job.params),
        to_json(job.artifacts),
        to_json(job.options),
        job.environment,
        job.seed,
        job.owner,
        to_json(job.process),
        to_json(job.labels),
        job.parent,
        micros(job.created),
        _micros_or_none(job.started),
        _micros_or_none(job.ended),
        failure_text(job.failure),
    )


def job_from(row: Row) -> JobRecord:
    return JobRecord(
        id=row[0],
        project=row[1],
        experiment=row[2],
        name=row[3],
        status=row[4],
        entrypoint=row[5],
        plugins=from_json(row[6]),
        params=from_json(row[7]),
        artifacts=from_json(row[8]),
        options=from_json(row[9]),
        environment=row[10],
        seed=row[11],
        owner=row[12],
        process=from_json(row[13]),
        labels=from_json(row[14]),
        parent=row[15],
        created=moment(row[16]),
        started=_moment_or_none(row[17]),
        ended=_moment_or_none(row[18]),
        failure=_failure_from(row[19]),
    )


STEP_COLUMNS = (
    "job",
    "name",
    "task",
    "position",
    "status",
    "cached",
    "key",
    "parts",
    "source_job",
    "params",
    "inputs",
    "outputs",
    "started",
    "ended",
    "attempt",
    "failure",
)
STEP = ",".join("s." + name for name in STEP_COLUMNS)


def step_row(step: StepRecord) -> Row:
    return (
        step.job,
        step.name,
        step.task,
        step.position,
        step.status,
        step.cached,
        step.key,
        to_json(step.parts),
        step.source_job,
        to_json(step.params),
        to_json(step.inputs),
        to_json(step.outputs),
        _micros_or_none(step.started),
        _micros_or_none(step.ended),
        step.attempt,
        failure_text(step.failure),
    )


def step_from(row: Row) -> StepRecord:
    return StepRecord(
        job=row[0],
        name=row[1],
        task=row[2],
        position=row[3],
        status=row[4],
        cached=bool(row[5]),
        key=row[6],
        parts=from_json(row[7]),
        source_job=row[8],
        params=from_json(row[9]),
        inputs=from_json(row[10]),
        outputs=from_json(row[11]),
        started=_moment_or_none(row[12]),
        ended=_moment_or_none(row[13]),
        attempt=row[14],
        failure=_failure_from(row[15]),
    )


def metric_row(point: MetricPoint) -> Row:
    return (point.job, point.step, point.name, point.value, point.at, micros(point.time))


def metric_from(row: Row) -> MetricPoint:
    value = _NAN if row[3] is None else row[3]
    return MetricPoint(row[0], row[1], row[2], value, row[4], moment(row[5]))


def log_row(line: LogLine) -> Row:
    return (
        line.job,
        line.step,
        micros(line.time),
        line.level,
        line.source,
        clean(line.text),
    )


def log_from(row: Row) -> LogLine:
    return LogLine(row[0], row[1], moment(row[2]), row[3], row[4], row[5])


def event_from(row: Row) -> Event:
    return Event(row[0], row[1], row[2], row[3], moment(row[4]), row[5])


def job_input_from(row: Row) -> JobInput:
    return JobInput(*row)


# --------------------------------------------------------------------------- snapshots

SNAPSHOT_COLUMNS = (
    "id",
    "resource",
    "project",
    "name",
    "number",
    "digest",
    "body",
    "owner",
    "created",
)
SNAPSHOT = ",".join("s." + name for name in SNAPSHOT_COLUMNS)


def snapshot_row(snapshot: Snapshot, number: int) -> Row:
    return (
        snapshot.id,
        snapshot.resource,
        snapshot.project,
        snapshot.name,
        number,
        snapshot.digest,
        to_json(snapshot.body),
        snapshot.owner,
        micros(snapshot.created),
    )


def snapshot_from(row: Row) -> Snapshot:
    return Snapshot(
        id=row[0],
        resource=row[1],
        project=row[2],
        name=row[3],
        number=row[4],
        digest=Digest(row[5]),
        body=from_json(row[6]),
        owner=row[7],
        created=moment(row[8]),
    )
