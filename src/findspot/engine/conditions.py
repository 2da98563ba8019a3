"""Steps whose condition is false, and what becomes of those that would take their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from findspot.core.errors import FindspotError
from findspot.engine.caching.keys import positional_slots
from findspot.graph.spec import Ref, Step, TaskSpec, references


class NoCondition(FindspotError):
    """The value of a step's condition is neither true nor false."""

    def __init__(self, step: str, condition: str, found: str) -> None:
        self.step = step
        super().__init__(
            f"The condition {condition} is of type {found}, neither True nor False.",
            where=f"step {step}",
            how="Return a bool from the step that it refers to.",
        )


def without_missing(step: Step, task: TaskSpec, missing: Sequence[str]) -> Step | str:
    """The step without the arguments that are results of the steps ``missing``, where those have
    defaults; else the name of a missing step that it cannot do without.

    A step that is only waited for (``after``, ``dependencies``) may be missing.
    """
    if not missing:
        return step
    lost = set(missing)
    for value in (*step.each.values(), step.when):
        for ref in references(value):
            if ref.name in lost:
                return ref.name
    slots = positional_slots(task)
    optional = {i.name for i in task.inputs if not (i.required or i.variadic)}
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for index, value in enumerate(step.args):
        slot = slots[min(index, len(slots) - 1)] if slots else None
        found = _lost(value, lost)
        if found is None:
            if slot is None or slot.positional_only or slot.variadic or index == len(args):
                if index != len(args):
                    return missing[0]  # an argument before it is gone, and it has no name
                args.append(value)
            else:
                kwargs[slot.name] = value
        elif slot is None or type(value) is not Ref or slot.name not in optional:
            return found
    for name, value in step.kwargs.items():
        found = _lost(value, lost)
        if found is None:
            kwargs[name] = value
        elif type(value) is not Ref or name not in optional:
            return found
    return replace(step, args=tuple(args), kwargs=kwargs)


def _lost(value: Any, lost: set[str]) -> str | None:
    return next((ref.name for ref in references(value) if ref.name in lost), None)
