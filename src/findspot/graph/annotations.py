"""Python annotations as types of task graphs.

The rules, also for annotations that are known only as text (`named_type`, `generic_type`):

- ``int float str bool None object`` are the builtin types; ``Any`` (and no annotation) is
  `UNKNOWN`, which fits everything both ways, as PEP 484 says of ``Any``; ``object`` is ``any``,
  which takes everything and fits only ``any``.
- ``list``, ``Sequence`` are lists, ``dict``, ``Mapping`` are mappings; without arguments their
  elements are `UNKNOWN`, so they take every list (mapping) and fit every list (mapping).
- ``tuple[A, B]`` is a tuple; ``tuple[A, ...]`` a list of A, which tuples fit; bare ``tuple`` is
  `UNKNOWN`, because its length is part of a tuple's type.
- ``Literal`` is the union of its values' types, ``Annotated`` and ``NewType`` what they wrap, a
  `TypedDict` a record; one with optional keys is a mapping from text to the union of its values.
- A class is a nominal type under its public name, below its bases. Classes derived from int, float,
  str, list or dict count as these, because their values do. Protocols and the other abstract
  collections are `UNKNOWN`: which classes satisfy them cannot be known by name.
"""

from __future__ import annotations

import collections
import collections.abc
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from findspot.core.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    UNKNOWN,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)

_PARENT_LEVELS = 4
_NESTING = 24
_MEMO_LIMIT = 4096
_memo: dict[Any, Type] = {}
_class_memo: dict[type, Simple] = {}

_SCALARS: Mapping[str, Type] = {
    "int": INTEGER,
    "float": NUMBER,
    "str": STRING,
    "bool": BOOLEAN,
    "None": NULL,
    "NoneType": NULL,
    "object": ANY,
    "tuple": UNKNOWN,
    "typing.Any": UNKNOWN,
    "typing.Tuple": UNKNOWN,
    "typing.AnyStr": STRING,
    "typing.LiteralString": STRING,
    "typing.Text": STRING,
    "typing.NoReturn": Union(()),
    "typing.Never": Union(()),
    "numbers.Number": NUMBER,
    "numbers.Real": NUMBER,
    "numbers.Integral": INTEGER,
}
_LISTS = frozenset(
    {"list", "typing.List"}
    | {f"{m}.{n}" for m in ("typing", "collections.abc") for n in ("Sequence", "MutableSequence")}
)
_MAPPINGS = frozenset(
    {
        "dict",
        "typing.Dict",
        "typing.OrderedDict",
        "typing.DefaultDict",
        "collections.OrderedDict",
        "collections.defaultdict",
    }
    | {f"{m}.{n}" for m in ("typing", "collections.abc") for n in ("Mapping", "MutableMapping")}
)
_WRAPPERS = frozenset({"Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly"})


def union_of(members: Sequence[Type]) -> Type:
    """The union of ``members``: flat, each once; `UNKNOWN` or ``any`` where one member is.

    >>> str(union_of([STRING, NULL, STRING]))
    'string | null'
    """
    flat: list[Type] = []
    for member in members:
        parts = member.members if isinstance(member, Union) and not member.name else (member,)
        flat.extend(part for part in parts if part not in flat)
    for top in (UNKNOWN, ANY):
        if top in flat:
            return top
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def named_type(name: str) -> Type:
    """The type that a bare dotted name stands for: ``int``, ``typing.Any``, ``numpy.ndarray``.

    For source analysis: ``name`` has its import aliases resolved already. A class whose code is not
    at hand is nominal and has no known parents.

    >>> str(named_type("pandas.DataFrame")), str(named_type("builtins.int"))
    ('pandas.DataFrame', 'integer')
    """
    short = _short(name)
    found = _SCALARS.get(short)
    if found is not None:
        return found
    if short in _LISTS:
        return ListOf(UNKNOWN)
    if short in _MAPPINGS:
        return MappingOf(UNKNOWN, UNKNOWN)
    if short.startswith(("typing.", "collections.abc.")):
        return UNKNOWN
    if short == "numpy.typing.NDArray":
        short = "numpy.ndarray"
    if "." not in short:
        builtin = getattr(sys.modules["builtins"], short, None)
        return Simple(short, python=f"builtins.{short}" if isinstance(builtin, type) else None)
    return Simple(short, python=short)


def generic_type(name: str, arguments: Sequence[Type], *, variadic: bool = False) -> Type:
    """The type of ``name[arguments]``, where ``name`` is dotted and the arguments are types.

    Args:
        variadic: whether the arguments ended in ``...`` (``tuple[int, ...]``); leave that one out.

    >>> str(generic_type("dict", [STRING, NUMBER]))
    'mapping[string, number]'
    """
    short = _short(name)
    if short in ("tuple", "typing.Tuple"):
        if variadic:
            return ListOf(arguments[0]) if arguments else UNKNOWN
        return TupleOf(tuple(arguments))
    if short in ("typing.Union", "typing.Optional"):
        return union_of([*arguments, NULL] if short.endswith("Optional") else arguments)
    if short in _LISTS and len(arguments) == 1:
        return ListOf(arguments[0])
    if short in _MAPPINGS and len(arguments) == 2:
        return MappingOf(arguments[0], arguments[1])
    if short.rpartition(".")[2] in _WRAPPERS and arguments:
        return arguments[0]
    return named_type(short)


def _short(name: str) -> str:
    if name.startswith("typing_extensions."):
        return "typing." + name.removeprefix("typing_extensions.")
    return name.removeprefix("builtins.")


def from_annotation(annotation: Any) -> Type:
    """The type that a live Python annotation stands for; never raises.

    What cannot be understood (an unresolved name, an object that is no type) is `UNKNOWN`.

    >>> str(from_annotation(dict[str, list[float] | None]))
    'mapping[string, list[number] | null]'
    """
    try:
        found = _memo.get(annotation)
    except TypeError:  # Annotated and Literal may hold what cannot be hashed
        return _convert(annotation, 0)
    if found is None:
        found = _convert(annotation, 0)
        if len(_memo) >= _MEMO_LIMIT:
            _memo.clear()
        _memo[annotation] = found
    return found


def _convert(annotation: Any, depth: int) -> Type:
    if depth > _NESTING:  # a TypedDict that holds itself, say
        return UNKNOWN
    if annotation is None:
        return NULL
    if isinstance(annotation, types.GenericAlias) or typing.get_origin(annotation) is not None:
        return _convert_generic(annotation, depth)
    if isinstance(annotation, type):
        return _convert_class(annotation, depth)
    if isinstance(annotation, typing.NewType):
        return _convert(annotation.__supertype__, depth + 1)
    if isinstance(annotation, typing.TypeVar):
        if annotation.__constraints__:
            return union_of([_convert(c, depth + 1) for c in annotation.__constraints__])
        bound = annotation.__bound__
        return UNKNOWN if bound is None else _convert(bound, depth + 1)
    value = getattr(annotation, "__value__", None)  # `type Name = ...` of Python 3.12
    if value is not None and type(annotation).__name__ == "TypeAliasType":
        return _convert(value, depth + 1)
    name = getattr(annotation, "__name__", None) or getattr(annotation, "_name", None)
    if isinstance(name, str) and getattr(annotation, "__module__", "") == "typing":
        return named_type(f"typing.{name}")
    return UNKNOWN


def _convert_generic(annotation: Any, depth: int) -> Type:
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return _convert(arguments[0], depth + 1)
    if origin is typing.Literal:
        return union_of([_convert(type(value), depth + 1) for value in arguments])
    if origin in (typing.Union, types.UnionType):
        return union_of([_convert(a, depth + 1) for a in arguments])
    if origin in (collections.abc.Callable, type):
        return UNKNOWN
    if not isinstance(origin, type):
        name = getattr(origin, "_name", "")
        if name in _WRAPPERS and arguments:
            return _convert(arguments[0], depth + 1)
        return _convert(origin, depth + 1)  # an alias with parameters (Python 3.12)
    if origin is tuple:
        variadic = arguments[-1:] == (...,)
        items = arguments[:-1] if variadic else arguments
        return generic_type("tuple", [_convert(a, depth + 1) for a in items], variadic=variadic)
    dotted = _dotted(origin)
    if dotted in _LISTS or dotted in _MAPPINGS:
        return generic_type(dotted, [_convert(a, depth + 1) for a in arguments])
    return _convert_class(origin, depth)


def _convert_class(cls: type, depth: int) -> Type:
    known = _SCALARS.get(_dotted(cls))
    if known is not None:
        return known
    if cls is list or cls is dict:
        return named_type(cls.__name__)
    if typing.is_typeddict(cls):
        return _convert_typed_dict(cls, depth)
    if cls.__module__ == "collections.abc":
        return named_type(f"collections.abc.{cls.__name__}")
    if getattr(cls, "_is_protocol", False):
        return UNKNOWN
    for ancestor, meaning in ((bool, BOOLEAN), (int, INTEGER), (float, NUMBER), (str, STRING)):
        if issubclass(cls, ancestor):
            return meaning
    if issubclass(cls, list):
        return ListOf(UNKNOWN)
    if issubclass(cls, dict):
        return MappingOf(UNKNOWN, UNKNOWN)
    if issubclass(cls, tuple):
        names = getattr(cls, "_fields", None)
        if names is None:
            return UNKNOWN
        fields = _class_hints(cls)
        return TupleOf(tuple(_convert(fields.get(name, Any), depth + 1) for name in names))
    return class_type(cls)


def _convert_typed_dict(cls: type, depth: int) -> Type:
    properties = {name: _convert(hint, depth + 1) for name, hint in _class_hints(cls).items()}
    if getattr(cls, "__optional_keys__", frozenset()):
        return MappingOf(STRING, union_of(list(properties.values())))
    return Record(properties)


def _class_hints(cls: type) -> dict[str, Any]:
    written = getattr(cls, "__annotations__", {})
    return _resolve(written, vars(sys.modules.get(cls.__module__, typing)), {})[0]


def _dotted(cls: type) -> str:
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def public_name(cls: type) -> str:
    """The dotted name that people import a class by: ``pandas.DataFrame`` wherever it is defined.

    It is the outermost package of its module that offers the class under its own name.

    >>> import pathlib
    >>> public_name(pathlib.PurePath), public_name(bytes)
    ('pathlib.PurePath', 'builtins.bytes')
    """
    module, name = cls.__module__, cls.__qualname__
    if "." in module and "." not in name:
        prefix = ""
        for part in module.split("."):
            prefix = f"{prefix}.{part}" if prefix else part
            package = sys.modules.get(prefix)
            # vars() and not getattr(): asking must not set off a package's lazy imports.
            if package is not None and vars(package).get(name) is cls:
                return f"{prefix}.{name}"
    return f"{module}.{name}"


def class_type(cls: type) -> Simple:
    """A class as a nominal type: its public name, below its bases (a few levels, not ``object``).

    >>> import pathlib
    >>> [str(p) for p in class_type(pathlib.PosixPath).parents]
    ['pathlib.Path', 'pathlib.PurePosixPath']
    """
    found = _class_memo.get(cls)
    if found is None:
        if len(_class_memo) >= _MEMO_LIMIT:
            _class_memo.clear()
        found = _class_memo[cls] = _nominal(cls, _PARENT_LEVELS)
    return found


def _nominal(cls: type, levels: int) -> Simple:
    python = public_name(cls)
    parents: tuple[Simple, ...] = ()
    if levels:
        parents = tuple(
            _nominal(base, levels - 1)
            for base in cls.__bases__
            if base is not object and base.__module__ not in ("abc", "typing", "collections.abc")
        )
    return Simple(python.removeprefix("builtins."), parents, python)


class Unresolved:
    """An annotation whose text names something that does not exist at run time."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<unresolved annotation {self.text!r}>"


@dataclass(frozen=True, slots=True)
class Annotations:
    """The live annotations of a function.

    Args:
        hints: parameter name (or ``return``) to annotation, `Annotated` kept; `Unresolved` for
            those whose names are missing.
        notes: one sentence for each unresolved one.
    """

    hints: Mapping[str, Any]
    notes: tuple[str, ...] = ()


_NAME = re.compile(r"name '([^']+)' is not defined")


def annotations_of(function: Callable[..., Any]) -> Annotations:
    """The annotations of a function, postponed ones evaluated; never raises.

    Names are looked up in the function's module and its closure, one annotation at a time, so that
    a name imported only under ``TYPE_CHECKING`` spoils no other annotation.
    """
    # What a decorator put around it has another module's names; a partial has no annotations.
    inner: Any = inspect.unwrap(getattr(function, "func", function))
    written: Mapping[str, Any] = getattr(inner, "__annotations__", None) or {}
    closure: dict[str, Any] = {}
    code = getattr(inner, "__code__", None)
    for name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(inner, "__closure__", None) or (), strict=False
    ):
        try:
            closure[name] = cell.cell_contents
        except ValueError:  # a variable of the enclosing function that has no value yet
            continue
    hints, notes = _resolve(written, getattr(inner, "__globals__", {}), closure)
    return Annotations(hints, notes)


def _resolve(
    written: Mapping[str, Any], scope: dict[str, Any], closure: dict[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    hints: dict[str, Any] = {}
    notes: list[str] = []
    for name, annotation in written.items():
        if type(annotation) is not types.GenericAlias and isinstance(annotation, type):
            hints[name] = annotation
            continue
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            hints.update(typing.get_type_hints(holder, scope, closure, include_extras=True))
        except Exception as error:  # evaluating an annotation runs code that may raise anything
            text = annotation if isinstance(annotation, str) else repr(annotation)
            missing = _NAME.search(str(error))
            reason = f"{missing[1]} is not defined at run time" if missing else str(error)
            notes.append(f"The annotation {text!r} of {name!r} is not known: {reason}.")
            hints[name] = Unresolved(text)
    return hints, tuple(notes)
