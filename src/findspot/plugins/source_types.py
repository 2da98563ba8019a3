"""Types from annotation expressions, read from source alone; equal to what
`findspot.graph.annotations.from_annotation` gives for the annotation once it has run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from findspot.core.types import (
    ANY,
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
from findspot.plugins.source_scope import Alias, External, ModuleScope, OwnClass, dotted_name

_TYPING = ("typing.", "typing_extensions.")
_ABSTRACT = "collections.abc."

_PLAIN: Mapping[str, Type] = {
    "builtins.str": STRING,
    "builtins.int": INTEGER,
    "builtins.float": NUMBER,
    "builtins.bool": BOOLEAN,
    "builtins.None": NULL,
    "types.NoneType": NULL,
    "builtins.object": ANY,
    "typing.Any": ANY,
    "typing.Text": STRING,
    "typing.LiteralString": STRING,
}
_LISTS = frozenset({"builtins.list", "typing.List", "collections.abc.Sequence"})
_MAPPINGS = frozenset(
    {"builtins.dict", "typing.Dict", "collections.abc.Mapping", "collections.abc.MutableMapping"}
)
_TUPLES = frozenset({"builtins.tuple", "typing.Tuple"})

# Public names of classes that live elsewhere; at run time only the class's own module is seen.
_HOMES: Mapping[str, str] = {
    "matplotlib.pyplot.Figure": "matplotlib.figure.Figure",
    "matplotlib.pyplot.Axes": "matplotlib.axes._axes.Axes",
    "matplotlib.axes.Axes": "matplotlib.axes._axes.Axes",
    "numpy.typing.NDArray": "numpy.ndarray",
    "pathlib.Path": "pathlib.Path",
    "PIL.Image": "PIL.Image",
}


def resolve_type(node: ast.expr | None, scope: ModuleScope, *, depth: int = 32) -> Type:
    """The type that an annotation means; `UNKNOWN` where there is none, or it cannot be told."""
    if node is None or depth == 0:
        return UNKNOWN
    match node:
        case ast.Constant(value=None):
            return NULL
        case ast.Constant(value=str() as text):
            try:
                inner = ast.parse(text.strip(), mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return UNKNOWN
            return resolve_type(inner, scope, depth=depth - 1)
        case ast.BinOp(op=ast.BitOr()):
            members = [resolve_type(n, scope, depth=depth - 1) for n in _alternatives(node)]
            return union_of(members)
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
        try:
            node = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None, None
    if isinstance(node, ast.Name | ast.Attribute):
        meaning = scope.resolve(dotted_name(node) or "")
        if isinstance(meaning, Alias) and isinstance(meaning.value, ast.Subscript):
            inner, name = annotated_name(meaning.value, meaning.scope)
            # The alias's own words are only read in its own module; elsewhere its name stands.
            return (inner if meaning.scope is scope else node), name
        return node, None
    if isinstance(node, ast.Subscript) and _is_typing(node.value, scope, "Annotated"):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        names = [
            p.value for p in parts[1:] if isinstance(p, ast.Constant) and isinstance(p.value, str)
        ]
        return (parts[0] if parts else None), (names[0] if names else None)
    return node, None


def tuple_items(node: ast.expr | None, scope: ModuleScope) -> list[ast.expr] | None:
    """The elements of ``tuple[A, B]``; None for anything else, ``tuple[A, ...]`` included."""
    if not isinstance(node, ast.Subscript):
        return None
    if _full_name(node.value, scope) not in _TUPLES:
        return None
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if any(isinstance(i, ast.Constant) and i.value is Ellipsis for i in items):
        return None
    return list(items)


def class_type(own: OwnClass, *, depth: int = 32) -> Type:
    """The type of a class of the plugin: its name in the plugin, below the types of its bases.

    It has no Python class to check values against, since the class's module is another one in each
    snapshot of the plugin.
    """
    if depth == 0:
        return UNKNOWN
    fields = _typed_dict(own, depth - 1)
    if fields is not None:
        return Record(fields)
    parents = []
    for base in own.node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        parent = resolve_type(plain, own.scope, depth=depth - 1)
        if isinstance(parent, Simple):
            parents.append(parent)
    return Simple(own.name, tuple(parents))


def full_name(node: ast.expr, scope: ModuleScope) -> str | None:
    """The full name of what an expression refers to outside the plugin, in one spelling."""
    return _full_name(node, scope)


def union_of(members: list[Type]) -> Type:
    """A union: nested ones flattened, equal members once, one member by itself."""
    flat: list[Type] = []
    for member in members:
        parts = member.members if isinstance(member, Union) and member.name is None else (member,)
        flat.extend(part for part in parts if part not in flat)
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


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
            return _called(call, home, depth)
        case Alias(scope=home, value=value):
            return resolve_type(value, home, depth=depth)
        case External(name):
            return _external(_canonical(name))
        case None:
            return UNKNOWN


def _external(name: str) -> Type:
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _LISTS:
        return ListOf(ANY)
    if name in _MAPPINGS:
        return MappingOf(ANY, ANY)
    if name in _TUPLES:
        return ListOf(ANY)
    if name.startswith("typing.") or name == "numpy.typing.ArrayLike":
        return ANY
    if name.startswith("builtins."):
        return Simple(name.removeprefix("builtins."), python=name)
    return Simple(name, python=name)


def _subscripted(base: ast.expr, arguments: list[ast.expr], scope: ModuleScope, depth: int) -> Type:
    name = _full_name(base, scope)

    def inner(node: ast.expr) -> Type:
        return resolve_type(node, scope, depth=depth)

    special: Mapping[str, Callable[[], Type]] = {
        "typing.Annotated": lambda: inner(arguments[0]),
        "typing.Optional": lambda: union_of([inner(arguments[0]), NULL]),
        "typing.Union": lambda: union_of([inner(a) for a in arguments]),
        "typing.Literal": lambda: union_of([_literal(a) for a in arguments]),
        "typing.Final": lambda: inner(arguments[0]),
        "typing.Required": lambda: inner(arguments[0]),
        "typing.NotRequired": lambda: inner(arguments[0]),
        "typing.ClassVar": lambda: inner(arguments[0]),
    }
    if name is None:
        return _named(base, scope, depth)  # a generic class of the plugin
    if name in special:
        return special[name]() if arguments else UNKNOWN
    if name in _LISTS:
        return ListOf(inner(arguments[0]))
    if name in _MAPPINGS and len(arguments) == 2:
        return MappingOf(inner(arguments[0]), inner(arguments[1]))
    if name in _TUPLES:
        items = tuple_items(ast.Subscript(base, ast.Tuple(arguments)), scope)
        if items is None:
            return ListOf(inner(arguments[0]))
        if len(items) == 1 and isinstance(items[0], ast.Tuple) and not items[0].elts:
            return TupleOf(())
        return TupleOf(tuple(inner(i) for i in items))
    return _external(name)


def _literal(node: ast.expr) -> Type:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Constant):
        kinds: Mapping[type, Type] = {str: STRING, bool: BOOLEAN, int: INTEGER, type(None): NULL}
        return kinds.get(type(node.value), ANY)
    return ANY


def _called(call: ast.Call, scope: ModuleScope, depth: int) -> Type:
    """Names made by a call: ``NewType("Id", int)`` is the type it wraps; a type variable is any."""
    name = _full_name(call.func, scope)
    if name == "typing.NewType" and len(call.args) == 2:
        return resolve_type(call.args[1], scope, depth=depth)
    if name in ("typing.TypeVar", "typing.ParamSpec"):
        return ANY
    return UNKNOWN


def _typed_dict(own: OwnClass, depth: int) -> dict[str, Type] | None:
    if depth == 0:
        return None
    found: dict[str, Type] = {}
    typed = False
    for base in own.node.bases:
        meaning = own.scope.resolve(dotted_name(base) or "")
        if isinstance(meaning, External) and _canonical(meaning.name) == "typing.TypedDict":
            typed = True
        elif isinstance(meaning, OwnClass):
            inherited = _typed_dict(meaning, depth - 1)
            if inherited is not None:
                typed = True
                found.update(inherited)
    if not typed:
        return None
    for statement in own.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found[statement.target.id] = resolve_type(
                statement.annotation, own.scope, depth=depth - 1
            )
    return found


def _full_name(node: ast.expr, scope: ModuleScope) -> str | None:
    dotted = dotted_name(node)
    meaning = scope.resolve(dotted) if dotted else None
    for _ in range(32):
        if not (isinstance(meaning, Alias) and dotted_name(meaning.value)):
            break
        meaning = meaning.scope.resolve(dotted_name(meaning.value) or "")
    return _canonical(meaning.name) if isinstance(meaning, External) else None


def _is_typing(node: ast.expr, scope: ModuleScope, name: str) -> bool:
    return _full_name(node, scope) == f"typing.{name}"


def _canonical(name: str) -> str:
    if name in _HOMES:
        return _HOMES[name]
    for prefix in _TYPING:
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            # typing.Sequence and its like are old spellings of collections.abc.
            return (
                _ABSTRACT + rest
                if rest in ("Sequence", "Mapping", "MutableMapping")
                else f"typing.{rest}"
            )
    return name
