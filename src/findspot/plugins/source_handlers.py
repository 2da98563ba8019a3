"""Artifact tasks in a plugin's source: their types, and the schema of their arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from findspot.core.canonical import canonical_json, is_plain
from findspot.core.errors import Problem
from findspot.core.types import UNKNOWN, Type
from findspot.graph.spec import HandlerSpec
from findspot.plugins.source_scope import External, OwnClass, PluginScope, dotted_name
from findspot.plugins.source_tasks import foreign_import, importable, location, source
from findspot.plugins.source_types import resolve_type

_BASES = frozenset(
    {
        "findspot.plugins.ArtifactTask",
        "findspot.plugins.ArtifactTaskInterface",
        "findspot.plugins.registration.ArtifactTask",
        "findspot.plugins.dioptra.ArtifactTaskInterface",
    }
)
_FOREIGN = "dioptra.sdk.api.artifact.ArtifactTaskInterface"
_PARAMETERS = {
    "serialize": ("working_dir", "name", "contents"),
    "deserialize": ("working_dir", "path"),
    "validation": (),
}

_Method = ast.FunctionDef | ast.AsyncFunctionDef


def find_handlers(plugin: PluginScope, problems: list[Problem]) -> dict[str, HandlerSpec]:
    """The artifact tasks of a plugin by class name; mistakes are added to ``problems``."""
    own = [
        OwnClass(scope, qualname, node)
        for scope in plugin.modules.values()
        for qualname, node in scope.classes.items()
    ]
    tasks = []
    for candidate in own:
        if any(_external(candidate, base) == _FOREIGN for base in candidate.node.bases):
            place = location(candidate.scope, candidate.node.lineno)
            problems.append(
                foreign_import(f"{candidate.scope.file}:{candidate.qualname}", place, _FOREIGN)
            )
        elif _is_artifact_task(candidate):
            tasks.append(candidate)
    bases = {base.name for task in tasks for base in _own_bases(task)}
    handlers: dict[str, HandlerSpec] = {}
    for task in tasks:
        methods = {name: _method(task, name) for name in _PARAMETERS}
        complete = methods["serialize"] is not None and methods["deserialize"] is not None
        if not complete and (task.name in bases or task.node.name.startswith("_")):
            continue  # a base that other artifact tasks of the plugin complete
        before = len(problems)
        _check(task, methods, problems)
        if len(problems) > before:
            continue
        spec = _spec(task, methods)
        if spec.name in handlers:
            problems.append(
                Problem(
                    f"{task.scope.file}:{task.qualname}",
                    f"The plugin has two artifact tasks of the name {spec.name!r}.",
                    location=spec.location,
                    found=f"the other one at {handlers[spec.name].location}",
                    hint="Rename one of them.",
                )
            )
            continue
        handlers[spec.name] = spec
    return handlers


def _own_bases(task: OwnClass) -> list[OwnClass]:
    found = []
    for base in task.node.bases:
        meaning = task.scope.resolve(dotted_name(base) or "")
        if isinstance(meaning, OwnClass):
            found.append(meaning)
    return found


def _external(task: OwnClass, base: ast.expr) -> str | None:
    meaning = task.scope.resolve(dotted_name(base) or "")
    return meaning.name if isinstance(meaning, External) else None


def _ancestry(own: OwnClass) -> Iterator[OwnClass]:
    """A class and those of the plugin above it, each once: bases from the left, depth first."""
    waiting, seen = [own], set()
    while waiting:
        current = waiting.pop()
        if current.name not in seen:
            seen.add(current.name)
            yield current
            waiting.extend(_own_bases(current)[::-1])


def _is_artifact_task(own: OwnClass) -> bool:
    return any(_external(c, base) in _BASES for c in _ancestry(own) for base in c.node.bases)


def _method(task: OwnClass, name: str) -> tuple[OwnClass, _Method] | None:
    """A method and the class that defines it."""
    for own in _ancestry(task):
        for statement in own.node.body:
            if isinstance(statement, _Method) and statement.name == name:
                return own, statement
    return None


def _check(
    task: OwnClass,
    methods: dict[str, tuple[OwnClass, _Method] | None],
    problems: list[Problem],
) -> None:
    def problem(line: int, message: str, *, expected: str = "", hint: str = "") -> None:
        problems.append(
            Problem(
                f"{task.scope.file}:{task.qualname}",
                message,
                location=location(task.scope, line),
                expected=expected,
                hint=hint,
            )
        )

    name = task.node.name
    if not importable(task.scope):
        problem(
            task.node.lineno,
            f"The file {task.scope.file!r} holds an artifact task; its name cannot be a module's.",
            expected="letters, digits and _ only, not beginning with a digit",
            hint="Rename the file.",
        )
    if task.qualname != name:
        problem(
            task.node.lineno,
            f"The artifact task {task.qualname!r} is inside another class.",
            hint="Move it to the top of the file.",
        )
    for method, parameters in _PARAMETERS.items():
        found = methods[method]
        wanted = ", ".join([*parameters, *(["**kwargs"] if parameters else [])])
        signature = f"@staticmethod def {method}({wanted})"
        if found is None:
            if method != "validation":
                problem(
                    task.node.lineno,
                    f"The artifact task {name!r} has no {method}().",
                    expected=signature,
                )
            continue
        home, node = found
        if home.scope is not task.scope:
            continue  # checked where it stands
        if isinstance(node, ast.AsyncFunctionDef):
            problem(
                node.lineno, f"{name}.{method}() is async; it must be plain.", expected=signature
            )
        if not any(dotted_name(d) == "staticmethod" for d in node.decorator_list):
            problem(node.lineno, f"{name}.{method}() is no static method.", expected=signature)
            continue
        fault = _signature_fault(node.args, parameters)
        if fault:
            problem(node.lineno, f"{name}.{method}() {fault}.", expected=signature)


def _signature_fault(arguments: ast.arguments, wanted: tuple[str, ...]) -> str:
    taken = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)]
    missing = [name for name in wanted if name not in taken]
    if arguments.posonlyargs:
        return "has parameters that can be given by position only"
    if missing and arguments.kwarg is None:
        return f"does not take {', '.join(map(repr, missing))}"
    if not wanted and len(taken) > len(arguments.defaults):
        return f"takes {taken[0]!r}; it is called without arguments"
    if not wanted:
        return ""
    if arguments.args and [a.arg for a in arguments.args[: len(wanted)]] != list(wanted):
        return f"begins with ({', '.join(a.arg for a in arguments.args[: len(wanted)])})"
    return ""


def _spec(task: OwnClass, methods: dict[str, tuple[OwnClass, _Method] | None]) -> HandlerSpec:
    validation = methods["validation"]
    return HandlerSpec(
        name=task.node.name,
        source=source(task.scope, task.qualname),
        type=_type(methods),
        schema=None if validation is None else _schema(validation[1]),
        location=location(task.scope, task.node.lineno),
    )


def _type(methods: dict[str, tuple[OwnClass, _Method] | None]) -> Type:
    serialize, deserialize = methods["serialize"], methods["deserialize"]
    if serialize is not None:
        home, node = serialize
        for argument in (*node.args.args, *node.args.kwonlyargs):
            if argument.arg == "contents" and argument.annotation is not None:
                return resolve_type(argument.annotation, home.scope)
    if deserialize is not None and deserialize[1].returns is not None:
        return resolve_type(deserialize[1].returns, deserialize[0].scope)
    return UNKNOWN


def _schema(validation: _Method) -> Any:
    """The schema, where it is written out; ``...`` where only running the method could tell."""
    body = [
        statement
        for statement in validation.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    if not body or (len(body) == 1 and isinstance(body[0], ast.Pass)):
        return None
    if len(body) != 1 or not isinstance(body[0], ast.Return):
        return ...
    if body[0].value is None:
        return None
    try:
        schema = ast.literal_eval(body[0].value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ...
    if schema is None:
        return None
    plain = _without_tuples(schema)
    if not isinstance(plain, dict) or not is_plain(plain):
        return ...
    try:
        canonical_json(plain)
    except UnicodeEncodeError:  # half a character, which no file can hold
        return ...
    return plain


def _without_tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_tuples(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_tuples(item) for key, item in value.items()}
    return value
