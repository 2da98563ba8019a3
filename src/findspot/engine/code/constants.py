"""Values that code refers to, as JSON that is the same in every process: no ids, no hash order."""

from __future__ import annotations

import copyreg
import enum
import functools
import io
import logging
import os
import threading
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from types import FunctionType, ModuleType
from typing import Any

from findspot.core.canonical import Json, canonical_json
from findspot.core.digests import hash_bytes
from findspot.engine.code.project import is_project_class, stable_module

_NODES = 20_000
_BYTES = 16 << 20
_DEPTH = 100
_MANY = 64
_SCALARS = frozenset({type(None), bool, int, float, complex, str})

# They have no state that a result should depend on, but cannot be taken apart either, or hold the
# process's surroundings.
_STATELESS: tuple[type, ...] = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.Semaphore,
    threading.local,
    logging.Handler,
    type(os.environ),
)
_STATELESS_NAMES = frozenset(
    {
        "builtins:object",
        "loguru._logger:Logger",
        "rich.console:Console",
        "structlog._config:BoundLoggerLazyProxy",
    }
)
_CLASS_NOISE = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "_abc_impl"}
    | {"__abstractmethods__", "__firstlineno__", "__static_attributes__", "__parameters__"}
    | {"__orig_bases__", "__match_args__", "__dataclass_params__", "__dataclass_fields__"}
    | {"__hash__", "__annotate__", "__annotate_func__", "__annotations_cache__"}
)
_CODE = (
    FunctionType,
    types.BuiltinFunctionType,
    classmethod,
    staticmethod,
    property,
    functools.cached_property,
)
_OF_DUNDERS = frozenset({"__slots__", "__annotations__", "__pydantic_fields__"})


def class_name(cls: type) -> str:
    """A class's name that is the same in every process."""
    return f"{stable_module(cls.__module__)}:{cls.__qualname__}"


def class_members(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class's body defined, without what Python added: an enumeration's members in their
    order, the rest by name, since classes that were sent by value have lost its order."""
    if issubclass(cls, enum.Enum):
        for name, member in cls.__members__.items():
            yield name, member.value
    for name, value in sorted(vars(cls).items(), key=lambda member: member[0]):
        if name in _CLASS_NOISE:
            continue
        if issubclass(cls, enum.Enum) and not isinstance(value, _CODE):
            continue
        if name.startswith("__") and not isinstance(value, _CODE) and name not in _OF_DUNDERS:
            continue
        yield name, value


class ValueTokens:
    """Turns one value, with all that is in it, into JSON.

    Args:
        code: the token of a function, class or module.
        cannot: told of what has no stable token: its name, and why.
    """

    def __init__(self, code: Callable[[Any], Json], cannot: Callable[[str, str], None]) -> None:
        self._code, self._cannot = code, cannot
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []
        self._bytes = 0

    def token(self, value: Any, name: str) -> Json:
        """The token of ``value``, which the code knows as ``name``."""
        try:
            return self._token(value, 0)
        except _Impossible as error:
            reason = str(error)
        except Exception as error:  # taking an object apart runs its own code, which may fail
            reason = f"{type(error).__name__}: {error}"[:120]
        self._cannot(name, reason)
        return ["unknown", class_name(type(value))]

    def _token(self, value: Any, depth: int) -> Json:
        kind = type(value)
        if kind in _SCALARS:
            return [kind.__name__, repr(value)]
        if depth > _DEPTH or len(self._kept) > _NODES:
            raise _Impossible("too large")
        if kind is bytes or kind is bytearray:
            return [kind.__name__, self._hashed(value)]
        if isinstance(value, FunctionType | type | ModuleType) and kind is not types.GenericAlias:
            return self._code(value)
        known = self._seen.get(id(value))
        if known is not None:
            return ["again", known]
        self._seen[id(value)] = len(self._kept)
        self._kept.append(value)  # so that its id stays its own
        return self._compound(value, kind, depth + 1)

    def _compound(self, value: Any, kind: type, depth: int) -> Json:
        if kind is list or kind is tuple:
            if len(value) > _MANY and _SCALARS.issuperset(map(type, value)):
                return [kind.__name__, self._hashed(repr(value).encode(errors="surrogatepass"))]
            return [kind.__name__, [self._token(item, depth) for item in value]]
        if kind is dict or kind is types.MappingProxyType:
            pairs: Json = [[self._token(k, depth), self._token(v, depth)] for k, v in value.items()]
            return ["dict", pairs]
        if kind is set or kind is frozenset:
            return [kind.__name__, self._sorted(value, depth)]
        if isinstance(value, enum.Enum):
            return ["member", self._code(kind), value.name]
        wrapped = self._wrapped(value, depth)
        if wrapped is not None:
            return wrapped
        if typing.get_origin(value) is not None or kind is types.UnionType:
            arguments: Json = [self._token(a, depth) for a in typing.get_args(value)]
            return ["type", self._token(typing.get_origin(value), depth), arguments]
        if kind.__module__ == "typing":
            return ["type", repr(value)]
        if kind.__module__ == "numpy" and hasattr(value, "tobytes") and hasattr(value, "shape"):
            return self._array(value, depth)
        if isinstance(value, logging.Logger | logging.LoggerAdapter | ContextVar):
            called = str(getattr(value, "name", ""))
            return [kind.__name__, stable_module(called) if called else ""]
        if isinstance(value, _STATELESS) or class_name(kind) in _STATELESS_NAMES:
            return ["object", self._code(kind)]
        if isinstance(value, io.IOBase):
            return self._stream(value)
        return self._reduced(value, kind, depth)

    def _wrapped(self, value: Any, depth: int) -> Json:
        """Callables that stand for a function, and descriptors around one."""
        if isinstance(value, types.MethodType):
            return [
                "method",
                self._token(value.__func__, depth),
                self._token(value.__self__, depth),
            ]
        if isinstance(value, staticmethod | classmethod):
            return [type(value).__name__, self._token(value.__func__, depth)]
        if isinstance(value, property):
            parts = (value.fget, value.fset, value.fdel)
            return ["property", [self._token(part, depth) for part in parts]]
        if isinstance(value, functools.cached_property):
            return ["property", self._token(value.func, depth)]
        if isinstance(value, functools.partial):
            given = [self._token(v, depth) for v in (value.args, value.keywords)]
            return ["partial", self._token(value.func, depth), *given]
        if isinstance(value, types.BuiltinFunctionType):
            owner = value.__self__
            if owner is None or isinstance(owner, ModuleType):
                return ["builtin", f"{value.__module__}.{value.__qualname__}"]
            return ["builtin", value.__qualname__, self._token(owner, depth)]
        if isinstance(value, types.WrapperDescriptorType | types.MethodDescriptorType):
            return ["builtin", value.__qualname__]
        if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
            return ["slot", value.__name__]
        if not callable(value) or is_project_class(type(value)):
            return None
        inner = vars_of(value).get("__wrapped__")  # a task, or what a library put around a function
        return None if inner is None else ["wrapped", self._token(inner, depth)]

    def _array(self, value: Any, depth: int) -> Json:
        shape: Json = [int(size) for size in value.shape]
        if value.dtype.hasobject:
            return ["array", shape, self._token(value.tolist(), depth)]
        if value.nbytes > _BYTES:
            raise _Impossible(f"an array of {value.nbytes >> 20} MiB")
        return ["array", repr(value.dtype.descr), shape, self._hashed(value.tobytes())]

    def _stream(self, value: Any) -> Json:
        if getattr(value, "name", None) in ("<stdin>", "<stdout>", "<stderr>"):
            return ["stream", str(value.name)]
        if isinstance(value, io.StringIO | io.BytesIO):
            return ["stream", self._token(value.getvalue(), 1)]
        raise _Impossible("an open file")

    def _reduced(self, value: Any, kind: type, depth: int) -> Json:
        """Any other object as pickle would take it apart, but in a fixed order."""
        if kind.__module__.partition(".")[0] == "findspot" and not hasattr(
            kind, "__dataclass_fields__"
        ):
            return ["object", class_name(kind)]
        reducer = copyreg.dispatch_table.get(kind)
        parts: Any = reducer(value) if reducer else value.__reduce_ex__(4)
        if isinstance(parts, str):
            return ["global", stable_module(getattr(value, "__module__", None)), parts]
        make, arguments, state, items, pairs = (*parts, None, None, None)[:5]
        return [
            "object",
            self._code(kind),
            self._token(make, depth),
            self._token(arguments, depth),
            self._state(state, depth),
            self._token(None if items is None else list(items), depth),
            self._token(None if pairs is None else list(pairs), depth),
        ]

    def _state(self, state: Any, depth: int) -> Json:
        if type(state) is dict:  # attributes: their order says only which was set first
            ordered = sorted(state.items(), key=lambda pair: str(pair[0]))
            return [[str(key), self._token(value, depth)] for key, value in ordered]
        return self._token(state, depth)

    def _sorted(self, values: Iterable[Any], depth: int) -> Json:
        # Each by itself: which of two equal parts is met first depends on the order of hashes.
        tokens = []
        for value in values:
            inner = ValueTokens(self._code, self._cannot)
            inner._bytes = self._bytes
            tokens.append(inner._token(value, depth))
            self._kept.append(value)
        return sorted(tokens, key=canonical_json)

    def _hashed(self, data: bytes | bytearray) -> str:
        self._bytes += len(data)
        if self._bytes > _BYTES:
            raise _Impossible(f"more than {_BYTES >> 20} MiB")
        return hash_bytes(data)


def vars_of(value: Any) -> Mapping[str, Any]:
    """An object's own attributes; none where it has no place for them."""
    try:
        found = getattr(value, "__dict__", None)
    except Exception:  # a proxy of what is not there
        return {}
    return found if isinstance(found, Mapping) else {}


class _Impossible(Exception):
    """There is no stable token, for the reason given."""
