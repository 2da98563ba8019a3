"""Blobs on their way out of a folder: away from readers, and back if somebody asks for one."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from findspot.core.digests import Digest
from findspot.store.locks import locked
from findspot.store.protocol import StoredBlob

_SHARD = re.compile(r"[0-9a-f]{2}")
_REST = re.compile(r"[0-9a-f]{62}")


class LocalQuarantine:
    """The folder of quarantined blobs, beside that of the others; made when the first one is.

    A blob goes in and comes out by a rename, so that it is in one of the two places at every
    instant. Its file's time says since when it is here.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = f"{root}/quarantine/"
        self._lock = f"{root}/quarantine/lock"

    def take(self, digest: Digest, path: str) -> bool:
        """Take the blob that is at ``path``; False where none is."""
        target = self._path(digest)
        with locked(self._lock):
            try:
                # First the time, so that no crash leaves a blob here that seems to be old.
                os.utime(path, follow_symlinks=False)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.rename(path, target)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def give_back(self, digest: Digest, path: str) -> bool:
        """Put the blob back to ``path``; whether one is there now."""
        if os.path.lexists(path):
            return True
        try:
            os.rename(self._path(digest), path)
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.lexists(self._path(digest)):
                # It never was here, is gone for good, or somebody else was faster.
                return os.path.lexists(path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with suppress(FileNotFoundError):
                os.rename(self._path(digest), path)
            return os.path.lexists(path)
        return True

    def entries(self) -> Iterator[StoredBlob]:
        """All blobs that are here; `modified` is since when."""
        for shard in _names(self._folder, _SHARD):
            for name in _names(f"{self._folder}{shard}", _REST):
                with suppress(FileNotFoundError):
                    about = os.lstat(f"{self._folder}{shard}/{name}")
                    if stat.S_ISREG(about.st_mode):
                        since = datetime.fromtimestamp(about.st_mtime, UTC)
                        yield StoredBlob(Digest(f"blake3:{shard}{name}"), about.st_size, since)

    def purge(self, digests: Iterable[Digest], older_than: datetime) -> int:
        """Delete those that are here since before then; the number of bytes freed."""
        freed = 0
        if not os.path.isdir(self._folder):
            return freed
        # The lock keeps one from being taken anew between the look at its time and its end.
        with locked(self._lock):
            for digest in digests:
                path = self._path(digest)
                with suppress(FileNotFoundError, NotADirectoryError):
                    about = os.lstat(path)
                    if datetime.fromtimestamp(about.st_mtime, UTC) < older_than:
                        os.unlink(path)
                        freed += about.st_size
        return freed

    def drop(self, digest: Digest) -> bool:
        """Delete one now; False where it is not here."""
        try:
            os.unlink(self._path(digest))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _path(self, digest: Digest) -> str:
        return f"{self._folder}{digest[7:9]}/{digest[9:]}"


def _names(folder: str, pattern: re.Pattern[str]) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if pattern.fullmatch(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
