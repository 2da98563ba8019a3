"""What the tests of capture share: a sink that remembers, and a look at what may be hooked."""

from __future__ import annotations

import logging
import sys
import threading
import warnings

from findspot.core.records import LogLine

JOB = "job 1"


class Log(list[LogLine]):
    """A sink that remembers."""

    def texts(self, step: str | None = "fit") -> list[str]:
        return [line.text for line in self if line.step == step]

    def said(self) -> list[tuple[str, str, str]]:
        return [(line.source, line.level, line.text) for line in self]


def say(text: str) -> None:
    print(text)  # noqa: T201 - printing is what is tested here


def hooked_places() -> list[object]:
    """What stands in the places that a capture hooks."""
    return [
        sys.stdout,
        sys.stderr,
        warnings.showwarning,
        logging.Logger.callHandlers,
        threading.Thread.start,
        logging.root.level,
        list(logging.root.handlers),
    ]
