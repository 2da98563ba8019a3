"""What steps need of a machine, and how much of it there is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.errors import CheckFailed, Problem
from findspot.graph.task_options import TaskOptions, byte_count

if TYPE_CHECKING:
    from findspot.engine.plans import Plan

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_GPUS = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True, slots=True)
class Need:
    """Cores, bytes of memory and graphics cards; parts of cores and cards are allowed."""

    cpus: float = 0.0
    memory: int = 0
    gpus: float = 0.0

    @classmethod
    def of(cls, options: TaskOptions) -> Need | None:
        """What a task asks for; None: nothing."""
        if options.cpus is None and options.memory is None and options.gpus is None:
            return None
        memory = 0 if options.memory is None else byte_count(options.memory)
        return cls(options.cpus or 0.0, memory, options.gpus or 0.0)


class Budget:
    """What there is in all, and how much of it is free."""

    def __init__(self, total: Need) -> None:
        self.total = total
        self._cpus = total.cpus
        self._memory = total.memory
        self._gpus = total.gpus

    def fits(self, need: Need) -> bool:
        """Whether it is free now."""
        return (
            need.cpus <= self._cpus + _ROUNDING
            and need.memory <= self._memory
            and need.gpus <= self._gpus + _ROUNDING
        )

    def take(self, need: Need) -> None:
        self._cpus -= need.cpus
        self._memory -= need.memory
        self._gpus -= need.gpus

    def give(self, need: Need) -> None:
        self._cpus += need.cpus
        self._memory += need.memory
        self._gpus += need.gpus


_ROUNDING = 1e-9
"""Ten tenths of a core are one core, whatever floats say."""


def needs_of(plan: Plan) -> dict[str, Need]:
    """Task to what it needs; tasks that ask for nothing are left out."""
    found = ((task, Need.of(source.options)) for task, source in plan.sources.items())
    return {task: need for task, need in found if need is not None}


def budget_of(executor: Any) -> Budget:
    """What an executor may use: its own ``budget`` (``cpus``, ``memory`` in bytes, ``gpus``), where
    it has one; what it does not say is what this machine has."""
    here = _here()
    given: Mapping[str, float] = getattr(executor, "budget", None) or {}
    return Budget(
        Need(
            float(given.get("cpus", here.cpus)),
            int(given.get("memory", here.memory)),
            float(given.get("gpus", here.gpus)),
        )
    )


def check_needs(plan: Plan, needs: Mapping[str, Need], budget: Budget) -> None:
    """Raise `CheckFailed` where a step asks for more than there is; it lists every such step."""
    problems = [
        Problem(
            f"$.graph.{step.name}",
            f"The task {step.task!r} asks for more than the executor has.",
            expected=f"at most {has}",
            found=asks,
            hint="Ask for less in @task, or choose another executor.",
        )
        for step in plan.graph.steps.values()
        if step.task in needs
        for asks, has in _lacking(needs[step.task], budget.total)
    ]
    if problems:
        raise CheckFailed(f"The resources of {plan.graph.name!r}", problems)


def _lacking(need: Need, total: Need) -> Iterator[tuple[str, str]]:
    if need.cpus > total.cpus:
        yield f"{need.cpus:g} cpus", f"{total.cpus:g} cpus"
    if need.memory > total.memory:
        yield f"{need.memory:,} bytes of memory", f"{total.memory:,} bytes"
    if need.gpus > total.gpus:
        yield f"{need.gpus:g} gpus", f"{total.gpus:g} gpus"


def _here() -> Need:
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return Need(float(cores), _memory(), float(_gpus()))


def _memory() -> int:
    """Bytes that this machine, or the container that this process is in, has."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # a system that does not say
        total = 1 << 62
    try:
        limit = _CGROUP_LIMIT.read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def _gpus() -> int:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([name for name in chosen.split(",") if name.strip() not in ("", "-1")])
    try:
        return sum(1 for _ in _GPUS.iterdir())
    except OSError:
        return 0
