"""The processes that a process has started, found by their group."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil


def of_group(leader: int) -> list[psutil.Process]:
    """The living processes of a group, without its leader."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            same = os.getpgid(process.pid) == leader != process.pid
        except ProcessLookupError:
            continue
        if same and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def loky_workers(leader: int) -> list[psutil.Process]:
    """Those of a group that loky has started to run steps."""
    found = []
    for process in of_group(leader):
        try:
            found += [process] if "loky.backend.popen" in " ".join(process.cmdline()) else []
        except psutil.NoSuchProcess:
            continue
    return found


def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)
