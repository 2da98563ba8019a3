"""Which class is below which, asked of the classes themselves."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Protocol


class ClassHierarchy(Protocol):
    """Knows sub-classes by their full dotted names."""

    def is_subclass(self, below: str, above: str) -> bool:
        """Whether the class named ``below`` is ``above`` or derived from it; False if unknown."""
        ...


class LoadedHierarchy:
    """Looks only at modules that are loaded already; never imports. For servers, where names come
    from strangers."""

    def is_subclass(self, below: str, above: str) -> bool:
        first, second = self.find(below), self.find(above)
        if first is None or second is None:
            return False
        try:
            return issubclass(first, second)
        except TypeError:  # a protocol that cannot be asked at run time
            return False

    def find(self, dotted: str) -> type | None:
        """The class of that name, or None."""
        parts = dotted.split(".")
        for count in range(len(parts) - 1, 0, -1):
            module = sys.modules.get(".".join(parts[:count]))
            if module is None:
                continue
            found: object = module
            for part in parts[count:]:
                found = vars(module).get(part) if found is module else getattr(found, part, None)
            return found if isinstance(found, type) else None
        return None


class ImportedHierarchy(LoadedHierarchy):
    """Imports modules of the standard library and of installed distributions where it must; never
    a project's own code, whose import could do anything."""

    def find(self, dotted: str) -> type | None:
        loaded = super().find(dotted)
        return loaded if loaded is not None else _import_class(dotted)


# Modules of the standard library that do something when they are imported.
_ACTING = frozenset({"antigravity", "this", "__main__", "idlelib", "test"})


@lru_cache(maxsize=4096)
def _import_class(dotted: str) -> type | None:
    parts = dotted.split(".")
    if not all(part.isidentifier() for part in parts) or parts[0] in _ACTING:
        return None
    if not is_installed(parts[0]):
        return None
    found: object = None
    name = ""
    for part in parts:
        name = f"{name}.{part}" if name else part
        inner = getattr(found, part, None)
        if inner is None:
            if found is not None and not hasattr(found, "__path__"):
                return None
            try:
                inner = importlib.import_module(name)
            except (Exception, SystemExit):  # a broken library means only: not known
                return None
        found = inner
    return found if isinstance(found, type) else None


@lru_cache(maxsize=1024)
def is_installed(package: str) -> bool:
    """Whether a top-level package is the standard library's or an installed distribution's; it is
    looked for, not imported."""
    if package in sys.stdlib_module_names:
        return True
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [*(spec.submodule_search_locations or ())]
    if spec.origin is not None:
        places.append(spec.origin)
    roots = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    return any(root in Path(place).resolve().parents for place in places for root in roots)
