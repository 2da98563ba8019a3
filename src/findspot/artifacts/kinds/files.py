"""Kinds `file` and `directory`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from findspot.artifacts.kinds.checks import Check, count, text
from findspot.artifacts.kinds.fields import KindFields


@dataclass(frozen=True, kw_only=True)
class File(KindFields):
    """One file, byte for byte.

    Args:
        file_name: the name that it had.
        media_type: as ``text/csv``, guessed by its name.
        bytes: its size.
    """

    KIND: ClassVar[str] = "file"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "file_name": text,
        "media_type": text,
        "bytes": count,
    }

    file_name: str | None = None
    media_type: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Directory(KindFields):
    """A folder with all files below it.

    Args:
        folder_name: the name that it had.
        files: how many files are in it.
        bytes: of all of them together.
    """

    KIND: ClassVar[str] = "directory"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "folder_name": text,
        "files": count,
        "bytes": count,
    }

    folder_name: str | None = None
    files: int | None = None
    bytes: int | None = None
