"""What is chosen when a job is made: values of parameters, and versions for artifact inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from findspot.core.errors import FindspotError, Problem
from findspot.core.types import (
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
from findspot.graph.annotations import named_type
from findspot.graph.classes import class_type
from findspot.graph.compatibility import fits
from findspot.graph.hierarchy import ClassHierarchy, ImportedHierarchy
from findspot.graph.inference import infer, value_fits
from findspot.graph.narrowing import narrowed
from findspot.graph.paths import child, locate
from findspot.graph.spec import Opaque, TaskGraph
from findspot.graph.suggestions import suggestion
from findspot.graph.yaml_scalars import FLOAT, INTEGER, scalar

__all__ = ["InvalidValue", "check_values", "parse_parameters", "parse_value", "value_fits"]

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_EXAMPLES = {
    "integer": "a whole number, such as 3",
    "number": "a number, such as 0.5 or 1e-3",
    "boolean": "true or false",
    "null": "null",
}
# What Python classes a builtin type is open to besides those that its name says.
_BROADER = {
    "integer": ("numbers.Integral",),
    "number": ("numbers.Real",),
    "string": ("builtins.str",),
    "boolean": ("numpy.bool", "numpy.bool_"),
}
_SERIES = ("builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset")


class InvalidValue(FindspotError):
    """A text is no value of the type that is wanted.

    Args:
        expected: what is wanted, in words.
    """

    exit_code = 2

    def __init__(self, text: str, type_: Type, expected: str) -> None:
        self.text, self.type, self.expected = text, type_, expected
        shown = repr(text if len(text) <= 80 else text[:77] + "...")
        super().__init__(f"{shown} is not of type {type_}.", how=f"Give {expected}.")


def parse_value(text: str, type_: Type) -> Any:
    """The value of ``type_`` that a text stands for (as given on a command line or in a form).

    Text is taken as it is where a string is wanted; lists and mappings are written as YAML or JSON.
    Where the type is not known, unquoted numbers, true, false and null are what they look like.

    Raises:
        InvalidValue: the text stands for no value of that type.

    >>> from findspot.core.types import NUMBER
    >>> parse_value("1e-3", NUMBER), parse_value("12", STRING), parse_value("[1]", ListOf(NUMBER))
    (0.001, '12', [1])
    """
    match type_:
        case Builtin():
            return _parse_builtin(text, type_)
        case Union():
            return _parse_union(text, type_)
        case Simple():
            return _parse_simple(text, type_)
        case _:
            value = _structure(text, type_)
            if not value_fits(value, type_):
                raise InvalidValue(text, type_, f"a value of type {type_}, written as YAML or JSON")
            return value


def parse_parameters(
    graph: TaskGraph, texts: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The values of parameters that were given as text, and what is wrong with the texts.

    A parameter without a type takes what the task takes that it is given to; where that is not
    known either, but its default is text, text.
    """
    values, problems = {}, []
    parameters = narrowed(graph)
    for name, text in texts.items():
        parameter = parameters.get(name)
        if parameter is None:
            problems.append(_unknown(name, "$.parameters", "parameter", graph.parameters))
            continue
        wanted = parameter.type
        if wanted == UNKNOWN and isinstance(parameter.default, str):
            wanted = STRING
        try:
            values[name] = parse_value(text, wanted)
        except InvalidValue as error:
            path = child("$.parameters", name)
            message = f"The value given for the parameter {name!r} is not of its type."
            location = locate(graph.locations, path)
            shown = repr(text if len(text) <= 80 else text[:77] + "...")
            problems.append(
                Problem(path, message, location, str(wanted), f"the text {shown}", error.how or "")
            )
    return values, problems


def check_values(
    graph: TaskGraph,
    params: Mapping[str, Any],
    artifact_types: Mapping[str, str],
    *,
    hierarchy: ClassHierarchy | None = None,
) -> list[Problem]:
    """All that is wrong with what was chosen for one job, in the order of the graph.

    Args:
        params: values by parameter; those that are left out take their defaults.
        artifact_types: the full name of the Python type of each chosen version, by artifact input;
            an empty name stands for a type that is not known, which is not checked.
        hierarchy: as for `findspot.graph.checking.check`.
    """
    problems = []
    for name, parameter in narrowed(graph).items():
        path = child("$.parameters", name)
        location = locate(graph.locations, path)
        if name not in params:
            if parameter.required:
                message = f"The parameter {name!r} has no default, and no value is given."
                expected = "" if parameter.type == UNKNOWN else str(parameter.type)
                problems.append(Problem(path, message, location, expected))
            continue
        value = params[name]
        if value is parameter.default and not parameter.required:
            continue  # "x: int = None" is common in Python, and works
        if not _value_may_be(value, parameter.type):
            message = f"The value given for the parameter {name!r} is not of its type."
            shown = repr(value)
            shown = shown if len(shown) <= 80 else shown[:77] + "..."
            found = f"{shown}, of type {infer(value)}"
            problems.append(Problem(path, message, location, str(parameter.type), found))
    asked = hierarchy or ImportedHierarchy()
    for name, chosen in graph.artifact_inputs.items():
        path = child("$.artifact_inputs", name)
        location = locate(graph.locations, path)
        wanted = [output.type for output in chosen.outputs]
        if name not in artifact_types:
            message = f"No artifact is chosen for the artifact input {name!r}."
            expected = ", ".join(map(str, wanted))
            problems.append(Problem(path, message, location, f"a saved version of type {expected}"))
        elif not _loads_as(artifact_types[name], wanted, chosen.unpack, asked):
            expected = str(TupleOf(tuple(wanted)) if chosen.unpack else wanted[0])
            problems.append(
                Problem(
                    path,
                    f"The artifact chosen for {name!r} is not of the declared type.",
                    location,
                    expected,
                    f"a version of type {artifact_types[name]}",
                    "Choose another version, or change the declared type.",
                )
            )
    for name in params:
        if name not in graph.parameters:
            problems.append(_unknown(name, "$.parameters", "parameter", graph.parameters))
    for name in artifact_types:
        if name not in graph.artifact_inputs:
            known = graph.artifact_inputs
            problems.append(_unknown(name, "$.artifact_inputs", "artifact input", known))
    return problems


def _unknown(name: str, section: str, role: str, known: Mapping[str, Any]) -> Problem:
    return Problem(
        child(section, name),
        f"There is no {role} {name!r}.",
        hint=suggestion(name, known, role=f"{role}s"),
    )


def _value_may_be(value: Any, type_: Type) -> bool:
    if isinstance(value, Opaque):
        return fits(value.type, type_) or value_fits(value.value, type_)
    return value_fits(value, type_)


def _parse_builtin(text: str, type_: Builtin) -> Any:
    word = text.strip()
    match type_.name:
        case "string":
            return text
        case "boolean" if word.lower() in _TRUE | _FALSE:
            return word.lower() in _TRUE
        case "null" if word in ("", "~") or word.lower() in ("null", "none"):
            return None
        case "integer" if INTEGER.fullmatch(word):
            return _number(text, word, type_)
        case "number" if INTEGER.fullmatch(word) or FLOAT.fullmatch(word):
            return _number(text, word, type_)
        case "any" | "unknown":
            return _guess(text, type_)
        case _:
            raise InvalidValue(text, type_, _EXAMPLES[type_.name])


def _number(text: str, word: str, type_: Type) -> Any:
    try:
        return scalar(word)
    except ValueError:
        raise InvalidValue(text, type_, "a number with fewer digits") from None


def _guess(text: str, type_: Type) -> Any:
    from findspot.graph.yaml_source import plain, read_yaml

    word = text.strip()
    if word[:1] in ("[", "{", '"', "'"):
        source = read_yaml(word, "value")
        if source.root is not None and not source.problems:
            return plain(source.root)
        return text
    found = _number(text, word, type_)
    return text if isinstance(found, str) else found


def _parse_union(text: str, type_: Union) -> Any:
    def rank(member: Type) -> int:
        # Text would take everything, so it is tried last; the narrow types first.
        names = ("null", "boolean", "integer", "number")
        if isinstance(member, Builtin):
            return names.index(member.name) if member.name in names else 9
        return 5

    # "1" is a number before it is true, where a union has both.
    has_numbers = any(rank(member) in (2, 3) for member in type_.members)
    for member in sorted(type_.members, key=rank):
        if member == Builtin("boolean") and has_numbers and text.strip() in ("0", "1"):
            continue
        if member == Builtin("null") and not text and STRING in type_.members:
            continue
        try:
            return parse_value(text, member)
        except InvalidValue:
            continue
    raise InvalidValue(text, type_, f"one of {', '.join(map(str, type_.members))}")


def _parse_simple(text: str, type_: Simple) -> Any:
    if type_.python == "builtins.bytes":
        return text.encode()
    if type_.python in ("pathlib.Path", "pathlib.PurePath"):
        from pathlib import Path

        return Path(text)
    if type_.python is not None:
        raise InvalidValue(
            text, type_, "it as an artifact; no text stands for a value of this class"
        )
    for parent in type_.parents:
        return parse_value(text, parent)
    return _guess(text, type_)


_OPENING = re.compile(r"\s*[\[{]")


def _structure(text: str, type_: ListOf | TupleOf | Record | MappingOf) -> Any:
    from findspot.graph.yaml_source import plain, read_yaml

    if not _OPENING.match(text):
        example = "{key: value}" if isinstance(type_, Record | MappingOf) else "[1, 2]"
        raise InvalidValue(text, type_, f"it as YAML or JSON, such as {example}")
    source = read_yaml(text, "value")
    if source.root is None or source.problems:
        reason = source.problems[0].message if source.problems else "It is empty."
        raise InvalidValue(text, type_, f"it as YAML or JSON. {reason}".rstrip("."))
    return plain(source.root)


def _loads_as(python: str, wanted: list[Type], unpack: bool, hierarchy: ClassHierarchy) -> bool:
    if not python:
        return True
    if unpack:
        # Anything that can be iterated over may be unpacked; these cannot.
        return python.removeprefix("builtins.") not in (
            "int",
            "float",
            "bool",
            "NoneType",
            "complex",
        )
    return _may_be(python, wanted[0], hierarchy) if wanted else True


def _may_be(python: str, wanted: Type, hierarchy: ClassHierarchy) -> bool:
    """Whether a value of the named class may be of a type; what only the value can tell is yes."""
    if "." not in python:
        python = f"builtins.{python}"
    match wanted:
        case Builtin():
            if fits(named_type(python), wanted, hierarchy):
                return True
            if python == "builtins.bool" or wanted.name not in _BROADER:
                return False
            above = _BROADER[wanted.name]
            return python in above or any(hierarchy.is_subclass(python, name) for name in above)
        case Simple():
            found = class_type(python)
            if wanted.python is not None:
                return fits(found, Simple(wanted.name, python=wanted.python), hierarchy)
            return all(_may_be(python, parent, hierarchy) for parent in wanted.parents)
        case Union():
            return any(_may_be(python, member, hierarchy) for member in wanted.members)
        case ListOf() | TupleOf():
            return _is_one_of(python, _SERIES, hierarchy)
        case Record() | MappingOf():
            mappings = ("builtins.dict", "collections.abc.Mapping")
            return _is_one_of(python, mappings, hierarchy)


def _is_one_of(python: str, names: tuple[str, ...], hierarchy: ClassHierarchy) -> bool:
    return python in names or any(hierarchy.is_subclass(python, name) for name in names)
