"""The `findspot` command: each sub-command is one call of the Python API, and some printing."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. A user's mistake ends with a message and the error's exit code, never
    with a traceback (set ``FINDSPOT_DEBUG=1`` to see one).

    Exit codes: 0 done; 1 a job failed, or a fault was found; 2 a mistake in what was given; 3
    not found; 4 a conflict; 5 damaged or missing bytes; 6 a newer format; 7 not trusted; 130
    interrupted.
    """
    from findspot.core.errors import FindspotError

    try:
        from findspot.cli.app import app

        app()
    except FindspotError as error:
        if os.environ.get("FINDSPOT_DEBUG"):
            raise
        sys.stderr.write(f"findspot: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("findspot: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe (head, less) had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
