"""How many steps travel together: one alone where steps take long, many where they are tiny."""

from __future__ import annotations

from collections import deque
from math import ceil

from findspot.engine.calls import StepCall

TINY = 0.01
"""Seconds: steps of a task that takes less travel together."""

BATCH_SECONDS = 0.02
"""Seconds of work that are sent together; the way to a worker and back costs a tenth of it."""

LEAST_SECONDS = 0.002
"""And so much at least, as long as there is more: that is what the way takes."""

MOST = 64
"""Steps that are sent together at most: so many results may wait for the last one of them."""


class Pace:
    """Learns from what was seen how long the steps of each task take.

    A task of which nothing is known yet counts as long, so its first steps go out one by one.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seconds: dict[str, float] = {}
        self._last_tiny = False

    @property
    def slots(self) -> int:
        """Calls that may be under way: one for each worker, or enough for two full batches each
        while the steps that are started are tiny."""
        return self._workers * 2 * MOST if self._last_tiny else self._workers

    @property
    def batches(self) -> int:
        """Batches that may be at the workers: the second of each starts without a pause."""
        return 2 * self._workers

    def started(self, call: StepCall) -> None:
        self._last_tiny = self._tiny(call)

    def seen(self, call: StepCall, seconds: float) -> None:
        """A step took so long."""
        before = self._seconds.get(call.spec.name, seconds)
        self._seconds[call.spec.name] = 0.7 * before + 0.3 * max(seconds, 0.0)

    def enough(self, waiting: deque[StepCall]) -> bool:
        """Whether calls that wait are worth a way of their own already."""
        first = waiting[0]
        return not self._tiny(first) or len(waiting) * self._expected(first) >= LEAST_SECONDS

    def take(self, waiting: deque[StepCall]) -> list[StepCall]:
        """The next batch, taken from the left: calls that hold the same."""
        fair = ceil(len(waiting) / self._workers)
        taken = [waiting.popleft()]
        seconds = self._expected(taken[0])
        if not self._tiny(taken[0]):
            return taken
        claim = taken[0].claim
        while waiting and len(taken) < MOST and self._tiny(waiting[0]):
            if len(taken) >= fair and seconds >= LEAST_SECONDS:
                break
            seconds += self._expected(waiting[0])
            if waiting[0].claim != claim or seconds > BATCH_SECONDS:
                break
            taken.append(waiting.popleft())
        return taken

    def _tiny(self, call: StepCall) -> bool:
        return self._expected(call) < TINY

    def _expected(self, call: StepCall) -> float:
        return self._seconds.get(call.spec.name, TINY)
