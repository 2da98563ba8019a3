"""Projects made of source text, for tests of what their code is."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from findspot.engine.code.fingerprint import Fingerprint

Load = Callable[[str], Callable[..., Any]]
"""Gives the function `main` of a source."""

MODULE = "fingerprinted_project"


WAYS = ("file", "text")


def loader(way: str, folder: Path) -> Load:
    """Loads sources from files, or as text that is kept nowhere."""
    if way == "file":
        return lambda source: vars(from_file(folder, source))["main"]
    return lambda source: from_text(source)["main"]


@contextmanager
def forgotten_modules() -> Iterator[None]:
    """Forgets the modules that `from_file` makes inside of it."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.startswith((MODULE, "findspot_plugins")):
                del sys.modules[name]


def from_file(folder: Path, source: str, name: str = MODULE) -> ModuleType:
    """A module of the given source, in a file of its own."""
    path = folder / f"{len(list(folder.iterdir()))}" / f"{name.rpartition('.')[2]}.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    # Without this file's own `from __future__ import annotations`.
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
    exec(code, vars(module))
    return module


def from_text(source: str) -> dict[str, Any]:
    """What a notebook or a prompt defines: there is no file, and the source is not kept."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(textwrap.dedent(source), "<string>", "exec", dont_inherit=True), names)
    return names


def changed_parts(before: Fingerprint, after: Fingerprint) -> set[str]:
    names = before.parts.keys() | after.parts.keys()
    return {
        name.partition(":")[2] for name in names if before.parts.get(name) != after.parts.get(name)
    }
