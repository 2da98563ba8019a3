"""Arguments of handlers against the JSON Schema that a handler gives for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from findspot.graph.paths import child
from findspot.graph.spec import HandlerSpec
from findspot.graph.suggestions import suggestion


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one argument."""

    message: str
    expected: str = ""
    found: str = ""
    hint: str = ""


def full_schema(schema: Any) -> Any:
    """The schema of a handler's arguments as an object's; only properties are allowed to be given.

    >>> full_schema({"dpi": {"type": "integer"}})["properties"]
    {'dpi': {'type': 'integer'}}
    """
    if not isinstance(schema, Mapping):
        return schema
    if isinstance(schema.get("properties"), Mapping) or isinstance(schema.get("type"), str):
        return schema
    if any(str(key).startswith("$") for key in schema):
        return schema
    return {"type": "object", "properties": dict(schema), "additionalProperties": False}


def argument_problems(
    args: Mapping[str, Any], handler: HandlerSpec, path: str
) -> Iterator[tuple[str, Fault]]:
    """Path and fault of everything that is wrong with the arguments given to a handler.

    Nothing is known, and nothing reported, where only the handler's code could tell its schema.
    """
    if handler.schema is ...:
        return
    if handler.schema is None:
        for name in args:
            yield child(path, name), Fault(f"The handler {handler.name!r} takes no arguments.")
        return
    schema = full_schema(handler.schema)
    if not args and isinstance(schema, Mapping) and not _may_demand(schema):
        return  # the usual case does without the validating library
    yield from _violations(args, schema, handler, path)


def _may_demand(schema: Mapping[str, Any]) -> bool:
    return not schema.keys() <= {"type", "properties", "additionalProperties", "title", "$schema"}


def _violations(
    args: Mapping[str, Any], schema: Any, handler: HandlerSpec, path: str
) -> Iterator[tuple[str, Fault]]:
    import jsonschema
    import referencing

    where = handler.location or handler.source or "built in"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        place = "".join(f"[{part!r}]" for part in error.absolute_path)
        yield (
            path,
            Fault(
                f"The handler {handler.name!r} gives no valid JSON Schema for its arguments.",
                found=f"at {place or 'its top'}: {error.message[:200]}",
                hint=f"Mend validation() of the handler ({where}).",
            ),
        )
        return
    # An empty registry: a reference to an address in a schema must not be fetched.
    validator = jsonschema.Draft202012Validator(schema, registry=referencing.Registry())
    try:
        errors = sorted(validator.iter_errors(dict(args)), key=lambda e: list(map(str, e.path)))
    except (referencing.exceptions.Unresolvable, RecursionError) as error:
        yield (
            path,
            Fault(
                f"The schema of the handler {handler.name!r} refers to what is not in it.",
                found=str(error)[:200],
                hint=f"Mend validation() of the handler ({where}).",
            ),
        )
        return
    for violation in errors:
        place = path
        for part in violation.absolute_path:
            place = child(place, part)
        yield from _explained(violation, handler, place)


def _explained(error: Any, handler: HandlerSpec, place: str) -> Iterator[tuple[str, Fault]]:
    name = handler.name
    properties = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    if error.validator == "additionalProperties" and error.validator_value is False:
        surplus = [key for key in error.instance if key not in properties]
        for key in surplus:
            yield (
                child(place, key),
                Fault(
                    f"The handler {name!r} has no argument {key!r}.",
                    hint=suggestion(key, properties, role="arguments"),
                ),
            )
        return
    if error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance and repr(key) in error.message:
                yield place, Fault(f"The handler {name!r} requires the argument {key!r}.")
        return
    shown = repr(error.instance)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    yield (
        place,
        Fault(
            f"The argument is not what the handler {name!r} takes.",
            expected=_expected(error),
            found=shown,
        ),
    )


_PHRASES = {
    "const": "{!r}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "text that matches {}",
}


def _expected(error: Any) -> str:
    value = error.validator_value
    if error.validator == "type":
        return value if isinstance(value, str) else " or ".join(value)
    if error.validator == "enum":
        return f"one of {', '.join(map(repr, value))}"
    phrase = _PHRASES.get(error.validator)
    return str(error.message)[:200] if phrase is None else phrase.format(value)
