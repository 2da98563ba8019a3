"""Records from another workspace, written into this one: what is new, in one transaction.

Nothing that is here already is changed. Versions get the next numbers of their artifacts; tags and
names that are taken stay where they are, and are reported. What is recorded was made elsewhere and
counts as that: origin and seal stay as they are, so that pickles are not trusted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from findspot.artifacts.bundle_records import check_files, check_job, check_link, check_version
from findspot.artifacts.exchange import JobShipment, Shipment
from findspot.artifacts.plugin_handlers import PREFIX as PLUGIN
from findspot.artifacts.record_json import BadRecord
from findspot.artifacts.version import uri_of
from findspot.catalog.errors import NameTaken
from findspot.catalog.protocol import Batch, NewVersion
from findspot.core.digests import hash_bytes
from findspot.core.errors import Conflict, FindspotError
from findspot.core.records import (
    ENDED,
    Failure,
    JobUpdate,
    Link,
    Snapshot,
    VersionRecord,
    document_digest,
)
from findspot.plugins.source_files import files_digest

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_ATTEMPTS: Final = 5
STILL_RUNNING: Final = "StillRunning"
"""Type of the failure of a job that had not ended when its record travelled."""


class DifferentContent(Conflict):
    """A version's uid is in use here for other content."""

    def __init__(self, record: VersionRecord, found: VersionRecord) -> None:
        self.uid = record.uid
        super().__init__(
            f"The version is here already with other content (digest {found.digest}, not "
            f"{record.digest}); nothing was recorded.",
            where=uri_of(found),
            how="One of the two workspaces was tampered with. Verify both: findspot verify",
        )


class UnsoundRecord(FindspotError):
    """A record from elsewhere that no workspace would have written like this."""

    exit_code = 5

    def __init__(
        self, where: str, reason: str = "it does not have the digest of its content"
    ) -> None:
        self.reason = reason
        super().__init__(
            f"The record is unsound ({reason}); nothing was recorded.",
            where=where,
            how="Where it comes from, something was damaged or tampered with: findspot verify",
        )


@dataclass(slots=True)
class Arrival:
    """What was recorded.

    Args:
        numbers: uid to the number given here, of the versions that were new.
        known: uids of versions that were here already.
        conflicts: tags and names that were left out, and why, as sentences.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    known: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    jobs: int = 0
    links: int = 0
    signatures: int = 0


def record(space: ArtifactSpace, shipment: Shipment, *, refresh: bool) -> Arrival:
    """Record what is not here yet; the blobs must be stored already.

    Args:
        refresh: let jobs that had not ended when they came be brought up to date. Only for records
            that were read from a live workspace.

    Raises:
        UnsoundRecord, DifferentContent: nothing is recorded.
    """
    _check(shipment)
    dropped: set[str] = set()
    for _ in range(_ATTEMPTS):
        plan = _Plan(space, shipment, dropped, refresh)
        try:
            written = space.catalog.import_records(plan.batch)
        except NameTaken as error:
            dropped |= _named(plan.batch, error)
        else:
            break
    else:
        raise Conflict("Others give the same names again and again.", how="Try again.")
    if plan.later:
        space.catalog.write(plan.later)
    arrival = Arrival(
        numbers={new.record.uid: written[new.record.uid] for new in plan.batch.versions},
        known=tuple(plan.known),
        conflicts=tuple(plan.conflicts),
        jobs=len(plan.batch.jobs),
    )
    _add_annotations(space, shipment, arrival, refresh=refresh)
    return arrival


def _check(shipment: Shipment) -> None:
    """Names become keys here, and digests stand for contents everywhere: none is believed that
    another workspace wrote."""
    try:
        for new in shipment.versions:
            check_files(new.files, f"{new.record.uid}.files")
            check_version(new.record, new.files, new.record.uid)
        for job in shipment.jobs:
            check_job(job.record, job.record.id)
        for link in shipment.links:
            check_link(link, f"{link.version}.links")
    except BadRecord as error:
        raise UnsoundRecord(error.path, error.reason) from error
    for digest, document in shipment.documents.items():
        if hash_bytes(document) != digest:
            raise UnsoundRecord(f"document {digest}")
    for snapshot in shipment.snapshots:
        if snapshot.resource == "plugin":
            right = files_digest(snapshot.name, {f.path: f.digest for f in snapshot.files})
        else:
            right = document_digest(snapshot.body)
        if right != snapshot.digest:
            raise UnsoundRecord(f"{snapshot.resource} {snapshot.name}")


def _named(batch: Batch, error: NameTaken) -> set[str]:
    return {
        new.record.uid
        for new in batch.versions
        if (new.record.project, new.record.key, new.record.name)
        == (error.project, error.key, error.name)
    }


class _Plan:
    """The batch that records what is new, as the catalog is now."""

    def __init__(
        self, space: ArtifactSpace, shipment: Shipment, dropped: set[str], refresh: bool
    ) -> None:
        self._space = space
        self.batch = Batch()
        self.later = Batch()
        self.conflicts: list[str] = []
        # Before the versions: where somebody else brings the same ones now, their tags are no
        # conflict.
        self._tags = {
            (project, key): (
                space.catalog.tags(project, key),
                space.catalog.protected_tags(project, key),
            )
            for project, key in {
                (new.record.project, new.record.key) for new in shipment.versions if new.record.tags
            }
        }
        self.known = space.catalog.versions(new.record.uid for new in shipment.versions)
        for new in sorted(shipment.versions, key=_order):
            found = self.known.get(new.record.uid)
            if found is None:
                self.batch.versions.append(self._version(new, dropped))
            elif found.digest != new.record.digest:
                raise DifferentContent(new.record, found)
        jobs: list[JobShipment] = []
        for job in shipment.jobs:
            known = space.catalog.job(job.record.id)
            if known is None:
                jobs.append(job)
            elif refresh and known.failure and known.failure.type == STILL_RUNNING:
                self._bring_up_to_date(job)
        if jobs:
            ids = self._snapshots(shipment, jobs)
            self.batch.documents.update(shipment.documents)
            made = {
                uid
                for job in jobs
                for step in job.steps
                if not step.cached
                for uid in step.outputs.values()
            }
            here = space.catalog.versions(made)
            for job in jobs:
                self._job(_without_claims(job, here), ids)

    def _version(self, new: NewVersion, dropped: set[str]) -> NewVersion:
        record = replace(new.record, number=0)
        if record.handler.startswith(PLUGIN):
            # What loads it is code that came with it, which the seal says nothing of.
            record = replace(record, seal="")
        if record.uid in dropped:
            self.conflicts.append(
                f"{record.key}: the name {record.name!r} is taken by another version; the version "
                f"{record.uid} is here without a name of its own."
            )
            record = replace(record, name=None)
        if record.tags:
            here, protected = self._tags[record.project, record.key]
            for tag in record.tags:
                if tag in here:
                    where = f"stays on version {here[tag]}"
                elif tag in protected:
                    where = "is protected"
                else:
                    continue
                self.conflicts.append(
                    f"{record.key}: the tag {tag!r} {where}; move it if it should be on "
                    f"{record.uid}."
                )
            free = tuple(tag for tag in record.tags if tag not in here and tag not in protected)
            record = replace(record, tags=free)
        return NewVersion(record, new.files)

    # ------------------------------------------------------------------ jobs

    def _job(self, job: JobShipment, ids: Mapping[str, str]) -> None:
        batch, record = self.batch, job.record
        plugins = {name: ids.get(id, id) for name, id in record.plugins.items()}
        entrypoint = None if record.entrypoint is None else ids.get(record.entrypoint)
        record = replace(record, plugins=plugins, entrypoint=entrypoint or record.entrypoint)
        if record.status not in ENDED:
            failure = Failure(
                STILL_RUNNING, f"It was {record.status} elsewhere when its record came here."
            )
            record = replace(record, status="interrupted", failure=failure)
        batch.jobs.append(record)
        batch.steps += [
            replace(step, status="interrupted") if step.status in ("running", "pending") else step
            for step in job.steps
        ]
        batch.outputs += job.outputs
        batch.inputs += job.inputs
        batch.sources += job.sources
        batch.metrics += job.metrics
        batch.log += job.log

    def _bring_up_to_date(self, job: JobShipment) -> None:
        """Add what a job did after its record came here; what it did before is a prefix of it."""
        record, catalog, batch = job.record, self._space.catalog, self.later
        batch.metrics += job.metrics[len(catalog.metrics(record.id)) :]
        batch.inputs += job.inputs[len(catalog.inputs(record.id)) :]
        batch.sources += job.sources[len(catalog.sources(record.id)) :]
        lines = after = 0
        while page := catalog.log(record.id, after=after):
            lines += len(page)
            after = page[-1][0]
        batch.log += job.log[lines:]
        if record.status not in ENDED:
            return
        batch.outputs += job.outputs
        batch.steps += job.steps
        failure = record.failure
        if failure is None and record.status != "finished":
            failure = Failure("", f"It was {record.status}.")
        batch.updates.append(
            JobUpdate(
                id=record.id,
                expected=("interrupted",),
                status=record.status,
                ended=record.ended,
                failure=failure,
                params=record.params,
                artifacts=record.artifacts,
                labels=record.labels,
            )
        )

    # ------------------------------------------------------------------ snapshots

    def _snapshots(self, shipment: Shipment, jobs: list[JobShipment]) -> dict[str, str]:
        """Plan the snapshots that jobs need; ids there to ids here, where they differ."""
        needed = {id for job in jobs for id in job.record.plugins.values()}
        needed |= {job.record.entrypoint for job in jobs if job.record.entrypoint is not None}
        ids: dict[str, str] = {}
        for snapshot in sorted(shipment.snapshots, key=lambda s: s.number):
            if snapshot.id not in needed or self._space.catalog.snapshot(snapshot.id) is not None:
                continue
            equal = self._equal(snapshot, shipment.origin)
            if equal is not None:
                ids[snapshot.id] = equal.id
            else:
                self.batch.snapshots.append(self._placed(snapshot, shipment.origin))
        return ids

    def _equal(self, snapshot: Snapshot, origin: str) -> Snapshot | None:
        """One with the same content under the same name."""
        for project in (snapshot.project, _foreign_project(snapshot.project, origin)):
            known = self._space.catalog.snapshots(snapshot.resource, project, snapshot.name)
            for found in known:
                if found.digest == snapshot.digest:
                    return found
        return None

    def _placed(self, snapshot: Snapshot, origin: str) -> Snapshot:
        """Where a snapshot from elsewhere goes.

        Plugins are looked up by name, newest first, so code from elsewhere must never be the newest
        under a name of this project, not even of a plugin that is not here yet: the digest says
        which files it has, but not what the record claims to have found in them.
        """
        snapshot = replace(snapshot, number=0)
        names = self._space.catalog.snapshots(snapshot.resource, snapshot.project, snapshot.name)
        if snapshot.resource == "entrypoint" and not names:
            return snapshot
        return replace(snapshot, project=_foreign_project(snapshot.project, origin))


def _without_claims(job: JobShipment, here: Mapping[str, VersionRecord]) -> JobShipment:
    """The job without outputs that are versions of this workspace which another job made: records
    from elsewhere must not change where they came from."""

    def is_claim(uid: str) -> bool:
        found = here.get(uid)
        return found is not None and (found.producer is None or found.producer.job != job.record.id)

    steps = [
        step
        if step.cached or not any(map(is_claim, step.outputs.values()))
        else replace(step, outputs={n: u for n, u in step.outputs.items() if not is_claim(u)})
        for step in job.steps
    ]
    return replace(job, steps=steps)


def _foreign_project(project: str, origin: str) -> str:
    """Beside a project: where code of this name but another content is kept."""
    return f"{project[:80].strip()} from {origin}"


def _order(new: NewVersion) -> tuple[str, str, int]:
    return new.record.project, new.record.key, new.record.number


def _add_annotations(
    space: ArtifactSpace, shipment: Shipment, arrival: Arrival, *, refresh: bool
) -> None:
    """Links and signatures, of versions that were here before too.

    A signature by a key that signed the version here already stays, as does a link of a name that
    is in use, unless a newer one comes from a live workspace: a file must not be able to replace
    what vouches for a version.
    """
    catalog = space.catalog
    links: list[Link] = []
    for link in shipment.links:
        found = {known.name: known for known in catalog.links(link.version)}.get(link.name)
        newer = found is not None and found.time < link.time and found.target != link.target
        if found is None or (refresh and newer):
            links.append(link)
    if links:
        catalog.add_links(links)
    for signature in shipment.signatures:
        if signature.key not in {known.key for known in catalog.signatures(signature.version)}:
            catalog.add_signature(signature)
            arrival.signatures += 1
    arrival.links = len(links)
