"""Parameters without a declared type must be what the tasks take that they are given to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from findspot.core.types import ANY, UNKNOWN, Type
from findspot.graph.spec import InputSpec, Parameter, Ref, Step, TaskGraph, TaskSpec


def narrowed(graph: TaskGraph) -> Mapping[str, Parameter]:
    """The graph's parameters. One without a type has that of the first task input that it is given
    to as it is.

    >>> from findspot.core.types import INTEGER
    >>> count = TaskSpec(name="count", source="m:count", inputs=(InputSpec("n", INTEGER),))
    >>> graph = TaskGraph(
    ...     name="g",
    ...     parameters={"x": Parameter(name="x")},
    ...     tasks={"count": count},
    ...     steps={"s": Step(name="s", task="count", args=(Ref("x"),))},
    ... )
    >>> narrowed(graph)["x"].type == INTEGER
    True
    """
    loose = {name for name, parameter in graph.parameters.items() if parameter.type == UNKNOWN}
    if not loose:
        return graph.parameters
    wanted: dict[str, Type] = {}
    for step in graph.steps.values():
        task = graph.tasks.get(step.task)
        given = (*step.args, *step.kwargs.values())
        if task is None or not any(_is_loose(value, loose) for value in given):
            continue
        for ref, taken in _given(step, task):
            if _is_loose(ref, loose) and taken.type not in (UNKNOWN, ANY):
                wanted.setdefault(ref.name, taken.type)
    return {
        name: replace(parameter, type=wanted.get(name, parameter.type))
        for name, parameter in graph.parameters.items()
    }


def _is_loose(value: object, loose: set[str]) -> bool:
    return type(value) is Ref and value.name in loose and value.output is None


def _given(step: Step, task: TaskSpec) -> Iterator[tuple[Ref, InputSpec]]:
    """Arguments that are references, with the inputs that they are bound to."""
    slots = [i for i in task.inputs if not (i.keyword_only or i.variadic or i.injected)]
    for value, taken in zip(step.args, slots, strict=False):
        if isinstance(value, Ref):
            yield value, taken
    named = {i.name: i for i in task.inputs if not (i.positional_only or i.variadic or i.injected)}
    for name, value in step.kwargs.items():
        if isinstance(value, Ref) and name in named:
            yield value, named[name]
