"""`ArtifactSpace`: a catalog, a blob store, handlers and settings, working as one.

This is the part of a workspace that knows nothing of jobs; `findspot.Workspace` adds those.
"""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.folders import WorkspaceLoadFolder
from findspot.artifacts.loading import code_of, load_folder, load_version
from findspot.artifacts.location import storage_error
from findspot.artifacts.opening import OpenedWorkspace
from findspot.artifacts.options import (
    check_glob,
    check_kind,
    check_label_changes,
    check_labels,
    check_save,
)
from findspot.artifacts.saving import prepare
from findspot.artifacts.version import ArtifactVersion
from findspot.artifacts.views import copy_file
from findspot.catalog.protocol import ANY_VERSION, Batch, NewVersion
from findspot.core.errors import Conflict, FindspotError, InvalidReference, NotFound
from findspot.core.names import check_file_path, check_key, check_name, check_tag
from findspot.core.records import FileEntry, Lineage, TagEvent, VersionQuery, VersionRecord
from findspot.core.references import Reference, parse_reference
from findspot.handlers import (
    Handler,
    HandlerRegistry,
)

if TYPE_CHECKING:
    from findspot.artifacts.verify import VerifyReport
    from findspot.handlers.protocol import ArtifactHandler

ArtifactLike = str | Reference | UUID | ArtifactVersion


class Listing(list[ArtifactVersion]):
    """Versions, newest first; `next` is the cursor of the next page, None on the last."""

    def __init__(self, items: Iterable[ArtifactVersion], next: str | None) -> None:
        super().__init__(items)
        self.next = next


class ArtifactSpace(OpenedWorkspace):
    """One workspace's artifacts: save, load, list, tag, trace.

    See `OpenedWorkspace` for how it is found, opened and closed.
    """

    # ------------------------------------------------------------------ save

    def save_artifact(
        self,
        value: Any,
        key: str,
        *,
        kind: str | None = None,
        labels: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        version: str | None = None,
        handler: str | type | ArtifactHandler | None = None,
        handler_args: Mapping[str, Any] | None = None,
        project: str | None = None,
        iteration: int = 0,
    ) -> ArtifactVersion:
        """Save a value as the next version of an artifact.

        When it returns, the version is recorded whole and survives the death of the process; when
        it raises, nothing is recorded.

        Args:
            value: anything a handler takes; a `pathlib.Path` stands for the file or folder there.
            key: the artifact's name in its project; may hold ``/``.
            kind: one of the kinds; None: what the handler says.
            labels: names and values to search by.
            tags: movable names to set on the version.
            metadata: plain JSON values beside those that the handler finds.
            version: a name of the version's own, new for this artifact.
            handler: save with this one rather than the one for the value's type.
            handler_args: keyword arguments of the handler's ``save``.
            iteration: number of a child run, 0 for none.

        Raises:
            InvalidName, CheckFailed: a name, label or other option is wrong.
            NoHandler: no handler takes the value; the error lists what was tried.
            HandlerFailed: the handler raised.
            Conflict: the version's name is taken.
            StorageFull, ReadOnly: the workspace cannot take it.
        """
        new = self.prepare(
            value,
            key,
            kind=kind,
            labels=labels,
            tags=tags,
            metadata=metadata,
            version=version,
            handler=handler,
            handler_args=handler_args,
            project=project,
            iteration=iteration,
        )
        return self._recorded([new])[0]

    def save_artifacts(
        self, items: Iterable[tuple[Any, str]], **options: Any
    ) -> list[ArtifactVersion]:
        """Save many (value, key) pairs, all or none, in one transaction; see `save_artifact`."""
        return self._recorded([self.prepare(value, key, **options) for value, key in items])

    def prepare(
        self,
        value: Any,
        key: str,
        *,
        kind: str | None = None,
        labels: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        version: str | None = None,
        handler: str | type | ArtifactHandler | None = None,
        handler_args: Mapping[str, Any] | None = None,
        project: str | None = None,
        iteration: int = 0,
    ) -> NewVersion:
        """Store the bytes of a value, but record nothing yet; arguments as `save_artifact`."""
        checked = check_save(
            value=value,
            key=key,
            kind=kind,
            labels=labels,
            tags=tags,
            metadata=metadata,
            name=version,
            iteration=iteration,
            handler_args=handler_args,
        )
        active = ACTIVE.get()
        return prepare(
            self,
            value,
            checked.key,
            project=self._project(project),
            handler=self.handler_for(value, handler),
            handler_args=handler_args or {},
            kind=kind,
            labels=checked.labels,
            tags=checked.tags,
            metadata=metadata,
            name=checked.name,
            iteration=iteration,
            producer=None if active is None else active.producer(),
        )

    def handler_for(
        self, value: Any, handler: str | type | ArtifactHandler | None = None
    ) -> ArtifactHandler:
        """The handler that saves a value: the given one, or the one for its type."""
        if handler is None:
            return self.handlers.for_value(value)
        if isinstance(handler, str):
            return self.handlers.by_name(handler)
        return self._given_handler(handler)

    def _given_handler(self, handler: type | ArtifactHandler) -> ArtifactHandler:
        """A handler given with one save: it loads what it saved, but takes no other values."""
        given = self._given.get(handler)
        if given is None:
            # Not registered with the others: it would then be the one for its types from now on.
            given = HandlerRegistry(builtins=False, plugins=False).register(handler)
            if isinstance(given, Handler):
                given.registry = self.handlers
            self._given[handler] = self._given_by_name[given.name] = given
        return given

    @cached_property
    def _given(self) -> dict[type | ArtifactHandler, ArtifactHandler]:
        return {}

    @cached_property
    def _given_by_name(self) -> dict[str, ArtifactHandler]:
        return {}

    def _recorded(self, new: list[NewVersion]) -> list[ArtifactVersion]:
        numbers = self.catalog.write(Batch(versions=new))
        for item in new:
            # Nobody else has seen these records yet, and a copy of each costs as much as its hash,
            # seal and uid together.
            object.__setattr__(item.record, "number", numbers[item.record.uid])
        return [ArtifactVersion(self, item.record, item.files) for item in new]

    # ------------------------------------------------------------------ load

    def load_artifact(
        self,
        artifact: ArtifactLike,
        version: int | str | None = None,
        *,
        project: str | None = None,
        trust: bool = False,
        as_type: type | str | None = None,
        **part: Any,
    ) -> Any:
        """Load a value: `get_artifact` and `ArtifactVersion.load` in one."""
        found = self.get_artifact(artifact, version, project=project)
        return found.load(trust=trust, as_type=as_type, **part)

    def get_artifact(
        self,
        artifact: ArtifactLike,
        version: int | str | None = None,
        *,
        project: str | None = None,
    ) -> ArtifactVersion:
        """The record of one version.

        Args:
            artifact: a key, ``key:tag``, a ``store://`` reference, or a uid.
            version: a number, a tag, or a version's name; None: the newest.

        Raises:
            InvalidReference: the text is no reference.
            NotFound: names what is missing and the nearest keys there are.
        """
        if isinstance(artifact, ArtifactVersion):
            if version is None and artifact.is_of(self):
                return artifact
            artifact = Reference(uid=artifact.uid) if version is None else artifact.artifact
        if isinstance(artifact, UUID):
            artifact = str(artifact)
        reference = artifact if isinstance(artifact, Reference) else parse_reference(artifact)
        return ArtifactVersion(self, self.resolve(reference, version, project=project))

    def resolve(
        self,
        reference: Reference,
        version: int | str | None = None,
        *,
        project: str | None = None,
    ) -> VersionRecord:
        """The record that a reference points to now."""
        if type(version) not in (int, str, type(None)):
            raise FindspotError(
                f"{version!r} is no version.", how="Give a number, a tag, or a version's name."
            )
        if reference.uid is not None:
            found = self.existing_catalog.version(reference.uid)
            if found is None or not _fits(found, reference, version):
                raise NotFound("version", str(reference))
            return found
        if reference.key is None:
            raise InvalidReference("", "it names neither a key nor a uid")
        if version is not None and reference.version is not None:
            raise FindspotError(
                f"The version is given twice: {reference.version!r} and {version!r}.",
                where=str(reference),
                how="Leave one of them out.",
            )
        where = self._project(project if reference.project is None else reference.project)
        wanted = reference.version if version is None else version
        if isinstance(wanted, str):
            wanted = unicodedata.normalize("NFC", wanted)
        elif wanted is not None and not 0 < wanted < 1 << 63:
            raise self._not_found(where, reference, wanted)
        record = self.existing_catalog.find_version(
            where, reference.key, wanted, kind=reference.kind, iteration=reference.iteration
        )
        if record is None:
            raise self._not_found(where, reference, wanted)
        active = ACTIVE.get()
        if active is not None:
            text = None if wanted is None else str(wanted)
            active.resolved(replace(reference, project=where, version=text), record)
        return record

    def _not_found(self, project: str, reference: Reference, wanted: int | str | None) -> NotFound:
        catalog = self.existing_catalog
        key = reference.key or ""
        existing = catalog.find_version(project, key)
        if existing is None:
            near = catalog.keys(project, near=key, limit=3)
            projects = catalog.projects()
            if project != self.project and project not in projects:
                close = difflib.get_close_matches(project, projects, 5)
                return NotFound("project", project, near=close or projects[:5])
            return NotFound("artifact", f"{project}/{key}", near=near)
        tags = ", ".join(catalog.tags(project, key)) or "none"
        shown = Reference(
            key=key,
            project=None if reference.kind is None else project,
            kind=reference.kind,
            iteration=reference.iteration,
            version="latest" if wanted is None else str(wanted),
        )
        return NotFound(
            "version",
            str(shown),
            how=f"The artifact {key!r} has versions up to {existing.number} "
            f"(kind {existing.kind}); its tags: {tags}.",
        )

    def load_version(
        self,
        record: VersionRecord,
        files: tuple[FileEntry, ...],
        *,
        trust: bool = False,
        as_type: type | str | None = None,
        part: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value of a version; nothing is noted in any lineage. See `ArtifactVersion.load`."""
        return load_version(self, record, files, trust=trust, as_type=as_type, part=part)

    def load_folder(
        self, record: VersionRecord, files: tuple[FileEntry, ...], *, trust: bool = False
    ) -> WorkspaceLoadFolder:
        """The files of a version, as handlers get them."""
        return load_folder(self, record, files, trust=trust)

    def handler_by_name(self, name: str) -> ArtifactHandler:
        """A handler that was given with a save in this process, or a registered one."""
        return self._given_by_name.get(name) or self.handlers.by_name(name)

    # ------------------------------------------------------------------ list, label, tag, delete

    def list_artifacts(
        self,
        *,
        kind: str | None = None,
        name: str | None = None,
        labels: Mapping[str, Any] | None = None,
        tag: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        job: str | None = None,
        step: str | None = None,
        latest: bool = False,
        project: str | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Listing:
        """Versions that fit all of the given conditions, newest first.

        Args:
            name: a key, or a glob (``sam*``).
            since, until: created at or after, and before (naive times are local).
            job, step: made by them.
            latest: only the newest version of each artifact.
            project: None: the current one.
            tag: ``latest`` is the same as ``latest=True``.
            limit: at most so many (from 1 up); `Listing.next` is the cursor of the rest.

        Raises:
            CheckFailed, InvalidName: a condition cannot be.
            NoWorkspace: there is no workspace to look in.
        """
        if type(limit) is not int or limit < 1:
            raise FindspotError(f"A page of {limit!r} versions cannot be.", how="Say 1 or more.")
        page = self.existing_catalog.search_versions(
            VersionQuery(
                project=self._project(project),
                key=check_glob(name),
                kind=check_kind(kind),
                labels=check_labels(labels),
                tag=None if tag is None or tag == "latest" else check_tag(tag),
                since=moment(since, "since"),
                until=moment(until, "until"),
                job=job,
                step=step,
                latest_only=latest or tag == "latest",
                limit=limit,
                cursor=cursor,
            )
        )
        return Listing((ArtifactVersion(self, record) for record in page.items), page.next)

    def tag(
        self,
        artifact: ArtifactLike,
        tag: str,
        *,
        version: int | str | None = None,
        expected: int | Any | None = ANY_VERSION,
        project: str | None = None,
        force: bool = False,
    ) -> TagEvent:
        """Set or move a tag to a version.

        Args:
            expected: move it only if it is on this version's number now (None: on none);
                `Conflict` if not.
            force: move it even if it is protected.
        """
        found = self.get_artifact(artifact, version, project=project)
        return self.existing_catalog.set_tag(
            found.project,
            found.key,
            check_tag(tag),
            found.version,
            expected=expected,
            owner=self.owner,
            force=force,
        )

    def untag(
        self, key: str, tag: str, *, project: str | None = None, force: bool = False
    ) -> TagEvent:
        """Take a tag off, with ``force`` a protected one too; `NotFound` where it is not set."""
        where, key, tag = self._project(project), check_key(key), check_tag(tag)
        tags = self.existing_catalog.tags(where, key)
        if tag not in tags:
            raise NotFound("tag", f"{key}:{tag}", near=list(tags)[:5])
        return self.catalog.set_tag(where, key, tag, None, owner=self.owner, force=force)

    def tag_history(self, key: str, tag: str, *, project: str | None = None) -> list[TagEvent]:
        """All moves of a tag, oldest first."""
        return self.existing_catalog.tag_history(
            self._project(project), check_key(key), check_tag(tag)
        )

    def set_labels(self, artifact: ArtifactLike, labels: Mapping[str, Any]) -> ArtifactVersion:
        """Set labels of a version (a value of None takes one off); the version as it is then."""
        changes = check_label_changes(labels)
        found = self.get_artifact(artifact)
        self.existing_catalog.set_labels(found.uid, changes)
        return self.get_artifact(found.uid)

    def delete_version(
        self,
        artifact: ArtifactLike,
        version: int | str | None = None,
        *,
        project: str | None = None,
        force: bool = False,
    ) -> bool:
        """Forget one version, with ``force`` also one that a protected tag is on.

        Its bytes stay until the collector finds that nothing needs them.
        """
        return self.existing_catalog.delete_version(
            self.get_artifact(artifact, version, project=project).uid, force=force
        )

    def delete_artifact(self, key: str, *, project: str | None = None, force: bool = False) -> int:
        """Forget an artifact with all its versions; how many there were. ``force`` as for
        `delete_version`."""
        where, key = self._project(project), check_key(key)
        count = self.existing_catalog.delete_artifact(where, key, force=force)
        if count == 0:
            raise NotFound(
                "artifact", f"{where}/{key}", near=self.catalog.keys(where, near=key, limit=3)
            )
        return count

    def lineage(
        self,
        artifact: ArtifactLike,
        direction: Literal["upstream", "downstream"] = "upstream",
        *,
        depth: int | None = None,
    ) -> Lineage:
        """Everything that a version came from, or that was made from it."""
        if direction not in ("upstream", "downstream"):
            raise FindspotError(
                f"{direction!r} is no direction of a lineage.", how="Say upstream or downstream."
            )
        return self.existing_catalog.lineage(
            self.get_artifact(artifact).uid, direction, depth=depth
        )

    def trust_version(self, artifact: ArtifactLike) -> ArtifactVersion:
        """Let a version from elsewhere be loaded from now on, even if that may run code."""
        found = self.get_artifact(artifact)
        self.trust.trust(found.record, code_of(self, found.record))
        return found

    def download(
        self,
        artifact: ArtifactLike,
        folder: str | os.PathLike[str],
        *,
        version: int | str | None = None,
        replace: bool = False,
        project: str | None = None,
    ) -> list[Path]:
        """Write a version's files, verified, into a folder as copies of the user's own.

        Args:
            folder: made where it is not there.
            replace: overwrite files that are there; without it they are an error, and nothing is
                written.

        Returns:
            the paths written, sorted.
        """
        found = self.get_artifact(artifact, version, project=project)
        source = self.load_folder(found.record, found.files)
        targets = {f.path: Path(folder) / check_file_path(f.path) for f in found.files}
        taken = [str(path) for path in targets.values() if os.path.lexists(path)]
        if taken and not replace:
            raise Conflict(
                f"There is already {', '.join(taken[:5])}.",
                where=found.uri,
                how="Choose another folder, or say that files may be replaced (--force).",
            )
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            for entry in found.files:
                copy_file(source, entry, targets[entry.path])
        except OSError as error:
            place = os.fspath(error.filename or folder)
            raise storage_error(error, place, "The folder") from error
        return sorted(targets.values())

    def verify(
        self,
        artifact: ArtifactLike | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> VerifyReport:
        """Read every byte of a version, or of the whole workspace, and compare it with its digest.

        Args:
            progress: called with the bytes read so far and the bytes in all.
        """
        from findspot.artifacts.verify import verify

        versions = None if artifact is None else [self.get_artifact(artifact)]
        return verify(self, versions, progress=progress)

    def projects(self) -> list[str]:
        """The names of all projects, sorted."""
        return self.existing_catalog.projects()

    def add_project(self, name: str) -> bool:
        """Create a project ahead of its first artifact; False where it exists."""
        return self.catalog.add_project(check_name(name, "project name"))

    def iterate(self, **conditions: Any) -> Iterator[ArtifactVersion]:
        """All versions that `list_artifacts` would list, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_artifacts(**conditions, cursor=cursor)
            yield from page
            if page.next is None:
                return
            cursor = page.next


def _fits(record: VersionRecord, reference: Reference, version: int | str | None) -> bool:
    """Whether a version found by its uid is what the rest of the reference says of it.

    A tag is not asked for: it may have moved since the reference was written.
    """
    wanted = reference.version if version is None else str(version)
    number = wanted is not None and wanted.isascii() and wanted.isdigit()
    return (
        reference.key in (None, record.key)
        and reference.project in (None, record.project)
        and reference.kind in (None, record.kind)
        and reference.iteration in (None, record.iteration)
        and (not number or wanted == str(record.number))
    )


def moment(time: Any, name: str) -> datetime | None:
    """A condition of a search that is a time, with its zone; ``name`` is the condition's."""
    if time is not None and not isinstance(time, datetime):
        raise FindspotError(
            f"{time!r} is no time.", where=name, how="Give a datetime.datetime (naive: local)."
        )
    return None if time is None else time.astimezone()
