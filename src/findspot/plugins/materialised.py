"""A snapshot's files as a folder on disk: whole or absent, read-only, verified before use."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock

from findspot.core.digests import Digest, hash_bytes, parse_digest
from findspot.core.errors import BlobDamaged, BlobMissing, InvalidName
from findspot.core.names import check_file_path
from findspot.core.records import FileEntry
from findspot.plugins.errors import PluginDamaged
from findspot.plugins.source_files import MAX_BYTES, check_plugin_name, files_digest
from findspot.store.errors import write_failures
from findspot.store.protocol import BlobStore

_STALE_SECONDS = 86_400.0
_DRAFT = ".draft-"

_lock = Lock()
_verified: dict[Path, tuple[Digest, Mapping[str, bytes]]] = {}


def place(folder: Path, name: str, digest: Digest) -> Path:
    """Where the files of a plugin's snapshot belong below a workspace's folder."""
    return folder / "plugins" / parse_digest(digest).partition(":")[2] / check_plugin_name(name)


def read_verified(root: Path, name: str, digest: Digest) -> Mapping[str, bytes] | None:
    """The files that were materialised at ``root``; None where they are absent or not those of the
    snapshot, be it for a changed byte, a missing file or one too many.

    They are read and hashed once per process; code is then imported from the bytes that were
    hashed, so a later change on disk cannot become code.
    """
    with _lock:
        known = _verified.get(root)
        if known is not None and known[0] == digest and root.is_dir():
            return known[1]
        found = _read(root)
        if found is None:
            return None
        if files_digest(name, {path: hash_bytes(data) for path, data in found.items()}) != digest:
            return None
        _verified[root] = (digest, found)
        return found


def materialise(
    root: Path, name: str, digest: Digest, files: Sequence[FileEntry], store: BlobStore
) -> Mapping[str, bytes]:
    """The verified files at ``root``, written there unless they are there already.

    Processes may do this at once: a folder is filled under another name and renamed, so it appears
    whole, and whoever comes second uses the first one's. What was changed on disk is replaced.

    Raises:
        BlobMissing, BlobDamaged: a file cannot be had as it was recorded.
        PluginDamaged: the record's list of files is not the one that the digest was made from.
        StorageFull, ReadOnly: nothing was written.
    """
    found = read_verified(root, name, digest)
    if found is not None:
        return found
    contents = _contents(root, name, digest, files, store)
    home = root.parent
    with write_failures(os.fspath(home)):
        home.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(home.parent)
        draft = home.with_name(f"{_DRAFT}{secrets.token_hex(8)}")
        try:
            for path, data in contents.items():
                _write(draft / root.name / path, data)
            _put_in_place(draft, home, root, name, digest)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    found = read_verified(root, name, digest)
    if found is None:
        raise PluginDamaged(name, os.fspath(root), "they changed while they were written")
    return found


def _contents(
    root: Path, name: str, digest: Digest, files: Sequence[FileEntry], store: BlobStore
) -> dict[str, bytes]:
    where = f"plugin {name}"
    if files_digest(name, {entry.path: entry.digest for entry in files}) != digest:
        raise PluginDamaged(name, os.fspath(root), "the list of files is not the recorded one")
    contents = {}
    for entry in files:
        try:
            path = check_file_path(entry.path)
        except InvalidName as error:
            raise PluginDamaged(name, os.fspath(root), error.what) from error
        if entry.inline is not None:
            data, actual = entry.inline, hash_bytes(entry.inline)
            if actual != entry.digest:
                raise BlobDamaged(entry.digest, actual, where=f"{where}, file {path}")
        else:
            data = _read_blob(store, entry, f"{where}, file {path}")
        contents[path] = data
    return contents


def _read_blob(store: BlobStore, entry: FileEntry, where: str) -> bytes:
    how = "Register the plugin's folder again if it still has these files."
    try:
        return store.read(entry.digest)
    except BlobMissing as error:
        raise BlobMissing(error.digest, where=where, how=how) from None
    except BlobDamaged as error:
        raise BlobDamaged(error.expected, error.found, where=where, how=how) from None


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        sink.write(data)
    # Files only: a folder that is read-only would keep its owner from deleting the workspace.
    target.chmod(0o444)


def _put_in_place(draft: Path, home: Path, root: Path, name: str, digest: Digest) -> None:
    for _ in range(10):
        try:
            draft.rename(home)
            return
        except OSError:
            if not home.exists():
                raise
        if read_verified(root, name, digest) is not None:
            return  # another process was faster
        aside = home.with_name(f"{_DRAFT}{secrets.token_hex(8)}")
        try:
            home.rename(aside)
        except FileNotFoundError:
            continue  # another process took the damaged folder away
        shutil.rmtree(aside, ignore_errors=True)


def _remove_stale(folder: Path) -> None:
    """Folders that processes left half-filled when they were killed, long ago."""
    now = time.time()
    for draft in folder.glob(f"{_DRAFT}*"):
        try:
            stale = now - draft.stat().st_mtime > _STALE_SECONDS
        except OSError:
            continue
        if stale:
            shutil.rmtree(draft, ignore_errors=True)


def _read(root: Path) -> dict[str, bytes] | None:
    """Every file below ``root`` by relative path, sorted; None where something else is there."""
    found: dict[str, bytes] = {}
    size = 0
    try:
        for path in _walk(root):
            if path.is_symlink() or not path.is_file():
                return None
            data = path.read_bytes()
            size += len(data)
            if size > MAX_BYTES:
                return None
            found[path.relative_to(root).as_posix()] = data
    except OSError:
        return None
    return dict(sorted(found.items())) or None


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)
