"""Worker processes on this machine (loky)."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from findspot.engine.capturing.descriptors import words_folder
from findspot.engine.code.project import changed_code
from findspot.engine.executors.deaths import Death
from findspot.engine.executors.interrupts import (
    held_back,
    perform_interruptibly,
    wait_undisturbed,
)
from findspot.engine.executors.pooled import Outcome
from findspot.engine.resources.budgets import Claim, Supply
from findspot.engine.resources.cards import VISIBLE
from findspot.engine.workers import Place, end_with

KEPT = 60
"""Seconds that idle workers stay, so that the next job finds them started."""


class ProcessPool:
    """Worker processes, which are replaced when they die.

    Workers stay for a minute after a job; they leave when this process ends, and when its
    environment variables, or the files of the project's modules, have changed.

    Steps that hold graphics cards have workers of their own, which see these cards from their start
    (CUDA looks only once) and leave when the cards go to others, or the job ends: what a worker has
    put on a card stays there as long as it lives.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: Any = None
        self._with_cards: dict[tuple[str, ...], Any] = {}

    def place(self, here: Place) -> Place:
        return replace(here, parent=os.getpid(), words=words_folder())

    def supply(self) -> Supply:
        return Supply.here()

    def submit(
        self, number: int, payload: bytes, claim: Claim | None, done: Callable[[Outcome], None]
    ) -> None:
        with held_back():
            pool = self._seeing(claim) if claim is not None and claim.cards else self._seeing_all()
            try:
                future: Future[bytes] = pool.submit(perform_interruptibly, payload)
            except Exception as error:  # the pool broke a moment ago
                future = Future()
                future.set_exception(error)
        future.add_done_callback(lambda ended: done(ended.exception() or ended.result()))

    def abort(self, number: int) -> None:
        self.stop()  # which worker has it, loky does not say

    def died(self, error: BaseException) -> Death | None:
        from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        if isinstance(error, BrokenProcessPool | ShutdownExecutorError):
            return Death.by_exit(str(error))
        return None

    def mend(self) -> None:
        self.stop()

    def stop(self) -> None:
        self._leave_cards()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.shutdown(wait=False, kill_workers=True)

    def release(self) -> None:
        self._leave_cards()
        self._pool = None

    def _seeing_all(self) -> Any:
        if self._pool is None:
            from loky import get_reusable_executor

            self._pool = get_reusable_executor(
                max_workers=self.workers,
                timeout=KEPT,
                initializer=_begin,
                initargs=(os.getpid(),),
                env=_environment(),
            )
        return self._pool

    def _seeing(self, claim: Claim) -> Any:
        """Workers that see the cards of a claim and no others."""
        cards = claim.cards or ()
        found = self._with_cards.get(cards)
        if found is None:
            for others in [held for held in self._with_cards if not set(cards).isdisjoint(held)]:
                # They are idle: nobody else holds these cards.
                self._with_cards.pop(others).shutdown(wait=False, kill_workers=True)
            from loky import ProcessPoolExecutor

            sharing = 1 if claim.need.gpus >= 1 else int(1 / claim.need.gpus)
            found = self._with_cards[cards] = ProcessPoolExecutor(
                max_workers=min(sharing, self.workers),
                timeout=KEPT,
                initializer=_begin,
                initargs=(os.getpid(),),
                env={**_environment(), VISIBLE: ",".join(cards)},
            )
        return found

    def _leave_cards(self) -> None:
        while self._with_cards:
            _, pool = self._with_cards.popitem()
            pool.shutdown(wait=False, kill_workers=True)


def _begin(parent: int) -> None:
    """Make this process a worker, which may wait long for its first step."""
    wait_undisturbed()
    end_with(parent)


def _environment() -> dict[str, str]:
    return {**os.environ, "FINDSPOT_CHANGED_CODE": changed_code()}
