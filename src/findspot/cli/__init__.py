"""The `findspot` command: each sub-command is one call of the Python API, and some printing."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. A user's mistake ends with a message and the error's exit code, never
    with a traceback (set ``FINDSPOT_DEBUG=1`` to see one).

    Exit codes: 0 done; 1 a job failed, or something else did; 2 a mistake in what was given; 3
    not found; 4 a conflict; 5 damaged or missing bytes; 6 the workspace cannot be used (read-only,
    full, of a newer format); 7 not trusted; 130 interrupted.
    """
    from findspot.core.errors import FindspotError

    code: int | str | None = 0
    try:
        _print_any_text()
        from findspot.cli.app import command

        try:
            command()()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
    except FindspotError as error:
        if os.environ.get("FINDSPOT_DEBUG"):
            raise
        code = _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = _complain("interrupted", 130)
    except BrokenPipeError:
        code = 0  # The reader of a pipe (head, less) had enough.
    except OSError as error:
        if os.environ.get("FINDSPOT_DEBUG"):
            raise
        code = _complain(_refusal(error), 1)
    finally:
        _abandon_closed_pipes()
    sys.exit(code)


def _complain(text: str, code: int) -> int:
    try:
        sys.stdout.flush()
        sys.stderr.write(f"findspot: {text}\n")
    except BrokenPipeError:
        return code
    return code


def _refusal(error: OSError) -> str:
    place = "" if error.filename is None else f"{os.fspath(error.filename)!s}: "
    return f"{place}{error.strerror or error}"


def _print_any_text() -> None:
    """A terminal that lacks a character gets a question mark for it, rather than an error."""
    from io import TextIOWrapper

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _abandon_closed_pipes() -> None:
    """Python flushes both streams when it ends, and would complain of a pipe that is closed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
