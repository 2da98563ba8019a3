"""What runs steps: the agreement between the runner and every executor."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from findspot.core.records import Failure, now
from findspot.engine.calls import StepCall, StepResult
from findspot.engine.resources.budgets import Supply


class Executor(Protocol):
    """Runs calls. Used by one thread, in a ``with`` block.

    Every call that was started is answered by exactly one result, whatever becomes of the step or
    of the worker that ran it.
    """

    @property
    def slots(self) -> int:
        """How many calls may be started before a result is waited for; it may change."""
        ...

    def supply(self) -> Supply:
        """What there is for its steps. The caller never starts more than that at once."""
        ...

    def start(self, call: StepCall) -> None: ...

    def result(self) -> StepResult:
        """The next result of a started call; waits for it."""
        ...

    def __enter__(self) -> Executor: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Wait for nothing more: stop what still runs."""
        ...


def failed(call: StepCall, failure: Failure) -> StepResult:
    """The result of a call that never ran, or of which nothing was heard."""
    time = now()
    return StepResult(step=call.step, started=time, ended=time, failure=failure)
