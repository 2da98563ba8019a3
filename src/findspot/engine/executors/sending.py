"""Which part of a step cannot be sent to another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from findspot.engine.caching.keys import named_arguments
from findspot.engine.calls import StepCall
from findspot.engine.code.text import reads
from findspot.engine.errors import CannotSend


def cannot_send_task(call: StepCall, error: CannotSend) -> CannotSend:
    """The error, for the step, with the name of what its task holds that cannot be pickled."""
    return CannotSend(call.step, _first(_held(call.source.function(), set()), error.reason))


def cannot_send_arguments(call: StepCall, error: BaseException) -> CannotSend:
    """The error for a step whose arguments cannot be pickled, with the name of the first such."""
    named = named_arguments(call.spec, call.arguments)
    found = ((f"its argument {name}", value) for name, value in named.items())
    return CannotSend(call.step, _first(found, f"an argument cannot be pickled ({error})."))


def _first(parts: Iterator[tuple[str, Any]], otherwise: str) -> str:
    for name, value in parts:
        reason = _unpicklable(value)
        if reason is not None:
            kind = type(value)
            shown = (
                kind.__name__
                if kind.__module__ == "builtins"
                else f"{kind.__module__}.{kind.__name__}"
            )
            return f"{name} (of type {shown}) cannot be pickled: {reason}."
    return otherwise


def _unpicklable(value: Any) -> str | None:
    import cloudpickle

    try:
        cloudpickle.dumps(value)
    except Exception as error:
        return str(error).rstrip(".") or type(error).__name__
    return None


def _held(function: Callable[..., Any], seen: set[int]) -> Iterator[tuple[str, Any]]:
    """What a function holds, by name: the parts of its helpers before the helpers themselves."""
    function = getattr(function, "function", function)
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    held: list[tuple[str, Any]] = []
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            held.append((f"the variable {name} of its closure", cell.cell_contents))
        except ValueError:  # no value yet
            continue
    for chain in reads(code).names:
        if chain[0] in function.__globals__:
            held.append((f"the global variable {chain[0]}", function.__globals__[chain[0]]))
    held.extend(("a default value", value) for value in function.__defaults__ or ())
    for name, value in held:
        if callable(value):
            for inner, part in _held(value, seen):
                yield f"{inner}, which {getattr(value, '__name__', name)} uses,", part
    yield from held
