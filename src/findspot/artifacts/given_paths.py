"""Paths of files that people give: what can be none is refused before anything is done."""

from __future__ import annotations

import os
from pathlib import Path

from findspot.core.errors import FindspotError


class BadPath(FindspotError):
    """What was given is no path of a file."""

    exit_code = 2

    def __init__(self, given: object, reason: str) -> None:
        self.given, self.reason = given, reason
        super().__init__(
            f"{repr(given)[:200]} is no path of a file: {reason}.", how="Give the path of a file."
        )


def file_path(given: object) -> Path:
    """A path with a name that a file can have, ``~`` expanded; there need be no file.

    Raises:
        BadPath: it is no text and no path, holds NUL or what cannot be written as a file's name,
            or names no file.

    >>> file_path("keys/ada.pem").name
    'ada.pem'
    """
    text = os.fspath(given) if isinstance(given, os.PathLike) else given
    if not isinstance(text, str):
        raise BadPath(given, "it is neither text nor a path")
    if "\0" in text:
        raise BadPath(given, "it holds NUL")
    try:
        os.fsencode(text)
        path = Path(text).expanduser()
    except UnicodeEncodeError:
        raise BadPath(given, "it holds what no name of a file can") from None
    except RuntimeError:
        raise BadPath(given, "nobody has this home folder") from None
    if path.name in ("", ".."):
        raise BadPath(given, "it names a folder")
    return path
