"""Objects that are a class and named fields: dataclasses, named tuples, attrs and pydantic models.

Such an object is taken apart into its fields and put together again without calling anything of its
class: neither ``__init__`` nor ``__post_init__`` nor validators run a second time.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

from findspot.handlers.classes import class_path
from findspot.handlers.errors import ClassNotFound


@dataclass(frozen=True, slots=True)
class Family:
    """One way in which classes declare fields.

    Args:
        role: what its classes are called, for errors.
        has: whether a class is of the family.
        take: the fields of an object; None where they do not hold all of it.
        build: an object of a class with these fields.
    """

    role: str
    has: Callable[[type], bool]
    take: Callable[[Any], Mapping[str, Any] | None]
    build: Callable[[type[Any], dict[str, Any], str], Any]


def _is_dataclass(cls: type) -> bool:
    return "__dataclass_fields__" in vars(cls) and _is_plain_class(cls)


def _is_attrs(cls: type) -> bool:
    return "__attrs_attrs__" in vars(cls) and _is_plain_class(cls)


def _is_namedtuple(cls: type) -> bool:
    return (
        issubclass(cls, tuple)
        and isinstance(getattr(cls, "_fields", None), tuple)
        and tuple in cls.__bases__
        and all(name in vars(cls) for name in ("_make", "_asdict", "_replace"))
    )


def _is_pydantic(cls: type) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


_MAKING = ("__new__", "__reduce__", "__reduce_ex__")


@lru_cache(maxsize=1024)
def _is_plain_class(cls: type) -> bool:
    """Whether objects of the class are their attributes and nothing else."""
    return all(getattr(cls, name) is getattr(object, name) for name in _MAKING) and not issubclass(
        cls, BaseException
    )


def _attributes(value: Any, names: tuple[str, ...]) -> Mapping[str, Any] | None:
    cls = type(value)
    for name in getattr(value, "__dict__", ()):
        if name not in names and not isinstance(getattr(cls, name, None), cached_property):
            return None
    missing = object()
    # The instance's own attributes: a class attribute of the same name is a default, not a value.
    found = {name: getattr(value, name, missing) for name in names}
    return None if any(item is missing for item in found.values()) else found


def _take_dataclass(value: Any) -> Mapping[str, Any] | None:
    return _attributes(value, _dataclass_names(type(value)))


def _dataclass_names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def _build_dataclass(cls: type[Any], fields: dict[str, Any], path: str) -> Any:
    defaults: dict[str, Callable[[], Any]] = {}
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = partial(_given, field.default)
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory
    return _assemble(cls, fields, _dataclass_names(cls), defaults, path)


def _given(value: Any) -> Any:
    return value


def _attrs_names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(attribute.name for attribute in cls.__attrs_attrs__)


def _take_attrs(value: Any) -> Mapping[str, Any] | None:
    return _attributes(value, _attrs_names(type(value)))


def _build_attrs(cls: type[Any], fields: dict[str, Any], path: str) -> Any:
    return _assemble(cls, fields, _attrs_names(cls), {}, path)


def _assemble(
    cls: type[Any],
    fields: dict[str, Any],
    names: tuple[str, ...],
    defaults: Mapping[str, Callable[[], Any]],
    path: str,
) -> Any:
    complete = dict(fields)
    for name in names:
        if name not in complete and name in defaults:
            complete[name] = defaults[name]()
    _same_fields(names, complete, path, fields)
    made = object.__new__(cls)
    for name in names:
        object.__setattr__(made, name, complete[name])
    return made


def _same_fields(
    names: tuple[str, ...], found: Mapping[str, Any], path: str, fields: Mapping[str, Any]
) -> None:
    surplus = [name for name in found if name not in names]
    missing = [name for name in names if name not in found]
    if surplus or missing:
        reason = "its fields are not those that were saved"
        if surplus:
            reason += f"; it has no field {', '.join(surplus)}"
        if missing:
            reason += f"; the saved object has no {', '.join(missing)}"
        raise ClassNotFound(path, reason, fields)


def _take_namedtuple(value: Any) -> Mapping[str, Any] | None:
    return (
        None if getattr(value, "__dict__", None) else dict(zip(value._fields, value, strict=True))
    )


def _build_namedtuple(cls: type[Any], fields: dict[str, Any], path: str) -> Any:
    names: tuple[str, ...] = cls._fields
    complete = {**getattr(cls, "_field_defaults", {}), **fields}
    _same_fields(names, complete, path, fields)
    return tuple.__new__(cls, [complete[name] for name in names])


_PYDANTIC_STATE = {
    "extra": "__pydantic_extra__",
    "set": "__pydantic_fields_set__",
    "private": "__pydantic_private__",
}


def _take_pydantic(value: Any) -> Mapping[str, Any] | None:
    fields = {f"field:{name}": item for name, item in value.__dict__.items()}
    return fields | {key: getattr(value, name) for key, name in _PYDANTIC_STATE.items()}


def _build_pydantic(cls: type[Any], fields: dict[str, Any], path: str) -> Any:
    state = {key: fields.pop(key, None) for key in _PYDANTIC_STATE}
    values = {key.removeprefix("field:"): item for key, item in fields.items()}
    for name, info in cls.model_fields.items():
        if name not in values and not info.is_required():
            values[name] = info.get_default(call_default_factory=True)
    known = {*cls.model_fields}
    cached = {n for n in values if isinstance(getattr(cls, n, None), cached_property)}
    _same_fields(tuple(known | cached), values, path, values)
    made = object.__new__(cls)
    object.__setattr__(made, "__dict__", values)
    state["set"] = set(state["set"] or ())
    for key, name in _PYDANTIC_STATE.items():
        object.__setattr__(made, name, state[key])
    return made


FAMILIES: Mapping[str, Family] = {
    "dataclass": Family("dataclass", _is_dataclass, _take_dataclass, _build_dataclass),
    "attrs": Family("attrs class", _is_attrs, _take_attrs, _build_attrs),
    "namedtuple": Family("named tuple", _is_namedtuple, _take_namedtuple, _build_namedtuple),
    "pydantic": Family("pydantic model", _is_pydantic, _take_pydantic, _build_pydantic),
}
"""By the name of the handler that takes them."""


def belongs(value: Any, family: str) -> bool:
    """Whether the family's handler can save the value: its class can be found by name, and its
    fields are all of it."""
    cls = type(value)
    found = FAMILIES[family]
    return found.has(cls) and class_path(cls) is not None and found.take(value) is not None
