"""Readable folders of versions: every file under its own name, read-only, verified."""

from __future__ import annotations

import os
import secrets
import shutil
from functools import cache
from pathlib import Path

from findspot.artifacts.folders import WorkspaceLoadFolder, walk
from findspot.artifacts.location import storage_error
from findspot.core.digests import hash_stream
from findspot.core.errors import ReadOnly
from findspot.core.names import check_file_path
from findspot.core.records import FileEntry


class FolderView:
    """A readable folder for one version, made when first asked for.

    Args:
        folder: where it is to be; a sibling is filled first and renamed, so it is whole or absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def materialise(self, source: WorkspaceLoadFolder, /) -> Path:
        """The folder with every file under its own name, read-only; its bytes are verified now.

        In a workspace that cannot be written to, it is a folder for this process only.
        """
        if self._current(source):
            return self._folder
        for entry in source.files:
            check_file_path(entry.path)  # a catalog from elsewhere may hold anything
        try:
            self._make(source)
        except OSError as error:
            if not isinstance(storage_error(error, ""), ReadOnly):
                raise storage_error(error, os.fspath(self._folder)) from error
            spare = FolderView(_spare_folder() / self._folder.name)
            if not spare._current(source):
                spare._make(source)
            return spare._folder
        return self._folder

    def _make(self, source: WorkspaceLoadFolder) -> None:
        draft = self._folder.with_name(f"{self._folder.name}.{secrets.token_hex(6)}.tmp")
        try:
            for entry in source.files:
                write_file(source, entry, draft / entry.path)
            draft.mkdir(parents=True, exist_ok=True)
            if self._folder.exists():
                shutil.rmtree(self._folder, ignore_errors=True)
            try:
                draft.rename(self._folder)
            except OSError:
                if not self._current(source):  # another process was faster, and made it whole
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _current(self, source: WorkspaceLoadFolder) -> bool:
        """Whether the folder is there and nobody changed, added or removed a file in it."""
        if not self._folder.is_dir():
            return False
        if sum(1 for _ in walk(self._folder)) != len(source.files):
            return False
        for entry in source.files:
            path = self._folder / entry.path
            try:
                if path.stat().st_size != entry.size:
                    return False
            except OSError:
                return False
            stored = source.stored(entry)
            if stored is None or not stored.samefile(path):
                with path.open("rb") as reader:
                    if hash_stream(reader) != entry.digest:
                        return False
        return True


def write_file(source: WorkspaceLoadFolder, entry: FileEntry, target: Path) -> None:
    """Write one file of a version to ``target``: verified, read-only, sharing the blob's bytes on
    disk where it can (a symbolic link), copied where it cannot."""
    target.parent.mkdir(parents=True, exist_ok=True)
    stored = source.stored(entry)
    if stored is not None:
        target.symlink_to(stored)
        return
    copy_file(source, entry, target)
    target.chmod(0o444)


def copy_file(source: WorkspaceLoadFolder, entry: FileEntry, target: Path) -> None:
    """Write one file of a version to ``target`` as a copy of the user's own, whole or absent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with source.open(entry.path) as reader, draft.open("xb") as sink:
            shutil.copyfileobj(reader, sink, 4 << 20)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@cache
def _spare_folder() -> Path:
    """Where views are made when the workspace is read-only; removed when the process ends."""
    import atexit
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="findspot-views-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
