"""What steps need of a machine or a cluster, and how much of it there is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from findspot.core.errors import CheckFailed, Problem
from findspot.engine.resources.cards import cards_here
from findspot.graph.task_options import TaskOptions, byte_count

if TYPE_CHECKING:
    from findspot.engine.plans import Plan

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

UNLIMITED = 1 << 62
"""Bytes of memory where nobody says how much there is."""


@dataclass(frozen=True, slots=True)
class Need:
    """Cores, bytes of memory and graphics cards; parts of cores and of a card are allowed."""

    cpus: float = 0.0
    memory: int = 0
    gpus: float = 0.0

    @classmethod
    def of(cls, options: TaskOptions) -> Need | None:
        """What a task asks for; None: nothing. More than one card means whole cards."""
        if options.cpus is None and options.memory is None and options.gpus is None:
            return None
        memory = 0 if options.memory is None else byte_count(options.memory)
        gpus = options.gpus or 0.0
        return cls(options.cpus or 0.0, memory, float(ceil(gpus)) if gpus > 1 else gpus)


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is to run steps on.

    Args:
        total: in all.
        largest: what one step can get at most, as it runs on one machine.
        cards: the names of this machine's graphics cards, which are given to steps one by one;
            None: the cluster gives out its own.
    """

    total: Need
    largest: Need
    cards: tuple[str, ...] | None = None

    @classmethod
    def here(cls) -> Supply:
        """This machine's."""
        cores = os.cpu_count() or 1
        if hasattr(os, "sched_getaffinity"):
            cores = len(os.sched_getaffinity(0))
        cards = cards_here()
        total = Need(float(cores), _memory(), float(len(cards)))
        return cls(total, total, cards)

    @classmethod
    def unknown(cls) -> Supply:
        """Of a cluster whose machines come when they are needed."""
        total = Need(inf, UNLIMITED, inf)
        return cls(total, total)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a step holds while it runs.

    Args:
        cards: the graphics cards that are its own, or that it has a part of; None: where it runs,
            somebody else gives them out, or it asked for none.
    """

    need: Need
    cards: tuple[str, ...] | None = None


class Supplied(Protocol):
    """An executor, as far as this module sees it."""

    def supply(self) -> Supply: ...


class Budget:
    """How much of a supply is free.

    A step that asks for a part of a card shares it with others that do; one that asks for whole
    cards has them alone.
    """

    def __init__(self, supply: Supply) -> None:
        total = supply.total
        self._cpus, self._memory, self._gpus = total.cpus, total.memory, total.gpus
        self._cards = None if supply.cards is None else dict.fromkeys(supply.cards, 1.0)

    def fits(self, need: Need) -> bool:
        """Whether it is free now."""
        return (
            need.cpus <= self._cpus + _ROUNDING
            and need.memory <= self._memory
            and need.gpus <= self._gpus + _ROUNDING
            and (self._cards is None or self._choice(need.gpus) is not None)
        )

    def take(self, need: Need) -> Claim:
        """It `fits`, and is used from now on."""
        self._cpus -= need.cpus
        self._memory -= need.memory
        self._gpus -= need.gpus
        cards = self._choice(need.gpus) if self._cards is not None and need.gpus else None
        self._charge(cards, -need.gpus)
        return Claim(need, cards)

    def give(self, claim: Claim) -> None:
        """It is not used any more."""
        need = claim.need
        self._cpus += need.cpus
        self._memory += need.memory
        self._gpus += need.gpus
        self._charge(claim.cards, need.gpus)

    def _choice(self, gpus: float) -> tuple[str, ...] | None:
        """The cards for a step; None: there are not enough."""
        free = self._cards or {}
        if gpus >= 1:
            whole = [card for card, left in free.items() if left > 1 - _ROUNDING]
            return tuple(whole[: int(gpus)]) if len(whole) >= gpus else None
        if not gpus:
            return ()
        # The fullest one with room, so that others stay whole.
        roomy = [card for card, left in free.items() if left >= gpus - _ROUNDING]
        return (min(roomy, key=lambda card: free[card]),) if roomy else None

    def _charge(self, cards: tuple[str, ...] | None, gpus: float) -> None:
        if self._cards is not None and cards:
            for card in cards:
                self._cards[card] += gpus / len(cards)


_ROUNDING = 1e-9
"""Ten tenths of a core are one core, whatever floats say."""


def needs_of(plan: Plan) -> dict[str, Need]:
    """Task to what it needs; tasks that ask for nothing are left out."""
    found = ((task, Need.of(source.options)) for task, source in plan.sources.items())
    return {task: need for task, need in found if need is not None}


def check_needs(plan: Plan, executor: Supplied) -> None:
    """Raise `CheckFailed` where a step asks for more than it can ever get from the executor; it
    lists every such task, at its first step."""
    needs = needs_of(plan)
    if not needs:
        return  # What there is is asked for only where it matters.
    supply = executor.supply()
    steps: dict[str, list[str]] = {}
    for step in plan.graph.steps.values():
        if step.task in needs:
            steps.setdefault(step.task, []).append(step.name)
    problems = [
        Problem(
            f"$.graph.{names[0]}",
            f"The task {task!r}{_and_others(names)} asks for more than the executor has.",
            expected=f"at most {has}",
            found=asks,
            hint="Ask for less in @task, or choose another executor.",
        )
        for task, names in steps.items()
        for asks, has in _lacking(needs[task], supply.largest)
    ]
    if problems:
        raise CheckFailed(f"The resources of {plan.graph.name!r}", problems)


def _and_others(names: list[str]) -> str:
    return f", also that of {len(names) - 1} more steps," if len(names) > 1 else ""


def supply_of(machines: Mapping[str, list[Need]]) -> Supply:
    """What a cluster has, by what the workers on each of its machines have; of an empty one it is
    not known."""
    workers = [worker for found in machines.values() for worker in found]
    if not workers:
        return Supply.unknown()
    total = Need(
        sum(worker.cpus for worker in workers),
        min(sum(worker.memory for worker in workers), UNLIMITED),
        sum(worker.gpus for worker in workers),
    )
    largest = Need(
        # A worker's threads are no cores: a step may use those of its neighbours.
        max(sum(worker.cpus for worker in found) for found in machines.values()),
        max(worker.memory for worker in workers),
        max(worker.gpus for worker in workers),
    )
    return Supply(total, largest)


def _lacking(need: Need, total: Need) -> Iterator[tuple[str, str]]:
    if need.cpus > total.cpus + _ROUNDING:
        yield f"{need.cpus:g} cpus", f"{total.cpus:g} cpus"
    if need.memory > total.memory:
        yield f"{need.memory:,} bytes of memory", f"{total.memory:,} bytes"
    if need.gpus > total.gpus + _ROUNDING:
        yield f"{need.gpus:g} gpus", f"{total.gpus:g} gpus"


def _memory() -> int:
    """Bytes that this machine, or the container that this process is in, has."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # a system that does not say
        total = UNLIMITED
    for file in _CGROUP_LIMITS:
        try:
            limit = file.read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total
