"""What travels between workspaces: versions with all that their lineages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from findspot.catalog.protocol import NewVersion
from findspot.core.digests import Digest
from findspot.core.errors import FindspotError, NotFound
from findspot.core.records import (
    FileEntry,
    JobInput,
    JobOutput,
    JobRecord,
    Link,
    LogLine,
    MetricPoint,
    Signature,
    Snapshot,
    SourceRead,
    StepRecord,
    VersionRecord,
)

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace

LineageChoice = Literal["none", "records", "full"]


@dataclass(slots=True)
class JobShipment:
    """A job with all that was recorded of it."""

    record: JobRecord
    steps: list[StepRecord] = field(default_factory=list)
    outputs: list[JobOutput] = field(default_factory=list)
    inputs: list[JobInput] = field(default_factory=list)
    sources: list[SourceRead] = field(default_factory=list)
    metrics: list[MetricPoint] = field(default_factory=list)
    log: list[LogLine] = field(default_factory=list)


@dataclass(slots=True)
class Shipment:
    """Records that travel together; their blobs travel before them.

    Cache entries do not: whoever could place them could decide what another workspace's steps give.

    Args:
        origin: id of the workspace that it comes from.
        asked: uids of the versions that were asked for; the others came along.
    """

    origin: str
    asked: tuple[str, ...]
    versions: list[NewVersion] = field(default_factory=list)
    jobs: list[JobShipment] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    documents: dict[Digest, bytes] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)

    def entries(self) -> Iterator[FileEntry]:
        """Every file of every version and snapshot."""
        for new in self.versions:
            yield from new.files
        for snapshot in self.snapshots:
            yield from snapshot.files


def lineage_choice(lineage: bool | str) -> LineageChoice:
    """What the public functions take as ``lineage``: True, False or ``"records"``."""
    if isinstance(lineage, bool):
        return "full" if lineage else "none"
    if lineage == "records":
        return "records"
    raise FindspotError(
        f"{lineage!r} is no choice of lineage.", how='Say True, False, or "records".'
    )


def chosen(
    space: ArtifactSpace, artifacts: ArtifactLike | Iterable[ArtifactLike]
) -> list[VersionRecord]:
    """The versions that references name, each once."""
    from uuid import UUID

    from findspot.artifacts.version import ArtifactVersion
    from findspot.core.references import Reference

    if isinstance(artifacts, str | Reference | UUID | ArtifactVersion):
        artifacts = [artifacts]
    if not isinstance(artifacts, Iterable):
        raise FindspotError(
            f"A {type(artifacts).__name__} names no versions.", how="Give one reference, or a list."
        )
    records = [space.get_artifact(artifact).record for artifact in artifacts]
    return list({record.uid: record for record in records}.values())


def collect(
    space: ArtifactSpace,
    records: Iterable[VersionRecord],
    lineage: LineageChoice,
    *,
    links: bool = True,
) -> Shipment:
    """Everything that is to travel with versions.

    Args:
        lineage: ``none``: the versions alone. ``records``: and the jobs, steps and code that made
            them and all they came from, but of the versions they came from only the uids.
            ``full``: and those versions too.
        links: and the versions that any of these link to, with their lineages as above, and so on.
            One that was deleted is left out; the link to it travels all the same.
    """
    asked = {record.uid: record for record in records}
    versions: dict[str, VersionRecord] = {}
    jobs: dict[str, JobRecord] = {}
    roots = asked
    while roots:
        reached = dict(roots)
        for uid in roots if lineage != "none" else ():
            found = space.catalog.lineage(uid, "upstream")
            jobs.update(found.jobs)
            if lineage == "full":
                reached.update(found.versions)
        new = reached.keys() - versions.keys()
        versions.update(reached)
        targets = set().union(*space.catalog.linked(new).values()) if links else set[str]()
        roots = space.catalog.versions(targets - versions.keys())
    shipment = Shipment(space.id, tuple(asked))
    for record in versions.values():
        files = space.catalog.files(record.uid)
        if len(files) != record.file_count:
            raise NotFound("version", record.uid, how="It was deleted meanwhile.")
        shipment.versions.append(NewVersion(record, files))
        shipment.links += space.catalog.links(record.uid)
        shipment.signatures += space.catalog.signatures(record.uid)
    for job in jobs.values():
        shipment.jobs.append(_job(space, job))
        _add_snapshots(space, job, shipment)
        if job.environment is not None and Digest(job.environment) not in shipment.documents:
            document = space.catalog.document(job.environment)
            if document is not None:
                shipment.documents[Digest(job.environment)] = document
    return shipment


def _job(space: ArtifactSpace, record: JobRecord) -> JobShipment:
    catalog = space.catalog
    return JobShipment(
        record,
        catalog.steps(record.id),
        [JobOutput(record.id, name, uid) for name, uid in catalog.outputs(record.id).items()],
        catalog.inputs(record.id),
        catalog.sources(record.id),
        catalog.metrics(record.id),
        list(_log(space, record.id)),
    )


def _log(space: ArtifactSpace, job: str) -> Iterator[LogLine]:
    after = 0
    while lines := space.catalog.log(job, after=after):
        yield from (line for _, line in lines)
        after = lines[-1][0]


def _add_snapshots(space: ArtifactSpace, job: JobRecord, shipment: Shipment) -> None:
    known = {snapshot.id for snapshot in shipment.snapshots}
    wanted = [*job.plugins.values(), *([] if job.entrypoint is None else [job.entrypoint])]
    for id in wanted:
        snapshot = None if id in known else space.catalog.snapshot(id)
        if snapshot is not None:
            from dataclasses import replace

            known.add(id)
            shipment.snapshots.append(replace(snapshot, files=space.catalog.files(id)))
