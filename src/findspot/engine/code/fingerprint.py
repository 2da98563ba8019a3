"""`fingerprint`: a digest of a function's code and of all project code and constants it uses.

It follows the names that the code reads: functions, classes, methods and constants of the project,
through modules, closures, decorators and default arguments, to any depth. Installed packages and
the standard library count by name only. The digest is the same in every process that loaded the
same code, wherever its files are.

What it cannot see: names made up at run time (``getattr(module, name)``, ``eval``), files that the
code reads, and what happens inside installed packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CellType, FunctionType, ModuleType
from typing import Any

from findspot.core.canonical import Json, canonical_json
from findspot.core.digests import Digest, hash_bytes
from findspot.engine.code.constants import ValueTokens, class_members, class_name, vars_of
from findspot.engine.code.project import (
    is_project_class,
    is_project_function,
    is_project_module,
    stable_module,
)
from findspot.engine.code.readable import (
    class_source,
    constant_source,
    function_source,
    module_source,
)
from findspot.engine.code.text import Import, reads, text_of
from findspot.graph.tasks import Task

_MEMO_LIMIT = 4096
_ABSENT: Any = object()


def without_fingerprint(names: Sequence[str]) -> str:
    """A sentence on the objects that keep code from being reused, and what to do; some of many.

    >>> without_fingerprint(["study:db"])
    'its code uses what has no fingerprint: study:db. Make that inside of the task, pass it in, \
or say cache=False.'
    """
    return (
        f"its code uses what has no fingerprint: {', '.join(names[:5])}. Make that inside of the "
        "task, pass it in, or say cache=False."
    )


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a function's code is.

    Args:
        digest: of everything; equal for equal code and constants.
        parts: a digest for each function, class and constant, by its name; comparing those of two
            fingerprints says what changed. The names are ``module:qualified name``.
        unfingerprintable: names of the objects the code uses of which no stable digest can be made
            (an open connection, a very large array). With any, the digest says too little to
            reuse an earlier result.
        sources: the text of each part, for people to compare; secrets are left out of it.
    """

    digest: Digest
    parts: Mapping[str, str]
    unfingerprintable: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(slots=True)
class _Known:
    fingerprint: Fingerprint
    uses: list[tuple[Mapping[str, Any], str, Any]]
    cells: list[tuple[CellType, Any]]
    states: list[tuple[FunctionType, Any, Any, Any]]


_memo: dict[FunctionType, _Known] = {}


def fingerprint(function: Callable[..., Any]) -> Fingerprint:
    """The fingerprint of a function (or of anything callable); never raises.

    The second call for the same function costs microseconds. It is made again when the function's
    code, or any function, class or constant that it used, was replaced by another object. (A list
    that was changed in place is the same object.)
    """
    if type(function) is Task:
        function = function.function
    if not isinstance(function, FunctionType):  # an object whose state may change unnoticed
        return _Walk().fingerprint(function).fingerprint
    known = _memo.get(function)
    if known is None or not _is_current(known):
        known = _Walk().fingerprint(function)
        if len(_memo) >= _MEMO_LIMIT:
            _memo.clear()
        _memo[function] = known
    return known.fingerprint


def _is_current(known: _Known) -> bool:
    for names, name, value in known.uses:
        if names.get(name, _ABSENT) is not value:
            return False
    for function, code, defaults, keyword_defaults in known.states:
        if (
            function.__code__ is not code
            or function.__defaults__ is not defaults
            or function.__kwdefaults__ is not keyword_defaults
        ):
            return False
    return all(_content(cell) is value for cell, value in known.cells)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # no value yet
        return _ABSENT


@dataclass(slots=True)
class _Walk:
    """One walk over everything that a function uses."""

    parts: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    constants: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    waiting: list[tuple[str, Any]] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    unfingerprintable: dict[str, None] = field(default_factory=dict)
    uses: list[tuple[Mapping[str, Any], str, Any]] = field(default_factory=list)
    cells: list[tuple[CellType, Any]] = field(default_factory=list)
    states: list[tuple[FunctionType, Any, Any, Any]] = field(default_factory=list)

    def fingerprint(self, function: Callable[..., Any]) -> _Known:
        start = self._token(function, getattr(function, "__qualname__", type(function).__name__))
        while self.waiting:
            key, found = self.waiting.pop()
            is_function = isinstance(found, FunctionType)
            said = self._function(found, key) if is_function else self._class(found, key)
            self.parts[key] = hash_bytes(canonical_json(said))
        parts = dict(sorted(self.parts.items()))
        digest = hash_bytes(canonical_json([start, parts]))
        result = Fingerprint(digest, parts, tuple(self.unfingerprintable), self.sources)
        return _Known(result, self.uses, self.cells, self.states)

    # What refers to project code

    def _token(self, value: Any, name: str) -> Json:
        return ValueTokens(self.code_token, self._cannot).token(value, name)

    def _cannot(self, name: str, reason: str) -> None:
        self.unfingerprintable.setdefault(f"{name} ({reason})")

    def code_token(self, value: Any) -> Json:
        """The token of a function, class or module; project code joins the walk."""
        if isinstance(value, FunctionType):
            if is_project_function(value):
                return ["function", self._key(value, _function_name(value))]
            return self._installed_function(value)
        if isinstance(value, type):
            if is_project_class(value):
                return ["class", self._key(value, class_name(value))]
            return ["class", class_name(value)]
        if is_project_module(value):
            return self._module(value)
        return ["module", value.__name__]

    def _key(self, value: Any, wanted: str) -> str:
        found = self.keys.get(id(value))
        if found is None:
            found = self._unused(wanted)
            self.keys[id(value)] = found
            self.kept.append(value)  # so that its id stays its own
            self.waiting.append((found, value))
        return found

    def _installed_function(self, function: FunctionType) -> Json:
        said: list[Json] = ["function", _function_name(function)]
        # A decorator of a library may have been put around a function of the project.
        inside = [getattr(function, "__wrapped__", None)]
        inside.extend(_content(cell) for cell in function.__closure__ or ())
        for value in inside:
            if (isinstance(value, FunctionType) and is_project_function(value)) or (
                isinstance(value, type) and is_project_class(value)
            ):
                said.append(self.code_token(value))
        return said

    def _module(self, module: ModuleType) -> Json:
        """A module as a whole, where the code does not say what it takes from it."""
        key = stable_module(module.__name__)
        if key in self.taken:
            return ["module", key]
        self.taken.add(key)
        said: list[Json] = []
        for name, value in list(vars(module).items()):
            if not _is_dunder(name) and not isinstance(value, ModuleType):
                said.append([name, self._named(vars(module), name, value, key)])
        self.parts[key] = hash_bytes(canonical_json(said))
        self.sources[key] = module_source(key, said)
        return ["module", key]

    # What a function and a class say

    def _function(self, function: FunctionType, key: str) -> Json:
        code = function.__code__
        self.states.append((function, code, function.__defaults__, function.__kwdefaults__))
        own = _function_name(function)
        found = reads(code)
        text = text_of(function)
        names = [*found.names, *((name,) for name in text.decorators)]
        used: list[Json] = [
            [".".join(chain), self._read(chain, function.__globals__)]
            for chain in dict.fromkeys(names)
            if not _is_dunder(chain[0])
        ]
        imported = [self._import(statement, function.__globals__) for statement in found.imports]
        closure: list[Json] = []
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            value = _content(cell)
            self.cells.append((cell, value))
            absent = value is _ABSENT
            closure.append([name, None if absent else self._token(value, f"{own}.{name}")])
        defaults = self._token(function.__defaults__, f"{own}: default values")
        keyword_defaults = self._token(function.__kwdefaults__, f"{own}: default values")
        self.sources[key] = function_source(text.source, closure, defaults, keyword_defaults)
        return {
            "text": text.digest,
            "reads": used,
            "imports": [statement for statement in imported if statement],
            "closure": closure,
            "defaults": defaults,
            "keyword defaults": keyword_defaults,
        }

    def _class(self, cls: type, key: str) -> Json:
        own = class_name(cls)
        members: list[Json] = []
        for name, value in class_members(cls):
            self.uses.append((vars(cls), name, vars(cls).get(name, _ABSENT)))
            members.append([name, self._token(value, f"{own}.{name}")])
        kind: Json = None if type(cls) is type else self.code_token(type(cls))
        self.sources[key] = class_source(cls, members)
        return [kind, [self.code_token(base) for base in cls.__bases__], members]

    def _read(self, chain: tuple[str, ...], names: dict[str, Any]) -> Json:
        """What a dotted name means: followed through modules of the project to what it is."""
        value = names.get(chain[0], _ABSENT)
        self.uses.append((names, chain[0], value))
        module = str(names.get("__name__", ""))
        if value is _ABSENT:
            return None  # a builtin, or a name that is not defined
        last = chain[0]
        for part in chain[1:]:
            if not isinstance(value, ModuleType):
                break
            if not is_project_module(value):
                return ["module", value.__name__]
            inner = vars(value).get(part, _ABSENT)
            if inner is _ABSENT:
                inner = sys.modules.get(f"{value.__name__}.{part}", _ABSENT)
            self.uses.append((vars(value), part, vars(value).get(part, _ABSENT)))
            if inner is _ABSENT:
                return None
            module, value, last = value.__name__, inner, part
        return self._named_value(value, f"{stable_module(module)}:{last}")

    def _named(self, names: dict[str, Any], name: str, value: Any, module: str) -> Json:
        self.uses.append((names, name, value))
        return self._named_value(value, f"{module}:{name}")

    def _named_value(self, value: Any, key: str) -> Json:
        # By its real type: asking a proxy for its class may do anything.
        if issubclass(type(value), FunctionType | type | ModuleType):
            return self.code_token(value)
        if "__wrapped__" in vars_of(value):
            return self._token(value, key)
        for known, known_value in self.constants.setdefault(key, []):
            if known_value is value:
                return ["constant", known]
        # A constant is a part of its own, so that changes can be named.
        part = self._unused(key)
        self.constants[key].append((part, value))
        token = self._token(value, key)
        self.parts[part] = hash_bytes(canonical_json(token))
        self.sources[part] = constant_source(key.rpartition(":")[2], value, token)
        return ["constant", part]

    def _unused(self, wanted: str) -> str:
        found, number = wanted, 1
        while found in self.taken:
            number += 1
            found = f"{wanted} ({number})"
        self.taken.add(found)
        return found

    def _import(self, statement: Import, names: dict[str, Any]) -> Json:
        package = names.get("__package__") or ""
        relative = "." * statement.level + statement.module
        try:
            name = importlib.util.resolve_name(relative, package) if statement.level else relative
        except ImportError:
            return ["import", relative]
        importer = str(names.get("__name__", ""))
        if not statement.level and importer.startswith("findspot_plugins."):
            from findspot.plugins.importing import meant_module

            name = meant_module(importer, name)
        if not _may_be_project(name):
            return ["import", name]
        try:
            module = importlib.import_module(name)
        except (
            Exception,
            SystemExit,
        ) as error:  # the task's own import will fail just so, and say why
            return ["import", stable_module(name), type(error).__name__]
        if not statement.names:
            return self.code_token(module)
        said: list[Json] = ["import", stable_module(name)]
        for part in statement.names:
            value = getattr(module, part, _ABSENT)
            if value is not _ABSENT:
                said.append([part, self._named(vars(module), part, value, stable_module(name))])
        return said


def _may_be_project(name: str) -> bool:
    top = name.partition(".")[0]
    if name in sys.modules:
        return is_project_module(name)
    if top in sys.modules and not is_project_module(top):
        return False
    if top in sys.stdlib_module_names:
        return False
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    return spec is not None and _is_project_origin(spec.origin, spec.submodule_search_locations)


def _is_project_origin(origin: str | None, folders: Any) -> bool:
    module = ModuleType("origin")
    if origin is not None:
        module.__file__ = origin
    else:
        module.__path__ = list(folders or ())
    return is_project_module(module)


def _function_name(function: FunctionType) -> str:
    return f"{stable_module(function.__module__)}:{function.__qualname__}"


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
