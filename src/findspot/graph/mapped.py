"""Steps that call a task once for each element of a list: the types that go in and come out."""

from __future__ import annotations

from dataclasses import replace

from findspot.core.types import ANY, UNKNOWN, ListOf, TupleOf, Type, Union
from findspot.graph.spec import OutputSpec, Step, TaskSpec


def element_type(type_: Type) -> Type | None:
    """The type of a list's elements; None where values of the type are no lists.

    >>> from findspot.core.types import INTEGER, STRING
    >>> str(element_type(ListOf(INTEGER))), str(element_type(TupleOf((INTEGER, STRING))))
    ('integer', 'integer | string')
    >>> element_type(INTEGER) is None
    True
    """
    match type_:
        case ListOf():
            return type_.item
        case TupleOf():
            return _one_of(type_.items)
        case Union():
            found = [element_type(member) for member in type_.members]
            known = [member for member in found if member is not None]
            return _one_of(tuple(known)) if len(known) == len(found) else None
        case _:
            return UNKNOWN if type_ in (UNKNOWN, ANY) else None


def outputs_of(step: Step, task: TaskSpec) -> tuple[OutputSpec, ...]:
    """The outputs that a reference to a step may mean, with their types."""
    if not step.each:
        return task.outputs
    return tuple(replace(output, type=ListOf(output.type)) for output in task.outputs)


def _one_of(types: tuple[Type, ...]) -> Type:
    distinct = tuple(dict.fromkeys(types))
    if not distinct:
        return UNKNOWN
    return distinct[0] if len(distinct) == 1 else Union(distinct)
