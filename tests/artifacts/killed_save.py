"""Run by `test_crashes`: saves again and again, killed one call later each time.

``python killed_save.py SCENARIO FOLDER STEP`` copies ``FOLDER/before`` (a workspace) to
``FOLDER/1``, ``FOLDER/2`` ... and saves to each, in a process that was killed right before its
first, second ... call into the system or the database (every ``STEP``-th of them), until one of
them lives to the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from findspot import Workspace

SMALL = {"small": [1, 2, 3]}
STORED = b"sherds " * 1000
LARGE = b"amphora " * (3 << 17)
SYSTEM_MODULES = frozenset({"posix", "fcntl", "_io", "io", "sqlite3"})


def save_small(space: Workspace) -> None:
    space.save_artifact(SMALL, "x", tags=["golden"], labels={"a": 1})


def save_stored(space: Workspace) -> None:
    space.save_artifact(STORED, "x", tags=["golden"])


def save_large(space: Workspace) -> None:
    space.save_artifact(LARGE, "x", tags=["golden"])


def save_folder(space: Workspace) -> None:
    source = space.folder.parent / "source"
    source.mkdir(parents=True)
    (source / "small.txt").write_text("small")
    (source / "stored.bin").write_bytes(STORED)
    space.save_artifact(source, "x", tags=["golden"])


def save_batch(space: Workspace) -> None:
    space.save_artifacts([(SMALL, "x"), (STORED, "y"), (SMALL, "x")], tags=["golden"])


SCENARIOS: dict[str, Callable[[Workspace], None]] = {
    function.__name__: function
    for function in (save_small, save_stored, save_large, save_folder, save_batch)
}


def kill_before_call(number: int) -> None:
    """This process is killed right before its ``number``-th call into system or database."""
    calls = 0

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal calls
        if event != "c_call":
            return
        owner = getattr(called, "__self__", None)
        module = getattr(called, "__module__", None) or type(owner).__module__
        if module in SYSTEM_MODULES:
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def main(scenario: str, base: Path, step: int) -> None:
    act = SCENARIOS[scenario]
    with Workspace(base / "warm") as space:
        act(space)  # so that what the children call is the save's own, not imports
    number = 1 - step
    while True:
        number += step
        folder = base / str(number)
        shutil.copytree(base / "before", folder) if (base / "before").exists() else folder.mkdir()
        child = os.fork()
        if child == 0:
            # Opened by the child: to save, and where there is no workspace, to make it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            space = Workspace(folder)
            kill_before_call(number)
            act(space)
            sys.setprofile(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
