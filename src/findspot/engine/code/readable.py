"""The parts of a fingerprint as text, so that two of them can be compared by people."""

from __future__ import annotations

from typing import Any

from findspot.core.canonical import Json, canonical_json, is_plain
from findspot.core.secret_names import HIDDEN, is_secret_name

_LONGEST = 20_000
_SHOWN_VALUE = 2_000


def function_source(source: str, closure: list[Json], defaults: Json, keyword: Json) -> str:
    """A function as it is written, and below it what it holds besides: values of its closure, and
    defaults, which may have been put there by other code."""
    lines = [source[:_LONGEST]]
    for entry in closure:
        if isinstance(entry, list) and entry[1] is not None:
            lines.append(f"# {entry[0]} is {_shown(str(entry[0]), entry[1])}")
    for token in (defaults, keyword):
        if token != _NOTHING:
            lines.append(f"# defaults: {_short(token)}")
    return "\n".join(lines)


def class_source(cls: type, members: list[Json]) -> str:
    """A class by its bases and members; methods are parts of their own."""
    bases = ", ".join(base.__qualname__ for base in cls.__bases__ if base is not object)
    lines = [f"class {cls.__qualname__}({bases}):" if bases else f"class {cls.__qualname__}:"]
    for entry in members:
        if isinstance(entry, list):
            name = str(entry[0])
            lines.append(f"    {name} = {_shown(name, entry[1])}")
    return "\n".join(lines)[:_LONGEST]


def constant_source(name: str, value: Any, token: Json) -> str:
    """A constant with its value; that of a secret is left out."""
    if is_secret_name(name):
        return f"{name} = {HIDDEN}"
    # By its real type first: asking a proxy for its class may do anything.
    if type(value) in _LITERALS and is_plain(list(value) if type(value) is tuple else value):
        return f"{name} = {repr(value)[:_SHOWN_VALUE]}"
    return f"{name} = {_short(token)}"


def module_source(name: str, members: list[Json]) -> str:
    """A module of which everything counts, by what is in it."""
    lines = [f"module {name}:"]
    for entry in members:
        if isinstance(entry, list):
            lines.append(f"    {entry[0]} is {_shown(str(entry[0]), entry[1])}")
    return "\n".join(lines)[:_LONGEST]


_NOTHING: Json = ["NoneType", "None"]
_LITERALS = frozenset({type(None), bool, int, float, str, list, tuple, dict})


def _shown(name: str, token: Json) -> str:
    return HIDDEN if is_secret_name(name) else _short(token)


def _short(token: Json) -> str:
    if isinstance(token, list) and len(token) == 2 and token[0] in ("int", "float", "str", "bool"):
        return str(token[1])[:_SHOWN_VALUE]
    return canonical_json(token).decode(errors="replace")[:_SHOWN_VALUE]
