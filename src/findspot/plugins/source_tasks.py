"""Function tasks in a plugin's source: registered functions, their inputs and outputs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from findspot.core.errors import InvalidName, Problem
from findspot.core.names import check_name
from findspot.core.types import UNKNOWN
from findspot.graph.spec import DEFAULT_OUTPUT, InputSpec, OutputSpec, TaskSpec
from findspot.plugins.source_scope import ModuleScope, PluginScope, module_name, top_level
from findspot.plugins.source_types import (
    annotated_name,
    full_name,
    resolve_type,
    tuple_items,
)

_DECORATORS = frozenset(
    {
        "findspot.task",
        "findspot.plugins.register",
        "findspot.plugins.registration.register",
        "findspot.plugins.pyplugs.register",
        "findspot.plugins.dioptra.pyplugs.register",
    }
)
_FOREIGN = frozenset({"dioptra.pyplugs.register", "dioptra.sdk.pyplugs.register"})
_CONTEXTS = ("JobContext",)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class _Found:
    scope: ModuleScope
    node: Function
    decorator: ast.expr
    qualname: str
    nested: bool


def find_tasks(plugin: PluginScope, problems: list[Problem]) -> dict[str, TaskSpec]:
    """The function tasks of a plugin by name; mistakes are added to ``problems``."""
    tasks: dict[str, TaskSpec] = {}
    for scope in plugin.modules.values():
        for found in _registered(scope):
            spec = _task(found, problems)
            if spec is None:
                continue
            if spec.name in tasks:
                problems.append(
                    Problem(
                        f"{scope.file}:{found.qualname}",
                        f"The plugin has two tasks of the name {spec.name!r}.",
                        location=spec.location,
                        found=f"the other one at {tasks[spec.name].location}",
                        hint='Rename one of them, or register it as @register("another_name").',
                    )
                )
                continue
            tasks[spec.name] = spec
    return tasks


def outputs_of(returns: ast.expr | None, scope: ModuleScope) -> tuple[tuple[OutputSpec, ...], bool]:
    """The outputs that a return annotation declares, and whether the value is unpacked."""
    if returns is None:
        return (OutputSpec(DEFAULT_OUTPUT, UNKNOWN),), False
    plain, name = annotated_name(returns, scope)
    if plain is None:
        return (OutputSpec(name or DEFAULT_OUTPUT, UNKNOWN),), False
    if name is not None:
        return (OutputSpec(name, resolve_type(plain, scope)),), False
    if isinstance(plain, ast.Constant) and plain.value is None:
        return (), False
    items = tuple_items(plain, scope) or []
    named = [annotated_name(item, scope) for item in items]
    if named and all(item_name for _, item_name in named):
        return (
            tuple(
                OutputSpec(item_name or "", resolve_type(item, scope)) for item, item_name in named
            ),
            True,
        )
    return (OutputSpec(DEFAULT_OUTPUT, resolve_type(returns, scope)),), False


def location(scope: ModuleScope, line: int) -> str:
    """``plugin/file:line``, as problems and specs show it."""
    return f"{scope.plugin.name}/{scope.file}:{line}"


def source(scope: ModuleScope, qualname: str) -> str:
    """Where a function or class of a plugin is: ``plugin:<plugin>/<file>:<qualname>``."""
    return f"plugin:{scope.plugin.name}/{scope.file}:{qualname}"


def foreign_import(path: str, place: str, name: str) -> Problem:
    """The problem of code that was written for Dioptra and still imports from it."""
    return Problem(
        path,
        f"It is registered with {name}, which Findspot does not see.",
        location=place,
        hint="Change the import line: from findspot.plugins.dioptra import "
        "ArtifactTaskInterface, pyplugs",
    )


def importable(scope: ModuleScope) -> bool:
    """Whether a file's name can be that of a module."""
    name = module_name(scope.file)
    return not name or all(part.isidentifier() for part in name.split("."))


def _registered(scope: ModuleScope) -> Iterator[_Found]:
    top = {id(statement) for statement in top_level(scope.tree.body)}

    waiting: list[tuple[ast.AST, str]] = [(scope.tree, "")]
    while waiting:  # not by recursion: source may be nested as deep as its parser allows
        node, prefix = waiting.pop()
        inner = prefix
        if isinstance(node, Function):
            for decorator in node.decorator_list:
                target = decorator.func if isinstance(decorator, ast.Call) else decorator
                if full_name(target, scope) in _DECORATORS | _FOREIGN:
                    qualname = f"{prefix}{node.name}"
                    yield _Found(scope, node, decorator, qualname, id(node) not in top)
                    break
            inner = f"{prefix}{node.name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            inner = f"{prefix}{node.name}."
        waiting.extend((child, inner) for child in [*ast.iter_child_nodes(node)][::-1])


def _task(found: _Found, problems: list[Problem]) -> TaskSpec | None:
    scope, node = found.scope, found.node
    place = location(scope, node.lineno)
    path = f"{scope.file}:{found.qualname}"
    before = len(problems)

    def problem(message: str, *, hint: str = "", expected: str = "") -> None:
        problems.append(Problem(path, message, location=place, expected=expected, hint=hint))

    decorator = found.decorator.func if isinstance(found.decorator, ast.Call) else found.decorator
    registered_with = full_name(decorator, scope) or ""
    if registered_with in _FOREIGN:
        problems.append(foreign_import(path, place, registered_with))
    if isinstance(node, ast.AsyncFunctionDef):
        problem(
            f"The task {node.name!r} is an async function; tasks are plain functions.",
            hint="Write a plain function that runs the coroutine with asyncio.run().",
        )
    elif _yields(node):
        problem(
            f"The task {node.name!r} is a generator; tasks return their values.",
            hint="Return a list instead of yielding.",
        )
    if found.nested:
        problem(
            f"The task {found.qualname!r} is inside a function or class; tasks stand at the top "
            "of a file, so that they can be loaded by name.",
            hint="Move the function to the top of the file.",
        )
    if not importable(scope):
        problem(
            f"The file {scope.file!r} holds a task, but its name cannot be a module's.",
            expected="letters, digits and _ only, not beginning with a digit",
            hint="Rename the file.",
        )
    name = node.name
    declared: list[str] | None = None
    if isinstance(found.decorator, ast.Call):
        options = _options(found.decorator)
        try:
            name, declared = _literal_options(options, node.name)
        except ValueError as error:
            problem(
                f"The registration of {node.name!r} cannot be read: {error}.",
                expected='literals, such as @register("name", outputs=["low", "high"])',
            )
    outputs, unpack = outputs_of(node.returns, scope)
    if declared is not None:
        outputs, unpack = _declared_outputs(declared, node.returns, scope)
    names = [o.name for o in outputs]
    if len(set(names)) < len(names):
        problem(f"Two outputs of the task {name!r} have one name: {', '.join(names)}.")
    for role, given in [("task name", name), *(("output name", n) for n in names)]:
        try:
            check_name(given, role)
        except InvalidName as error:
            problem(error.what, hint=error.how or "")
    if len(problems) > before:
        return None
    return TaskSpec(
        name=name,
        source=source(scope, found.qualname),
        inputs=tuple(inputs_of(node.args, scope)),
        outputs=outputs,
        unpack=unpack,
        location=place,
    )


def inputs_of(arguments: ast.arguments, scope: ModuleScope) -> Iterator[InputSpec]:
    """The inputs that a function's parameters declare, in their order."""

    def one(parameter: ast.arg, required: bool, variadic: str = "", **how: bool) -> InputSpec:
        plain, _ = annotated_name(parameter.annotation, scope)
        return InputSpec(
            parameter.arg,
            resolve_type(parameter.annotation, scope),
            required=required,
            variadic=variadic,
            injected=plain is not None and _is_context(plain, scope),
            **how,
        )

    plain = [*arguments.posonlyargs, *arguments.args]
    first_default = len(plain) - len(arguments.defaults)
    for index, parameter in enumerate(plain):
        positional = index < len(arguments.posonlyargs)
        yield one(parameter, index < first_default, positional_only=positional)
    if arguments.vararg is not None:
        yield one(arguments.vararg, False, "args")
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield one(parameter, default is None, keyword_only=True)
    if arguments.kwarg is not None:
        yield one(arguments.kwarg, False, "kwargs")


def _is_context(annotation: ast.expr, scope: ModuleScope) -> bool:
    name = full_name(annotation, scope) or ""
    return name.startswith("findspot.") and name.rpartition(".")[2] in _CONTEXTS


def _yields(function: ast.FunctionDef) -> bool:
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _options(call: ast.Call) -> Mapping[str, ast.expr]:
    options = {keyword.arg or "**": keyword.value for keyword in call.keywords}
    for index, argument in enumerate(call.args):
        options["name" if index == 0 else f"argument {index + 1}"] = argument
    return options


def _literal_options(options: Mapping[str, ast.expr], default: str) -> tuple[str, list[str] | None]:
    name: object = default
    outputs: object = None
    if "name" in options:
        name = _literal(options["name"], "its name")
        if name is None:
            name = default
        if not isinstance(name, str) or not name:
            raise ValueError(f"its name is {name!r}")
    if "outputs" in options:
        outputs = _literal(options["outputs"], "outputs")
        if isinstance(outputs, str):
            # One name in quotes is the value as it is; a list of one unpacks.
            return str(name), [outputs, ""]
        if outputs is not None and not (
            isinstance(outputs, list | tuple) and all(isinstance(o, str) and o for o in outputs)
        ):
            raise ValueError(f"outputs is {outputs!r}, not a list of names")
    return str(name), list(outputs) if isinstance(outputs, list | tuple) else None


def _literal(node: ast.expr, what: str) -> object:
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"{what} is an expression{_shown(node)}") from None
    return value


def _shown(node: ast.expr) -> str:
    try:
        return f", {ast.unparse(node)[:80]}"
    except RecursionError:
        return ""


def _declared_outputs(
    names: list[str], returns: ast.expr | None, scope: ModuleScope
) -> tuple[tuple[OutputSpec, ...], bool]:
    plain, _ = annotated_name(returns, scope)
    if len(names) == 2 and names[1] == "":
        return (OutputSpec(names[0], resolve_type(plain, scope)),), False
    items = tuple_items(plain, scope) or []
    types = (
        [resolve_type(item, scope) for item in items]
        if len(items) == len(names)
        else [UNKNOWN] * len(names)
    )
    return tuple(OutputSpec(n, t) for n, t in zip(names, types, strict=True)), True
