"""Records as plain JSON and back, checked field by field by their declared types.

Fields that a reader does not know are left out, and those that are missing take their defaults, so
that records may gain fields without a new format. What is there must be of the declared type.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import types
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from findspot.core.digests import Digest, is_digest

T = TypeVar("T")

_DEPTH = 100


class BadRecord(ValueError):
    """A JSON value is no record.

    Args:
        path: the place in the document.
        reason: what is wrong there.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


def to_json(value: Any) -> Any:
    """A record, or a value of one of its fields, as plain JSON."""
    if isinstance(value, str | int | float) or value is None:
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}


def from_json(kind: type[T], document: Any, path: str) -> T:
    """A record of a class; `BadRecord` names the place of the first mistake."""
    if not isinstance(document, dict):
        raise BadRecord(path, f"it is no object, but {_kind(document)}")
    cls: Any = kind
    hints = _hints(cls)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.name in document:
            place = f"{path}.{field.name}"
            values[field.name] = _value(hints[field.name], document[field.name], place)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise BadRecord(path, f"it has no {field.name!r}")
    return kind(**values)


def _value(hint: Any, value: Any, path: str) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        if not _is_shallow(value, _DEPTH):
            raise BadRecord(path, f"it is nested over {_DEPTH} levels deep")
        return value
    if hint is Digest:
        if not isinstance(value, str) or not is_digest(value):
            raise BadRecord(path, "it is no digest")
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        return _value(inner[0], value, path)
    if origin is Literal:
        if value not in get_args(hint):
            raise BadRecord(path, f"it is none of {', '.join(map(str, get_args(hint)))}")
        return value
    if hint is datetime:
        return _time(value, path)
    if hint is bytes:
        return _bytes(value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (str, int, bool, float):
        if type(value) is not hint:
            raise BadRecord(path, f"it is {_kind(value)}, not {_kind(hint())}")
        if hint is int and not -(1 << 63) <= value < 1 << 63:
            raise BadRecord(path, "it is a whole number of over 64 bits")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise BadRecord(path, f"it is no list, but {_kind(value)}")
        return tuple(_value(get_args(hint)[0], v, f"{path}[{i}]") for i, v in enumerate(value))
    if origin is not None:  # a mapping
        if not isinstance(value, dict):
            raise BadRecord(path, f"it is no object, but {_kind(value)}")
        return {name: _value(get_args(hint)[1], v, f"{path}.{name}") for name, v in value.items()}
    return from_json(hint, value, path)


def _is_shallow(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return depth > 0 and all(_is_shallow(item, depth - 1) for item in value)


def _time(value: Any, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is not None and 1970 <= time.year < 9999:
            return time
    except (TypeError, ValueError):
        pass
    raise BadRecord(path, "it is no time with a time zone")


def _bytes(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise BadRecord(path, "it is no base64") from None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    names |= {int: "a whole number", float: "a number", type(None): "null"}
    return names.get(type(value), type(value).__name__)
