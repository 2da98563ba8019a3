"""One step after the other, where the job was started."""

from __future__ import annotations

from findspot.engine.calls import Perform, StepCall, StepResult
from findspot.engine.resources.budgets import Supply


class InlineExecutor:
    """One step after the other, in the caller's thread."""

    slots = 1

    def __init__(self, perform: Perform) -> None:
        self._perform = perform
        self._call: StepCall | None = None

    def supply(self) -> Supply:
        return Supply.here()

    def start(self, call: StepCall) -> None:
        self._call = call

    def result(self) -> StepResult:
        assert self._call is not None
        call, self._call = self._call, None
        return self._perform(call)

    def __enter__(self) -> InlineExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self._call = None
