"""The text of a function as data: what it says, and which names it reads from outside itself.

What is loaded counts, not what is in the file now. So the syntax tree of the source is used only
if the source compiles to the very code that is loaded; otherwise (a file that was edited since, a
function made by `exec`) the instructions themselves are.
"""

from __future__ import annotations

import ast
import bisect
import copy
import dis
import linecache
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FunctionType

from findspot.core.canonical import Json, canonical_json
from findspot.core.digests import hash_bytes

_HAS_DOCSTRING = 0x4000000
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_SILENT = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "RESUME"})
_FILES_KEPT = 256
_ABSENT = object()
_OWN_DECORATORS = frozenset({"findspot", "pipeline", "register", "task"})


@dataclass(frozen=True, slots=True)
class Import:
    """An import statement inside a function.

    Args:
        level: dots before the module's name.
        names: what is imported from it; empty for the module itself.
    """

    module: str
    level: int
    names: tuple[str, ...]


@dataclass(slots=True)
class Reads:
    """What a function reads from outside: dotted names, in parts, and what it imports."""

    names: dict[tuple[str, ...], None] = field(default_factory=dict)
    imports: dict[Import, None] = field(default_factory=dict)


def reads(code: CodeType) -> Reads:
    """The names that a function reads from its module, those of functions inside it included, in
    the order of the text."""
    found = Reads()
    for inner in _with_nested(code):
        _collect(inner, found)
    return found


@dataclass(frozen=True, slots=True)
class Text:
    """What a function says.

    Args:
        digest: the same after changes of comments, docstrings, layout or place, different after
            any other.
        decorators: the names that stand in the decorators above it, where the source is known.
        source: as it is written; where that is not known, its instructions, a line each.
    """

    digest: str
    decorators: tuple[str, ...] = ()
    source: str = ""


def text_of(function: FunctionType) -> Text:
    """What a function says: its syntax tree where the source is known, else its instructions."""
    node = _source_node(function)
    if node is None:
        code = function.__code__
        return Text(f"code:{code_digest(code)}", source="\n".join(_listing(code)))
    source = _lines_of(node, function)
    named: list[str] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        # Options of Findspot's own decorators say how a task is run, not what it does.
        names = function.__globals__
        decorators = [d for d in node.decorator_list if not _is_own_decorator(d, names)]
        named = [n.id for d in decorators for n in ast.walk(d) if isinstance(n, ast.Name)]
        node = copy.copy(node)
        node.decorator_list = decorators
    return Text(f"text:{hash_bytes(ast.dump(node).encode())}", tuple(named), source)


def _lines_of(node: ast.AST, function: FunctionType) -> str:
    """The lines that a node stands on, with the decorators above it."""
    lines = linecache.getlines(function.__code__.co_filename, function.__globals__)
    above = [decorator.lineno for decorator in getattr(node, "decorator_list", ())]
    first = min([getattr(node, "lineno", 1), *above])
    last: int = getattr(node, "end_lineno", None) or first
    return textwrap.dedent("".join(lines[first - 1 : last])).rstrip()


def _listing(code: CodeType) -> Iterator[str]:
    """A code object's instructions as lines without places, so that they can be compared."""
    for inner in _with_nested(code):
        yield f"code {inner.co_name}({', '.join(inner.co_varnames[: inner.co_argcount])}):"
        for instruction in dis.get_instructions(inner):
            if instruction.opname not in _SILENT:
                constant = instruction.opcode in dis.hasconst
                shown = constant_token(instruction.argval) if constant else instruction.argrepr
                yield f"    {instruction.opname} {shown}".rstrip()


def code_digest(code: CodeType) -> str:
    """A digest of a code object's instructions, without docstrings, files and lines."""
    return hash_bytes(canonical_json(_instructions(code)))


def _collect(code: CodeType, found: Reads) -> None:
    chain: list[str] = []
    pending: list[dis.Instruction] = []
    importing: str | None = None
    level, names = 0, list[str]()

    def finish() -> None:
        nonlocal importing
        if chain:
            found.names.setdefault(tuple(chain))
            chain.clear()
        if importing is not None:
            found.imports.setdefault(Import(importing, level, tuple(names)))
            importing = None

    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name in _SILENT:
            continue
        if name in _READS:
            finish()
            chain.append(instruction.argval)
        elif name in _ATTRIBUTES and chain:
            chain.append(instruction.argval)
        elif name == "IMPORT_NAME":
            finish()
            importing, names = instruction.argval, []
            # The two constants before it are the level and the list of names.
            given = pending[-2].argval if len(pending) > 1 else 0
            level = given if isinstance(given, int) else 0
        elif name == "IMPORT_FROM" and importing is not None:
            names.append(instruction.argval)
        elif importing is not None and name.startswith("STORE_"):
            pass  # between the names of one import statement
        else:
            finish()
        pending = [*pending[-1:], instruction]
    finish()


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)


def _instructions(code: CodeType) -> Json:
    said: list[Json] = []
    kept = [i for i in dis.get_instructions(code) if i.opname not in _SILENT]
    offsets = [instruction.offset for instruction in kept]
    jumps = {*dis.hasjrel, *dis.hasjabs}
    for instruction in kept:
        if instruction.opcode in dis.hasconst:
            said.append([instruction.opname, constant_token(instruction.argval)])
        elif instruction.opcode in jumps:
            # To an instruction that was left out means to the next one that was not.
            said.append([instruction.opname, bisect.bisect_left(offsets, instruction.argval)])
        else:
            said.append([instruction.opname, instruction.argrepr])
    nested: list[Json] = [_instructions(c) for c in code.co_consts if isinstance(c, CodeType)]
    return [
        said,
        nested,
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount],
        list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + 2]),
        code.co_flags & ~_HAS_DOCSTRING,
    ]


def constant_token(value: object) -> Json:
    """A constant of code as JSON, without anything that differs between processes."""
    if isinstance(value, CodeType):
        return ["code", value.co_name]
    if isinstance(value, tuple):
        return ["tuple", [constant_token(item) for item in value]]
    if isinstance(value, frozenset):
        return ["set", sorted((constant_token(v) for v in value), key=canonical_json)]
    return [type(value).__name__, repr(value)]


# The syntax tree


@dataclass(frozen=True, slots=True)
class _File:
    text: str
    functions: dict[str, list[tuple[CodeType, ast.AST]]]


_files: dict[str, _File] = {}


def _source_node(function: FunctionType) -> ast.AST | None:
    """The syntax tree that a function was compiled from, if its source is at hand and the same."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        return None
    file = _files.get(code.co_filename)
    if file is None or file.text != text:
        if len(_files) >= _FILES_KEPT:
            _files.clear()
        file = _files[code.co_filename] = _File(text, _functions_in(text, code.co_filename))
    candidates = file.functions.get(code.co_qualname, [])
    if not candidates:
        return None
    for known, node in candidates:
        if known == code:  # in the same line, too
            return node
    loaded = code_digest(code)
    return next((node for known, node in candidates if code_digest(known) == loaded), None)


def _functions_in(text: str, filename: str) -> dict[str, list[tuple[CodeType, ast.AST]]]:
    try:
        tree = ast.parse(text, filename)
        module = compile(text, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}  # a notebook's cell with `await` or magics at its top, say
    nodes: dict[tuple[str, int], list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            _without_docstring(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            nodes.setdefault((node.name, first), []).append(node)
        elif isinstance(node, ast.Lambda):
            nodes.setdefault(("<lambda>", node.lineno), []).append(node)
    found: dict[str, list[tuple[CodeType, ast.AST]]] = {}
    for code in _with_nested(module):
        here = nodes.get((code.co_name, code.co_firstlineno), [])
        if len(here) == 1:  # two lambdas in one line cannot be told apart
            found.setdefault(code.co_qualname, []).append((code, here[0]))
    return found


def _without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:] or [ast.Pass()]


def _is_own_decorator(decorator: ast.expr, names: dict[str, object]) -> bool:
    root: ast.expr = decorator
    while isinstance(root, ast.Call | ast.Attribute):
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name):
        return False
    value = names.get(root.id, _ABSENT)
    if value is _ABSENT:  # A function that was sent by value has left its decorators behind.
        return root.id in _OWN_DECORATORS
    module = getattr(value, "__module__", None) or getattr(value, "__name__", "")
    return str(module).partition(".")[0] == "findspot"
