"""`task`: a Python function as a task, with inputs and outputs read from its signature.

A `Task` behaves as its function does, except while a pipeline is traced: then a call adds a step to
the graph and returns placeholders (`findspot.graph.tracing`).
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from findspot.graph.mapping import called_for_each
from findspot.graph.spec import TaskSpec
from findspot.graph.task_options import CachePolicy, TaskOptions, option_problems
from findspot.graph.task_specs import TASK_NAME, InvalidTask, location_of, name_problems, task_spec

__all__ = [
    "ACTIVE",
    "CachePolicy",
    "CallRecorder",
    "InvalidTask",
    "StepOptions",
    "Task",
    "TaskOptions",
    "task",
]

P = ParamSpec("P")
R = TypeVar("R")


class CallRecorder(Protocol):
    """Where calls of tasks go while a pipeline is traced."""

    def record(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], call: StepOptions
    ) -> Any: ...


ACTIVE: ContextVar[CallRecorder | None] = ContextVar("findspot_trace", default=None)
"""The trace that this code runs in, if any."""


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What one call of a task in a pipeline asks for.

    Args:
        step: the step's name; None for the task's own.
        cache: None to follow the task.
        after: results of steps (or names of steps) to wait for though nothing is passed.
        when: a condition; None: always.
        mapped: once for each element of its lists.
    """

    step: str | None = None
    cache: bool | None = None
    after: tuple[Any, ...] = ()
    when: Any = None
    mapped: bool = False


_NO_OPTIONS = StepOptions()
_MAPPED = StepOptions(mapped=True)


class Task(Generic[P, R]):
    """A registered function with typed inputs and named, typed outputs; made by `task`.

    It keeps the function's name, signature and docstring.

    Args:
        function: what it runs.
        name: as steps invoke it.
        outputs: a name for the returned value, names for the elements of the returned tuple, or
            None to read them from the return annotation.
        options: how it is run.

    Raises:
        InvalidTask: the function is async, a generator, a class or a method, or a name or an
            option is wrong.
    """

    function: Callable[P, R]
    __name__: str

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        outputs: str | Sequence[str] | None = None,
        options: TaskOptions | None = None,
    ) -> None:
        if isinstance(function, Task):
            function = function.function
        options = TaskOptions() if options is None else options
        self._refuse_what_cannot_be_a_task(function, name, outputs, options)
        self._adopt(function, name or function.__name__, outputs, options)

    @staticmethod
    def _refuse_what_cannot_be_a_task(
        function: Callable[..., Any],
        name: str | None,
        outputs: str | Sequence[str] | None,
        options: TaskOptions,
    ) -> None:
        shown = name or str(getattr(function, "__name__", repr(function)))
        found = _function_problem(function, name)
        if found is not None:
            raise InvalidTask(shown, [found[0]], location_of(function), found[1])
        problems = [*option_problems(options), *name_problems(name, outputs)]
        if problems:
            how = "Mend the arguments of @task."
            raise InvalidTask(shown, problems, location_of(function), how)

    def _adopt(
        self,
        function: Callable[P, R],
        name: str,
        outputs: str | Sequence[str] | None,
        options: TaskOptions,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.settings = options
        self._outputs = outputs if outputs is None or isinstance(outputs, str) else tuple(outputs)
        self._spec: TaskSpec | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        trace = ACTIVE.get()
        if trace is None:
            return self.function(*args, **kwargs)
        result: R = trace.record(self, args, kwargs, _NO_OPTIONS)
        return result

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """One call for each element of the lists that are given; the results as a list, in order.

        In a pipeline it is one step, whose calls are known only when it runs: they run side by
        side, each with a record, a cache key and retries of its own, named ``step[0]``, ``step[1]``
        and so on. Lists, tuples and results that are (or may be) lists are taken element by
        element, all of one length; any other value, and what `fixed` wraps, is given to each call.
        With several outputs, each is a list.

        Raises:
            ValueError: outside a pipeline, where the lists differ in length, or there is none.

        >>> @task
        ... def power(x: float, exponent: float) -> float:
        ...     return x**exponent
        >>> power.map([1.0, 2.0, 3.0], exponent=2.0)
        [1.0, 4.0, 9.0]
        """
        trace = ACTIVE.get()
        if trace is None:
            return called_for_each(self, args, kwargs)
        return trace.record(self, args, kwargs, _MAPPED)

    @property
    def spec(self) -> TaskSpec:
        """What the graph knows of it; read from the signature at first use, when names that the
        annotations refer to are defined.

        Raises:
            InvalidTask: the outputs named in the annotation have no good names.
        """
        if self._spec is None:
            self._spec = task_spec(self.function, self.name, self._outputs)
        return self._spec

    def options(
        self,
        *,
        step: str | None = None,
        cache: bool | None = None,
        after: Any = (),
        when: Any = None,
    ) -> StepCall:
        """The task with options for one step: ``fit.options(step="fit_large", cache=False)(x)``.

        Outside a pipeline the result only calls the function.

        Args:
            step: the step's name in the pipeline; it must be new there.
            cache: whether this step may be reused; None to follow the task.
            after: a step, or a list of steps, to wait for though none of their outputs is passed:
                what calling their tasks returned, or their names.
            when: a boolean parameter or a step's boolean result; where it is false the step is
                skipped, and with it every step that takes its result, unless the argument has a
                default.
        """
        steps = after if isinstance(after, list | tuple) else (after,)
        return StepCall(self, StepOptions(step, cache, tuple(steps), when))

    def __repr__(self) -> str:
        return f"<task {self.name}{inspect.signature(self)}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        module, name = self.__module__, str(getattr(self, "__qualname__", ""))
        if module != "__main__" and _lookup(module, name) is self:
            return name  # by reference, as functions are
        # The state follows after the empty object, since the function may refer to its own task.
        return _empty_task, (), (self.function, self.name, self._outputs, self.settings)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._adopt(*state)


class StepCall:
    """A task with options for one step; made by `Task.options`."""

    __slots__ = ("_call", "_task")

    def __init__(self, task: Task[..., Any], call: StepOptions) -> None:
        self._task, self._call = task, call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = ACTIVE.get()
        if trace is None:
            return self._task.function(*args, **kwargs)
        return trace.record(self._task, args, kwargs, self._call)

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """As `Task.map`."""
        trace = ACTIVE.get()
        if trace is None:
            return called_for_each(self._task, args, kwargs)
        return trace.record(self._task, args, kwargs, replace(self._call, mapped=True))


def _empty_task() -> Task[..., Any]:
    return Task.__new__(Task)


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    function: str | None = None,
    /,
    *,
    name: str | None = None,
    outputs: str | Sequence[str] | None = None,
    cache: bool | CachePolicy = True,
    retries: int = 0,
    timeout: float | None = None,
    retry_delay: float = 0.0,
    retry_factor: float = 1.0,
    retry_jitter: float = 0.0,
    retry_on: type[Exception] | tuple[type[Exception], ...] = Exception,
    cpus: float | None = None,
    memory: int | str | None = None,
    gpus: float | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    function: Callable[..., Any] | str | None = None,
    /,
    *,
    name: str | None = None,
    outputs: str | Sequence[str] | None = None,
    cache: bool | CachePolicy = True,
    retries: int = 0,
    timeout: float | None = None,
    retry_delay: float = 0.0,
    retry_factor: float = 1.0,
    retry_jitter: float = 0.0,
    retry_on: type[Exception] | tuple[type[Exception], ...] = Exception,
    cpus: float | None = None,
    memory: int | str | None = None,
    gpus: float | None = None,
) -> Any:
    """Makes a function a task; called outside a pipeline it still is just the function.

    Args:
        name: as graphs call the task; the function's own name by default.
        outputs: a name for the returned value, or a list of names for the elements of the returned
            tuple, in order. By default they are read from the return annotation:
            ``Annotated[T, "name"]``, or ``tuple[Annotated[A, "first"], Annotated[B, "second"]]``;
            ``-> None`` means no output, and anything else one output named ``output``.
        cache: whether a step may be reused from an earlier job when its code, its parameters and
            its inputs are the same; a `CachePolicy` says it more finely.
        retries: how often to try again after a failure.
        timeout: seconds one try may take; None for no limit.
        retry_delay: seconds to wait before the first new try.
        retry_factor: by which the wait grows from try to try (2.0 doubles it).
        retry_jitter: share of the wait, up to which a random time is added (0.5: up to half of it).
        retry_on: the failures that are worth a new try.
        cpus, gpus: cores and graphics cards that a step occupies; may be parts of one. Steps that
            together ask for more than the executor has wait for each other.
        memory: that it occupies, in bytes or as text (``"2 GiB"``).

    Raises:
        InvalidTask: the function is async, a generator, a class or a method, or a name or an
            option is wrong.

    >>> @task
    ... def double(x: float) -> float:
    ...     return 2 * x
    >>> double(2.0)
    4.0
    >>> @task(outputs=["low", "high"], retries=2)
    ... def halves(x: list[int]) -> tuple[list[int], list[int]]:
    ...     return x[: len(x) // 2], x[len(x) // 2 :]
    >>> [(o.name, str(o.type)) for o in halves.spec.outputs]
    [('low', 'list[integer]'), ('high', 'list[integer]')]
    """
    options = TaskOptions(
        cache,
        retries,
        timeout,
        retry_delay,
        retry_factor,
        retry_jitter,
        retry_on if isinstance(retry_on, tuple) else (retry_on,),
        cpus,
        memory,
        gpus,
    )
    if isinstance(function, str):
        name, function = function, None
    if function is not None:
        return Task(function, name=name, outputs=outputs, options=options)
    return lambda decorated: Task(decorated, name=name, outputs=outputs, options=options)


def _function_problem(function: Any, name: str | None) -> tuple[str, str] | None:
    if isinstance(function, type):
        how = "Write a function that makes the object and returns it."
        return "it is a class.", how
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        kind = type(function).__name__
        return f"it is of type {kind}, not a function.", "Put @task directly above a function."
    if inspect.iscoroutinefunction(function):
        how = "Write a plain function that runs the coroutine with asyncio.run()."
        return "it is an async function.", how
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "it is a generator.", "Return a list instead of yielding."
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    if owner and not owner.endswith("<locals>") and not inspect.ismethod(function):
        code = getattr(function, "__code__", None)
        if code is not None and code.co_varnames[:1] in (("self",), ("cls",)):
            how = "Make it a function that takes the object as an argument, or a static method."
            return "it is a method, which needs an object.", how
    if name is None and not TASK_NAME.fullmatch(getattr(function, "__name__", "")):
        return "it has no name of its own.", 'Give it one: task(name="...")(function).'
    return None


def _lookup(module: str, qualname: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
