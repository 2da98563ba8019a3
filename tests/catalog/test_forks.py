"""Threads of one process that fork at the same time, as steps on the executor ``threads`` may."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from catalog_records import save
from findspot.catalog import open_catalog


def test_threads_that_fork_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    catalog = open_catalog(f"sqlite:///{tmp_path}/catalog.db")
    together = threading.Barrier(3)
    codes: list[int] = []

    def fork() -> None:
        for _ in range(20):
            together.wait()
            child = os.fork()
            if child == 0:
                os._exit(0)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    threads = [threading.Thread(target=fork, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert codes == [0] * 60
    assert save(catalog).number == 1
