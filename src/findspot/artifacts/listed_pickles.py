"""Loads pickles that need nothing but listed modules, and runs nothing of any other.

A pickle is a program that names functions and classes and calls them. Here a name is given out only
if its module is listed and it is defined there: not what the module merely imported (``os`` of
``shutil``), nor what hangs on it as a module. Whoever lists a module trusts all that is defined in
it; list those of your own classes, and not whole libraries.
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Final

from findspot.core.errors import CheckFailed, Problem
from findspot.handlers import Untrusted
from findspot.handlers.errors import BadFiles

HARMLESS: Final = frozenset(
    {
        *(
            ("builtins", name)
            for name in (
                *("bool", "int", "float", "complex", "str", "bytes", "bytearray", "list", "tuple"),
                *("dict", "set", "frozenset", "range", "slice", "object", "NotImplemented"),
                "Ellipsis",
            )
        ),
        *(("collections", name) for name in ("OrderedDict", "deque")),
        *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
        ("decimal", "Decimal"),
    }
)
"""Names that are given out whatever is listed: calling them does nothing but make a value, and they
cannot be changed (a pickle may set attributes of any class that it gets hold of)."""

REFUSED: Final = frozenset(
    {
        *("builtins", "os", "posix", "nt", "sys", "subprocess", "multiprocessing", "shutil"),
        *("importlib", "runpy", "code", "types", "operator", "functools", "ctypes", "_ctypes"),
        *("pickle", "_pickle", "cloudpickle", "marshal", "socket"),
    }
)
"""Modules that cannot be listed: each holds functions that run or fetch any code."""


def check_modules(names: Any, where: str = "trust.modules") -> tuple[str, ...]:
    """Names of modules for the list, checked; `CheckFailed` lists every mistake.

    >>> check_modules(["lab.models", "lab.types.*"])
    ('lab.models', 'lab.types.*')
    """
    problems: list[Problem] = []
    if not isinstance(names, list | tuple):
        problems.append(Problem(where, "it is no list of names of modules"))
        names = ()
    for i, name in enumerate(names):
        place = f"{where}[{i}]"
        plain = name.removesuffix(".*") if isinstance(name, str) else ""
        if not plain or not all(part.isidentifier() for part in plain.split(".")):
            problems.append(
                Problem(place, f"{name!r} is no name of a module", hint="lab.models, or lab.*")
            )
        elif plain.partition(".")[0] in REFUSED:
            problems.append(
                Problem(place, f"{plain!r} cannot be listed: its functions can run any code")
            )
    if problems:
        raise CheckFailed("The list of trusted modules", problems)
    return tuple(names)


def load_listed(source: BinaryIO, modules: Sequence[str], *, where: str = "value.pkl") -> Any:
    """The value of a pickle that needs only listed modules.

    Args:
        modules: full names of modules; ``lab.*`` means ``lab`` and all below it.

    Raises:
        Untrusted: it asks for something else, whose name the error holds; that was neither called
            nor imported.
        BadFiles: it is no pickle, or what it asks for is not installed.
    """
    try:
        return ListedUnpickler(source, check_modules(list(modules))).load()
    except Untrusted:
        raise
    except (ImportError, AttributeError) as error:
        raise BadFiles(f"the pickle needs something that is not here: {error}", where=where) from (
            error
        )
    except (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError) as error:
        raise BadFiles(f"it is no pickle, or a damaged one: {error}", where=where) from error


class ListedUnpickler(pickle.Unpickler):
    """An unpickler that gives out names of listed modules only."""

    def __init__(self, source: BinaryIO, modules: Iterable[str]) -> None:
        super().__init__(source)
        self._modules = frozenset(modules)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in HARMLESS:
            return super().find_class(module, name)
        full = f"{module}.{name}"
        if not self._is_listed(module):
            raise Untrusted("It is a pickle, and it asks for more than the listed modules.", [full])
        home: Any = importlib.import_module(module)
        found = home
        for part in name.split("."):
            if found is not home and not isinstance(found, type):
                raise Untrusted("It is a pickle, and it asks for a part of something.", [full])
            found = getattr(found, part)
        # What a module imported from elsewhere is of elsewhere.
        origin = getattr(found, "__module__", None)
        if not callable(found) or not isinstance(origin, str) or not self._is_listed(origin):
            raise Untrusted("It is a pickle, and it asks for what a listed module imports.", [full])
        return found

    def _is_listed(self, module: str) -> bool:
        if module.partition(".")[0] in REFUSED:
            return False
        if module in self._modules or f"{module}.*" in self._modules:
            return True
        parts = module.split(".")
        return any(".".join(parts[:i]) + ".*" in self._modules for i in range(1, len(parts)))
