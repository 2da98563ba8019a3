"""Types and specs of tasks and handlers as plain JSON, and back without loss.

Snapshots of plugins and entrypoints hold these. A builtin type is its name; any other type is an
object with one key that says what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from findspot.core.types import (
    BUILTINS,
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
from findspot.graph.spec import HandlerSpec, InputSpec, OutputSpec, TaskSpec

_DEPTH = 100
_UNKNOWABLE = "..."
"""In place of a schema that only running the plugin's code can tell."""


def type_to_json(type: Type) -> Any:
    """A type as plain JSON.

    >>> from findspot.core.types import INTEGER
    >>> type_to_json(ListOf(INTEGER))
    {'list': 'integer'}
    """
    match type:
        case Builtin(name):
            return name
        case Simple(name, parents, python):
            found: dict[str, Any] = {"simple": name}
            if parents:
                found["parents"] = [type_to_json(p) for p in parents]
            if python is not None:
                found["python"] = python
            return found
        case ListOf(item):
            found = {"list": type_to_json(item)}
        case TupleOf(items):
            found = {"tuple": [type_to_json(i) for i in items]}
        case Record(properties):
            # A list of pairs: canonical JSON would sort the keys of an object.
            found = {"record": [[key, type_to_json(t)] for key, t in properties.items()]}
        case MappingOf(key, value):
            found = {"mapping": [type_to_json(key), type_to_json(value)]}
        case Union(members):
            found = {"union": [type_to_json(m) for m in members]}
    if type.name is not None:
        found["name"] = type.name
    return found


def type_from_json(data: Any) -> Type:
    """The type that `type_to_json` wrote; ValueError for anything else.

    >>> str(type_from_json({"list": "integer"}))
    'list[integer]'
    """
    return _read_type(data, 0)


def task_to_json(task: TaskSpec) -> dict[str, Any]:
    """A task's spec as plain JSON; what has its default value is left out."""
    found: dict[str, Any] = {
        "name": task.name,
        "source": task.source,
        "inputs": [_input_to_json(i) for i in task.inputs],
        "outputs": [{"name": o.name, "type": type_to_json(o.type)} for o in task.outputs],
    }
    if task.unpack:
        found["unpack"] = True
    if task.location:
        found["location"] = task.location
    return found


def task_from_json(data: Any) -> TaskSpec:
    """The spec that `task_to_json` wrote; ValueError for anything else."""
    return TaskSpec(
        name=_text(data, "name"),
        source=_text(data, "source"),
        inputs=tuple(_input_from_json(i) for i in _list(data, "inputs")),
        outputs=tuple(
            OutputSpec(_text(o, "name"), type_from_json(_object(o).get("type")))
            for o in _list(data, "outputs")
        ),
        unpack=_flag(data, "unpack"),
        location=_text(data, "location", ""),
    )


def handler_to_json(handler: HandlerSpec) -> dict[str, Any]:
    """A handler's spec as plain JSON."""
    found: dict[str, Any] = {
        "name": handler.name,
        "source": handler.source,
        "type": type_to_json(handler.type),
        "schema": _UNKNOWABLE if handler.schema is ... else handler.schema,
    }
    if handler.location:
        found["location"] = handler.location
    return found


def handler_from_json(data: Any) -> HandlerSpec:
    """The spec that `handler_to_json` wrote; ValueError for anything else."""
    schema = _object(data).get("schema")
    if schema is not None and schema != _UNKNOWABLE and not isinstance(schema, dict):
        raise ValueError(f"a handler's schema is {schema!r}")
    return HandlerSpec(
        name=_text(data, "name"),
        source=_text(data, "source", ""),
        type=type_from_json(_object(data).get("type")),
        schema=... if schema == _UNKNOWABLE else schema,
        location=_text(data, "location", ""),
    )


_FLAGS = ("keyword_only", "positional_only", "injected")


def _input_to_json(spec: InputSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"name": spec.name, "type": type_to_json(spec.type)}
    if not spec.required:
        found["required"] = False
    if spec.variadic:
        found["variadic"] = spec.variadic
    found.update({flag: True for flag in _FLAGS if getattr(spec, flag)})
    return found


def _input_from_json(data: Any) -> InputSpec:
    return InputSpec(
        _text(data, "name"),
        type_from_json(_object(data).get("type")),
        required=_flag(data, "required", True),
        variadic=_text(data, "variadic", ""),
        **{flag: _flag(data, flag) for flag in _FLAGS},
    )


def _read_type(data: Any, depth: int) -> Type:
    if depth > _DEPTH:
        raise ValueError("a type is nested too deeply")
    if isinstance(data, str):
        if data == UNKNOWN.name:
            return UNKNOWN
        if data in BUILTINS:
            return BUILTINS[data]
        raise ValueError(f"{data!r} is no builtin type")

    def one(inner: Any) -> Type:
        return _read_type(inner, depth + 1)

    found = _object(data)
    name = found.get("name")
    if name is not None and not isinstance(name, str):
        raise ValueError(f"a type's name is {name!r}")
    readers: Mapping[str, Callable[[Any], Type]] = {
        "list": lambda item: ListOf(one(item), name),
        "tuple": lambda items: TupleOf(tuple(map(one, _sequence(items))), name),
        "record": lambda pairs: Record(
            {_key(pair[0]): one(pair[1]) for pair in map(_pair, _sequence(pairs))}, name
        ),
        "mapping": lambda pair: MappingOf(one(_pair(pair)[0]), one(_pair(pair)[1]), name),
        "union": lambda members: Union(tuple(map(one, _sequence(members))), name),
        "simple": lambda simple: _read_simple(_key(simple), found, depth),
    }
    for what, reader in readers.items():
        if what in found:
            return reader(found[what])
    raise ValueError(f"a type has none of the keys {', '.join(readers)}: {sorted(found)!r}")


def _read_simple(name: str, data: Mapping[str, Any], depth: int) -> Simple:
    parents = [_read_type(p, depth + 1) for p in _sequence(data.get("parents", []))]
    python = data.get("python")
    if python is not None and not isinstance(python, str):
        raise ValueError(f"the Python class of the type {name!r} is {python!r}")
    return Simple(name, tuple(p for p in parents if isinstance(p, Simple | Builtin)), python)


def _object(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{data!r:.80} is no object")
    return data


def _sequence(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError(f"{data!r:.80} is no list")
    return data


def _pair(data: Any) -> list[Any]:
    if len(_sequence(data)) != 2:
        raise ValueError(f"{data!r:.80} is no pair")
    return _sequence(data)


def _key(data: Any) -> str:
    if not isinstance(data, str):
        raise ValueError(f"{data!r:.80} is no name")
    return data


def _list(data: Any, key: str) -> list[Any]:
    return _sequence(_object(data).get(key))


def _text(data: Any, key: str, default: str | None = None) -> str:
    return _key(_object(data).get(key, default))


def _flag(data: Any, key: str, default: bool = False) -> bool:
    value = _object(data).get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}")
    return value
