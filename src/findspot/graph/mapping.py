"""`Task.map`: which arguments are taken element by element, and the calls outside a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findspot.graph.tasks import Task


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that every call of `Task.map` is given whole; made by `fixed`."""

    value: Any


def fixed(value: Any) -> Any:
    """Marks a list that each call of `Task.map` gets as a whole.

    >>> from findspot.graph.tasks import task
    >>> @task
    ... def position(x: int, among: list[int]) -> int:
    ...     return among.index(x)
    >>> position.map([3, 5], among=fixed([5, 3]))
    [1, 0]
    """
    return Fixed(value)


def unwrapped(value: Any) -> Any:
    return value.value if type(value) is Fixed else value


def called_for_each(task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call a task's function now, once for each element.

    Raises:
        ValueError: the lists differ in length, or there is none.
    """
    given = [*enumerate(args), *kwargs.items()]
    lengths = {name: len(value) for name, value in given if isinstance(value, list | tuple)}
    if len(set(lengths.values())) != 1:
        raise ValueError(length_problem({str(name): n for name, n in lengths.items()}))
    (count,) = set(lengths.values())

    def one(value: Any, index: int) -> Any:
        return value[index] if isinstance(value, list | tuple) else unwrapped(value)

    results = [
        task.function(
            *[one(value, i) for value in args], **{name: one(v, i) for name, v in kwargs.items()}
        )
        for i in range(count)
    ]
    if not task.spec.unpack:
        return results
    return tuple([row[i] for row in results] for i in range(len(task.spec.outputs)))


def length_problem(lengths: Mapping[str, int]) -> str:
    """What is wrong with lists of different lengths, or with none."""
    if not lengths:
        return "There is no list to take elements from."
    shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
    return f"The lists differ in length ({shown})."
