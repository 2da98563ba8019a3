"""The task graph: one model for both syntaxes (YAML and Python). Pure data, unchecked.

Places in a graph are written as JSON paths: ``$.graph.scale_step.args[0]``. `TaskGraph.locations`
maps them to ``file:line``, so that every problem can say where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from findspot.core.pickling import quick_to_pickle
from findspot.core.types import ANY, UNKNOWN, Type

DEFAULT_OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to a parameter, an artifact input or a step (``$name``), or to one output of a
    step or part of an artifact input (``$name.output``)."""

    name: str
    output: str | None = None

    def __str__(self) -> str:
        return f"${self.name}" if self.output is None else f"${self.name}.{self.output}"


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A live Python value (an array, an estimator) or an artifact reference inside a graph that was
    built in Python; it has no YAML form, and equals only itself.

    Args:
        value: the object itself.
        type: what is known of its type.
    """

    value: Any
    type: Type = UNKNOWN


# Values of arguments are plain JSON values (None, bool, int, float, str, lists, tuples, dicts) in
# which `Ref` and `Opaque` objects may stand at any depth.


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a task.

    Args:
        required: False where it has a default (or collects surplus arguments).
        variadic: ``"args"`` or ``"kwargs"`` for a parameter such as ``*xs`` or ``**options``.
        keyword_only, positional_only: as in Python's signatures.
        injected: filled in by the engine (the job context), never by the graph.
    """

    name: str
    type: Type = UNKNOWN
    required: bool = True
    variadic: str = ""
    keyword_only: bool = False
    positional_only: bool = False
    injected: bool = False


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class OutputSpec:
    name: str
    type: Type = UNKNOWN


@quick_to_pickle
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """What is known of a task without running it.

    Args:
        name: as steps invoke it.
        source: where its function is: ``module:qualname`` for an importable function,
            ``plugin:<plugin>/<file>:<qualname>`` for one of a plugin.
        inputs: in the order of the function's parameters.
        outputs: empty when the task returns nothing; one, for the value as it is; several, for the
            elements of the returned tuple in order.
        location: ``file:line`` of the function.
    """

    name: str
    source: str
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = (OutputSpec(DEFAULT_OUTPUT),)
    unpack: bool = False
    """Whether the returned value is unpacked: true for a list of outputs, even a list of one."""
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSpec:
    """What is known of a handler without importing it.

    Args:
        name: as graphs name it (an artifact task's class name, or a handler's registered name).
        source: like `TaskSpec.source`; empty for a built-in handler.
        type: the type of values it saves (and loads).
        schema: the JSON Schema of its keyword arguments (an object with ``properties``, or only the
            properties); None when it takes none; ``...`` when it can be known only by running it.
    """

    name: str
    source: str = ""
    type: Type = ANY
    schema: Any = None
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An entrypoint's parameter. `required` where it has no default."""

    name: str
    type: Type = UNKNOWN
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactInput:
    """An artifact parameter: a saved version is chosen at job creation. One output is referred to
    as ``$name`` or ``$name.output``; with several, the loaded value is unpacked in order."""

    name: str
    outputs: tuple[OutputSpec, ...]
    unpack: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One invocation of a task, or one for each element of a list.

    Args:
        dependencies: steps to wait for besides those that are referred to.
        cache: None to follow the task.
        each: arguments by name of which every call is given one element; the values are lists of
            one length. Each output of such a step is the list of what the calls returned, in order.
        when: a condition, a `Ref` or a bool: where it is false the step is skipped. None: always.
    """

    name: str
    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    cache: bool | None = None
    each: Mapping[str, Any] = field(default_factory=dict)
    when: Any = None

    @property
    def values(self) -> Iterator[Any]:
        """All values in which references may stand: arguments, lists, the condition."""
        yield from self.args
        yield from self.kwargs.values()
        yield from self.each.values()
        if self.when is not None:
            yield self.when


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactOutput:
    """A named output of the job, saved as an artifact of that key.

    Args:
        contents: a `Ref`, or a value with references in it.
        handler: name of the handler to save with; None to choose by the value's type.
        args: the handler's keyword arguments (plain values, no references).
    """

    name: str
    contents: Any
    handler: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGraph:
    """Steps that invoke tasks, with references between them, and all that they refer to.

    Args:
        name: of the pipeline or entrypoint.
        types: types declared in the graph itself.
        tasks: every task that a step may invoke, by name.
        handlers: every handler that the plugins offer, by name.
        plugins: plugin folders named in the YAML, as written there.
        steps: in the order of the source; execution follows the references.
        locations: JSON path to ``file:line``.
        source: the YAML text it was read from ("" for a graph built in Python).
    """

    name: str
    description: str = ""
    types: Mapping[str, Type] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    artifact_inputs: Mapping[str, ArtifactInput] = field(default_factory=dict)
    tasks: Mapping[str, TaskSpec] = field(default_factory=dict)
    handlers: Mapping[str, HandlerSpec] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    steps: Mapping[str, Step] = field(default_factory=dict)
    outputs: Mapping[str, ArtifactOutput] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


def references(value: Any) -> Iterator[Ref]:
    """Every `Ref` in a value, depth first.

    >>> [str(r) for r in references([1, {"a": Ref("x")}, Ref("s", "out")])]
    ['$x', '$s.out']
    """
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)
