"""A checked task graph, ready to be run any number of times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from findspot.core.digests import Digest
from findspot.core.errors import CheckFailed
from findspot.engine.caching.keys import graph_digest
from findspot.engine.calls import SavePlan
from findspot.graph.checking import check
from findspot.graph.plan import order, predecessors
from findspot.graph.spec import ArtifactOutput, Ref, TaskGraph, references

if TYPE_CHECKING:
    from findspot.engine.code.task_sources import PluginHandler, TaskSource


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run, in which order, and how each output is saved.

    Args:
        order: the steps, so that each comes after those that it waits for.
        waits: step to the steps that it waits for. followers: the other way round.
        sources: task name to its function.
        saves: step to its outputs' saves; the first of an output is the one that other steps get.
        exports: the graph's output to (step, save) where a step's output is saved as it.
        composed: the graph's outputs that no single step's output is, with their contents.
        on_success, on_failure: called with a job of it that has ended, also after a resume.
    """

    graph: TaskGraph
    order: tuple[str, ...]
    waits: Mapping[str, tuple[str, ...]]
    followers: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, TaskSource]
    saves: Mapping[str, tuple[SavePlan, ...]]
    exports: Mapping[str, tuple[str, str]]
    composed: tuple[tuple[SavePlan, Any], ...]
    on_success: Callable[[Any], object] | None = None
    on_failure: Callable[[Any], object] | None = None

    @cached_property
    def digest(self) -> Digest:
        """Of all that steps and outputs are given; see `graph_digest`."""
        return graph_digest(self.graph)


def make_plan(
    graph: TaskGraph,
    sources: Mapping[str, TaskSource],
    handlers: Mapping[str, PluginHandler] | None = None,
) -> Plan:
    """Check a graph and plan it.

    Args:
        sources: of every task that a step invokes, by name.
        handlers: those of plugins, by name.

    Raises:
        CheckFailed: lists every mistake in the graph.
    """
    problems = check(graph)
    if problems:
        raise CheckFailed(f"The task graph {graph.name!r}", problems)
    waits = predecessors(graph)
    followers: defaultdict[str, list[str]] = defaultdict(list)
    for step, before in waits.items():
        for name in before:
            followers[name].append(step)
    saves, exports, composed = _saves(graph, handlers or {})
    return Plan(
        graph=graph,
        order=tuple(order(graph)),
        waits=waits,
        followers={name: tuple(steps) for name, steps in followers.items()},
        sources=sources,
        saves=saves,
        exports=exports,
        composed=composed,
    )


def output_name(graph: TaskGraph, ref: Ref) -> str | None:
    """The name of the task's output that a reference to a step means; None where it means all of
    several, or where the reference is not to a step."""
    step = graph.steps.get(ref.name)
    if step is None:
        return None
    outputs = graph.tasks[step.task].outputs
    if ref.output is not None:
        return ref.output
    return outputs[0].name if len(outputs) == 1 else None


def _saves(
    graph: TaskGraph, handlers: Mapping[str, PluginHandler]
) -> tuple[
    dict[str, tuple[SavePlan, ...]], dict[str, tuple[str, str]], tuple[tuple[SavePlan, Any], ...]
]:
    def save(export: ArtifactOutput, name: str, output: str) -> SavePlan:
        handler = handlers.get(export.handler or "", export.handler)
        return SavePlan(name, output, export.name, handler, export.args, export.kind)

    direct: defaultdict[tuple[str, str], list[ArtifactOutput]] = defaultdict(list)
    composed: list[ArtifactOutput] = []
    for export in graph.outputs.values():
        contents = export.contents
        found = output_name(graph, contents) if isinstance(contents, Ref) else None
        # What a mapped step gathers is a list of versions; the list itself is put together.
        if found is None or graph.steps[contents.name].each:
            composed.append(export)
        else:
            direct[export.contents.name, found].append(export)
    consumed = {
        (ref.name, output_name(graph, ref))
        for value in (
            *(tuple(step.values) for step in graph.steps.values()),
            *((export.contents,) for export in composed),
        )
        for ref in references(value)
    }
    saves: dict[str, tuple[SavePlan, ...]] = {}
    exports: dict[str, tuple[str, str]] = {}
    for step in graph.steps.values():
        plans: list[SavePlan] = []
        outputs = graph.tasks[step.task].outputs
        for output in outputs:
            wanted = list(direct.get((step.name, output.name), ()))
            used = {(step.name, output.name), (step.name, None)} & consumed
            # What other steps get must load as the value itself; only a handler that was chosen
            # by the value's type promises that.
            first = next((e for e in wanted if e.handler is None), None)
            if first is None and wanted and not used:
                first = wanted[0]
            if first is not None:
                wanted.remove(first)
                exports[first.name] = (step.name, output.name)
                plans.append(save(first, output.name, output.name))
            else:
                key = f"{graph.name}/{step.name}"
                if len(outputs) > 1 or graph.tasks[step.task].unpack:
                    key += f"/{output.name}"
                plans.append(SavePlan(output.name, output.name, key))
            for export in wanted:
                name = f"{output.name}/{export.name}"
                exports[export.name] = (step.name, name)
                plans.append(save(export, name, output.name))
        saves[step.name] = tuple(plans)
    return saves, exports, tuple((save(e, e.name, e.name), e.contents) for e in composed)
