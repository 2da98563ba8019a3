"""Which code is the project's own, so that its text counts, and what its modules are called.

Installed packages and the standard library are known by their names only; their versions are part
of a job's environment.
"""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
from functools import cache
from types import FunctionType, ModuleType

from findspot.core.digests import hash_bytes

_SNAPSHOT = re.compile(r"(findspot_plugins\.[^.]+)_[0-9a-f]{12}(?=\.|$)")
_PACKAGES = re.compile(r"[/\\](?:site|dist)-packages[/\\]")


def stable_module(name: str | None) -> str:
    """A module's name without what differs between two processes or two snapshots of a plugin.

    The main module is called as by those who import its file.

    >>> stable_module("findspot_plugins.rescaling_0123456789ab.tasks")
    'findspot_plugins.rescaling.tasks'
    """
    if not name:
        return "__main__"
    if name in _MAIN:
        return main_module()
    return _SNAPSHOT.sub(r"\1", name)


_MAIN = ("__main__", "__mp_main__")
"""What the main module is called here; the second one in a spawned process."""

_adopted: str | None = None


def main_module() -> str:
    """What the main module is called by those who import it: ``x`` for ``python x.py``, ``a.b`` for
    ``python -m a.b``, and for ``python a/b.py`` where ``a`` is a package that can be imported from
    here; ``__main__`` where nobody can (a notebook, ``python -c``).

    In a worker it is that of the process whose steps run here.
    """
    if _adopted is not None:
        return _adopted
    main = sys.modules.get("__mp_main__") or sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if not isinstance(file, str) or not _is_project_file(file):
        return "__main__"  # what runs the project's code in turn: a profiler, a test runner
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name not in _MAIN:
        return str(spec.name)
    stem, suffix = os.path.splitext(os.path.basename(file))
    if suffix != ".py" or not stem.isidentifier():
        return "__main__"
    return _prefix_of_main(os.path.dirname(os.path.abspath(file))) + stem


def package_prefix(folder: str) -> str:
    """``a.b.`` for the folder ``b`` of a package ``a`` that can be imported from here; else ""."""
    parts: list[str] = []
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        if not name.isidentifier():
            return ""
        parts.append(f"{name}.")
    places = map(os.path.abspath, (os.getcwd(), *sys.path))
    return "".join(reversed(parts)) if parts and folder in places else ""


_prefix_of_main = cache(package_prefix)
"""It stays what it was when the program began, wherever its steps go."""


def adopt_main(name: str) -> None:
    """From now on this process is a worker of one whose main module is called so."""
    global _adopted
    _adopted = name


def is_project_function(function: FunctionType) -> bool:
    """Whether a function's own code belongs to the project."""
    file = function.__code__.co_filename
    if file.startswith("<"):  # made by exec, in a notebook, or by dataclasses
        return not file.startswith("<frozen ") and is_project_module(function.__module__)
    return _is_project_file(file) and not _is_own(function.__module__)


def is_project_class(cls: type) -> bool:
    """Whether a class is defined in the project."""
    return is_project_module(cls.__module__)


def is_project_module(module: ModuleType | str | None) -> bool:
    """Whether a module belongs to the project; one that is not loaded does."""
    if isinstance(module, ModuleType):
        name, found = module.__name__, module
    elif not module or (loaded := sys.modules.get(module)) is None:
        return not _is_own(module)
    else:
        name, found = module, loaded
    if name in _MAIN:
        return True
    if _is_own(name) or name.partition(".")[0] in sys.builtin_module_names:
        return False
    spec = getattr(found, "__spec__", None)
    if getattr(spec, "origin", None) in ("built-in", "frozen"):
        return False
    file = getattr(found, "__file__", None)
    if isinstance(file, str):
        return _is_project_file(file)
    paths = list(getattr(found, "__path__", ()))  # a folder without __init__.py
    return all(_is_project_file(os.path.join(path, "")) for path in paths)


_first_seen: dict[str, int] = {}


def changed_code() -> str:
    """What stands for the changes of the project's files since this process first loaded them:
    the same text as long as none changed.

    Workers that were started for another text may hold old code.
    """
    changed = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not _is_project_file(file) or _is_own(name):
            continue
        try:
            time = os.stat(file).st_mtime_ns
        except OSError:  # in an archive, or deleted since
            continue
        if _first_seen.setdefault(file, time) != time:
            changed.append(f"{file} {time}")
    return hash_bytes("\n".join(sorted(changed)).encode())


def _is_own(module: str | None) -> bool:
    return bool(module) and str(module).partition(".")[0] == "findspot"


@cache
def _is_project_file(file: str) -> bool:
    if file.startswith("<frozen ") or _PACKAGES.search(file):
        return False
    full = os.path.realpath(file)
    return not _PACKAGES.search(full) and not full.startswith(_installed_roots())


@cache
def _installed_roots() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    roots = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    roots.add(site.getusersitepackages())
    roots.add(os.path.dirname(os.__file__))
    return tuple(sorted(os.path.join(os.path.realpath(root), "") for root in roots))
