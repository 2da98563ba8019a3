"""Who is at work: what a running job tells the artifacts layer, so that lineage is complete.

The engine sets it around a job and around each step. Saves then name their producer, and versions
that code loads by itself are recorded as inputs.
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from findspot.core.records import Producer, VersionRecord
from findspot.core.references import Reference

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


class Active(Protocol):
    """A running job, or a step of one."""

    @property
    def space(self) -> ArtifactSpace: ...

    @property
    def project(self) -> str: ...

    def producer(self) -> Producer: ...

    def resolved(self, reference: Reference, record: VersionRecord) -> None:
        """Take note that a reference, which may lead elsewhere one day, led to the version."""
        ...

    def read(self, record: VersionRecord) -> None:
        """Take note that the version was read."""
        ...

    def read_source(
        self,
        url: str,
        *,
        name: str,
        size: int | None,
        etag: str | None,
        digest: str | None,
        modified: datetime | None,
    ) -> None:
        """Take note that bytes from outside the workspace were read (`SourceRead` says what the
        arguments mean)."""
        ...


ACTIVE: ContextVar[Active | None] = ContextVar("findspot_active", default=None)
