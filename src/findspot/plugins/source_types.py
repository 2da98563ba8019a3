"""Types from annotation expressions, read from source alone.

They equal what `findspot.graph.annotations.from_annotation` gives for the annotation once it has
run, but for what only the classes themselves could tell: the bases of classes from outside the
plugin.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping

from findspot.core.types import (
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    UNKNOWN,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.annotations import generic_type, named_type, union_of
from findspot.graph.classes import public_name
from findspot.plugins.source_scope import Alias, External, ModuleScope, OwnClass, dotted_name

_NESTING = 100
_SIZE = 1000
"""A type with more parts than this is unknown; otherwise few lines could double it without end."""
_TUPLES = frozenset({"builtins.tuple", "typing.Tuple"})
_TYPED_DICT = "typing.TypedDict"

# Classes from outside that count as what their values are; their bases cannot be seen from source.
_COUNTED_AS: Mapping[str, Type] = {
    "collections.Counter": MappingOf(UNKNOWN, UNKNOWN),
    "enum.IntEnum": INTEGER,
    "enum.IntFlag": INTEGER,
    "enum.StrEnum": STRING,
    "numpy.double": NUMBER,
    "numpy.float64": NUMBER,
    "numpy.str_": STRING,
}
# Bases that say nothing of what a value is; typing.List and its like are the classes themselves.
_NO_PARENTS = ("typing.", "abc.", "collections.abc.", "builtins.object")
_OLD_SPELLINGS = frozenset(
    f"typing.{name}" for name in ("List", "Dict", "OrderedDict", "DefaultDict", "Tuple")
)
_SCALARS = (BOOLEAN, INTEGER, NUMBER, STRING)
_LITERALS: Mapping[type, Type] = {
    str: STRING,
    bool: BOOLEAN,
    int: INTEGER,
    type(None): NULL,
    bytes: named_type("bytes"),
}


def resolve_type(node: ast.expr | None, scope: ModuleScope, *, depth: int = _NESTING) -> Type:
    """The type that an annotation means; `UNKNOWN` where there is none, or it cannot be told."""
    if node is None or depth == 0:
        return UNKNOWN
    match node:
        case ast.Constant(value=None):
            return NULL
        case ast.Constant(value=str() as text):
            return resolve_type(_expression(text), scope, depth=depth - 1)
        case ast.BinOp(op=ast.BitOr()):
            return union_of([resolve_type(n, scope, depth=depth - 1) for n in _alternatives(node)])
        case ast.Subscript(value=base, slice=index):
            arguments = index.elts if isinstance(index, ast.Tuple) else [index]
            return _subscripted(base, arguments, scope, depth - 1)
        case ast.Name() | ast.Attribute():
            return _named(node, scope, depth - 1)
        case _:
            return UNKNOWN


def annotated_name(node: ast.expr | None, scope: ModuleScope) -> tuple[ast.expr | None, str | None]:
    """An annotation without its ``Annotated``, and the output's name that stands in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = _expression(node.value)
    if isinstance(node, ast.Name | ast.Attribute):
        meaning = scope.resolve(dotted_name(node) or "")
        if isinstance(meaning, Alias) and isinstance(meaning.value, ast.Subscript):
            inner, name = annotated_name(meaning.value, meaning.scope)
            # The alias's own words are only read in its own module; elsewhere its name stands.
            return (inner if meaning.scope is scope else node), name
        return node, None
    if isinstance(node, ast.Subscript) and full_name(node.value, scope) == "typing.Annotated":
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        names = [
            p.value for p in parts[1:] if isinstance(p, ast.Constant) and isinstance(p.value, str)
        ]
        return (parts[0] if parts else None), (names[0] if names else None)
    return node, None


def tuple_items(node: ast.expr | None, scope: ModuleScope) -> list[ast.expr] | None:
    """The elements of ``tuple[A, B]``; None for anything else, ``tuple[A, ...]`` included."""
    if not isinstance(node, ast.Subscript) or full_name(node.value, scope) not in _TUPLES:
        return None
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return None if any(_is_ellipsis(i) for i in items) else list(items)


def class_type(own: OwnClass, *, depth: int = _NESTING) -> Type:
    """The type of a class of the plugin: its name in the plugin, below the types of its bases.

    It has no Python class to check values against, since the class's module is another one in each
    snapshot of the plugin. Classes derived from int, float, str, list or dict count as these.
    """
    return _once(own.scope, own.name, lambda: _class_type(own, depth))


def _class_type(own: OwnClass, depth: int) -> Type:
    if depth <= 0:
        return UNKNOWN
    fields = _typed_dict(own, depth - 1)
    if fields is not None:
        properties, total = fields
        return Record(properties) if total else MappingOf(STRING, union_of([*properties.values()]))
    parents: list[Simple] = []
    for base in own.node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        name = full_name(plain, own.scope) or ""
        if name == "typing.Protocol":
            return UNKNOWN
        if name == "typing.NamedTuple":
            return TupleOf(tuple(_fields(own, depth - 1).values()))
        if name.startswith(_NO_PARENTS) and name not in _OLD_SPELLINGS:
            continue
        parent = resolve_type(plain, own.scope, depth=depth - 1)
        if parent in _SCALARS:
            return parent
        if isinstance(parent, ListOf):
            return ListOf(UNKNOWN)
        if isinstance(parent, MappingOf):
            return MappingOf(UNKNOWN, UNKNOWN)
        if isinstance(parent, TupleOf) or name in _TUPLES:
            return parent
        if isinstance(parent, Simple):
            parents.append(parent)
    return Simple(own.name, tuple(parents))


def full_name(node: ast.expr, scope: ModuleScope) -> str | None:
    """The full name of what an expression refers to outside the plugin, in one spelling."""
    dotted = dotted_name(node)
    meaning = scope.resolve(dotted) if dotted else None
    for _ in range(_NESTING):
        if not (isinstance(meaning, Alias) and dotted_name(meaning.value)):
            break
        meaning = meaning.scope.resolve(dotted_name(meaning.value) or "")
    if not isinstance(meaning, External):
        return None
    if meaning.name.startswith("typing_extensions."):
        return "typing." + meaning.name.removeprefix("typing_extensions.")
    return public_name(meaning.name)


def _once(scope: ModuleScope, key: object, find: Callable[[], Type]) -> Type:
    """A class's or alias's type, worked out once; `UNKNOWN` inside itself, and where it grew."""
    types = scope.plugin.types
    if key not in types:
        types[key] = None
        found = find()
        types[key] = found if _size(found) <= _SIZE else UNKNOWN
    return types[key] or UNKNOWN


def _size(type: Type) -> int:
    match type:
        case Simple(parents=parts) | TupleOf(items=parts) | Union(members=parts):
            return 1 + sum(map(_size, parts))
        case ListOf(item):
            return 1 + _size(item)
        case MappingOf(key, value):
            return 1 + _size(key) + _size(value)
        case Record(properties):
            return 1 + sum(map(_size, properties.values()))
        case _:
            return 1


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _alternatives(node: ast.expr) -> list[ast.expr]:
    parts: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        parts.append(node.right)
        node = node.left
    return [node, *reversed(parts)]


def _named(node: ast.expr, scope: ModuleScope, depth: int) -> Type:
    dotted = dotted_name(node)
    meaning = scope.resolve(dotted) if dotted else None
    match meaning:
        case OwnClass():
            return class_type(meaning, depth=depth)
        case Alias(scope=home, value=ast.Call() as call):
            return _once(home, call, lambda: _called(call, home, depth))
        case Alias(scope=home, value=value):
            return _once(home, value, lambda: resolve_type(value, home, depth=depth))
        case _:
            name = full_name(node, scope)
            return UNKNOWN if name is None else _external(name)


def _external(name: str) -> Type:
    if name in _COUNTED_AS:
        return _COUNTED_AS[name]
    short = name.removeprefix("builtins.")
    if short != name and short != "None" and not isinstance(getattr(builtins, short, None), type):
        return UNKNOWN  # a function such as any(), written where a type should be
    return named_type(name)


def _subscripted(base: ast.expr, arguments: list[ast.expr], scope: ModuleScope, depth: int) -> Type:
    name = full_name(base, scope)
    if name is None:
        return _named(base, scope, depth)  # a generic class of the plugin
    if name == "typing.Literal":
        return union_of([_literal(a) for a in arguments])
    if name in ("builtins.type", "typing.Type", "typing.Callable", "collections.abc.Callable"):
        return UNKNOWN
    if name == "typing.Annotated":
        return resolve_type(arguments[0], scope, depth=depth) if arguments else UNKNOWN
    variadic = bool(arguments) and _is_ellipsis(arguments[-1])
    if variadic:
        arguments = arguments[:-1]
    types = [resolve_type(a, scope, depth=depth) for a in arguments]
    found = generic_type(name, types, variadic=variadic)
    return _external(name) if isinstance(found, Simple) and found == named_type(name) else found


def _literal(node: ast.expr) -> Type:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return _LITERALS.get(type(node.value), UNKNOWN) if isinstance(node, ast.Constant) else UNKNOWN


def _called(call: ast.Call, scope: ModuleScope, depth: int) -> Type:
    """Names made by a call: ``NewType("Id", int)`` is the type it wraps, and a type variable its
    bound or the union of its constraints."""
    name = full_name(call.func, scope)
    if name == "typing.NewType" and len(call.args) == 2:
        return resolve_type(call.args[1], scope, depth=depth)
    if name == "typing.TypeVar":
        if len(call.args) > 1:
            return union_of([resolve_type(a, scope, depth=depth) for a in call.args[1:]])
        for keyword in call.keywords:
            if keyword.arg == "bound":
                return resolve_type(keyword.value, scope, depth=depth)
    return UNKNOWN


def _typed_dict(own: OwnClass, depth: int) -> tuple[dict[str, Type], bool] | None:
    """The fields of a `TypedDict`, and whether all are required; None for another class."""
    known = own.scope.plugin.typed_dicts
    if own.name not in known:
        known[own.name] = None  # for a class that is its own ancestor
        known[own.name] = _read_typed_dict(own, depth)
    return known[own.name]


def _read_typed_dict(own: OwnClass, depth: int) -> tuple[dict[str, Type], bool] | None:
    if depth <= 0:
        return None
    found: dict[str, Type] = {}
    typed, total = False, True
    for base in own.node.bases:
        if full_name(base, own.scope) == _TYPED_DICT:
            typed = True
            continue
        meaning = own.scope.resolve(dotted_name(base) or "")
        inherited = _typed_dict(meaning, depth - 1) if isinstance(meaning, OwnClass) else None
        if inherited is not None:
            typed, total = True, total and inherited[1]
            found.update(inherited[0])
    if not typed:
        return None
    fields = _fields(own, depth - 1)
    partial = any(
        k.arg == "total" and isinstance(k.value, ast.Constant) and k.value.value is False
        for k in own.node.keywords
    )
    optional = any(_is_optional_key(s, own.scope, partial) for s in own.node.body)
    return {**found, **fields}, total and not optional


def _is_optional_key(statement: ast.stmt, scope: ModuleScope, partial: bool) -> bool:
    if not isinstance(statement, ast.AnnAssign):
        return False
    node = statement.annotation
    said = full_name(node.value, scope) if isinstance(node, ast.Subscript) else None
    if said in ("typing.Required", "typing.NotRequired"):
        return said == "typing.NotRequired"
    return partial


def _fields(own: OwnClass, depth: int) -> dict[str, Type]:
    return {
        statement.target.id: resolve_type(statement.annotation, own.scope, depth=max(depth, 0))
        for statement in own.node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
