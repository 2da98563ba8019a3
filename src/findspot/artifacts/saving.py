"""From a value to a version that is ready to be recorded; nothing is in the catalog yet."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from findspot.artifacts.folders import WorkspaceSaveFolder
from findspot.artifacts.location import storage_error
from findspot.catalog.protocol import NewVersion
from findspot.core.canonical import is_plain
from findspot.core.errors import FindspotError
from findspot.core.ids import new_uid
from findspot.core.records import (
    FileEntry,
    Preview,
    Producer,
    VersionRecord,
    manifest_digest,
    now,
)
from findspot.handlers import HandlerFailed, python_type_name
from findspot.handlers.protocol import ArtifactHandler

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


def prepare(
    space: ArtifactSpace,
    value: Any,
    key: str,
    *,
    project: str,
    handler: ArtifactHandler,
    handler_args: Mapping[str, Any],
    kind: str | None = None,
    labels: Mapping[str, str] | None = None,
    tags: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
    name: str | None = None,
    iteration: int = 0,
    producer: Producer | None = None,
    with_metadata: bool = True,
    with_preview: bool = True,
) -> NewVersion:
    """Store the value's bytes and describe it; names are taken as checked (see `check_save`).

    Args:
        with_metadata, with_preview: False: the handler is not asked for it.

    Raises:
        HandlerFailed: the handler raised; nothing is recorded.
    """
    files = store_value(space, value, handler, handler_args)
    described = _call(handler, "describe", handler.describe, value) if with_metadata else {}
    preview = _call(handler, "preview", handler.preview, value) if with_preview else None
    if described and not is_plain(described):
        _call(handler, "describe", _encodable, described)
    if preview is not None:
        if not isinstance(preview, Preview):
            wrong = TypeError(f"preview gave a {type(preview).__name__}, not a Preview")
            raise HandlerFailed(handler.name, "preview", wrong)
        if len(preview.data) > space.settings.preview_limit:
            preview = None
    return record_of(
        space,
        files,
        key,
        project=project,
        handler_name=handler.name,
        handler_args=handler_args,
        python_type=python_type_name(value),
        kind=kind or handler.kind,
        labels=labels,
        tags=tags,
        metadata={**described, **metadata} if metadata else described,
        preview=preview,
        name=name,
        iteration=iteration,
        producer=producer,
    )


def record_of(
    space: ArtifactSpace,
    files: tuple[FileEntry, ...],
    key: str,
    *,
    project: str,
    handler_name: str,
    handler_args: Mapping[str, Any],
    python_type: str,
    kind: str,
    labels: Mapping[str, str] | None = None,
    tags: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
    preview: Preview | None = None,
    name: str | None = None,
    iteration: int = 0,
    producer: Producer | None = None,
) -> NewVersion:
    """A version of files that are stored already."""
    uid = new_uid()
    digest = manifest_digest(files, handler_name)
    return NewVersion(
        VersionRecord(
            uid=uid,
            project=project,
            key=key,
            kind=kind,
            name=name,
            iteration=iteration,
            digest=digest,
            size=sum(entry.size for entry in files),
            file_count=len(files),
            handler=handler_name,
            handler_args=handler_args,
            python_type=python_type,
            metadata=metadata or {},
            preview=preview,
            labels=labels or {},
            tags=tags,
            owner=space.owner,
            created=now(),
            producer=producer,
            origin=space.id,
            seal=space.trust.seal(uid, digest, handler_name),
        ),
        files,
    )


def store_value(
    space: ArtifactSpace, value: Any, handler: ArtifactHandler, handler_args: Mapping[str, Any]
) -> tuple[FileEntry, ...]:
    """Write a value's files by a handler; a crash or an error leaves only unreferenced blobs."""
    with WorkspaceSaveFolder(space.store, space.settings.inline_limit) as folder:
        _call(handler, "save", handler.save, value, folder, **handler_args)
        return folder.finish()


def _encodable(described: Any) -> None:
    """What is not plain may still be written as JSON (a NaN, say)."""
    if not isinstance(described, Mapping):
        raise TypeError(f"describe gave a {type(described).__name__}, not a mapping")
    json.dumps(dict(described))


def _call(handler: ArtifactHandler, action: str, method: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return method(*args, **kwargs)
    except FindspotError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _STORAGE:
            raise storage_error(error, str(error.filename or "the workspace")) from error
        raise HandlerFailed(handler.name, action, error) from error
