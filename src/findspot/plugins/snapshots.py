"""Snapshots of plugins: the files as they are now and what they offer, recorded under a digest.

A job runs the snapshot that it was created with, whatever is edited in the folder afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from findspot.catalog.protocol import Batch, Catalog
from findspot.core.digests import hash_bytes
from findspot.core.errors import CheckFailed, FindspotError, FormatTooNew
from findspot.core.ids import new_uid
from findspot.core.records import FileEntry, Snapshot, now
from findspot.plugins.analysis import Analysis, analyse_files
from findspot.plugins.source_files import PluginFiles, read_plugin
from findspot.plugins.specs_json import (
    handler_from_json,
    handler_to_json,
    task_from_json,
    task_to_json,
    type_from_json,
    type_to_json,
)
from findspot.store.protocol import BlobStore

FORMAT = 1
INLINE_LIMIT = 4096
_INLINE_TOTAL = 256 * 1024


def snapshot(
    folder: Path,
    *,
    store: BlobStore,
    catalog: Catalog,
    project: str,
    owner: str = "",
    name: str | None = None,
    inline_limit: int = INLINE_LIMIT,
) -> tuple[Snapshot, Analysis]:
    """The snapshot of a plugin folder as it is now; the newest one where nothing has changed.

    The files are read once, so what was analysed is what is recorded, also while somebody edits
    them. None of the plugin's code is run.

    Args:
        folder: a folder of Python files, or one ``.py`` file.
        name: the plugin's, by default the folder's; the plugin's own imports use it.
        inline_limit: files of at most this many bytes are kept in the catalog itself.

    Raises:
        NotFound: there is no such folder.
        InvalidName: its name cannot be a plugin's.
        CheckFailed: the source has mistakes; all are listed, nothing is recorded.
    """
    files, found = checked_files(folder, name)
    return (
        recorded(
            files,
            found,
            store=store,
            catalog=catalog,
            project=project,
            owner=owner,
            inline_limit=inline_limit,
        ),
        found,
    )


def checked_files(folder: Path, name: str | None = None) -> tuple[PluginFiles, Analysis]:
    """A plugin's files as they are now, and what they offer; nothing is recorded.

    Raises:
        NotFound, InvalidName, CheckFailed: as `snapshot`.
    """
    files = read_plugin(folder, name)
    found = analyse_files(files)
    if found.problems:
        raise CheckFailed(f"The plugin {found.name!r}", found.problems)
    return files, found


def recorded(
    files: PluginFiles,
    found: Analysis,
    *,
    store: BlobStore,
    catalog: Catalog,
    project: str,
    owner: str = "",
    inline_limit: int = INLINE_LIMIT,
) -> Snapshot:
    """The snapshot of files that were checked; the newest one where nothing has changed."""
    newest = catalog.find_snapshot("plugin", project, files.name)
    if newest is not None and newest.digest == files.digest:
        return _as_recorded(newest, files, store, catalog)
    made = Snapshot(
        id=new_uid(),
        resource="plugin",
        project=project,
        name=files.name,
        digest=files.digest,
        body=analysis_to_json(found),
        files=_stored(files, store, inline_limit),
        owner=owner,
        created=now(),
    )
    number = catalog.write(Batch(snapshots=[made]))[made.id]
    kept = catalog.find_snapshot("plugin", project, files.name, number)
    if kept is not None and kept.id != made.id:
        # Another process recorded the same files in between.
        return _as_recorded(kept, files, store, catalog)
    return replace(made, number=number)


def read_analysis(snapshot: Snapshot) -> Analysis:
    """What a recorded snapshot offers; none of its files is read.

    Raises `FormatTooNew` where a newer Findspot wrote it, and `FindspotError` where it is damaged.
    """
    where = f"plugin {snapshot.name}, snapshot {snapshot.number}"
    version = snapshot.body.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise FormatTooNew(version, FORMAT, where)
    try:
        return _analysis_from_json(snapshot)
    except (ValueError, TypeError, AttributeError) as error:
        raise FindspotError(
            f"The record of what the plugin offers is damaged: {error}.",
            where=where,
            how="Change a file of the plugin (a comment will do) and register it again.",
        ) from error


def analysis_to_json(found: Analysis) -> dict[str, Any]:
    """An analysis without problems as plain JSON."""
    return {
        "format": FORMAT,
        "tasks": [task_to_json(task) for task in found.tasks.values()],
        "handlers": [handler_to_json(handler) for handler in found.handlers.values()],
        "classes": {name: type_to_json(type) for name, type in found.classes.items()},
        "files": list(found.files),
    }


def _analysis_from_json(snapshot: Snapshot) -> Analysis:
    body: Mapping[str, Any] = snapshot.body
    tasks = [task_from_json(data) for data in body.get("tasks", [])]
    handlers = [handler_from_json(data) for data in body.get("handlers", [])]
    return Analysis(
        snapshot.name,
        tuple(body.get("files", [])),
        {task.name: task for task in tasks},
        {handler.name: handler for handler in handlers},
        {name: type_from_json(data) for name, data in body.get("classes", {}).items()},
    )


def _as_recorded(
    known: Snapshot, files: PluginFiles, store: BlobStore, catalog: Catalog
) -> Snapshot:
    """A snapshot that exists already; a blob of it that has gone missing since is put back."""
    entries = catalog.files(known.id)
    for entry in entries:
        if entry.inline is None:
            store.put(files.contents[entry.path])
    return replace(known, files=entries)


def _stored(files: PluginFiles, store: BlobStore, inline_limit: int) -> tuple[FileEntry, ...]:
    """The entries of all files: small ones inline, large ones in the store when it returns."""
    entries, inline_total = [], 0
    for path, data in files.contents.items():
        size = len(data)
        if size <= inline_limit and inline_total + size <= _INLINE_TOTAL:
            inline_total += size
            entries.append(FileEntry(path, hash_bytes(data), size, data))
        else:
            entries.append(FileEntry(path, store.put(data).digest, size))
    return tuple(entries)
