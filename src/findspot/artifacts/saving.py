"""From a value to a version that is ready to be recorded; nothing is in the catalog yet."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from findspot.artifacts.folders import WorkspaceSaveFolder
from findspot.artifacts.location import storage_error
from findspot.catalog.protocol import NewVersion
from findspot.core.canonical import is_plain
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.ids import new_uid
from findspot.core.names import check_key, check_name, check_tag
from findspot.core.records import (
    KINDS,
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

_STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


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
) -> NewVersion:
    """Store the value's bytes and describe it; names are taken as checked (see `check_options`).

    Raises:
        HandlerFailed: the handler raised; nothing is recorded.
    """
    files = store_value(space, value, handler, handler_args)
    described = _call(handler, "describe", handler.describe, value)
    preview = _call(handler, "preview", handler.preview, value)
    if preview is not None and len(preview.data) > space.settings.preview_limit:
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


def _call(handler: ArtifactHandler, action: str, method: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return method(*args, **kwargs)
    except FindspotError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _STORAGE:
            raise storage_error(error, str(error.filename or "the workspace")) from error
        raise HandlerFailed(handler.name, action, error) from error


def check_options(
    *,
    key: str,
    kind: str | None,
    labels: Mapping[str, Any] | None,
    tags: tuple[str, ...],
    metadata: Mapping[Any, Any] | None,
    name: str | None,
    iteration: Any,
) -> tuple[str, dict[str, str]]:
    """The key in normal form and the labels as texts; all mistakes in one `CheckFailed`.

    A bad key alone is an `InvalidName`, since it is the commonest mistake.
    """
    key = check_key(key)
    if not (kind or labels or tags or metadata or name or iteration):
        return key, {}
    problems: list[Problem] = []

    def attempt(path: str, check: Any, *args: Any) -> None:
        try:
            check(*args)
        except FindspotError as error:
            problems.append(Problem(path, error.what))

    if kind is not None and kind not in KINDS:
        problems.append(Problem("kind", f"{kind!r} is no kind", expected=", ".join(KINDS)))
    texts: dict[str, str] = {}
    for label, text in (labels or {}).items():
        attempt("labels", check_name, label, "label")
        if isinstance(text, str | int | float):
            texts[label] = str(text)
            if len(texts[label]) > 1024:
                problems.append(Problem(f"labels.{label}", "its value is longer than 1024"))
        else:
            problems.append(
                Problem(f"labels.{label}", "a label's value is text", found=type(text).__name__)
            )
    for tag in tags:
        attempt("tags", check_tag, tag)
    if name is not None:
        attempt("version", check_tag, name, "version name")
    for field, entry in (metadata or {}).items():
        if not isinstance(field, str) or not is_plain(entry):
            problems.append(
                Problem(
                    f"metadata.{field}",
                    "metadata holds plain JSON values only (None, bool, int, finite float, str, "
                    "list, dict)",
                    found=type(entry).__name__,
                )
            )
    if not isinstance(iteration, int) or iteration < 0:
        problems.append(Problem("iteration", "it is no whole number from 0 up"))
    if problems:
        raise CheckFailed(f"The options of artifact {key!r}", problems)
    return key, texts
