"""The types of task graphs: what a value may be, known before anything runs.

This module holds the shapes only. How they are written in YAML and in Python annotations, and
which fits which, is in `findspot.graph`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

BuiltinName = Literal["string", "integer", "number", "boolean", "null", "any", "unknown"]


@dataclass(frozen=True, slots=True)
class Builtin:
    """``string``, ``integer`` (a kind of number), ``number``, ``boolean``, ``null``, ``any``, or
    ``unknown`` (see `UNKNOWN`)."""

    name: BuiltinName

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Simple:
    """A type that is only a name, perhaps below others.

    Args:
        name: the name in the graph, or the full dotted name of a Python class.
        parents: direct super-types; simple types, or builtin ones (``{is_a: number}``).
        python: the full dotted name of the Python class it stands for, where there is one
            (``numpy.ndarray``); a value's class must then be that class or below it.
    """

    name: str
    parents: tuple[Simple | Builtin, ...] = ()
    python: str | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type
    name: str | None = None

    def __str__(self) -> str:
        return self.name or f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class TupleOf:
    items: tuple[Type, ...]
    name: str | None = None

    def __str__(self) -> str:
        return self.name or f"tuple[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with enumerated properties, all required (``{mapping: {a: string}}``)."""

    properties: Mapping[str, Type] = field(default_factory=dict)
    name: str | None = None

    def __str__(self) -> str:
        inner = ", ".join(f"{k}: {v}" for k, v in self.properties.items())
        return self.name or f"mapping{{{inner}}}"

    def __hash__(self) -> int:
        return hash((self.name, frozenset(self.properties.items())))


@dataclass(frozen=True, slots=True)
class MappingOf:
    """A mapping from keys of one type to values of one (``{mapping: [string, number]}``)."""

    key: Type
    value: Type
    name: str | None = None

    def __str__(self) -> str:
        return self.name or f"mapping[{self.key}, {self.value}]"


@dataclass(frozen=True, slots=True)
class Union:
    members: tuple[Type, ...]
    name: str | None = None

    def __str__(self) -> str:
        return self.name or (" | ".join(map(str, self.members)) or "nothing")


Type: TypeAlias = Builtin | Simple | ListOf | TupleOf | Record | MappingOf | Union

STRING = Builtin("string")
INTEGER = Builtin("integer")
NUMBER = Builtin("number")
BOOLEAN = Builtin("boolean")
NULL = Builtin("null")
ANY = Builtin("any")
BUILTINS: Mapping[str, Builtin] = {t.name: t for t in (STRING, INTEGER, NUMBER, BOOLEAN, NULL, ANY)}

UNKNOWN = Builtin("unknown")
"""The type of what was not annotated: nothing is known, so nothing is checked. It has no name in
documents, and is not among `BUILTINS`."""
