"""`ArtifactSpace`: a catalog, a blob store, handlers and settings, working as one.

This is the part of a workspace that knows nothing of jobs; `findspot.Workspace` adds those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.folders import FolderView, WorkspaceLoadFolder, copy_file
from findspot.artifacts.location import create, locate
from findspot.artifacts.saving import check_options, prepare
from findspot.artifacts.settings import FILE_NAME, Settings, login_name
from findspot.artifacts.trust import Trust, UntrustedVersion
from findspot.artifacts.version import ArtifactVersion, uri_of
from findspot.catalog.protocol import ANY_VERSION, Batch, NewVersion
from findspot.core.errors import FindspotError, NotFound
from findspot.core.ids import new_uid
from findspot.core.names import check_key, check_name, check_tag
from findspot.core.records import FileEntry, Lineage, TagEvent, VersionQuery, VersionRecord
from findspot.core.references import Reference, parse_reference
from findspot.handlers import HandlerFailed, default_registry

if TYPE_CHECKING:
    from findspot.artifacts.verify import VerifyReport
    from findspot.catalog.protocol import Catalog
    from findspot.handlers.protocol import ArtifactHandler
    from findspot.store.protocol import BlobStore

ArtifactLike = str | Reference | UUID | ArtifactVersion


class Listing(list[ArtifactVersion]):
    """Versions, newest first; `next` is the cursor of the next page, None on the last."""

    def __init__(self, items: Iterable[ArtifactVersion], next: str | None) -> None:
        super().__init__(items)
        self.next = next


class ArtifactSpace:
    """One workspace's artifacts: save, load, list, tag, trace.

    Opening reads two small files; the catalog and the store open when they are first used. An
    object may be shared by threads, and survives a fork.

    Args:
        url: a folder, ``file:///folder`` or ``postgresql://...?store=...``; None: found by
            ``FINDSPOT_WORKSPACE`` or by walking up from the current folder.
        settings: override what the settings file and the environment say.

    Raises:
        BadSettings, FormatTooNew, BadWorkspaceUrl
    """

    def __init__(self, url: str | os.PathLike[str] | None = None, **settings: Any) -> None:
        location = locate(url, os.environ)
        self.folder: Path = location.folder
        """The workspace's folder on this machine."""
        file = self.folder / FILE_NAME
        self.settings: Settings = Settings.read(
            file if file.is_file() else None, {**location.overrides, **settings}, os.environ
        )
        self.trust = Trust(self.folder)
        self.handlers = default_registry().copy()
        self._url = os.environ.get("FINDSPOT_WORKSPACE") if url is None else os.fspath(url)
        self._overrides = {**settings}

    # ------------------------------------------------------------------ parts

    @property
    def url(self) -> str:
        """What opens this workspace again, also from another process."""
        return self._url if self._url and "://" in self._url else str(self.folder)

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The settings that were given as arguments."""
        return self._overrides

    @cached_property
    def catalog(self) -> Catalog:
        from findspot.catalog import open_catalog

        self._ensure_folder()
        prefix, url = "sqlite:///", self.settings.catalog
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            url = f"{prefix}{self.folder / url.removeprefix(prefix)}"
        return open_catalog(url)

    @cached_property
    def store(self) -> BlobStore:
        from findspot.store import open_store

        self._ensure_folder()
        url = self.settings.store
        if "://" not in url:
            url = str(self.folder / url)
        return open_store(url, durable=self.settings.durable)

    @cached_property
    def id(self) -> str:
        """The workspace's id, the same for everybody who uses it."""
        found = self.catalog.setting("workspace")
        if found is None:
            found = self.catalog.setting("workspace", new_uid())
        assert found is not None
        return found

    @cached_property
    def owner(self) -> str:
        return self.settings.owner or login_name()

    @property
    def project(self) -> str:
        """The current project: of the running job, or of the settings."""
        active = ACTIVE.get()
        return self.settings.project if active is None else active.project

    def init(self, *, project: str | None = None) -> bool:
        """Make the workspace's folder and catalog now; False where it exists already.

        Args:
            project: written into the new settings as the project where none is named.
        """
        if project is not None:
            check_name(project, "project name")
        made = create(self.folder, project)
        self.catalog.add_project(project or self.settings.project)
        return made

    def close(self) -> None:
        """Close what is open; the object may be used again afterwards."""
        if "catalog" in self.__dict__:
            self.catalog.close()
            del self.__dict__["catalog"]

    def __enter__(self) -> ArtifactSpace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def _ensure_folder(self) -> None:
        if not (self.folder / FILE_NAME).exists() and create(self.folder):
            sys.stderr.write(f"Made a new Findspot workspace in {self.folder}\n")

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
        labelled = tuple(tags) if not isinstance(tags, str) else (tags,)
        key, texts = check_options(
            key=key,
            kind=kind,
            labels=labels,
            tags=labelled,
            metadata=metadata,
            name=version,
            iteration=iteration,
        )
        active = ACTIVE.get()
        return prepare(
            self,
            value,
            key,
            project=self._project(project),
            handler=self.handler_for(value, handler),
            handler_args=handler_args or {},
            kind=kind,
            labels=texts,
            tags=labelled,
            metadata=metadata,
            name=version,
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
        if isinstance(handler, type):
            return self.handlers.register(handler)
        return handler

    def _recorded(self, new: list[NewVersion]) -> list[ArtifactVersion]:
        from dataclasses import replace

        numbers = self.catalog.write(Batch(versions=new))
        return [
            ArtifactVersion(self, replace(item.record, number=numbers[item.record.uid]), item.files)
            for item in new
        ]

    # ------------------------------------------------------------------ load

    def load_artifact(
        self,
        artifact: ArtifactLike,
        version: int | str | None = None,
        *,
        project: str | None = None,
        trust: bool = False,
    ) -> Any:
        """Load a value: `get_artifact` and `ArtifactVersion.load` in one."""
        return self.get_artifact(artifact, version, project=project).load(trust=trust)

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
            return artifact
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
        if reference.uid is not None:
            record = self.catalog.version(reference.uid)
            if record is None or (reference.key is not None and reference.key != record.key):
                raise NotFound("version", str(reference))
            return record
        assert reference.key is not None
        if version is not None and reference.version is not None:
            raise FindspotError(
                f"The version is given twice: {reference.version!r} and {version!r}.",
                where=str(reference),
                how="Leave one of them out.",
            )
        where = self._project(project if reference.project is None else reference.project)
        wanted = reference.version if version is None else version
        record = self.catalog.find_version(
            where, reference.key, wanted, kind=reference.kind, iteration=reference.iteration
        )
        if record is not None:
            return record
        existing = self.catalog.find_version(where, reference.key)
        if existing is None:
            near = self.catalog.keys(where, near=reference.key, limit=3)
            if where != self.project and where not in self.catalog.projects():
                raise NotFound("project", where, near=self.catalog.projects()[:5])
            raise NotFound("artifact", f"{where}/{reference.key}", near=near)
        tags = ", ".join(self.catalog.tags(where, reference.key)) or "none"
        raise NotFound(
            "version",
            f"{reference.key}:{wanted or 'latest'}",
            how=f"The artifact {reference.key!r} has versions up to {existing.number} "
            f"(kind {existing.kind}); its tags: {tags}.",
        )

    def load_version(
        self, record: VersionRecord, files: tuple[FileEntry, ...], *, trust: bool = False
    ) -> Any:
        """The value of a version; nothing is noted in any lineage."""
        handler = self._handler_of(record)
        folder = self.load_folder(record, files, trust=trust)
        if not handler.safe and not folder.trusted:
            raise UntrustedVersion(uri_of(record), record.handler, record.origin)
        try:
            return handler.load(folder, **record.handler_args)
        except FindspotError:
            raise
        except Exception as error:
            raise HandlerFailed(handler.name, "load", error) from error

    def load_folder(
        self, record: VersionRecord, files: tuple[FileEntry, ...], *, trust: bool = False
    ) -> WorkspaceLoadFolder:
        """The files of a version, as handlers get them."""
        producer = record.producer
        remedy = (
            "It was saved by hand; save it again, or restore the workspace from a backup."
            if producer is None
            else f"Job {producer.job} made it (step {producer.step}); run it again to make "
            "the bytes anew."
        )
        return WorkspaceLoadFolder(
            files,
            self.store,
            view=FolderView(self.folder / "views" / record.uid),
            where=uri_of(record),
            remedy=remedy,
            trusted=trust or self.trust.allows(record),
        )

    def _handler_of(self, record: VersionRecord) -> ArtifactHandler:
        if record.handler.startswith("plugin:"):
            from findspot.artifacts.plugin_handlers import plugin_handler

            return plugin_handler(self, record)
        return self.handlers.by_name(record.handler)

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
            limit: at most so many; `Listing.next` is the cursor of the rest.
        """
        page = self.catalog.search_versions(
            VersionQuery(
                project=self._project(project),
                key=name,
                kind=kind,
                labels={k: str(v) for k, v in (labels or {}).items()},
                tag=tag,
                since=None if since is None else since.astimezone(),
                until=None if until is None else until.astimezone(),
                job=job,
                step=step,
                latest_only=latest,
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
    ) -> TagEvent:
        """Set or move a tag to a version.

        Args:
            expected: move it only if it is on this version's number now (None: on none);
                `Conflict` if not.
        """
        found = self.get_artifact(artifact, version, project=project)
        return self.catalog.set_tag(
            found.project,
            found.key,
            check_tag(tag),
            found.version,
            expected=expected,
            owner=self.owner,
        )

    def untag(self, key: str, tag: str, *, project: str | None = None) -> TagEvent:
        """Take a tag off; `NotFound` where it is not set."""
        where, key = self._project(project), check_key(key)
        tags = self.catalog.tags(where, key)
        if tag not in tags:
            raise NotFound("tag", f"{key}:{tag}", near=list(tags)[:5])
        return self.catalog.set_tag(where, key, tag, None, owner=self.owner)

    def tag_history(self, key: str, tag: str, *, project: str | None = None) -> list[TagEvent]:
        """All moves of a tag, oldest first."""
        return self.catalog.tag_history(self._project(project), check_key(key), tag)

    def set_labels(self, artifact: ArtifactLike, labels: Mapping[str, Any]) -> ArtifactVersion:
        """Set labels of a version (a value of None takes one off); the version as it is then."""
        found = self.get_artifact(artifact)
        for label in labels:
            check_name(label, "label")
        self.catalog.set_labels(
            found.uid, {k: None if v is None else str(v) for k, v in labels.items()}
        )
        return self.get_artifact(found.uid)

    def delete_version(
        self,
        artifact: ArtifactLike,
        version: int | str | None = None,
        *,
        project: str | None = None,
    ) -> bool:
        """Forget one version. Its bytes stay until the collector finds that nothing needs them."""
        return self.catalog.delete_version(
            self.get_artifact(artifact, version, project=project).uid
        )

    def delete_artifact(self, key: str, *, project: str | None = None) -> int:
        """Forget an artifact with all its versions; how many there were."""
        where, key = self._project(project), check_key(key)
        count = self.catalog.delete_artifact(where, key)
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
        return self.catalog.lineage(self.get_artifact(artifact).uid, direction, depth=depth)

    def trust_version(self, artifact: ArtifactLike) -> ArtifactVersion:
        """Let a version from elsewhere be loaded from now on, even if that may run code."""
        found = self.get_artifact(artifact)
        self.trust.trust(found.record)
        return found

    def download(
        self,
        artifact: ArtifactLike,
        folder: str | os.PathLike[str],
        *,
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
        found = self.get_artifact(artifact, project=project)
        source = self.load_folder(found.record, found.files)
        targets = {entry.path: Path(folder) / entry.path for entry in found.files}
        taken = [str(path) for path in targets.values() if path.exists()]
        if taken and not replace:
            raise FindspotError(
                f"There is already {', '.join(taken[:5])}.",
                where=found.uri,
                how="Choose another folder, or say that files may be replaced (--force).",
            )
        for entry in found.files:
            copy_file(source, entry, targets[entry.path])
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
        return self.catalog.projects()

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

    def _project(self, name: str | None) -> str:
        return self.project if name is None else check_name(name, "project name")
