"""A job's provenance as OpenLineage events (version 2-0-2 of their specification).

The job is a run, and each of its steps is a run below it; artifacts are datasets whose versions are
told apart by their facets. What OpenLineage has no word for is in facets of Findspot's own, whose
names begin with ``findspot_``.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from findspot.artifacts.version import uri_of
from findspot.core.records import Failure, StepRecord, VersionRecord
from findspot.engine.jobs import Job, get_job
from findspot.provenance.job_diff import input_uids
from findspot.provenance.made import made_by

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
_FACETS = "https://openlineage.io/spec/facets/"
_STEPS = uuid.UUID("c1a2f6de-3b0a-5c54-9a57-2f4bb8a3d9a1")
_ENDS = {"finished": "COMPLETE", "failed": "FAIL", "interrupted": "ABORT", "cancelled": "ABORT"}

Event = dict[str, Any]


def to_openlineage(space: ArtifactSpace, job: str | Job, *, steps: bool = True) -> list[Event]:
    """The events of a job in the order of their times: ``START``, and once it has ended
    ``COMPLETE``, ``FAIL`` or ``ABORT``.

    Equal jobs give equal events each time: they may be sent again. URLs are without credentials.

    Args:
        job: a job, or what `get_job` takes.
        steps: also of each step that was reached, as a run whose parent is the job's.

    Raises:
        NotFound: there is no such job.
    """
    found = job if isinstance(job, Job) else get_job(space, job)
    export = _Export(space, found)
    events = [export.begin(), *export.end()]
    if steps:
        for step in found.steps.values():
            if step.status not in ("pending", "skipped"):
                events += export.step(step.record)
    # Of one moment the beginning comes first; the job's own brackets those of its steps.
    rank = {"START": 0}
    return sorted(
        events,
        key=lambda event: (
            event["eventTime"],
            rank.get(event["eventType"], 1),
            (event["run"]["runId"] == found.id) == (event["eventType"] != "START"),
        ),
    )


class _Export:
    def __init__(self, space: ArtifactSpace, job: Job) -> None:
        from importlib.metadata import version

        self._space = space
        self._job = job
        self._version = version("findspot")
        self._producer = f"urn:findspot:{self._version}"
        self._namespace = f"findspot:{space.id}/{job.project}"

    # ------------------------------------------------------------------ the job

    def begin(self) -> Event:
        record = self._job.record
        return self._event("START", record.started or record.created, self._inputs(), [])

    def end(self) -> list[Event]:
        record = self._job.record
        if record.status not in _ENDS:
            return []
        made = [version.record for version in made_by(self._job).values()]
        time = record.ended or record.started or record.created
        return [
            self._event(_ENDS[record.status], time, self._inputs(), self._datasets(made, "out"))
        ]

    def _event(self, kind: str, time: datetime, inputs: list[Event], outputs: list[Event]) -> Event:
        record = self._job.record
        facets = {
            "processing_engine": self._facet(
                "1-1-1/ProcessingEngineRunFacet", version=self._version, name="Findspot"
            ),
            "findspot_job": self._own(
                "RunFacet",
                project=record.project,
                experiment=record.experiment,
                status=record.status,
                params=_finite(record.params),
                seed=record.seed,
                labels=dict(record.labels),
                owner=record.owner,
                metrics=[
                    {"name": p.name, "value": _finite(p.value), "step": p.step, "at": p.at}
                    for p in (self._job.metric_points if kind != "START" else ())
                ],
            ),
        }
        if record.environment is not None:
            facets["findspot_environment"] = self._own(
                "RunFacet", digest=record.environment, document=dict(self._job.environment)
            )
        if kind == "FAIL" and record.failure is not None:
            facets["errorMessage"] = self._error(record.failure)
        if record.parent is not None:
            parent = self._space.catalog.job(record.parent)
            if parent is not None:
                facets["parent"] = self._parent(parent.id, parent.name)
        job = {
            "namespace": self._namespace,
            "name": record.name,
            "facets": {"jobType": self._job_type("JOB"), **self._code()},
        }
        run = {"runId": record.id, "facets": facets}
        return self._run_event(kind, time, run, job, inputs, outputs)

    def _code(self) -> dict[str, Any]:
        record = self._job.record
        found: dict[str, Any] = {}
        snapshot = None
        if record.entrypoint is not None:
            snapshot = self._space.catalog.snapshot(record.entrypoint)
        if snapshot is not None and snapshot.body.get("syntax") == "yaml":
            text = str(snapshot.body["text"])
            found["sourceCode"] = self._facet(
                "1-0-1/SourceCodeJobFacet", language="YAML", sourceCode=text
            )
        elif isinstance(record.options.get("code"), str):
            data = self._space.catalog.document(record.options["code"]) or b""
            found["sourceCode"] = self._facet(
                "1-0-1/SourceCodeJobFacet",
                language="Python",
                sourceCode=data.decode(errors="replace"),
            )
        git = self._job.environment.get("git") or {}
        if git.get("commit") and str(git.get("remote") or "").startswith(("http://", "https://")):
            location = {
                "type": "git",
                "url": git["remote"],
                "repoUrl": git["remote"],
                "path": git.get("folder"),
                "version": git["commit"],
                "branch": git.get("branch"),
            }
            found["sourceCodeLocation"] = self._facet(
                "1-1-0/SourceCodeLocationJobFacet",
                **{name: value for name, value in location.items() if value is not None},
            )
        return found

    # ------------------------------------------------------------------ steps

    def step(self, step: StepRecord) -> list[Event]:
        """The events of one step."""
        began = step.started or self._job.started or self._job.created
        job = {
            "namespace": self._namespace,
            "name": f"{self._job.name}.{step.name}",
            "facets": {"jobType": self._job_type("TASK")},
        }
        facets = {
            "parent": self._parent(self._job.id, self._job.name),
            "findspot_step": self._own(
                "RunFacet",
                task=step.task,
                status=step.status,
                cached=step.cached,
                source_job=step.source_job,
                key=step.key,
                code=step.parts.get("code"),
                params=_finite(step.params),
                attempt=step.attempt,
            ),
        }
        run_id = str(uuid.uuid5(_STEPS, f"{step.job}/{step.name}"))
        versions = self._space.catalog.versions([*step.inputs.values(), *step.outputs.values()])
        inputs = self._datasets(_those(versions, step.inputs.values()), "in")
        outputs = self._datasets(_those(versions, step.outputs.values()), "out")
        run = {"runId": run_id, "facets": facets}
        events = [self._run_event("START", began, run, job, inputs, [])]
        if step.status in _ENDS:
            ended = dict(facets)
            if step.status == "failed" and step.failure is not None:
                ended["errorMessage"] = self._error(step.failure)
            run = {"runId": run_id, "facets": ended}
            time = step.ended or began
            events.append(self._run_event(_ENDS[step.status], time, run, job, inputs, outputs))
        return events

    # ------------------------------------------------------------------ datasets

    def _inputs(self) -> list[Event]:
        made = {uid for step in self._job.steps.values() for uid in step.record.outputs.values()}
        chosen = set(self._job.record.artifacts.values())
        uids = [uid for uid in input_uids(self._job).values() if uid in chosen or uid not in made]
        versions = self._space.catalog.versions(uids)
        found = self._datasets(_those(versions, uids), "in")
        for read in self._space.catalog.sources(self._job.id):
            parts = urlsplit(read.url)
            namespace = f"{parts.scheme or 'file'}://{parts.netloc}".removesuffix("://")
            facts = {"digest": read.digest, "size": read.size, "etag": read.etag}
            found.append(
                {
                    "namespace": namespace,
                    "name": parts.path or "/",
                    "facets": {
                        "dataSource": self._facet(
                            "1-0-1/DatasourceDatasetFacet", name=read.name, uri=read.url
                        ),
                        "findspot_source": self._own("DatasetFacet", **facts),
                    },
                    "inputFacets": {},
                }
            )
        return found

    def _datasets(self, records: Iterable[VersionRecord], direction: str) -> list[Event]:
        extra = "inputFacets" if direction == "in" else "outputFacets"
        return [
            {
                "namespace": f"findspot:{self._space.id}",
                "name": f"{record.project}/{record.key}",
                "facets": {
                    "version": self._facet(
                        "1-0-1/DatasetVersionDatasetFacet", datasetVersion=str(record.number)
                    ),
                    "findspot_version": self._own(
                        "DatasetFacet",
                        uri=uri_of(record),
                        uid=record.uid,
                        kind=record.kind,
                        digest=record.digest,
                        size=record.size,
                        handler=record.handler,
                        python_type=record.python_type,
                    ),
                },
                extra: {},
            }
            for record in records
        ]

    # ------------------------------------------------------------------ pieces

    def _run_event(
        self,
        kind: str,
        time: datetime,
        run: Event,
        job: Event,
        inputs: list[Event],
        outputs: list[Event],
    ) -> Event:
        return {
            "eventType": kind,
            "eventTime": time.isoformat(),
            "run": run,
            "job": job,
            "inputs": inputs,
            "outputs": outputs,
            "producer": self._producer,
            "schemaURL": f"{_SPEC}RunEvent",
        }

    def _facet(self, schema: str, /, **facts: Any) -> Event:
        """One of OpenLineage's facets."""
        url = f"{_FACETS}{schema}.json#/$defs/{schema.partition('/')[2]}"
        return {"_producer": self._producer, "_schemaURL": url, **facts}

    def _own(self, schema: str, /, **facts: Any) -> Event:
        """A facet that OpenLineage has no schema for but that of all facets."""
        return {"_producer": self._producer, "_schemaURL": f"{_SPEC}{schema}", **facts}

    def _job_type(self, kind: str) -> Event:
        facts = {"processingType": "BATCH", "integration": "FINDSPOT", "jobType": kind}
        return self._facet("2-0-4/JobTypeJobFacet", **facts)

    def _parent(self, run: str, name: str) -> Event:
        job = {"namespace": self._namespace, "name": name}
        return self._facet("1-2-0/ParentRunFacet", run={"runId": run}, job=job)

    def _error(self, failure: Failure) -> Event:
        message = f"{failure.type}: {failure.message}"
        facts = {"message": message, "programmingLanguage": "Python"}
        if failure.traceback:
            facts["stackTrace"] = failure.traceback
        return self._facet("1-0-1/ErrorMessageRunFacet", **facts)


def _those(versions: Mapping[str, VersionRecord], uids: Iterable[str]) -> list[VersionRecord]:
    """The versions of the uids that exist, each once."""
    return [versions[uid] for uid in dict.fromkeys(uids) if uid in versions]


def _finite(value: Any) -> Any:
    """Infinities and NaN as text, at any depth: JSON has no numbers for them."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
