"""`start_job`: a script or a notebook as a job of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.leases import lease
from findspot.catalog.protocol import Batch
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import CheckFailed, Problem
from findspot.core.ids import new_uid
from findspot.core.names import check_name
from findspot.core.records import Failure, JobRecord, JobStatus, JobUpdate, LogLine, now
from findspot.data.urls import without_secrets
from findspot.engine.capturing.capture import Capture
from findspot.engine.context import CURRENT, JobContext, wrong_params
from findspot.engine.environment.document import EnvironmentProbe
from findspot.engine.failures import failure_of
from findspot.engine.logged.publishing import path_of_job, values_of, variables_of
from findspot.engine.process import this_process
from findspot.engine.recorder import Recorder

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


@contextmanager
def start_job(
    space: ArtifactSpace,
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    project: str | None = None,
    experiment: str | None = None,
    labels: Mapping[str, Any] | None = None,
    seed: int | None = None,
    job_id: str | None = None,
    inputs: Mapping[str, str] | None = None,
    artifact_path: str | Path | None = None,
    function: str | None = None,
    code: bytes | None = None,
    returns: Sequence[str] | str | None = None,
    parent: str | None = None,
) -> Iterator[JobContext]:
    """A job that lasts as long as the ``with`` block.

    What the block saves is the job's, what it loads is the job's input, what it prints is in the
    job's log. An error makes the job failed and passes on.

    Args:
        name: of the job.
        params: plain values, to be shown and compared.
        experiment: a question that several jobs answer, by name.
        seed: given to random, NumPy and torch, where they are imported, at the start.
        job_id: a uid for the job, that no other has; None: a new one.
        inputs: URLs or references by the names under which `JobContext.get_input` gives them.
        artifact_path: where copies of what is logged are published: a folder or URL, with variables
            such as ``{{project}}`` and ``{{job.id}}``.
        function: what runs, as ``module:name``. code: the text of its file, which is kept.
        returns: how what it returns is logged.
        parent: id of the job that it belongs to; None: the one that it is begun in.

    Raises:
        InvalidName, CheckFailed, BadArtifactPath: a name, a parameter or the artifact path is
            wrong; nothing is recorded.
    """
    record = _record(space, name, params or {}, project, experiment, labels or {}, seed)
    if job_id is not None:
        record = replace(record, id=job_id)
    if parent is not None:
        record = replace(record, parent=parent)
    options: dict[str, Any] = {"script": sys.argv[0] if sys.argv else ""}
    if function is not None:
        options["function"] = function
    _check_mapping("The inputs", inputs or {})
    if inputs:
        options["inputs"] = {key: without_secrets(url) for key, url in inputs.items()}
    if returns is not None:
        options["returns"] = returns if isinstance(returns, str) else list(returns)
    variables = {"step": record.name, **variables_of(CURRENT.get())}
    known = values_of(record.id, record.project, record.experiment, variables)
    path_of_job(space, artifact_path, known, record.project)
    if artifact_path is not None:
        options["artifact_path"] = os.fspath(artifact_path)
    documents: dict[Digest, bytes] = {}
    if code is not None:
        digest = hash_bytes(code)
        documents[digest] = code
        options["code"] = digest
    record = replace(record, options=options)
    recorder = Recorder(space.catalog)
    capture = Capture(recorder.line, job=record.id)
    context = JobContext(
        space,
        recorder,
        job=record.id,
        step=None,
        project=record.project,
        experiment=record.experiment,
        params=record.params,
        seed=seed,
        inputs=inputs,
        artifact_path=artifact_path,
        path_variables=variables,
    )
    environment = EnvironmentProbe.shared().start(Path.cwd())
    space.catalog.write(Batch(documents=documents, jobs=[record]))
    status: JobStatus = "finished"
    failure: Failure | None = None
    held = lease(space, purpose=f"job {record.id}", process=this_process())
    with held, recorder, capture:
        if seed is not None:
            from findspot.engine.seeds import seed_everything

            seed_everything(seed)
        try:
            with context.active(), capture.step(record.id, None):
                yield context
        except BaseException as error:
            if not _is_success(error):
                failure = failure_of(error)
                status = "failed" if isinstance(error, Exception | SystemExit) else "interrupted"
                text = failure.traceback or f"{failure.type}: {failure.message}"
                recorder.line(LogLine(record.id, None, now(), "ERROR", "findspot", text))
            raise
        finally:
            context.end()
            described, document = environment.result()
            recorder.document(described, document)
            recorder.update(
                JobUpdate(
                    id=record.id,
                    expected=("running",),
                    status=status,
                    ended=now(),
                    failure=failure,
                    environment=described,
                )
            )


def _is_success(error: BaseException) -> bool:
    return isinstance(error, GeneratorExit) or (
        isinstance(error, SystemExit) and error.code in (None, 0)
    )


def _check_mapping(subject: str, given: object) -> None:
    if not isinstance(given, Mapping):
        found = type(given).__name__
        raise CheckFailed(subject, [Problem("$", "they are no mapping of names", found=found)])


def _record(
    space: ArtifactSpace,
    name: str,
    params: Mapping[str, Any],
    project: str | None,
    experiment: str | None,
    labels: Mapping[str, Any],
    seed: int | None,
) -> JobRecord:
    problems = wrong_params(params)
    if problems:
        raise CheckFailed("The parameters", problems)
    _check_mapping("The labels", labels)
    for label in labels:
        check_name(label, "label")
    if experiment is not None:
        check_name(experiment, "experiment name")
    parent = CURRENT.get()
    time = now()
    return JobRecord(
        id=new_uid(),
        project=space.project if project is None else check_name(project, "project name"),
        experiment=experiment,
        name=check_name(name, "job name"),
        status="running",
        params=dict(params),
        seed=seed,
        owner=space.owner,
        process=this_process(),
        labels={key: str(text) for key, text in labels.items()},
        parent=None if parent is None else parent.id,
        created=time,
        started=time,
    )
