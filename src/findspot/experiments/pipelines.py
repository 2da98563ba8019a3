"""An experiment over a `@pipeline`: each cell calls its function, and its tasks run at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from findspot.core.errors import FindspotError
from findspot.experiments.cells import Activity, Program
from findspot.experiments.context import CellContext
from findspot.experiments.steps import ExperimentStep, read_step
from findspot.graph.tasks import ACTIVE, StepOptions, Task


@dataclass(frozen=True)
class PipelineProgram(Program):
    """A cell that calls a pipeline's function.

    Args:
        function: the pipeline's own.
        whole: the function read as if it were a step: which parameter takes the datum, which the
            context.
        results: names in the returned mapping that are kept.
    """

    function: Callable[..., Any] = field(default=lambda: None)
    whole: ExperimentStep = field(default=ExperimentStep("pipeline", print))
    results: tuple[str, ...] = ()

    def body(self, activity: Activity, data: Any) -> Any:
        whole, context = self.whole, activity.context
        arguments = whole.values(context.parameters)
        if whole.data:
            arguments[whole.data] = data
        if whole.context:
            arguments[whole.context] = context
        token = ACTIVE.set(_Caller(activity, self.steps))
        try:
            value = self.function(**arguments)
        finally:
            ACTIVE.reset(token)
        if isinstance(value, Mapping):
            activity.log_declared(whole.name, value)
            missing = [name for name in self.results if name not in value]
            if missing:
                raise FindspotError(
                    f"The pipeline did not return {', '.join(missing)}.",
                    where=f"pipeline {whole.name}",
                    how=f"It returned {', '.join(map(str, value)) or 'nothing'}.",
                )
            for name in self.results:
                activity.outcome.kept[whole.name, name] = value[name]
        return value


class _Caller:
    """Where the calls of tasks go: each is run at once, as the next step of the cell."""

    def __init__(self, activity: Activity, steps: tuple[ExperimentStep, ...]) -> None:
        self._activity = activity
        self._waiting = list(steps)

    def record(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], call: StepOptions
    ) -> Any:
        step = self._next(task)
        names = [
            p.name
            for p in task.spec.inputs
            if not (p.keyword_only or p.injected or p.variadic) and p.name not in step.artifacts
        ]
        # The context may be given, or be left to the cell; both are the cell's.
        if step.context and not any(isinstance(a, CellContext) for a in args):
            names = [name for name in names if name != step.context]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        given = {name: value for name, value in given.items() if name not in step.artifacts}
        if step.jobs:
            from findspot.engine.context import CURRENT

            given.update(dict.fromkeys(step.jobs, CURRENT.get()))
        token = ACTIVE.set(None)  # tasks that it calls in turn are plain functions
        try:
            return self._activity.call(step, given)
        finally:
            ACTIVE.reset(token)

    def _next(self, task: Task[..., Any]) -> ExperimentStep:
        for index, step in enumerate(self._waiting):
            if step.function is task.function:
                del self._waiting[index]
                return step
        raise FindspotError(
            f"The pipeline called {task.name} more often than when it was checked.",
            how="Which tasks a pipeline calls must not depend on values that only a run knows.",
        )


def pipeline_steps(tasks: Mapping[str, Task[..., Any]]) -> tuple[ExperimentStep, ...]:
    """The steps of a traced pipeline: step name to task."""
    return tuple(replace(read_step(task, name), name=name) for name, task in tasks.items())
