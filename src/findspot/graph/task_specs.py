"""What is known of a function as a task, read from its signature and annotations alone."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any

from findspot.core.errors import FindspotError
from findspot.core.types import UNKNOWN
from findspot.graph.annotations import Unresolved, annotations_of, from_annotation
from findspot.graph.placeholders import shown_file
from findspot.graph.spec import DEFAULT_OUTPUT, InputSpec, OutputSpec, TaskSpec

NAME = re.compile(r"[^\W\d][\w-]*")
"""What steps and outputs are called, so that ``$step.output`` can refer to them."""
TASK_NAME = re.compile(r"\w(?:[\w .+-]*[\w+-])?")


class InvalidTask(FindspotError):
    """A function cannot be a task, or not with these options; lists every reason.

    Args:
        task: the task's name.
        problems: what is wrong, a sentence each.
    """

    exit_code = 2

    def __init__(self, task: str, problems: Sequence[str], where: str, how: str) -> None:
        self.task, self.problems = task, tuple(problems)
        what = " ".join(self.problems)
        super().__init__(f"{task} cannot be a task: {what}", where=where or None, how=how)


def task_spec(
    function: Callable[..., Any], name: str, outputs: str | Sequence[str] | None = None
) -> TaskSpec:
    """What is known of a function as a task, from its signature and annotations alone.

    Raises:
        InvalidTask: the outputs have no good names.
    """
    hints = annotations_of(function).hints
    inputs = []
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # a function written in C that does not tell
        surplus = (("args", inspect.Parameter.VAR_POSITIONAL),)
        parameters = [inspect.Parameter(n, kind) for n, kind in surplus]
    for parameter in parameters:
        hint = hints.get(parameter.name)
        variadic = _VARIADIC.get(parameter.kind, "")
        inputs.append(
            InputSpec(
                parameter.name,
                UNKNOWN if hint is None else from_annotation(hint),
                required=parameter.default is parameter.empty and not variadic,
                variadic=variadic,
                keyword_only=parameter.kind is parameter.KEYWORD_ONLY,
                positional_only=parameter.kind is parameter.POSITIONAL_ONLY,
                injected=is_context(hint),
            )
        )
    specs, unpack = output_specs(hints.get("return", _ABSENT), outputs)
    names = [o.name for o in specs]
    problems = name_problems(None, names)
    if problems:
        how = 'Name each output as in Annotated[float, "accuracy"], or with @task(outputs=[...]).'
        raise InvalidTask(name, problems, location_of(function), how)
    return TaskSpec(
        name=name,
        source=f"{function.__module__}:{getattr(function, '__qualname__', name)}",
        inputs=tuple(inputs),
        outputs=specs,
        unpack=unpack,
        location=location_of(function),
    )


_ABSENT: Any = inspect.Parameter.empty
_VARIADIC: dict[Any, str] = {
    inspect.Parameter.VAR_POSITIONAL: "args",
    inspect.Parameter.VAR_KEYWORD: "kwargs",
}


def output_specs(
    annotation: Any, names: str | Sequence[str] | None = None
) -> tuple[tuple[OutputSpec, ...], bool]:
    """The outputs that a return annotation declares, and whether the returned tuple is unpacked.

    >>> output_specs(tuple[typing.Annotated[int, "a"], typing.Annotated[str, "b"]])[1]
    True
    """
    plain, own_name = _unwrapped(annotation)
    if isinstance(names, str):
        return (OutputSpec(names, _type_of(plain)),), False
    items = typing.get_args(plain) if typing.get_origin(plain) is tuple else ()
    if Ellipsis in items:
        items = ()
    if names is not None:
        known = items if len(items) == len(names) else [_ABSENT] * len(names)
        return tuple(OutputSpec(n, _type_of(i)) for n, i in zip(names, known, strict=True)), True
    if own_name is not None:
        return (OutputSpec(own_name, _type_of(plain)),), False
    if plain is None or plain is type(None):
        return (), False
    named = [_unwrapped(item) for item in items]
    if named and all(name is not None for _, name in named):
        return tuple(OutputSpec(str(name), _type_of(item)) for item, name in named), True
    return (OutputSpec(DEFAULT_OUTPUT, _type_of(plain)),), False


def annotated_name(annotation: Any) -> str | None:
    """The name that stands in ``Annotated[T, "name"]``."""
    return _unwrapped(annotation)[1]


def _unwrapped(annotation: Any) -> tuple[Any, str | None]:
    if typing.get_origin(annotation) is not typing.Annotated:
        return annotation, None
    plain, *words = typing.get_args(annotation)
    return plain, next((word for word in words if isinstance(word, str)), None)


def _type_of(annotation: Any) -> Any:
    return UNKNOWN if annotation is _ABSENT else from_annotation(annotation)


def is_context(annotation: Any) -> bool:
    """Whether a parameter so annotated is given the `JobContext` by the engine.

    Told by name, since the graph does not know the engine.
    """
    if isinstance(annotation, Unresolved | str):
        text = annotation.text if isinstance(annotation, Unresolved) else annotation
        return any(p.strip().rpartition(".")[2] == "JobContext" for p in text.split("|"))
    members = (annotation, *typing.get_args(annotation))
    return any(
        getattr(m, "__name__", "") == "JobContext"
        and str(getattr(m, "__module__", "")).partition(".")[0] == "findspot"
        for m in members
    )


def location_of(function: Callable[..., Any]) -> str:
    """``file:line`` of a function's definition; empty where that is not known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "" if code is None else f"{shown_file(code.co_filename)}:{code.co_firstlineno}"


def name_problems(name: object, outputs: object) -> list[str]:
    """What is wrong with the names of a task and of its outputs, a sentence each."""
    rule = "letters, digits, _ and -, beginning with a letter or _"
    problems = []
    if name is not None and not (isinstance(name, str) and TASK_NAME.fullmatch(name)):
        problems.append(f"{name!r} is no name for a task (letters, digits, space and _ - . +).")
    if outputs is None:
        return problems
    if not isinstance(outputs, str | list | tuple):
        return [*problems, f"outputs is {outputs!r}, not a name or a list of names."]
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    bad = [n for n in names if not (isinstance(n, str) and NAME.fullmatch(n))]
    problems.extend(f"{n!r} is no name for an output ({rule})." for n in bad)
    twice = sorted({n for n in names if n not in bad and names.count(n) > 1})
    problems.extend(f"two outputs have the name {n!r}." for n in twice)
    return problems
