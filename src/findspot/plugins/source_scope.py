"""What the names in a plugin's source mean: imports, classes and aliases, followed without running.

A plugin's own modules have dotted names below the plugin's: ``rescaling_plugin.scaling``.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from findspot.core.types import Type

_BUILTINS = frozenset(vars(builtins))
_DEPTH = 32
"""Aliases and re-exports are followed this far, so that a circle ends."""


@dataclass(frozen=True, slots=True)
class External:
    """A name from outside the plugin, in full: ``numpy.ndarray``, ``builtins.list``."""

    name: str


@dataclass(frozen=True, slots=True)
class OwnClass:
    """A class defined in the plugin."""

    scope: ModuleScope
    qualname: str
    node: ast.ClassDef

    @property
    def name(self) -> str:
        return f"{self.scope.module}.{self.qualname}"


@dataclass(frozen=True, slots=True)
class Alias:
    """A module-level name for an expression (``Array = np.ndarray``)."""

    scope: ModuleScope
    value: ast.expr


Meaning = External | OwnClass | Alias | None


@dataclass(eq=False, slots=True)
class ModuleScope:
    """The names at the top of one file.

    Args:
        module: dotted, beginning with the plugin's name.
        file: relative path.
    """

    plugin: PluginScope
    module: str
    file: str
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    aliases: dict[str, ast.expr] = field(default_factory=dict)

    def resolve(self, dotted: str, depth: int = _DEPTH) -> Meaning:
        """What ``dotted`` means in this module; None where the source does not tell."""
        if depth == 0:
            return None
        if dotted in self.classes:
            return OwnClass(self, dotted, self.classes[dotted])
        first, _, rest = dotted.partition(".")
        if first in self.classes:
            return None
        if first in self.imports:
            full = f"{self.imports[first]}.{rest}" if rest else self.imports[first]
            return self.plugin.resolve(full, depth - 1)
        if first in self.aliases:
            alias = self.aliases[first]
            if not rest:
                return Alias(self, alias)
            target = dotted_name(alias)
            return self.resolve(f"{target}.{rest}", depth - 1) if target else None
        for module in self.stars:
            found = self.plugin.resolve(f"{module}.{dotted}", depth - 1)
            if found is not None and module.split(".")[0] == self.plugin.name:
                return found
        if first in _BUILTINS:
            return External(f"builtins.{dotted}")
        return None


@dataclass(eq=False, slots=True)
class PluginScope:
    """All modules of one plugin."""

    name: str
    modules: dict[str, ModuleScope] = field(default_factory=dict)
    top: frozenset[str] = frozenset()
    types: dict[object, Type | None] = field(default_factory=dict)
    """Types of classes and aliases that are known already; None while one is worked out."""
    typed_dicts: dict[str, tuple[dict[str, Type], bool] | None] = field(default_factory=dict)
    """By a class's full name: its fields and whether all are required; None where it is none."""

    @classmethod
    def of(cls, name: str, trees: Mapping[str, ast.Module]) -> PluginScope:
        """The scope of a plugin, from its files' syntax trees by relative path."""
        names = {path: module_name(path) for path in trees}
        top = frozenset(m.split(".")[0] for m in names.values() if m)
        plugin = cls(name, top=top)
        for path, tree in trees.items():
            module = f"{name}.{names[path]}" if names[path] else name
            scope = ModuleScope(plugin, module, path, tree)
            plugin.modules[module] = scope
            _read_names(scope)
        return plugin

    def resolve(self, full: str, depth: int = _DEPTH) -> Meaning:
        """What a full dotted name means."""
        first = full.split(".")[0]
        if first != self.name:
            return External(full)
        module = full
        while module:
            if module in self.modules:
                rest = full[len(module) + 1 :]
                return self.modules[module].resolve(rest, depth) if rest else None
            module = module.rpartition(".")[0]
        return None

    def own(self, module: str) -> str:
        """An absolute import's module in full: a plugin's files may import each other by their bare
        names, as scripts in one folder do."""
        first = module.split(".")[0]
        if first != self.name and first in self.top and not is_standard(first):
            return f"{self.name}.{module}"
        return module


def is_standard(module: str) -> bool:
    """Whether a top-level module is of the standard library; a plugin's files never shadow it."""
    return module in sys.stdlib_module_names


def module_name(path: str) -> str:
    """The dotted name of a file's module below the plugin; "" for the plugin's ``__init__.py``.

    >>> module_name("steps/scaling.py"), module_name("steps/__init__.py")
    ('steps.scaling', 'steps')
    """
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def dotted_name(node: ast.expr) -> str | None:
    """``a.b.c`` where the expression is just that."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run at import, in order, also those under ``if``, ``try``, ``with``."""
    waiting = body[::-1]  # not by recursion: a chain of elif is as deep as it is long
    while waiting:
        statement = waiting.pop()
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.TryStar | ast.With):
            inner = list(statement.body)
            for handler in getattr(statement, "handlers", []):
                inner.extend(handler.body)
            inner.extend(getattr(statement, "orelse", []))
            inner.extend(getattr(statement, "finalbody", []))
            waiting.extend(inner[::-1])


def _read_names(scope: ModuleScope) -> None:
    for statement in top_level(scope.tree.body):
        match statement:
            case ast.Import():
                _read_import(scope, statement)
            case ast.ImportFrom():
                _read_import_from(scope, statement)
            case ast.ClassDef():
                _read_class(scope, statement, "")
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                scope.aliases.setdefault(name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                scope.aliases.setdefault(name, value)
            case _ if (
                type(statement).__name__ == "TypeAlias"
            ):  # the `type` statement of Python 3.12
                named, meant = getattr(statement, "name", None), getattr(statement, "value", None)
                if isinstance(named, ast.Name) and isinstance(meant, ast.expr):
                    scope.aliases.setdefault(named.id, meant)
            case _:
                pass


def _read_import(scope: ModuleScope, statement: ast.Import) -> None:
    for alias in statement.names:
        full = scope.plugin.own(alias.name)
        if alias.asname:
            scope.imports.setdefault(alias.asname, full)
        else:
            first = alias.name.split(".")[0]
            scope.imports.setdefault(first, scope.plugin.own(first))


def _read_import_from(scope: ModuleScope, statement: ast.ImportFrom) -> None:
    module = statement.module or ""
    if statement.level:
        package = scope.module.split(".")
        dropped = statement.level - (scope.file.rpartition("/")[2] == "__init__.py")
        if dropped >= len(package):
            return
        base = package[: len(package) - dropped]
        module = ".".join([*base, module] if module else base)
    else:
        module = scope.plugin.own(module)
    for alias in statement.names:
        if alias.name == "*":
            scope.stars.append(module)
        else:
            scope.imports.setdefault(alias.asname or alias.name, f"{module}.{alias.name}")


def _read_class(scope: ModuleScope, node: ast.ClassDef, prefix: str) -> None:
    scope.classes[f"{prefix}{node.name}"] = node
    for statement in node.body:
        if isinstance(statement, ast.ClassDef):
            _read_class(scope, statement, f"{prefix}{node.name}.")
