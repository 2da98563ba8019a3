"""Steps in a pool of workers that may die: who gets what, and whose fault a death was."""

from __future__ import annotations

import itertools
import pickle
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Protocol, TypeAlias

from findspot.engine.calls import StepCall, StepResult
from findspot.engine.capturing.descriptors import last_words
from findspot.engine.code.task_sources import TaskSource
from findspot.engine.errors import CannotSend, StepTimeout
from findspot.engine.executors.deaths import Death, memory_kills
from findspot.engine.executors.pace import Pace
from findspot.engine.executors.protocol import failed
from findspot.engine.executors.threads import POLL
from findspot.engine.failures import failure_of
from findspot.engine.resources.budgets import Claim, Supply
from findspot.engine.workers import Place, packed

Outcome: TypeAlias = "bytes | BaseException"
"""What `perform_batch` returned, or what came instead."""

GRACE = 3.0
"""Seconds beyond its timeout after which a step is stopped by killing its worker."""


class Pool(Protocol):
    """Workers that run `perform_batch` and share nothing with this process but the workspace.

    Args:
        workers: how many batches run at once.
    """

    @property
    def workers(self) -> int: ...

    def place(self, here: Place) -> Place:
        """Where workers run the steps of a job that was started at ``here``."""
        ...

    def supply(self) -> Supply:
        """What all workers have together."""
        ...

    def submit(
        self, number: int, payload: bytes, claim: Claim | None, done: Callable[[Outcome], None]
    ) -> None:
        """Have a batch run; ``done`` is called with its outcome, once, by any thread. Each of its
        steps holds the claim, one after the other.

        Raises:
            FindspotError: there are no workers to be had.
        """
        ...

    def abort(self, number: int) -> None:
        """Kill the worker that runs a batch, where that is allowed; the batch's outcome then says
        that it died. Other batches may be hit as well."""
        ...

    def died(self, error: BaseException) -> Death | None:
        """How the worker died, where the outcome says that it did, and nothing of the steps."""
        ...

    def mend(self) -> None:
        """Called after a death: later batches must find workers again."""
        ...

    def stop(self) -> None:
        """Stop what still runs: the job is given up."""
        ...

    def release(self) -> None:
        """The job is over, and nothing runs; workers may be kept for the next one."""
        ...


@dataclass(slots=True)
class _Batch:
    """Args:
    limit: seconds after which it must have ended.
    memory_kills: of this machine, before it began.
    """

    calls: list[StepCall]
    alone: bool
    limit: float | None
    memory_kills: int | None = None
    sent: float = field(default_factory=time.monotonic)
    aborted: bool = False

    @property
    def age(self) -> float:
        return time.monotonic() - self.sent


class PooledExecutor:
    """Runs steps in a pool; a worker that dies takes only its own step with it.

    When a worker dies, all calls that may have been with it are in doubt: each is run once more,
    alone. A call whose worker dies while it runs alone is the culprit and fails.

    Steps that are known to be tiny travel in batches (see `Pace`).
    """

    def __init__(self, pool: Pool, here: Place) -> None:
        self._pool = pool
        self._place = pool.place(here)
        self._pace = Pace(pool.workers)
        self._waiting: deque[StepCall] = deque()
        self._doubtful: deque[StepCall] = deque()
        self._ready: deque[StepResult] = deque()
        self._under_way: dict[int, _Batch] = {}
        self._outcomes: SimpleQueue[tuple[int, Outcome]] = SimpleQueue()
        self._numbers = itertools.count()
        self._answered = False  # whether any worker has
        self._portable: dict[int, tuple[TaskSource, TaskSource]] = {}

    @property
    def slots(self) -> int:
        return self._pace.slots

    def supply(self) -> Supply:
        return self._pool.supply()

    def start(self, call: StepCall) -> None:
        self._pace.started(call)
        try:
            call = self._sendable(call)
        except CannotSend as error:
            self._ready.append(failed(call, failure_of(error)))
            return
        self._waiting.append(call)
        if len(self._under_way) < self._pool.workers and self._pace.enough(self._waiting):
            self._send_waiting()

    def result(self) -> StepResult:
        while not self._ready:
            self._send_waiting()
            if not self._ready:
                self._receive()
        return self._ready.popleft()

    def __enter__(self) -> PooledExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._under_way:
            self._under_way.clear()
            self._pool.stop()
        self._pool.release()

    # ------------------------------------------------------------------ out

    def _sendable(self, call: StepCall) -> StepCall:
        found = self._portable.get(id(call.source))
        if found is None:
            try:
                portable = call.source.portable()
            except CannotSend as error:
                from findspot.engine.executors.sending import cannot_send_task

                raise cannot_send_task(call, error) from error
            # With the source itself, so that its id is not given to another one.
            found = self._portable[id(call.source)] = (call.source, portable)
        return call if found[1] is call.source else replace(call, source=found[1])

    def _send_waiting(self) -> None:
        if self._doubtful or any(batch.alone for batch in self._under_way.values()):
            if self._doubtful and not self._under_way:
                self._send([self._doubtful.popleft()], alone=True)
            return
        while self._waiting:
            # A step with a timeout must not wait at a worker, where its time would run already.
            timed = self._waiting[0].source.options.timeout is not None
            if timed and not self._answered:
                if not self._under_way:
                    self._send([])  # Nor for a worker that is still to start: this one asks.
                return
            if len(self._under_way) >= (self._pool.workers if timed else self._pace.batches):
                return
            if len(self._under_way) >= self._pool.workers and not self._pace.enough(self._waiting):
                return  # The workers are busy, and more may come.
            self._send(self._pace.take(self._waiting))

    def _send(self, calls: list[StepCall], *, alone: bool = False) -> None:
        try:
            payload = packed(self._place, calls)
        except Exception as error:
            if len(calls) == 1:
                from findspot.engine.executors.sending import cannot_send_arguments

                failure = failure_of(cannot_send_arguments(calls[0], error))
                self._ready.append(failed(calls[0], failure))
            else:
                for call in calls:
                    self._send([call])
            return
        number = next(self._numbers)
        self._under_way[number] = _Batch(
            calls, alone, _limit(calls), memory_kills() if alone else None
        )
        self._pool.submit(
            number,
            payload,
            calls[0].claim if calls else None,
            lambda outcome: self._outcomes.put((number, outcome)),
        )

    # ------------------------------------------------------------------ in

    def _receive(self) -> None:
        """Wait for the outcome of a batch."""
        while True:
            try:
                number, outcome = self._outcomes.get(timeout=POLL)
            except Empty:
                self._abort_overdue()
                continue
            break
        batch = self._under_way.pop(number)
        self._answered = True
        if isinstance(outcome, BaseException):
            self._lost(batch, outcome)
            return
        results: list[StepResult] = pickle.loads(outcome)
        for call, result in zip(batch.calls, results, strict=False):
            self._pace.seen(call, (result.ended - result.started).total_seconds())
            self._ready.append(result)
        self._waiting.extendleft(reversed(batch.calls[len(results) :]))

    def _lost(self, batch: _Batch, error: BaseException) -> None:
        death = self._pool.died(error)
        if death is not None:
            self._pool.mend()
            if batch.aborted and len(batch.calls) == 1:
                self._ready.append(_overdue(batch))
                return
            if not batch.alone:
                self._doubtful.extend(batch.calls)
                return
            kills = None if batch.memory_kills is None else memory_kills()
            words = ""
            if self._place.words:
                words = last_words(self._place.words, time.time() - batch.age)
            failure = death.failure(
                None if kills is None else kills - (batch.memory_kills or 0), words
            )
        else:
            failure = failure_of(error)
        self._ready.extend(failed(call, failure) for call in batch.calls)

    def _abort_overdue(self) -> None:
        """The last resort where a timeout did not work: code that never comes back to Python."""
        for number, batch in self._under_way.items():
            if batch.limit is not None and not batch.aborted and batch.age > batch.limit:
                batch.aborted = True
                self._pool.abort(number)


def _limit(calls: list[StepCall]) -> float | None:
    if not calls:
        return None
    total = GRACE
    for call in calls:
        options = call.source.options
        if options.timeout is None:
            return None
        total += options.timeout * (options.retries + 1)
        total += sum(options.wait(attempt, 1.0) for attempt in range(1, options.retries + 1))
    return total


def _overdue(batch: _Batch) -> StepResult:
    (call,) = batch.calls
    assert call.source.options.timeout is not None
    failure = failure_of(StepTimeout(call.step, call.source.options.timeout))
    result = failed(call, failure)
    return replace(result, started=result.ended - timedelta(seconds=batch.age))
