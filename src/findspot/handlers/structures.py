"""Containers of anything, and small values that JSON does not hold exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, ClassVar

from findspot.core.records import Preview
from findspot.handlers.classes import class_path
from findspot.handlers.encoding import Decoder, Encoder, is_structure
from findspot.handlers.errors import BadValue
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.hierarchy import type_name
from findspot.handlers.objects import FAMILIES, belongs
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.registry import HandlerRegistry, default_registry
from findspot.handlers.values import shown_key

_SHOWN_ITEMS = 20
_SHOWN_DEPTH = 3


class StructureHandler(Handler):
    """Lists, tuples, dicts, sets and their like with anything in them, and dates, decimals, enums.

    Types, keys of any type, and order come back as they were. Parts that are values of a library
    (arrays, tables, models) are saved by their own handlers in folders below ``parts/``; a part
    that occurs twice is stored once. The bytes are as deterministic as those of the parts.
    """

    name = "structure"
    types: ClassVar[Sequence[type | str]] = (tuple, set, frozenset)
    deterministic = True
    selections: ClassVar[Sequence[str]] = ("keys",)

    def accepts(self, value: Any) -> bool:
        return is_structure(value)

    def why_not(self, value: Any) -> str:
        if class_path(type(value)) is None:
            return "its class cannot be found by its name, as it was made inside a function"
        return "it takes exactly the standard containers, dates and numbers, no classes below them"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        Encoder(folder, self._registry().for_value).save(value)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return Decoder(folder, self._registry().by_name).load()

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """Some entries of a dict; the arrays and tables of the others are not read."""
        return Decoder(folder, self._registry().by_name).load(what["keys"])

    def describe(self, value: Any) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            keys = [
                shown_key(key if type(key) is str else outline(key, 1)) for key in islice(value, 50)
            ]
            return {"length": len(value), "keys": keys}
        if hasattr(value, "__len__") and not isinstance(value, range):
            return {"length": len(value)}
        return {}

    def preview(self, value: Any) -> Preview | None:
        return text_preview(outline(value))

    def _registry(self) -> HandlerRegistry:
        return self.registry or default_registry()


class FieldsHandler(StructureHandler):
    """The base of handlers of objects that are a class and named fields."""

    types: ClassVar[Sequence[type | str]] = ()
    selections: ClassVar[Sequence[str]] = ()

    def accepts(self, value: Any) -> bool:
        return belongs(value, self.name)

    def why_not(self, value: Any) -> str:
        family = FAMILIES[self.name]
        if not family.has(type(value)):
            return f"it is no {family.role}"
        if class_path(type(value)) is None:
            return "its class cannot be found by its name, as it was made inside a function"
        return "it has attributes besides its fields"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        if not self.accepts(value):
            raise BadValue(self.why_not(value))
        super().save(value, folder)

    def describe(self, value: Any) -> Mapping[str, Any]:
        path = class_path(type(value))
        return {"class": path, "fields": list(_fields(value))[:50]}


class DataclassHandler(FieldsHandler):
    """Dataclasses, by the path of their class; parts are saved as `StructureHandler` does."""

    name = "dataclass"


class AttrsHandler(FieldsHandler):
    """Classes made by attrs."""

    name = "attrs"


class NamedTupleHandler(FieldsHandler):
    """Named tuples."""

    name = "namedtuple"
    types: ClassVar[Sequence[type | str]] = (tuple,)


class PydanticHandler(FieldsHandler):
    """Pydantic models, with their extra and private attributes, without a second validation."""

    name = "pydantic"
    types: ClassVar[Sequence[type | str]] = ("pydantic.BaseModel",)


def _fields(value: Any) -> Mapping[str, Any]:
    for name, family in FAMILIES.items():
        if family.has(type(value)):
            taken = family.take(value) or {}
            if name == "pydantic":
                return {
                    key.removeprefix("field:"): item
                    for key, item in taken.items()
                    if key.startswith("field:")
                }
            return taken
    return {}


def outline(value: Any, depth: int = _SHOWN_DEPTH) -> str:
    """What a value looks like, in bounded time and length.

    >>> outline({"a": (1, 2.5), "b": {"c"}})
    "{'a': (1, 2.5), 'b': {'c'}}"
    """
    if isinstance(value, str | bytes | bytearray):
        return repr(value[:200]) + ("…" if len(value) > 200 else "")
    if isinstance(value, Mapping):
        return _wrapped(
            "{",
            (f"{outline(k, depth - 1)}: {outline(v, depth - 1)}" for k, v in value.items()),
            len(value),
            "}",
            depth,
        )
    if (isinstance(value, tuple) and hasattr(value, "_fields")) or _fields(value):
        inner = (f"{k}={outline(v, depth - 1)}" for k, v in _fields(value).items())
        return _wrapped(f"{type(value).__name__}(", inner, len(_fields(value)), ")", depth)
    marks = _BRACKETS.get(type(value))
    if marks is not None:
        items: Iterable[str] = (outline(item, depth - 1) for item in value)
        if isinstance(value, AbstractSet):
            items = sorted(islice(items, 1000))
        return _wrapped(marks[0], items, len(value), marks[1], depth)
    if type(value).__module__ in _STANDARD:
        return repr(value) if type(value) is not int else _number(value)
    shape = getattr(value, "shape", None)
    if type(value).__module__ == "numpy" and shape == ():
        return str(value)
    return f"<{type_name(type(value))}" + (f" {shape}>" if isinstance(shape, tuple) else ">")


_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}
_STANDARD = frozenset(
    {"builtins", "collections", "datetime", "decimal", "fractions", "uuid", "pathlib"}
)


def _number(value: int) -> str:
    return repr(value) if value.bit_length() <= 1000 else f"<int of {value.bit_length()} bits>"


def _wrapped(first: str, items: Iterable[str], count: int, last: str, depth: int) -> str:
    if count and depth <= 0:
        return f"{first}…{last}"
    shown = list(islice(items, _SHOWN_ITEMS))
    if count > len(shown):
        shown.append(f"… {count - len(shown)} more")
    return first + ", ".join(shown) + last
