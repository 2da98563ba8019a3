"""What schedules run in tests, and a clock that goes when it is told to."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

FLOW = """
import os
import signal
import time
from pathlib import Path

from findspot import pipeline, task


@task(cache=False)
def note(x: int) -> int:
    with open("notes.txt", "a") as file:
        file.write(f"{x}\\n")
    return x


@task(cache=False)
def wait(flag: str) -> str:
    Path("begun").touch()
    while not Path(flag).exists():
        time.sleep(0.02)
    return flag


@task(cache=False)
def die(how: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return how


@pipeline
def daily(x: int = 1):
    return {"result": note(x)}


@pipeline
def waiting(flag: str = "flag"):
    return {"waited": wait(flag)}


@pipeline
def dying(how: str = "soon"):
    return {"never": die(how)}


def plain(n: int, unit: str = "m") -> int:
    return n
"""

YAML = """
tasks:
  average: {function: "statistics:mean", inputs: [data], outputs: number}
parameters:
  rows: [1, 2, 6]
graph:
  middle:
    task: average
    args: [$rows]
artifact_outputs:
  middle: {contents: $middle}
"""

START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@contextmanager
def folder_of_flows(folder: Path) -> Iterator[Path]:
    """The current folder, with ``flow.py`` in it; what is imported from it is forgotten."""
    (folder / "flow.py").write_text(FLOW)
    before, path, modules = Path.cwd(), list(sys.path), set(sys.modules)
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and file.startswith(f"{folder}{os.sep}"):
                del sys.modules[name]


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
