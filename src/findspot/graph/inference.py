"""The types of literal values, and whether a value is of a type."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Any

from findspot.core.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    UNKNOWN,
    Builtin,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.classes import class_type, public_name
from findspot.graph.hierarchy import LoadedHierarchy
from findspot.graph.paths import child
from findspot.graph.spec import Opaque, Ref

_SCALARS: Mapping[type, Builtin] = {
    str: STRING,
    bool: BOOLEAN,
    int: INTEGER,
    float: NUMBER,
    type(None): NULL,
}
_loaded = LoadedHierarchy()


def infer(value: Any, reference: Callable[[Ref, str], Type] | None = None, path: str = "$") -> Type:
    """The type of a literal value, in which references may stand.

    A mapping with text keys has enumerated properties, one with whole numbers as keys goes from
    integers to the union of its values' types, and other lists and the like are tuples. An object
    that is none of these has the type of its class.

    Args:
        reference: gives the type of a reference at a path; without it, it is unknown.
        path: the place of the value, for ``reference``.

    >>> str(infer({"a": [1, "x"]}))
    'mapping{a: tuple[integer, string]}'
    """
    kind = type(value)
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar
    if kind is Ref:
        return UNKNOWN if reference is None else reference(value, path)
    if kind is Opaque:
        found: Type = value.type
        return found
    if isinstance(value, Mapping):
        types = {key: infer(item, reference, child(path, key)) for key, item in value.items()}
        if all(isinstance(key, str) for key in types):
            return Record(types)
        if all(isinstance(key, int) and not isinstance(key, bool) for key in types):
            return MappingOf(INTEGER, _union(types.values()))
        return ANY
    if isinstance(value, list | tuple | set | frozenset):
        return TupleOf(tuple(infer(x, reference, f"{path}[{i}]") for i, x in enumerate(value)))
    if isinstance(value, str):
        return STRING
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, float):
        return NUMBER
    return class_type(f"{kind.__module__}.{kind.__qualname__}")


def _union(types: Iterable[Type]) -> Type:
    distinct = tuple(dict.fromkeys(types))
    return distinct[0] if len(distinct) == 1 else Union(distinct)


def value_fits(value: Any, type_: Type, *, limit: int | None = None) -> bool:
    """Whether a value is of a type. Imports nothing, and changes and consumes nothing.

    A type that is only a name, tied to no class, says nothing that could be tested, so every value
    is of it, unless its super-types say more.

    Args:
        limit: how many elements of each list or mapping to look at; None for all.

    >>> value_fits([1, 2.5], ListOf(NUMBER)), value_fits(True, INTEGER)
    (True, False)
    """
    match type_:
        case Builtin():
            return _is_builtin(value, type_.name)
        case Simple():
            if type_.python is not None and not _is_instance(value, type_.python):
                return False
            return all(value_fits(value, parent, limit=limit) for parent in type_.parents)
        case Union():
            return any(value_fits(value, member, limit=limit) for member in type_.members)
        case ListOf():
            return _is_series(value) and all(
                value_fits(item, type_.item, limit=limit) for item in islice(value, limit)
            )
        case TupleOf():
            return (
                _is_series(value)
                and len(value) == len(type_.items)
                and all(
                    value_fits(item, wanted, limit=limit)
                    for item, wanted in islice(zip(value, type_.items, strict=True), limit)
                )
            )
        case Record():
            return (
                isinstance(value, Mapping)
                and value.keys() == type_.properties.keys()
                and all(
                    value_fits(value[key], wanted, limit=limit)
                    for key, wanted in islice(type_.properties.items(), limit)
                )
            )
        case MappingOf():
            return isinstance(value, Mapping) and all(
                value_fits(key, type_.key, limit=limit)
                and value_fits(item, type_.value, limit=limit)
                for key, item in islice(value.items(), limit)
            )


def _is_builtin(value: Any, name: str) -> bool:
    match name:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, numbers.Integral) and not isinstance(value, bool)
        case "number":
            return isinstance(value, numbers.Real) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool) or _is_instance(value, "numpy.bool")
        case "null":
            return value is None
        case _:
            return True


def _is_series(value: Any) -> bool:
    return isinstance(value, Collection) and isinstance(value, list | tuple | set | frozenset)


def _is_instance(value: Any, dotted: str) -> bool:
    wanted = public_name(dotted)
    for base in type(value).__mro__:
        if public_name(f"{base.__module__}.{base.__qualname__}") == wanted:
            return True
    # The class may be known under a second name, or be abstract; if it is loaded, ask it.
    known = _loaded.find(wanted)
    try:
        return known is not None and isinstance(value, known)
    except TypeError:
        return False
