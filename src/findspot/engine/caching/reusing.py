"""What steps made before, in this job or another one, and whether all of it is still there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from findspot.artifacts.saving import record_of
from findspot.catalog.protocol import NewVersion
from findspot.core.digests import Digest
from findspot.core.errors import NotFound
from findspot.core.records import CacheEntry, FileEntry, Producer, now
from findspot.core.references import parse_reference
from findspot.engine.calls import SavePlan
from findspot.engine.values import Saved
from findspot.graph.task_options import CachePolicy

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_MANY_STEPS = 2


def expired(made: datetime | None, seconds: float) -> bool:
    """Whether what was made then counts no more; what was made nobody knows when does not."""
    # Where the clock was set back since, it is of the future, which says nothing.
    return made is None or abs((now() - made).total_seconds()) > seconds


class Earlier:
    """The outputs of steps that need not run again.

    Args:
        project: of the job that asks.
        steps: how many steps that job has.
    """

    def __init__(self, space: ArtifactSpace, job: str, project: str, steps: int) -> None:
        self._space = space
        self._job = job
        self._project = project
        self._steps = steps
        self._entries: dict[str, CacheEntry] = {}
        self._asked: set[str] = set()

    def entry(self, key: str) -> CacheEntry | None:
        """What the key led to before. The first find in a job brings all other finds in it along:
        most jobs repeat another one as a whole, and asking once is much faster."""
        found = self._entries.get(key)
        if found is not None:
            return found
        found = self._space.catalog.cached(key)
        if found is not None and found.job not in self._asked and self._steps > _MANY_STEPS:
            self._asked.add(found.job)
            self._entries.update(self._space.catalog.cached_in(found.job))
        return found

    def outputs(
        self,
        entry: CacheEntry,
        step: str,
        saves: tuple[SavePlan, ...],
        policy: CachePolicy | None,
    ) -> dict[str, Saved] | None:
        """The outputs of an equal step under the names and keys of ``saves``; None where some of
        them or of what it logged, or their bytes, are gone, where they are too old, or where what
        its code loaded by itself is not the same any more."""
        if not entry.complete or any(save.name not in entry.outputs for save in saves):
            return None
        limit = None if policy is None else policy.expires
        if limit is not None and expired(self._oldest(entry), limit):
            return None
        logged = entry.logged.get("outputs")
        if logged and self.versions(logged) is None:
            return None
        if not self._resolves(entry.logged.get("resolved", {})):
            return None
        files: dict[str, tuple[FileEntry, ...]] = {}
        if entry.in_store:
            for save in saves:
                files[save.name] = self._space.catalog.files(entry.outputs[save.name].uid)
            if not self._stored(files):
                return None
        made: dict[str, Saved] = {}
        for save in saves:
            saved = Saved(entry.outputs[save.name], files.get(save.name))
            if saved.record.key != save.key or saved.record.project != self._project:
                twin = self._renamed(saved, save, step)
                saved = Saved(twin.record, twin.files)
            made[save.name] = saved
        return made

    def _oldest(self, entry: CacheEntry) -> datetime | None:
        """When the first of its outputs was made; of a step without any, when its job began."""
        if entry.outputs:
            return min(version.created for version in entry.outputs.values())
        job = self._space.catalog.job(entry.job)
        return None if job is None else job.created

    def versions(self, outputs: Mapping[str, str]) -> dict[str, Saved] | None:
        """Versions by their uids; None where one of them, or its bytes, are gone."""
        found = self._space.catalog.versions(outputs.values())
        if len(found) != len(set(outputs.values())):
            return None
        files = self._space.catalog.files_of(found)
        if not self._stored(files):
            return None
        return {name: Saved(found[uid], files[uid]) for name, uid in outputs.items()}

    def _resolves(self, references: Mapping[str, str]) -> bool:
        """Whether each of the references leads to the same content as before."""
        return all(leads_to(self._space, text) == found for text, found in references.items())

    def _renamed(self, saved: Saved, save: SavePlan, step: str) -> NewVersion:
        """A version of the same bytes under another key."""
        found = saved.record
        files = saved.files
        if files is None:
            files = self._space.catalog.files(found.uid)
        return record_of(
            self._space,
            files,
            save.key,
            project=self._project,
            handler_name=found.handler,
            handler_args=found.handler_args,
            python_type=found.python_type,
            kind=save.kind or found.kind,
            metadata=found.metadata,
            preview=found.preview,
            producer=Producer(self._job, step, save.name),
        )

    def _stored(self, files: Mapping[str, tuple[FileEntry, ...]]) -> bool:
        digests: set[Digest] = {
            entry.digest for entries in files.values() for entry in entries if entry.inline is None
        }
        return not digests or not self._space.store.missing(digests)


def leads_to(space: ArtifactSpace, reference: str) -> Digest | None:
    """The digest of the content that a reference leads to now; None where there is none."""
    try:
        return space.resolve(parse_reference(reference)).digest
    except NotFound:
        return None
