"""`ExternalArtifact`: an input of a pipeline that no step of it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from findspot.core.errors import FindspotError, NotFound
from findspot.core.ids import is_uid
from findspot.core.references import Reference, parse_reference

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import VersionRecord


class _Absent:
    def __repr__(self) -> str:
        return "<none given>"


_ABSENT: Final = _Absent()


class BadExternalArtifact(FindspotError):
    """An `ExternalArtifact` says too little, or too much."""

    exit_code = 2


@dataclass(frozen=True, slots=True, eq=False)
class ExternalArtifact:
    """An artifact from outside, as a value of a pipeline's parameter or of a task in a pipeline.

    It is fixed to one version when the job is created, and that version is in the lineage of all
    that is made from it.

    Args:
        value: any value; saved as an artifact when the job is created, or, where its bytes are
            those of the newest version, that version is taken.
        id: a version's uid.
        name: an artifact's key, or a ``store://`` reference.
        version: a number, a tag or a version's name; None: the newest.
        pipeline: only versions that jobs of this pipeline (or entrypoint) made.
        project: where ``name`` is looked for; None: in the job's project.
        key: under which ``value`` is saved; None: ``<pipeline>/<parameter>``.
        handler: saves ``value``; None: the one for its type.
        metadata, preview: False: nothing of the sort is made of ``value``.

    Raises:
        BadExternalArtifact: not exactly one of value, id and name is given.
    """

    value: Any = field(default=_ABSENT)
    id: str | None = None
    name: str | None = None
    version: int | str | None = None
    pipeline: str | None = None
    project: str | None = None
    key: str | None = None
    handler: str | type | None = None
    metadata: bool = True
    preview: bool = True

    __findspot_external__: ClassVar[bool] = True

    def __post_init__(self) -> None:
        given = [
            name
            for name, has in (
                ("value", self.has_value),
                ("id", self.id is not None),
                ("name", self.name is not None),
            )
            if has
        ]
        if len(given) != 1:
            raise BadExternalArtifact(
                f"An ExternalArtifact takes one of value, id and name, not {len(given)} of them"
                + (f" ({', '.join(given)})." if given else "."),
                how="Write ExternalArtifact(array), ExternalArtifact(id=uid), or "
                "ExternalArtifact(name=key, version=3).",
            )
        if self.version is not None and self.name is None:
            raise BadExternalArtifact(
                "An ExternalArtifact takes a version only with a name.",
                how="Write ExternalArtifact(name=key, version=3).",
            )
        if self.pipeline is not None and (self.name is None or self.version is not None):
            raise BadExternalArtifact(
                "An ExternalArtifact takes a pipeline only with a name, and without a version.",
                how="Write ExternalArtifact(name=key, pipeline=name): the newest that it made.",
            )
        if self.id is not None and not is_uid(str(self.id)):
            raise BadExternalArtifact(
                f"{self.id!r} is no uid of a version.",
                how="A uid is printed by `findspot artifact show`; for a key write name=.",
            )

    @property
    def has_value(self) -> bool:
        """Whether it brings a value rather than naming a version."""
        return self.value is not _ABSENT

    def find(self, space: ArtifactSpace, project: str) -> VersionRecord:
        """The version that it names now.

        Raises:
            NotFound: there is none.
        """
        if self.id is not None:
            return space.resolve(Reference(uid=str(self.id)))
        assert self.name is not None
        if self.pipeline is not None:
            return self._made_by_pipeline(space, self.name, self.pipeline, project)
        return space.resolve(
            parse_reference(self.name), self.version, project=self.project or project
        )

    def _made_by_pipeline(
        self, space: ArtifactSpace, key: str, pipeline: str, project: str
    ) -> VersionRecord:
        newest = space.resolve(parse_reference(key), project=self.project or project)
        for version in space.iterate(name=newest.key, project=newest.project):
            producer = version.producer
            job = None if producer is None else space.catalog.job(producer.job)
            if job is not None and job.name == pipeline:
                return version.record
        raise NotFound(
            "version",
            f"{newest.key} made by {pipeline}",
            how=f"No job of the pipeline {pipeline!r} made a version of {newest.key!r}.",
        )
