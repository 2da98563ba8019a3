"""Which type fits which. All rules are covariant: a task must not change its inputs in place."""

from __future__ import annotations

from findspot.core.types import (
    STRING,
    Builtin,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.classes import public_name
from findspot.graph.hierarchy import ClassHierarchy


def fits(a: Type, b: Type, hierarchy: ClassHierarchy | None = None) -> bool:
    """Whether every value of type ``a`` may be used where ``b`` is wanted.

    Args:
        hierarchy: asked whether one class is below another when their names differ; without it
            only the names and the declared parents count.

    >>> from findspot.core.types import ANY, INTEGER, NUMBER
    >>> fits(INTEGER, NUMBER), fits(NUMBER, INTEGER), fits(NUMBER, ANY), fits(ANY, NUMBER)
    (True, False, True, False)
    """
    if a is b:
        return True
    if isinstance(b, Builtin) and b.name in ("any", "unknown"):
        return True
    if isinstance(a, Builtin) and a.name == "unknown":
        return True
    if isinstance(a, Union):
        return all(fits(member, b, hierarchy) for member in a.members)
    if isinstance(b, Union):
        return any(fits(a, member, hierarchy) for member in b.members)
    if isinstance(a, Builtin):
        return isinstance(b, Builtin) and (
            a.name == b.name or (a.name == "integer" and b.name == "number")
        )
    if isinstance(a, Simple):
        return _is_below(a, b, hierarchy)
    if isinstance(b, Builtin | Simple):
        return False
    if a.name is not None and b.name is not None and a.name != b.name:
        return False
    return _structure_fits(a, b, hierarchy)


def _is_below(a: Simple, b: Type, hierarchy: ClassHierarchy | None) -> bool:
    if isinstance(b, Simple):
        if a.python is None and b.python is None:
            if a.name == b.name:
                return True
        elif a.python is not None and b.python is not None:
            first, second = public_name(a.python), public_name(b.python)
            if first == second:
                return True
            if hierarchy is not None and hierarchy.is_subclass(first, second):
                return True
    return any(fits(parent, b, hierarchy) for parent in a.parents)


def _structure_fits(
    a: ListOf | TupleOf | Record | MappingOf,
    b: ListOf | TupleOf | Record | MappingOf,
    hierarchy: ClassHierarchy | None,
) -> bool:
    match a, b:
        case ListOf(), ListOf():
            return fits(a.item, b.item, hierarchy)
        case TupleOf(), TupleOf():
            return len(a.items) == len(b.items) and all(
                fits(x, y, hierarchy) for x, y in zip(a.items, b.items, strict=True)
            )
        case TupleOf(), ListOf():
            return all(fits(item, b.item, hierarchy) for item in a.items)
        case Record(), Record():
            return a.properties.keys() == b.properties.keys() and all(
                fits(a.properties[key], b.properties[key], hierarchy) for key in a.properties
            )
        case Record(), MappingOf():
            return fits(STRING, b.key, hierarchy) and all(
                fits(value, b.value, hierarchy) for value in a.properties.values()
            )
        case MappingOf(), MappingOf():
            return fits(a.key, b.key, hierarchy) and fits(a.value, b.value, hierarchy)
        case _:
            return False


def explain(a: Type, b: Type, hierarchy: ClassHierarchy | None = None) -> str:
    """One sentence on why ``a`` does not fit ``b``; empty when it does.

    >>> from findspot.core.types import NUMBER, ListOf
    >>> explain(ListOf(STRING), ListOf(NUMBER))
    'An element is of type string, and string is not number.'
    """
    if fits(a, b, hierarchy):
        return ""
    if isinstance(a, Union):
        culprit = next(member for member in a.members if not fits(member, b, hierarchy))
        return f"It may be {culprit}, and {_reason(culprit, b, hierarchy)}."
    reason = _reason(a, b, hierarchy)
    if reason.startswith(str(a)):  # a name stays as it is written
        return f"{reason}."
    return f"{reason[0].upper()}{reason[1:]}."


def _reason(a: Type, b: Type, hierarchy: ClassHierarchy | None) -> str:
    if isinstance(a, Builtin) and a.name == "any":
        return "a value of type any may be anything, so it fits only any"
    if isinstance(b, Union):
        if not b.members:
            return "no value has the empty union's type"
        return f"{a} fits none of {', '.join(map(str, b.members))}"
    if isinstance(a, Union | Builtin | Simple) or isinstance(b, Builtin | Simple):
        return f"{a} is not {b}"
    if a.name is not None and b.name is not None and a.name != b.name:
        return f"{a.name} and {b.name} are two different named types"
    return _structure_reason(a, b, hierarchy)


def _structure_reason(
    a: ListOf | TupleOf | Record | MappingOf,
    b: ListOf | TupleOf | Record | MappingOf,
    hierarchy: ClassHierarchy | None,
) -> str:
    match a, b:
        case ListOf(), ListOf():
            return _inside("an element", a.item, b.item, hierarchy)
        case TupleOf(), TupleOf():
            if len(a.items) != len(b.items):
                return f"the number of elements is {len(a.items)}, not {len(b.items)}"
            for i, (x, y) in enumerate(zip(a.items, b.items, strict=True)):
                if not fits(x, y, hierarchy):
                    return _inside(f"element {i}", x, y, hierarchy)
        case TupleOf(), ListOf():
            for i, item in enumerate(a.items):
                if not fits(item, b.item, hierarchy):
                    return _inside(f"element {i}", item, b.item, hierarchy)
        case Record(), Record():
            missing = [key for key in b.properties if key not in a.properties]
            surplus = [key for key in a.properties if key not in b.properties]
            if missing:
                return f"it lacks the property {missing[0]!r}"
            if surplus:
                return f"it has the surplus property {surplus[0]!r}"
            for key, value in a.properties.items():
                if not fits(value, b.properties[key], hierarchy):
                    return _inside(f"the property {key!r}", value, b.properties[key], hierarchy)
        case Record(), MappingOf():
            if not fits(STRING, b.key, hierarchy):
                return f"its keys are text, not {b.key}"
            for key, value in a.properties.items():
                if not fits(value, b.value, hierarchy):
                    return _inside(f"the property {key!r}", value, b.value, hierarchy)
        case MappingOf(), MappingOf():
            if not fits(a.key, b.key, hierarchy):
                return _inside("a key", a.key, b.key, hierarchy)
            return _inside("a value", a.value, b.value, hierarchy)
        case _:
            pass
    return f"{_kind(a)} is not {_kind(b)}"


def _inside(part: str, a: Type, b: Type, hierarchy: ClassHierarchy | None) -> str:
    return f"{part} is of type {a}, and {_reason(a, b, hierarchy)}"


def _kind(type: ListOf | TupleOf | Record | MappingOf) -> str:
    match type:
        case ListOf():
            return "a list"
        case TupleOf():
            return "a tuple"
        case Record():
            return "a mapping with fixed properties"
        case MappingOf():
            return "a mapping with free keys"
