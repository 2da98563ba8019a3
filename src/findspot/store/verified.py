"""Which large blobs were found whole on this machine, so that they are not hashed at every read.

A mark holds the file's signature as it was when its bytes were hashed. Whoever changes the file's
bytes, replaces it, or even puts its old time back changes the signature (``ctime`` cannot be set),
and the mark no longer counts. Marks are kept for each machine, since another may see other bytes.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeAlias

from findspot.core.digests import Digest, hash_bytes

Signature: TypeAlias = tuple[int, int, int, int]
"""Inode, size in bytes, mtime and ctime in nanoseconds."""

_FORMAT = "1"
_REMEMBERED = 65_536


def signature(about: os.stat_result) -> Signature:
    """What of a file's status must stay the same for its bytes to count as unchanged."""
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


@cache
def machine() -> str:
    """16 hexadecimal digits that stay the same on this machine and differ on others."""
    try:
        name = Path("/etc/machine-id").read_text().strip()
    except OSError:
        name = ""
    # The host's name too: copies of one disk image often share a machine-id.
    return hash_bytes(f"{name}\n{platform.node()}".encode()).partition(":")[2][:16]


class VerifiedMarks:
    """Marks in ``folder``, one small file a blob and machine; also remembered in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = f"{folder}/{machine()}"
        self._memory: dict[str, Signature] = {}

    def holds(self, digest: Digest, found: Signature) -> bool:
        """Whether the blob was hashed while its file had the signature ``found``."""
        if self._memory.get(digest) == found:
            return True
        try:
            with open(self._path(self._own, digest), encoding="ascii") as file:
                text = file.read(256)
        except (OSError, UnicodeDecodeError):
            return False
        if text != _text(found):
            return False
        self._remember(digest, found)
        return True

    def set(self, digest: Digest, found: Signature) -> None:
        """Mark the blob as whole. Take ``found`` before the bytes are read, not after."""
        self._remember(digest, found)
        path = self._path(self._own, digest)
        # In a store that cannot be written to the mark lasts as long as the process.
        with suppress(OSError):
            try:
                _write(path, _text(found))
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                _write(path, _text(found))

    def clear(self, digest: Digest) -> None:
        """Forget the blob, on every machine."""
        self._memory.pop(digest, None)
        try:
            machines = os.listdir(self._folder)
        except OSError:
            return
        for name in machines:
            with suppress(OSError):
                os.unlink(self._path(f"{self._folder}/{name}", digest))

    def _remember(self, digest: Digest, found: Signature) -> None:
        if len(self._memory) >= _REMEMBERED:
            self._memory.clear()
        self._memory[digest] = found

    @staticmethod
    def _path(folder: str, digest: Digest) -> str:
        code = digest.partition(":")[2]
        return f"{folder}/{code[:2]}/{code[2:]}"


def _text(found: Signature) -> str:
    return f"{_FORMAT} {' '.join(map(str, found))}\n"


def _write(path: str, text: str) -> None:
    # Not atomic on purpose: a torn mark does not match, and costs one more hash.
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
