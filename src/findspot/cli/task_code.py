"""What users' own code does while a command runs it: it prints, and it fails."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from findspot.core.errors import FindspotError

_OWN = f"{Path(__file__).parent.parent}{os.sep}"


class CodeFailed(FindspotError):
    """A user's module or pipeline raised while it was read.

    Args:
        what: what the command was asked to work on.
        error: what it raised.
        place: file and line in the user's code; empty where the error names it.
    """

    exit_code = 2

    def __init__(self, what: str, error: Exception, place: str) -> None:
        self.error, self.place = error, place
        said = "".join(traceback.format_exception_only(error)).rstrip()
        if isinstance(error, FindspotError):
            said = str(error)  # which names the place; its class says nothing more
        super().__init__(
            f"It cannot be read{f', {place}' if place else ''}:\n{said}",
            where=what,
            how="For the whole traceback, set FINDSPOT_DEBUG=1.",
        )


@contextmanager
def short_failures(what: str) -> Iterator[None]:
    """Turn an error of the user's code into a message; errors of other code pass.

    Raises:
        CodeFailed: in place of what the user's code raised.
    """
    try:
        yield
    except FindspotError as error:
        place = _import_place(error)
        if place is None or os.environ.get("FINDSPOT_DEBUG"):
            raise
        raise CodeFailed(what, error, place) from error
    except Exception as error:
        place = _place(error)
        if place is None or os.environ.get("FINDSPOT_DEBUG"):
            raise
        raise CodeFailed(what, error, place) from error


@contextmanager
def prints_aside() -> Iterator[None]:
    """What tasks print goes to standard error, so that standard output holds the result alone.

    Also what worker processes and C libraries write.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _place(error: Exception) -> str | None:
    """Where the user's code raised; None where no code of the user's is involved."""
    if isinstance(error, SyntaxError):
        return ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(_OWN):
            return None  # Findspot's own fault, whoever called it
        if not _is_installed(frame.filename):
            return f"{frame.filename}:{frame.lineno}"
    return None


def _import_place(error: FindspotError) -> str | None:
    """The line of a user's module that called what refused, while the module was imported."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        own = frame.filename.startswith(_OWN) or _is_installed(frame.filename)
        if frame.name == "<module>" and not own:
            return f"{frame.filename}:{frame.lineno}"
    return None


def _is_installed(file: str) -> bool:
    return file.startswith(("<frozen", *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))))
