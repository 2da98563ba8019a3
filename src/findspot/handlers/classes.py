"""Classes by their path, ``module:qualname``: written, and found again with care."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from findspot.handlers.errors import ClassNotFound, Untrusted


def class_path(cls: type) -> str | None:
    """``module:qualname`` if the class can be found by it in this process, None if it cannot
    (a class made inside a function, or one that was defined again since).

    >>> from collections import OrderedDict
    >>> class_path(OrderedDict)
    'collections:OrderedDict'
    """
    module, qualname = cls.__module__, cls.__qualname__
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return f"{module}:{qualname}" if found is cls else None


def find_class(
    path: str,
    *,
    trusted: bool,
    right: Callable[[type], bool],
    role: str,
    fields: Mapping[str, Any],
) -> type[Any]:
    """The class of a path that was read from a file.

    A module that is not loaded yet is imported only if ``trusted``, as an import runs its code.
    Only a class that calls itself by the path, and for which ``right`` holds, is returned; nothing
    of it is called.

    Args:
        right: whether the class is of the family that the file says.
        role: the family's name for the error ("dataclass").
        fields: what was saved, for the error.

    Raises:
        Untrusted: the module is not loaded and the bytes may not run code.
        ClassNotFound: there is no such module or class, or it is another kind of class.
    """
    module, _, qualname = path.partition(":")
    if not module or not all(
        part.isidentifier() for part in (*module.split("."), *qualname.split("."))
    ):
        raise ClassNotFound(path, "that is no path of a class", fields)
    found: Any = sys.modules.get(module)
    if found is None:
        if not trusted:
            raise Untrusted(
                f"Loading it would import the module {module!r}, which is not loaded yet.",
                [path],
                f"If you know the module, import it first (import {module}); "
                "or load the version as trusted.",
            )
        try:
            found = import_module(module)
        except Exception as error:
            reason = f"{type(error).__name__} while importing {module}: {error}"
            raise ClassNotFound(path, reason, fields) from error
    for depth, part in enumerate(qualname.split(".")):
        # The names lead through classes only: never into a module that the module has imported.
        found = vars(found).get(part) if depth == 0 or isinstance(found, type) else None
    if not isinstance(found, type):
        raise ClassNotFound(path, f"the module has no class {qualname!r}", fields)
    if (found.__module__, found.__qualname__) != (module, qualname):
        reason = f"the name stands for another class, {found.__module__}:{found.__qualname__}"
        raise ClassNotFound(path, reason, fields)
    if not right(found):
        raise ClassNotFound(path, f"the class is no {role}", fields)
    return found
