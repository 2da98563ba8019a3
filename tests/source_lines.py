"""Where something stands in the source of a function, for tests of places in messages."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def line_of(function: Callable[..., Any], text: str) -> int:
    """The line, in its file, of the first line of a function that holds ``text``."""
    lines, first = inspect.getsourcelines(function)
    for number, line in enumerate(lines, first):
        if text in line:
            return number
    raise AssertionError(f"{text!r} is not in {function.__name__}")
