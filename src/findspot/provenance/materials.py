"""What is needed to run a job again: what kind it is, its inputs, and a scratch workspace that
holds nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from findspot.artifacts.exchange import LineageChoice, Shipment, collect
from findspot.artifacts.transfer import kept, send_blobs
from findspot.catalog.protocol import Batch
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.core.records import Failure, JobRecord, VersionRecord, now
from findspot.core.secret_names import HIDDEN
from findspot.engine.jobs import Job
from findspot.provenance.errors import CannotReproduce
from findspot.provenance.job_diff import input_uids

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a job is run again.

    Args:
        kind: ``graph``: its plan is made again from its snapshots. ``function``: the kept file is
            imported and its function called. ``script``: the program is started again.
        target: ``module:name`` of the pipeline or function.
        script: path of the script that was started, as recorded; "" where its code is not needed.
        module: what ``python -m`` started; "" where nothing.
    """

    kind: Literal["graph", "function", "script"]
    target: str = ""
    script: str = ""
    module: str = ""


def recipe_of(space: ArtifactSpace, job: Job, version: str) -> Recipe:
    """How to run a job again.

    Raises:
        CannotReproduce: it was typed in, or its record says too little.
    """
    record = job.record
    entry = job.environment.get("entry") or {}
    script, module = str(entry.get("script") or ""), str(entry.get("module") or "")
    if "function" in record.options:
        if "code" not in record.options or space.catalog.document(record.options["code"]) is None:
            raise CannotReproduce(
                version,
                f"the job ran the function {record.options['function']!r}.",
                missing=["the text of its file, which was not kept"],
            )
        target = str(record.options["function"])
        in_script = script if target.startswith("__main__:") else ""
        return Recipe(kind="function", target=target, script=in_script)
    if record.entrypoint is not None:
        snapshot = space.catalog.snapshot(record.entrypoint)
        if snapshot is None:
            raise CannotReproduce(
                version, "the job ran a task graph.", missing=["the snapshot of its graph"]
            )
        syntax, target = snapshot.body.get("syntax"), str(snapshot.body.get("target", ""))
        if syntax == "yaml":
            return Recipe(kind="graph")
        if syntax == "python" and "<locals>" not in target:
            if not target.startswith("__main__:"):
                return Recipe(kind="graph", target=target)
            if script:
                return Recipe(kind="graph", target=target, script=script)
            raise _typed_in(version)
        if syntax == "python":
            raise CannotReproduce(
                version,
                f"its pipeline {target!r} was made inside of a function.",
                how="Define the pipeline at the top of a module.",
            )
    if entry.get("interactive") or not (script or module):
        raise _typed_in(version)
    if HIDDEN in " ".join(job.environment.get("argv", ())):
        raise CannotReproduce(
            version,
            "the script was given secrets as arguments, which are not recorded.",
            how="Give secrets in environment variables.",
        )
    return Recipe(kind="script", script=script, module=module)


def _typed_in(version: str) -> CannotReproduce:
    return CannotReproduce(
        version,
        "its code was typed into a notebook or a prompt.",
        missing=["the text of the code"],
        how="Put the code into a module or a script, and run that.",
    )


def make_scratch(
    space: ArtifactSpace, job: Job, recipe: Recipe, folder: Path, version: str
) -> ArtifactSpace:
    """A new workspace that holds what a job was given, verified; for a graph the job itself, with
    nothing done of it yet; and for a script the records of the jobs that made what it was given.

    Raises:
        CannotReproduce: lists every input that was deleted, is missing or damaged.
    """
    scratch = type(space)(folder, project=job.project, ambient=False)
    scratch.init()
    inputs = _inputs(space, job, version)
    # A script may ask for what made its inputs: an experiment's run, for one.
    lineage: LineageChoice = "records" if recipe.kind == "script" else "none"
    shipment = collect(space, inputs, lineage, links=False)
    _add_job(space, job, recipe, shipment, version)
    _copy_bytes(space, scratch, shipment, version)
    batch = _batch(shipment, job)
    if recipe.kind == "graph":
        batch.jobs.append(waiting(job.record))
    scratch.catalog.import_records(batch)
    for new in shipment.versions:
        # Bytes that may run code in the workspace they come from may do so here.
        if space.trust.allows(new.record, new.files):
            scratch.trust.trust(new.record)
    return scratch


def _inputs(space: ArtifactSpace, job: Job, version: str) -> list[VersionRecord]:
    """The versions that the job was given or read, and that no step of it made or reused."""
    uids = input_uids(job)
    made = {uid for step in job.steps.values() for uid in step.record.outputs.values()}
    chosen = set(job.record.artifacts.values())
    wanted = {name: uid for name, uid in uids.items() if uid in chosen or uid not in made}
    known = space.catalog.versions(wanted.values())
    gone = [f"the input {name!r} ({uid})" for name, uid in wanted.items() if uid not in known]
    if gone:
        raise CannotReproduce(version, "what the job was given was deleted since.", missing=gone)
    return [
        record
        for uid, record in known.items()
        if uid in chosen or record.producer is None or record.producer.job != job.id
    ]


def _add_job(
    space: ArtifactSpace, job: Job, recipe: Recipe, shipment: Shipment, version: str
) -> None:
    if recipe.kind != "graph":
        return
    record = job.record
    for name, id in {"its graph": record.entrypoint, **record.plugins}.items():
        found = None if id is None else space.catalog.snapshot(id)
        if found is None:
            missing = [f"the snapshot of {name}"]
            raise CannotReproduce(version, "the job's code is not all there.", missing=missing)
        shipment.snapshots.append(replace(found, files=space.catalog.files(found.id)))


def _copy_bytes(
    space: ArtifactSpace, scratch: ArtifactSpace, shipment: Shipment, version: str
) -> None:
    try:
        with kept(space, shipment, "reproduce"):
            send_blobs(space, scratch, shipment, None)
    except (BlobDamaged, BlobMissing) as error:
        raise CannotReproduce(
            version,
            "bytes that the job was given are damaged or gone.",
            missing=[f"{error.where or ''}: {error.what}"],
            how=error.how,
        ) from error


def _batch(shipment: Shipment, job: Job) -> Batch:
    """The records as they are, numbers included, the oldest first.

    Earlier runs of what is to run again are left out: it could take itself for done.
    """
    batch = Batch(
        documents=dict(shipment.documents),
        snapshots=sorted(shipment.snapshots, key=lambda snapshot: snapshot.number),
        versions=sorted(shipment.versions, key=lambda new: new.record.number),
    )
    for made in shipment.jobs:
        if made.record.id == job.id or made.record.name == job.name:
            continue
        batch.jobs.append(made.record)
        batch.steps += made.steps
        batch.outputs += made.outputs
        batch.inputs += made.inputs
        batch.sources += made.sources
        batch.metrics += made.metrics
    return batch


def waiting(record: JobRecord) -> JobRecord:
    """The record of a job of which nothing has been done, to be resumed."""
    options = {**record.options, "cache": "off"}
    for place in ("artifact_path", "file"):  # these are in use, and may have changed since
        options.pop(place, None)
    return replace(
        record,
        status="interrupted",
        failure=Failure("ToBeReproduced", "It is to run again."),
        options=options,
        environment=None,
        process={},
        parent=None,
        ended=now(),
    )
