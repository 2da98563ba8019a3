"""Imports of plugins' modules: each snapshot is a package of its own below ``findspot_plugins``.

So two versions of a plugin can be loaded at once, and ``sys.path`` stays as it is. Inside a plugin
its files may import each other in the three ways that work when its folder, or the folder above,
is on the path: ``from .scaling import f``, ``from rescaling_plugin.scaling import f`` and
``from scaling import f``.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.resources.readers import FileReader
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from findspot.core.digests import Digest
from findspot.plugins.source_scope import is_standard

ROOT = "findspot_plugins"
_DIGITS = 12

_lock = RLock()
_packages: dict[str, PluginPackage] = {}


@dataclass(frozen=True, slots=True)
class PluginPackage:
    """One snapshot of a plugin as a Python package.

    Args:
        name: the plugin's.
        package: the package's full name, ``findspot_plugins.<name>_<12 hexadecimal digits>``.
        root: the folder with the files.
        contents: the verified bytes of all files, by relative path.
    """

    name: str
    package: str
    root: Path
    contents: Mapping[str, bytes] = field(repr=False)
    top: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, name: str, digest: Digest, root: Path, contents: Mapping[str, bytes]
    ) -> PluginPackage:
        """The package of a snapshot's files."""
        plain = re.sub(r"\W", "_", name)
        digits = digest.partition(":")[2][:_DIGITS]
        top = frozenset(
            path.partition("/")[0].removesuffix(".py") for path in contents if path.endswith(".py")
        )
        return cls(name, f"{ROOT}.{plain}_{digits}", root, contents, top - {"__init__"})

    def module_of(self, file: str) -> str:
        """The full name of a file's module."""
        parts = file.removesuffix(".py").split("/")
        if parts[-1] == "__init__":
            parts.pop()
        return ".".join([self.package, *parts])

    def file_of(self, module: str) -> tuple[str, bool] | None:
        """The file of a module by its full name, and whether it is a package; None for no module.

        The file of a package without ``__init__.py`` is "".
        """
        inner = module.removeprefix(self.package).removeprefix(".").replace(".", "/")
        package = f"{inner}/__init__.py" if inner else "__init__.py"
        if package in self.contents:
            return package, True
        if inner and f"{inner}.py" in self.contents:
            return f"{inner}.py", False
        if not inner or any(path.startswith(f"{inner}/") for path in self.contents):
            return "", True
        return None

    def own(self, module: str) -> str | None:
        """The full name of what an absolute import inside the plugin means; None: not its own."""
        first, _, rest = module.partition(".")
        if first == self.name:
            return f"{self.package}.{rest}" if rest else self.package
        if first in self.top and not is_standard(first):
            return f"{self.package}.{module}"
        return None


def install(package: PluginPackage) -> PluginPackage:
    """Make a package importable in this process, once; the one that is used from now on.

    The same snapshot may be materialised in two workspaces. The first one's modules serve both,
    unless its folder is gone.
    """
    with _lock:
        known = _packages.get(package.package)
        if known is not None:
            if known.root == package.root or known.root.is_dir():
                return known
            for name in list(sys.modules):
                if name == known.package or name.startswith(f"{known.package}."):
                    del sys.modules[name]
        _packages[package.package] = package
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
    return package


def meant_module(importer: str, imported: str) -> str:
    """The full name of the module that an absolute import of ``imported`` means inside the module
    ``importer``; outside of plugins, the name as it is."""
    package = _packages.get(".".join(importer.split(".")[:2]))
    return (package.own(imported) if package is not None else None) or imported


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(ROOT):
            return None
        if fullname == ROOT:
            return ModuleSpec(ROOT, None, is_package=True)
        package = _packages.get(".".join(fullname.split(".")[:2]))
        found = package.file_of(fullname) if package is not None else None
        if package is None or found is None:
            return None
        file, is_package = found
        below = fullname.removeprefix(package.package).strip(".").replace(".", "/")
        loader = _Loader(package, file, package.root / below)
        spec = ModuleSpec(fullname, loader, origin=loader.origin, is_package=is_package)
        spec.has_location = bool(file)
        if is_package:
            spec.submodule_search_locations = [str(package.root / below)]
        return spec


_finder = _Finder()


class _Loader(SourceLoader):
    """Runs a module from the bytes that were verified. No bytecode is kept beside them."""

    def __init__(self, package: PluginPackage, file: str, folder: Path) -> None:
        self._package, self._file, self._folder = package, file, folder
        self.origin = str(package.root / file) if file else None

    def get_filename(self, fullname: str) -> str:
        if self.origin is None:
            raise ImportError("a package without __init__.py has no file", name=fullname)
        return self.origin

    def get_data(self, path: str | bytes) -> bytes:
        if path == self.origin:
            return self._package.contents[self._file]
        raise OSError(f"{path!r} is no source file of the plugin {self._package.name!r}")

    def get_resource_reader(self, fullname: str) -> FileReader:
        """For `importlib.resources`: the data files beside the code."""
        # The reader takes only the folder from the loader that it is given.
        return FileReader(SourceFileLoader(fullname, str(self._folder / "__init__.py")))

    def exec_module(self, module: ModuleType) -> None:
        if self._file:
            # Python runs an import statement by the `__import__` of the module's own builtins, so
            # that what an absolute import means is settled for this plugin and nobody else.
            module.__dict__["__builtins__"] = _builtins_of(self._package)
            super().exec_module(module)


def _builtins_of(package: PluginPackage) -> dict[str, Any]:
    usual = builtins.__import__

    def import_own(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        full = package.own(name) if level == 0 else None
        if full is None:
            return usual(name, globals, locals, fromlist or (), level)
        if fromlist:
            return usual(full, globals, locals, fromlist, 0)
        usual(full)
        first = package.own(name.partition(".")[0])
        return sys.modules[first or full]

    return {**vars(builtins), "__import__": import_own}
