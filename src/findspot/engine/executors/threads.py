"""Several steps at once in one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import Empty, SimpleQueue

from findspot.engine.calls import Perform, StepCall, StepResult
from findspot.engine.resources.budgets import Supply

POLL = 0.25
"""Seconds: a job in a thread that is not the main one notices a cancel at most so much later."""


class ThreadExecutor:
    """Several steps at once in this process; for work that waits or that frees the GIL."""

    def __init__(self, perform: Perform, workers: int) -> None:
        self.slots = workers
        self._perform = perform
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="findspot-step")
        self._results: SimpleQueue[StepResult] = SimpleQueue()

    def supply(self) -> Supply:
        return Supply.here()

    def start(self, call: StepCall) -> None:
        if call.claim is not None:
            # Which cards are seen, and how much memory is taken, is a matter of the whole process.
            call = replace(call, claim=None)
        self._pool.submit(lambda: self._results.put(self._perform(call)))

    def result(self) -> StepResult:
        while True:
            try:
                return self._results.get(timeout=POLL)
            except Empty:
                continue

    def __enter__(self) -> ThreadExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
