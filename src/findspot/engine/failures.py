"""From an exception to the record of a failure."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path
from types import TracebackType

from findspot.core.errors import FindspotError
from findspot.core.records import Failure

_OWN = str(Path(__file__).resolve().parent.parent)
_PASSED_THROUGH = contextlib.__file__
"""Between Findspot's own frames, where it waits in a ``with`` statement."""

_LIMIT = 64 * 1024


def failure_of(error: BaseException) -> Failure:
    """What went wrong, with the traceback from the user's own code on.

    A mistake that Findspot found by itself needs no traceback unless the user's code is in it.
    """
    trace = _users_part(error.__traceback__)
    text = ""
    if trace is not None or not isinstance(error, FindspotError):
        text = "".join(traceback.format_exception(type(error), error, trace))
    try:
        message = str(error) or type(error).__name__
    except Exception:  # an error of a library or a user's own, whose text cannot be made
        message = f"{type(error).__name__}, whose text cannot be made"
    return Failure(type(error).__qualname__, message[:_LIMIT], text[-_LIMIT:])


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OWN) and file != _PASSED_THROUGH:
            return trace
        trace = trace.tb_next
    return None
