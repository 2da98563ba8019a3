"""What must run before what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from findspot.core.errors import CheckFailed, Problem
from findspot.graph.paths import child, locate
from findspot.graph.spec import Step, TaskGraph, references

_SHOWN = 12


def predecessors(graph: TaskGraph) -> dict[str, tuple[str, ...]]:
    """For each step the steps that it waits for, each once: those it refers to, in the order of its
    arguments, then its explicit dependencies. Names of no step are left out.
    """
    return {name: tuple(_waits_for(step, graph)) for name, step in graph.steps.items()}


def _waits_for(step: Step, graph: TaskGraph) -> dict[str, None]:
    found: dict[str, None] = {}
    steps = graph.steps
    for value in step.values:
        for ref in references(value):
            if ref.name in steps:
                found[ref.name] = None
    for name in step.dependencies:
        if name in steps:
            found[name] = None
    return found


def order(graph: TaskGraph) -> list[str]:
    """The steps in an order in which each comes after all that it waits for.

    Among steps that could run at the same time, the order of the source decides, so that the same
    graph always gives the same order.

    Raises:
        CheckFailed: steps wait for each other in a circle.
    """
    before = predecessors(graph)
    rank = {name: index for index, name in enumerate(before)}
    names = list(before)
    waiting = {name: len(required) for name, required in before.items()}
    after: dict[str, list[str]] = {name: [] for name in before}
    for name, required in before.items():
        for other in required:
            after[other].append(name)
    ready = [rank[name] for name, count in waiting.items() if count == 0]
    heapify(ready)
    done = []
    while ready:
        name = names[heappop(ready)]
        done.append(name)
        for following in after[name]:
            waiting[following] -= 1
            if waiting[following] == 0:
                heappush(ready, rank[following])
    if len(done) < len(before):
        raise CheckFailed(f"The graph {graph.name!r}", circle_problems(graph, before))
    return done


def circle_problems(
    graph: TaskGraph, before: Mapping[str, Sequence[str]] | None = None
) -> list[Problem]:
    """One problem for each group of steps that wait for each other, naming a circle in it."""
    required = predecessors(graph) if before is None else before
    problems = []
    for group in _groups(required):
        circle = _circle(group, required)
        path = child("$.graph", circle[0])
        message = (
            f"The step {circle[0]!r} waits for itself."
            if len(circle) == 1
            else "Steps wait for each other in a circle, so that none can begin."
        )
        # "a <- b" reads: a waits for b.
        shown = circle if len(circle) <= _SHOWN else [*circle[:_SHOWN], "..."]
        found = " <- ".join([*shown, circle[0]]) if len(circle) > 1 else ""
        hint = "Remove one of these references or dependencies." if found else ""
        location = locate(graph.locations, path)
        problems.append(Problem(path, message, location, found=found, hint=hint))
    return problems


def _circle(group: set[str], before: Mapping[str, Sequence[str]]) -> list[str]:
    """The steps of one circle in a group, beginning with its first in the order of the source."""
    start = next(name for name in before if name in group)
    parent: dict[str, str] = {}
    queue = [start]
    for name in queue:
        for other in before[name]:
            if other == start:
                circle = [name]
                while circle[-1] != start:
                    circle.append(parent[circle[-1]])
                return circle[::-1]
            if other in group and other not in parent:
                parent[other] = name
                queue.append(other)
    return [start]


def _groups(before: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """Strongly connected groups with a circle in them (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in before:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(before[root]))]
        while work:
            name, others = work[-1]
            for other in others:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(before[other])))
                    break
                if other in on_stack:
                    low[name] = min(low[name], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    group: set[str] = set()
                    while name not in group:
                        member = stack.pop()
                        on_stack.remove(member)
                        group.add(member)
                    if len(group) > 1 or name in before[name]:
                        yield group
