"""The fallback: any object that can be pickled. Loaded only where the trust policy allows it."""

from __future__ import annotations

import io
import pickle
import platform
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, NoHandler, Untrusted
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.hierarchy import python_type_name, type_name
from findspot.handlers.protocol import BinarySink, LoadFolder, SaveFolder

_FILE = "value.pkl"
_LOCKS = frozenset({"_thread.lock", "_thread.RLock", "threading.Condition", "threading.Event"})


class _CountingSink:
    """Lets a pickler write to a sink; large buffers pass through without a copy."""

    def __init__(self, sink: BinarySink) -> None:
        self._sink = sink

    def write(self, data: Any, /) -> int:
        return self._sink.write(data if isinstance(data, bytes) else memoryview(data))


class PickleHandler(Handler):
    """Any object that cloudpickle takes: functions and classes of a script too, by value.

    Loading runs code that the bytes name, so `load` raises `Untrusted` unless the folder is
    trusted. The bytes depend on the versions of Python and of the libraries in use.
    """

    name = "pickle"
    types = ()
    deterministic = False
    safe = False

    def accepts(self, value: Any) -> bool:
        return self.advice(value) is None

    def why_not(self, value: Any) -> str:
        return self.advice(value) or "it can be tried"

    def advice(self, value: Any) -> str | None:
        """What to save instead of a value that is never pickled; None for others."""
        kind = type(value)
        if isinstance(value, types.ModuleType):
            return "A module is code: return its name, or what you need of it."
        if isinstance(value, types.CoroutineType | types.AsyncGeneratorType):
            return "A coroutine is work that has not run: await it and return the result."
        if isinstance(value, types.GeneratorType) or (
            isinstance(value, Iterator) and kind.__module__ in ("builtins", "itertools")
        ):
            return "An iterator can be read only once: return list(...) of it."
        if isinstance(value, io.IOBase) and not isinstance(value, io.BytesIO | io.StringIO):
            return "An open file is no value: close it and return its path (pathlib.Path)."
        if type_name(kind) in _LOCKS or kind.__module__ == "_thread":
            return "A lock belongs to one process: return the data that it guards."
        return None

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        import cloudpickle

        try:
            with folder.open(_FILE) as sink:
                cloudpickle.Pickler(_CountingSink(sink), protocol=5).dump(value)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise NoHandler(python_type_name(value), [(self.name, str(error))]) from error

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        if not folder.trusted:
            raise Untrusted("It is a pickle, which can run any code when it is loaded.")
        try:
            with folder.open(_FILE) as source:
                return pickle.load(source)
        except (pickle.UnpicklingError, EOFError, IndexError, KeyError, ValueError) as error:
            raise BadFiles(f"it is no pickle, or a damaged one: {error}", where=_FILE) from error
        except (ImportError, AttributeError) as error:
            raise BadFiles(
                f"the pickle needs something that is not here: {error}",
                where=_FILE,
                how="Install the libraries (and the versions) that it was saved with, and make the "
                "modules of its classes importable.",
            ) from error

    def describe(self, value: Any) -> Mapping[str, Any]:
        module = type(value).__module__.partition(".")[0]
        described: dict[str, Any] = {"python": platform.python_version()}
        version = getattr(sys.modules.get(module), "__version__", None)
        if isinstance(version, str):
            described["library"] = f"{module} {version}"
        return described

    def preview(self, value: Any) -> Preview | None:
        """Its repr, if its class has one of its own."""
        if getattr(type(value), "__repr__", None) is getattr(object, "__repr__", None):
            return None
        return text_preview(repr(value))
