"""Worker processes on this machine (loky)."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from findspot.engine.executors.pooled import Outcome
from findspot.engine.project_code import changed_code
from findspot.engine.workers import Place, perform_batch

KEPT = 60
"""Seconds that idle workers stay, so that the next job finds them started."""


class ProcessPool:
    """Worker processes, which are replaced when they die.

    Workers stay for a minute after a job; they leave when this process ends, and when its
    environment variables, or the files of the project's modules, have changed.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: Any = None

    def place(self, here: Place) -> Place:
        return replace(here, parent=os.getpid())

    def submit(self, number: int, payload: bytes, done: Callable[[Outcome], None]) -> None:
        if self._pool is None:
            from loky import get_reusable_executor

            self._pool = get_reusable_executor(
                max_workers=self.workers,
                timeout=KEPT,
                env={**os.environ, "FINDSPOT_CHANGED_CODE": changed_code()},
            )
        try:
            future: Future[bytes] = self._pool.submit(perform_batch, payload)
        except Exception as error:  # the pool broke a moment ago
            future = Future()
            future.set_exception(error)
        future.add_done_callback(lambda ended: done(ended.exception() or ended.result()))

    def abort(self, number: int) -> None:
        self.stop()  # which worker has it, loky does not say

    def died(self, error: BaseException) -> bool:
        from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        return isinstance(error, BrokenProcessPool | ShutdownExecutorError)

    def mend(self) -> None:
        self.stop()

    def stop(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.shutdown(wait=False, kill_workers=True)

    def release(self) -> None:
        self._pool = None
