"""`trace`: runs a pipeline's function once, with placeholders, and keeps what it called as a graph.

Nothing is checked here but what would make the graph ambiguous; wrong arguments and types are left
to `findspot.graph.check`, which reports all of them at once.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

from findspot.core.canonical import is_plain
from findspot.core.errors import FindspotError
from findspot.core.types import (
    UNKNOWN,
    Builtin,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.annotations import annotations_of, from_annotation
from findspot.graph.mapped import element_type, outputs_of
from findspot.graph.mapping import unwrapped
from findspot.graph.paths import ROOT, child
from findspot.graph.placeholders import (
    Placeholder,
    PlaceholderUsed,
    StepOutputs,
    shown_file,
)
from findspot.graph.spec import (
    DEFAULT_OUTPUT,
    ArtifactInput,
    ArtifactOutput,
    Opaque,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.task_specs import NAME, annotated_name, is_context
from findspot.graph.tasks import ACTIVE, StepOptions, Task

__all__ = [
    "InvalidPipeline",
    "Placeholder",
    "PlaceholderUsed",
    "StepOutputs",
    "Traced",
    "called_inside",
    "is_tracing",
    "trace",
]

EXTERNAL = "__findspot_external__"
"""The attribute that marks a reference to an artifact made elsewhere (`ExternalArtifact`)."""

_NOT_IN_NAMES = re.compile(r"[^\w-]+")
_SCALARS = frozenset({int, float, str, bool, type(None)})
_LOOKED_INTO = 64


class InvalidPipeline(FindspotError):
    """A function cannot be traced into a task graph.

    Args:
        pipeline: its name.
        location: ``file:line``.
    """

    exit_code = 2

    def __init__(self, pipeline: str, reason: str, *, location: str, how: str) -> None:
        self.pipeline, self.location = pipeline, location
        super().__init__(f"The pipeline {pipeline}: {reason}", where=location or None, how=how)


@dataclass(frozen=True, slots=True)
class Traced:
    """A pipeline's task graph, and the live tasks that its steps invoke.

    Args:
        graph: what was called with what.
        tasks: by the names in ``graph.tasks``; two different tasks never share one.
    """

    graph: TaskGraph
    tasks: Mapping[str, Task[..., Any]] = field(default_factory=dict)


@contextmanager
def called_inside(pipeline: str) -> Iterator[None]:
    """While a pipeline calls another one, named ``pipeline``, the steps that this adds are named
    after it: ``pipeline_step``, and ``pipeline_2_step`` where it is called again."""
    trace = ACTIVE.get()
    if not isinstance(trace, _Recorder):
        yield
        return
    with trace.inside(pipeline):
        yield


def is_tracing() -> bool:
    """Whether a pipeline is being traced here, so that calling a task adds a step."""
    return ACTIVE.get() is not None


def trace(
    function: Callable[..., Any], name: str | None = None, *, description: str | None = None
) -> Traced:
    """The task graph of a pipeline's function. The function is called once; its tasks are not run.

    Parameters annotated with a class (``np.ndarray``) and without a default become artifact inputs,
    all others parameters. What the function returns becomes the artifact outputs: a mapping names
    them; otherwise each is called as the step's output, or as its step where that has no name.

    Args:
        name: of the graph; the function's own by default.
        description: of the graph; the function's docstring by default.

    Raises:
        InvalidPipeline: the function has a parameter or a result that no graph can hold.
        PlaceholderUsed: the function used a value that exists only when the pipeline runs.

    >>> from findspot.graph.tasks import task
    >>> @task
    ... def double(x: float) -> float:
    ...     return 2 * x
    >>> def four_times(x: float = 1.0):
    ...     return {"result": double(double(x))}
    >>> graph = trace(four_times).graph
    >>> {step.name: str(step.args[0]) for step in graph.steps.values()}
    {'double': '$x', 'double_2': '$double'}
    """
    own_name = getattr(function, "__name__", "pipeline")
    recorder = _Recorder(name or own_name, function)
    given = recorder.declare_parameters()
    token = ACTIVE.set(recorder)
    try:
        result = function(**given)
    finally:
        ACTIVE.reset(token)
    recorder.declare_outputs(result)
    text = description if description is not None else (inspect.getdoc(function) or "")
    return recorder.finished(text)


class _Recorder:
    """One trace as it grows."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function
        code = getattr(inspect.unwrap(function), "__code__", None)
        self.location = f"{shown_file(code.co_filename)}:{code.co_firstlineno}" if code else ""
        self.locations: dict[str, str] = {ROOT: self.location} if self.location else {}
        self.parameters: dict[str, Parameter] = {}
        self.artifact_inputs: dict[str, ArtifactInput] = {}
        self.steps: dict[str, Step] = {}
        self.outputs: dict[str, ArtifactOutput] = {}
        self.specs: dict[str, TaskSpec] = {}
        self.tasks: dict[str, Task[..., Any]] = {}
        self._task_names: dict[int, str] = {}
        self._shown: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._called: dict[str, int] = {}
        self._prefix = ""

    def declare_parameters(self) -> dict[str, Placeholder]:
        hints = annotations_of(self.function).hints
        given: dict[str, Placeholder] = {}
        for parameter in inspect.signature(self.function).parameters.values():
            self._declare_parameter(parameter, hints.get(parameter.name), given)
        return given

    def _declare_parameter(
        self, parameter: inspect.Parameter, hint: Any, given: dict[str, Placeholder]
    ) -> None:
        name = parameter.name
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise self._invalid(
                f"its parameter {name!r} has no name for its callers.",
                "Remove the '/' from its signature: parameters are given by name.",
            )
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise self._invalid(
                f"its parameter {name!r} takes any number of values.",
                "Give each parameter a name of its own, or take one list or mapping.",
            )
        if is_context(hint):
            raise self._invalid(
                f"its parameter {name!r} asks for the job's context.",
                "Ask for it in a task: a pipeline's own code runs before there is a job.",
            )
        type_ = UNKNOWN if hint is None else from_annotation(hint)
        required = parameter.default is parameter.empty
        if required and _holds_class(type_):
            part = OutputSpec(annotated_name(hint) or DEFAULT_OUTPUT, type_)
            self.artifact_inputs[name] = ArtifactInput(name=name, outputs=(part,))
            path = child(child(ROOT, "artifact_inputs"), name)
        else:
            default: Any = None if required else self._constant(parameter.default)
            self.parameters[name] = Parameter(
                name=name, type=type_, default=default, required=required
            )
            path = child(child(ROOT, "parameters"), name)
        self.locations[path] = self.location
        self._counts[name] = 1
        given[name] = Placeholder(Ref(name), type_, self, name)

    def _constant(self, value: Any) -> Any:
        return value if is_plain(value) else self._converted(value, self.location)

    def record(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], call: StepOptions
    ) -> Any:
        # Two frames up: this one, and the task's __call__ that came here.
        frame = sys._getframe(2)
        file = frame.f_code.co_filename
        shown = self._shown.get(file)
        if shown is None:
            shown = self._shown[file] = shown_file(file)
        location = f"{shown}:{frame.f_lineno}"
        spec_name = self._task_name(task)
        spec = self.specs[spec_name]
        each: dict[str, Any] = {}
        if call.mapped:
            args, kwargs, each = self._mapped(spec, args, kwargs, location)
        name = self._step_name(task, call.step, location)
        step = self.steps[name] = Step(
            name=name,
            task=spec_name,
            args=tuple([self._converted(value, location) for value in args]),
            kwargs={key: self._converted(value, location) for key, value in kwargs.items()},
            dependencies=self._dependencies(call.after, location),
            cache=call.cache,
            each={key: self._converted(value, location) for key, value in each.items()},
            when=None if call.when is None else self._condition(call.when, location),
        )
        self.locations[f"$.graph.{name}"] = location
        outputs = outputs_of(step, spec)
        if spec.unpack:
            return StepOutputs(
                name, [Placeholder(Ref(name, o.name), o.type, self, o.name) for o in outputs]
            )
        if not outputs:
            return Placeholder(Ref(name), UNKNOWN, self)
        return Placeholder(Ref(name), outputs[0].type, self, outputs[0].name)

    def _mapped(
        self, spec: TaskSpec, args: tuple[Any, ...], kwargs: dict[str, Any], location: str
    ) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        """The arguments of a mapped call: by position, by name, and those taken by element."""
        slots = [i for i in spec.inputs if not (i.keyword_only or i.injected or i.variadic)]
        rest: list[Any] = []
        named: dict[str, Any] = {}
        for index, value in enumerate(args):
            if index >= len(slots) or slots[index].positional_only:
                rest.append(unwrapped(value))  # surplus, or of no name: the check will say so
            else:
                named[slots[index].name] = value
        for name, value in kwargs.items():
            if name in named:
                raise self._invalid(
                    f"map() is given {name!r} twice, by position and by name.",
                    "Remove one of the two.",
                    location,
                )
            named[name] = value
        each = {name: value for name, value in named.items() if _may_be_list(value)}
        if not each:
            raise self._invalid(
                f"map() of the task {spec.name!r} is given no list.",
                "Give a list, or a result that is one; call the task itself for a single call.",
                location,
            )
        whole = {name: unwrapped(value) for name, value in named.items() if name not in each}
        return tuple(rest), whole, each

    def _condition(self, value: Any, location: str) -> Any:
        if not isinstance(value, bool | Placeholder):
            raise self._invalid(
                f"when={value!r} is no condition.",
                "Give a boolean parameter, or a step's result that is a boolean.",
                location,
            )
        return self._converted(value, location)

    @contextmanager
    def inside(self, pipeline: str) -> Iterator[None]:
        """Steps are named after a pipeline that is called in this one."""
        before = self._prefix
        self._prefix += f"{self._unused(_NOT_IN_NAMES.sub('_', pipeline), self._called)}_"
        try:
            yield
        finally:
            self._prefix = before

    def _task_name(self, task: Task[..., Any]) -> str:
        known = self._task_names.get(id(task))
        if known is not None:
            return known
        spec = task.spec
        name, number = spec.name, 1
        while name in self.tasks and not _same_task(self.tasks[name], task):
            number += 1
            name = f"{spec.name}_{number}"
        if name not in self.tasks:
            self.tasks[name] = task  # which also keeps its id from being given to another
            self.specs[name] = spec if name == spec.name else replace(spec, name=name)
            self._task_names[id(task)] = name
        return name

    def _step_name(self, task: Task[..., Any], wanted: object, location: str) -> str:
        if wanted is None:
            name = f"{self._prefix}{task.name}"
            if not (name.isascii() and name.isidentifier()):
                name = _NOT_IN_NAMES.sub("_", name)
                name = f"_{name}" if name[0].isdigit() else name
            return self._unused(name, self._counts)
        if not isinstance(wanted, str) or not NAME.fullmatch(wanted):
            raise self._invalid(
                f"{wanted!r} is no name for a step.",
                "Use letters, digits, _ and -, beginning with a letter or _.",
                location,
            )
        wanted = f"{self._prefix}{wanted}"
        if wanted in self._counts:
            raise self._invalid(
                f"it has another step or parameter named {wanted!r}.",
                "Choose a name that is new in this pipeline.",
                location,
            )
        self._counts[wanted] = 1
        return wanted

    @staticmethod
    def _unused(wanted: str, counts: dict[str, int]) -> str:
        """``wanted``, or with the first number from 2 on that is free; it is taken from now on."""
        count = counts.get(wanted, 0) + 1
        name = wanted if count == 1 else f"{wanted}_{count}"
        while count > 1 and name in counts:
            count += 1
            name = f"{wanted}_{count}"
        counts[wanted] = count
        counts.setdefault(name, 1)
        return name

    def _dependencies(self, after: Iterable[Any], location: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for item in _flat(after):
            step = item
            if isinstance(item, str) and f"{self._prefix}{item}" in self.steps:
                step = f"{self._prefix}{item}"
            elif isinstance(item, StepOutputs):
                step = item._step
            elif isinstance(item, Placeholder):
                step = self._converted(item, location).name
            if not isinstance(step, str) or step not in self.steps:
                raise self._invalid(
                    f"after= names {item!r}, which is no step so far.",
                    "Give what calling an earlier task returned, or the name of its step.",
                    location,
                )
            found.setdefault(step)
        return tuple(found)

    def _converted(self, value: Any, location: str) -> Any:
        """A value as it stands in a graph: placeholders as references, live objects as `Opaque`."""
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is Placeholder:
            if value._trace is not self:
                raise self._invalid(
                    f"{value!r} comes from another pipeline.",
                    "Pass values between pipelines as parameters and results.",
                    location,
                )
            return value._ref
        if kind is list:
            return [self._converted(item, location) for item in value]
        if kind is tuple or kind is StepOutputs:
            return tuple([self._converted(item, location) for item in value])
        if kind is dict:
            return {key: self._converted(item, location) for key, item in value.items()}
        hidden = _hidden_placeholder(value)
        if hidden is not None:
            raise PlaceholderUsed(str(hidden._ref), f"put into a {kind.__name__}", location)
        external = hasattr(kind, EXTERNAL)
        return Opaque(value, UNKNOWN if external else from_annotation(kind))

    def declare_outputs(self, result: Any) -> None:
        if result is None:
            return
        if isinstance(result, Mapping):
            for name, value in result.items():
                self._declare_output(name, value)
            return
        if not isinstance(result, tuple):
            own = result._output if isinstance(result, Placeholder) else DEFAULT_OUTPUT
            self._declare_output(own, result)
            return
        counts: dict[str, int] = {}
        for index, value in enumerate(result, 1):
            wanted = f"{DEFAULT_OUTPUT}_{index}"
            if isinstance(value, Placeholder):
                # An output without a name of its own is called as its step.
                wanted = value._output if value._output != DEFAULT_OUTPUT else value._ref.name
            self._declare_output(self._unused(wanted, counts), value)

    def _declare_output(self, name: Any, value: Any) -> None:
        if not isinstance(name, str) or not name:
            raise self._invalid(
                f"it returns a mapping with the key {name!r}.",
                "The keys of the returned mapping name the outputs; use text.",
            )
        contents = self._converted(value, self.location)
        self.outputs[name] = ArtifactOutput(name=name, contents=contents)
        self.locations[child(child(ROOT, "artifact_outputs"), name)] = self.location

    def finished(self, description: str) -> Traced:
        graph = TaskGraph(
            name=self.name,
            description=description,
            parameters=self.parameters,
            artifact_inputs=self.artifact_inputs,
            tasks=self.specs,
            steps=self.steps,
            outputs=self.outputs,
            locations=self.locations,
        )
        return Traced(graph, self.tasks)

    def _invalid(self, reason: str, how: str, location: str | None = None) -> InvalidPipeline:
        place = self.location if location is None else location
        return InvalidPipeline(self.name, reason, location=place, how=how)


def _may_be_list(value: Any) -> bool:
    """Whether `Task.map` takes a value element by element."""
    if isinstance(value, Placeholder):
        return element_type(value._type) is not None
    return isinstance(value, list | tuple)


def _flat(after: Iterable[Any]) -> Iterator[Any]:
    """What `after` names, also where a pipeline that was called returned several results."""
    for item in after:
        if isinstance(item, Mapping):
            yield from _flat(item.values())
        elif isinstance(item, list | tuple) and not isinstance(item, StepOutputs):
            yield from _flat(item)
        else:
            yield item


def _same_task(a: Task[..., Any], b: Task[..., Any]) -> bool:
    """Whether two tasks are one made twice (``task(f)`` called in a loop)."""
    return a is b or (a.function is b.function and a.settings == b.settings and a.spec == b.spec)


def _holds_class(type_: Type) -> bool:
    """Whether values of the type are live objects, so that they come as artifacts."""
    match type_:
        case Builtin():
            return False
        case Simple():
            return True
        case ListOf():
            return _holds_class(type_.item)
        case TupleOf():
            return any(map(_holds_class, type_.items))
        case Record():
            return any(map(_holds_class, type_.properties.values()))
        case MappingOf():
            return _holds_class(type_.key) or _holds_class(type_.value)
        case Union():
            return any(map(_holds_class, type_.members))


def _hidden_placeholder(value: Any) -> Placeholder | None:
    """A placeholder inside an object, where no reference can stand; only the obvious places."""
    inside: Iterable[Any] = ()
    if isinstance(value, list | tuple | set | frozenset) and len(value) <= _LOOKED_INTO:
        inside = value
    elif isinstance(value, Mapping) and len(value) <= _LOOKED_INTO:
        inside = value.values()
    elif is_dataclass(value) and not isinstance(value, type):
        inside = [getattr(value, name, None) for name in value.__dataclass_fields__]
    return next((item for item in inside if isinstance(item, Placeholder)), None)
