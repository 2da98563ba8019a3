"""What a job made, by names that are the same when it runs again."""

from __future__ import annotations

from collections.abc import Mapping

from findspot.artifacts.version import ArtifactVersion
from findspot.core.records import VersionQuery, VersionRecord
from findspot.engine.jobs import Job
from findspot.provenance.reproduction import OutputComparison

_PAGE = 200


def made_by(job: Job) -> dict[str, ArtifactVersion]:
    """Every version that came out of a job: its outputs by name, those of its steps as
    ``step.output``, and what else was saved while it ran by key (a second time as ``key (2)``)."""
    found: dict[str, ArtifactVersion] = {}
    seen: set[str] = set()
    for name, version in job.outputs.items():
        found[name] = version
        seen.add(version.uid)
    for step in job.steps.values():
        for output, version in step.outputs.items():
            if version.uid not in seen:
                found[f"{step.name}.{output}"] = version
                seen.add(version.uid)
    # What the job was given by value was saved for it, not by it.
    seen |= set(job.record.artifacts.values())
    for record in _saved(job):
        if record.uid in seen:
            continue
        name, count = record.key, 1
        while name in found:
            count += 1
            name = f"{record.key} ({count})"
        found[name] = ArtifactVersion(job.space, record)
    return found


def first_different(job: Job, outputs: Mapping[str, OutputComparison]) -> tuple[str, ...]:
    """The steps of a recorded job whose outputs are others now, though the versions that they were
    given are not."""
    by_uid = {version.uid: outputs[name] for name, version in made_by(job).items()}

    def differs(uids: list[str]) -> bool:
        same = ("identical", "equal")
        return any(uid in by_uid and by_uid[uid].outcome not in same for uid in uids)

    return tuple(
        step.name
        for step in job.steps.values()
        if differs([*step.record.outputs.values()]) and not differs([*step.record.inputs.values()])
    )


def _saved(job: Job) -> list[VersionRecord]:
    found: list[VersionRecord] = []
    cursor: str | None = None
    while True:
        page = job.space.catalog.search_versions(
            VersionQuery(job=job.id, limit=_PAGE, cursor=cursor)
        )
        found += page.items
        if page.next is None:
            return sorted(found, key=lambda record: (record.created, record.uid))
        cursor = page.next
