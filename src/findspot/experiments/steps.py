"""What an experiment's pipeline consists of, read from signatures: data, context, parameters,
artifacts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from findspot.core.errors import FindspotError, InvalidName, Problem
from findspot.core.names import check_name
from findspot.experiments.artifact import Artifact, artifacts_in
from findspot.graph.annotations import annotations_of
from findspot.graph.task_options import TaskOptions
from findspot.graph.task_specs import is_context
from findspot.graph.tasks import Task

REQUIRED: Any = inspect.Parameter.empty
_DATUM = "data"
"""A parameter of this name takes the datum also where it has a default."""
_CONTEXT_NAMES = ("ctx", "context")
_PARTIAL = re.compile(r"[^\w .+=-]+")


@dataclass(frozen=True)
class ExperimentStep:
    """One step of an experiment's pipeline.

    Args:
        data, context: the names of the parameters that take the datum and the context; "" where it
            has none.
        jobs: parameters that take the job's context.
        parameters: the others, with their defaults (`REQUIRED` where they have none).
        artifacts: parameters whose default is an artifact. held: artifacts that the object has as
            attributes.
        options: retries, timeout and the like.
    """

    name: str
    function: Callable[..., Any]
    data: str = ""
    context: str = ""
    jobs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    held: tuple[Artifact, ...] = ()
    options: TaskOptions = field(default_factory=TaskOptions)

    @cached_property
    def declared(self) -> dict[str, Artifact]:
        """The artifacts that it has to write, by their names."""
        return {a.name: a for a in (*self.artifacts.values(), *self.held)}

    @cached_property
    def simple(self) -> bool:
        """Whether it writes no artifact, and is called once, for as long as it takes."""
        options = self.options
        return not self.declared and not options.retries and options.timeout is None

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What it is given of a condition's parameters: ``step.name`` wins over ``name``."""
        found: dict[str, Any] = {}
        for own, name in self._names:
            if own in parameters:
                found[name] = parameters[own]
            elif name in parameters:
                found[name] = parameters[name]
        return found

    @cached_property
    def _names(self) -> list[tuple[str, str]]:
        return [(f"{self.name}.{name}", name) for name in self.parameters]


def read_step(item: Any, name: str | None = None, *, source: bool = False) -> ExperimentStep:
    """A step from a task, a function, or an object that can be called.

    Args:
        source: it is a data source: its first parameter takes the context, and none the datum.

    Raises:
        FindspotError: it cannot be called, or takes what nothing can give it.
    """
    options = TaskOptions()
    function = item
    held: dict[str, Artifact] = {}
    if isinstance(item, Task):
        function, options = item.function, item.settings
        name = name or item.name
    elif not callable(item) or isinstance(item, type):
        what = f"the class {item.__name__}" if isinstance(item, type) else repr(item)
        raise FindspotError(
            f"{what} is no step.", how="Give tasks, functions of (data, ctx), or objects with such."
        )
    elif not inspect.isroutine(item):
        held = artifacts_in(getattr(item, "__dict__", {}))
        name = name or type(item).__name__
    name = name or str(getattr(function, "__name__", "step"))
    return _from_signature(_PARTIAL.sub("_", name), function, tuple(held.values()), options, source)


def _from_signature(
    name: str,
    function: Callable[..., Any],
    held: tuple[Artifact, ...],
    options: TaskOptions,
    source: bool,
) -> ExperimentStep:
    target = function if inspect.isroutine(function) else type(function).__call__
    hints = annotations_of(target).hints
    data = context = ""
    jobs: list[str] = []
    parameters: dict[str, Any] = {}
    artifacts: dict[str, Artifact] = {}
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        own = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise FindspotError(
                f"Its parameter {own!r} has no name for its callers.",
                where=f"step {name}",
                how="Remove the '/' from its signature: arguments are given by name.",
            )
        if isinstance(parameter.default, Artifact):
            artifacts[own] = parameter.default
        elif is_context(hints.get(own)):
            jobs.append(own)
        elif not context and (
            own in _CONTEXT_NAMES
            or _is_cell_context(hints.get(own))
            or (source and position == 0 and parameter.default is REQUIRED)
        ):
            context = own
        elif (
            not source
            and not data
            and not parameters
            and position < 2
            and (parameter.default is REQUIRED or own == _DATUM)
        ):
            data = own
        else:
            parameters[own] = parameter.default
    return ExperimentStep(
        name, function, data, context, tuple(jobs), parameters, artifacts, held, options
    )


def _is_cell_context(hint: Any) -> bool:
    text = getattr(hint, "__name__", None) or getattr(hint, "text", None) or str(hint)
    return str(text).rpartition(".")[2] == "CellContext"


def read_steps(items: Sequence[Any], problems: list[Problem]) -> list[ExperimentStep]:
    """Every step, each under a name of its own; what is wrong is added to the problems."""
    steps: list[ExperimentStep] = []
    counts: dict[str, int] = {}
    for index, item in enumerate(items):
        place = f"pipeline[{index}]"
        try:
            step = read_step(item)
            check_name(step.name, "name of a step")
        except (InvalidName, FindspotError) as error:
            problems.append(Problem(place, error.what, hint=error.how or ""))
            continue
        except (TypeError, ValueError) as error:
            problems.append(Problem(place, f"its signature cannot be read: {error}"))
            continue
        count = counts[step.name] = counts.get(step.name, 0) + 1
        if count > 1:
            step = read_step(item, f"{step.name}_{count}")
        names = [a.name for a in (*step.artifacts.values(), *step.held)]
        problems.extend(
            Problem(f"{place} ({step.name})", f"two of its artifacts are called {twice!r}")
            for twice in sorted({name for name in names if names.count(name) > 1})
        )
        steps.append(step)
    return steps
