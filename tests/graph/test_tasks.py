"""`task`: what it reads from a function, what it refuses, and that it still is the function."""

from __future__ import annotations

import copy
import functools
import inspect
import math
import pickle
import time
import timeit
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Annotated, Any

import cloudpickle
import numpy as np
import pytest

import named_tasks
from findspot.core.errors import CheckFailed
from findspot.core.types import INTEGER, NULL, NUMBER, STRING, UNKNOWN, ListOf, Simple, Union
from findspot.engine.context import JobContext
from findspot.graph.spec import InputSpec, OutputSpec, TaskSpec
from findspot.graph.tasks import CachePolicy, InvalidTask, Task, TaskOptions, task

ARRAY = Simple("numpy.ndarray", python="numpy.ndarray")


def test_a_task_is_still_its_function() -> None:
    @task
    def double(x: float, *, times: int = 1) -> float:
        """Twice as much."""
        return 2 * x * times

    assert double(2.0, times=3) == 12.0
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice as much."
    assert str(inspect.signature(double)) == "(x: 'float', *, times: 'int' = 1) -> 'float'"
    assert repr(double).startswith("<task double(")
    assert inspect.unwrap(double) is double.function


def test_the_spec_says_what_the_signature_says() -> None:
    assert named_tasks.split.spec == TaskSpec(
        name="split",
        source="named_tasks:split",
        inputs=(InputSpec("x", ARRAY), InputSpec("seed", INTEGER, required=False)),
        outputs=(OutputSpec("train", ARRAY), OutputSpec("test", ARRAY)),
        unpack=True,
        location=named_tasks.split.spec.location,
    )
    file, _, line = named_tasks.split.spec.location.rpartition(":")
    assert Path(file).name == "named_tasks.py"
    assert "@task" in Path(str(named_tasks.__file__)).read_text().splitlines()[int(line) - 1]


def test_inputs_of_every_kind() -> None:
    @task
    def function(a, b: int, /, c=1, *d: int, e: str, f: str = "", **g: float):  # type: ignore[no-untyped-def]
        return a

    assert function.spec.inputs == (
        InputSpec("a", UNKNOWN, positional_only=True),
        InputSpec("b", INTEGER, positional_only=True),
        InputSpec("c", UNKNOWN, required=False),
        InputSpec("d", INTEGER, required=False, variadic="args"),
        InputSpec("e", STRING, keyword_only=True),
        InputSpec("f", STRING, required=False, keyword_only=True),
        InputSpec("g", NUMBER, required=False, variadic="kwargs"),
    )


def one_output(name: str = "output", type_: Any = UNKNOWN) -> tuple[OutputSpec, ...]:
    return (OutputSpec(name, type_),)


@pytest.mark.parametrize(
    ("annotation", "names", "outputs", "unpack"),
    [
        (inspect.Parameter.empty, None, one_output(), False),
        (int, None, one_output(type_=INTEGER), False),
        (None, None, (), False),
        (type(None), None, (), False),
        (int | None, None, one_output(type_=Union((INTEGER, NULL))), False),
        (Annotated[int, "count"], None, one_output("count", INTEGER), False),
        (Annotated[int, 3, "count", "more"], None, one_output("count", INTEGER), False),
        (Annotated[int, 3], None, one_output(type_=INTEGER), False),
        (
            tuple[Annotated[int, "a"], Annotated[str, "b"]],
            None,
            (OutputSpec("a", INTEGER), OutputSpec("b", STRING)),
            True,
        ),
        (tuple[Annotated[int, "a"]], None, one_output("a", INTEGER), True),
        (list[int], "numbers", one_output("numbers", ListOf(INTEGER)), False),
        (Annotated[int, "a"], "b", one_output("b", INTEGER), False),
        (inspect.Parameter.empty, ["a", "b"], (OutputSpec("a"), OutputSpec("b")), True),
        (tuple[int, str], ["a", "b"], (OutputSpec("a", INTEGER), OutputSpec("b", STRING)), True),
        (tuple[int, ...], ["a", "b"], (OutputSpec("a"), OutputSpec("b")), True),
        (tuple[int, str], ["a"], (OutputSpec("a"),), True),
        (None, [], (), True),
    ],
)
def test_outputs_of_every_kind(
    annotation: Any, names: Any, outputs: tuple[OutputSpec, ...], unpack: bool
) -> None:
    def function() -> Any:
        raise NotImplementedError

    if annotation is inspect.Parameter.empty:
        del function.__annotations__["return"]
    else:
        function.__annotations__["return"] = annotation
    spec = task(outputs=names)(function).spec
    assert (spec.outputs, spec.unpack) == (outputs, unpack)


def test_a_tuple_without_names_is_one_output() -> None:
    @task
    def pair() -> tuple[int, Annotated[str, "b"]]:
        return 1, "b"

    assert [o.name for o in pair.spec.outputs] == ["output"]
    assert not pair.spec.unpack


@task
def early(x: Later) -> Later:
    return x


class Later:
    pass


def test_the_spec_is_made_when_it_is_asked_for() -> None:
    later = Simple(f"{__name__}.Later", (), f"{__name__}.Later")
    assert early.spec.inputs[0].type == early.spec.outputs[0].type == later
    assert early.spec is early.spec


class Elsewhere:
    class JobContext:
        pass


@pytest.mark.parametrize(
    ("annotation", "injected"),
    [
        (JobContext, True),
        (JobContext | None, True),
        ("JobContext", True),
        ("findspot.JobContext", True),
        ("JobContext | None", True),
        (Elsewhere.JobContext, False),
        ("JobContextual", False),
        (int, False),
        (inspect.Parameter.empty, False),
    ],
)
def test_the_context_of_the_job_is_known_by_its_annotation(annotation: Any, injected: bool) -> None:
    # As if the name were imported for type checkers only.
    names: dict[str, Any] = {"__name__": __name__}
    exec("def function(context): raise NotImplementedError", names)
    if annotation is not inspect.Parameter.empty:
        names["function"].__annotations__["context"] = annotation
    assert task(names["function"]).spec.inputs[0].injected is injected


def test_the_context_may_be_imported_for_type_checkers_only() -> None:
    assert [i.injected for i in named_tasks.noted.spec.inputs] == [False, True]
    assert named_tasks.noted.spec.outputs == ()


def test_options() -> None:
    assert named_tasks.split.settings == TaskOptions()
    assert named_tasks.split.settings == TaskOptions(True, 0, None, 0.0)
    options = named_tasks.scale.settings
    assert (options.cache, options.retries, options.timeout, options.retry_delay) == (
        False,
        2,
        60,
        0.5,
    )
    with pytest.raises(FrozenInstanceError):
        options.retries = 3  # type: ignore[misc]


def test_options_of_a_step_only_call_the_function_outside_a_pipeline() -> None:
    call = named_tasks.increase.options(step="more", cache=False, after=["nothing"])
    assert call(3, by=2) == 5


@pytest.mark.parametrize("decorate", [task("total"), task(name="total")])
def test_a_task_may_have_another_name(decorate: Callable[..., Task[..., Any]]) -> None:
    @decorate
    def function() -> int:
        return 1

    assert function.name == function.spec.name == "total"
    assert function.__name__ == "function"


def test_any_callable_with_a_name_may_be_a_task() -> None:
    assert task(math.hypot)(3, 4) == 5.0
    assert task(math.hypot).spec.source == "math:hypot"
    half = task(name="half")(functools.partial(np.multiply, 0.5))
    assert half(4) == 2.0
    assert half.spec.name == "half"
    square = task(name="square")(lambda x: x * x)
    assert square(3) == 9
    again = task(name="other")(named_tasks.increase)
    assert again.function is named_tasks.increase.function
    assert again.spec.name == "other"


def test_a_static_method_may_be_a_task() -> None:
    class Steps:
        @staticmethod
        @task
        def double(x: int) -> int:
            return 2 * x

    assert Steps.double(2) == Steps().double(2) == 4
    assert Steps.double.spec.source.endswith("Steps.double")


async def coroutine() -> None:
    raise NotImplementedError


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class Model:
    def fit(self, x: int) -> int:
        return x

    @classmethod
    def make(cls) -> Model:
        return cls()


@pytest.mark.parametrize(
    ("function", "what", "how"),
    [
        (coroutine, "an async function", "asyncio.run"),
        (generator, "a generator", "Return a list"),
        (async_generator, "a generator", "Return a list"),
        (Model, "a class", "Write a function"),
        (vars(Model)["fit"], "a method", "takes the object as an argument"),
        (vars(Model)["make"], "type classmethod", "directly above a function"),
        (3, "type int, not a function", "directly above a function"),
        (lambda x: x, "no name of its own", 'task(name="...")'),
        (functools.partial(max, 1), "no name of its own", 'task(name="...")'),
    ],
)
def test_what_cannot_be_a_task_is_refused_with_advice(function: Any, what: str, how: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        task(function)
    assert what in caught.value.what
    assert how in str(caught.value.how)
    code = getattr(function, "__code__", None)
    if code is not None:
        assert str(caught.value.where).endswith(f"test_tasks.py:{code.co_firstlineno}")


@pytest.mark.parametrize(
    ("arguments", "reasons"),
    [
        ({"retries": -1}, ["retries is -1"]),
        ({"retries": 1.5}, ["retries is 1.5"]),
        ({"retries": True}, ["retries is True"]),
        ({"timeout": 0}, ["timeout is 0"]),
        ({"timeout": "1 min"}, ["timeout is '1 min'"]),
        ({"timeout": math.nan}, ["timeout is nan"]),
        ({"retry_delay": -1}, ["retry_delay is -1"]),
        ({"cache": "no"}, ["cache is 'no'"]),
        ({"name": "a/b"}, ["'a/b' is no name for a task"]),
        ({"name": 3}, ["3 is no name for a task"]),
        ({"outputs": "two words"}, ["'two words' is no name for an output"]),
        ({"outputs": ["a", "b", "a"]}, ["two outputs have the name 'a'"]),
        ({"outputs": ["a", 3, "b.c"]}, ["3 is no name", "'b.c' is no name"]),
        ({"outputs": 3}, ["outputs is 3"]),
        (
            {"retries": -1, "timeout": -1, "outputs": [""]},
            ["retries is -1", "timeout is -1", "'' is no name"],
        ),
    ],
)
def test_every_wrong_option_is_named(arguments: dict[str, Any], reasons: list[str]) -> None:
    with pytest.raises(InvalidTask) as caught:

        @task(**arguments)
        def function() -> None:
            raise NotImplementedError

    assert len(caught.value.problems) == len(reasons)
    for problem, reason in zip(caught.value.problems, reasons, strict=True):
        assert reason in problem


def test_bad_names_in_annotations_are_refused_when_the_spec_is_made() -> None:
    @task
    def function() -> tuple[Annotated[int, "in metres"], Annotated[int, "b"], Annotated[int, "b"]]:
        return 1, 2, 3

    with pytest.raises(InvalidTask) as caught:
        _ = function.spec
    assert "'in metres' is no name for an output" in caught.value.problems[0]
    assert "two outputs have the name 'b'" in caught.value.problems[1]


def test_tasks_of_modules_are_pickled_by_name() -> None:
    assert pickle.loads(pickle.dumps(named_tasks.scale)) is named_tasks.scale
    assert copy.deepcopy(named_tasks.scale) is named_tasks.scale


def test_other_tasks_are_pickled_with_their_function() -> None:
    names: dict[str, Any] = {"__name__": "__main__", "task": task}
    exec(
        "@task(name='fact', outputs='product', retries=3)\n"
        "def factorial(n): return 1 if n < 2 else n * factorial(n - 1)",
        names,
    )
    sent = cloudpickle.loads(cloudpickle.dumps(names["factorial"]))
    assert sent is not names["factorial"]
    assert sent(5) == 120
    assert sent.settings == TaskOptions(retries=3)
    assert (sent.spec.name, sent.spec.outputs[0].name) == ("fact", "product")
    assert sent.function.__globals__["factorial"] is sent


def test_settings_are_pickled() -> None:
    assert pickle.loads(pickle.dumps(named_tasks.scale.settings)) == named_tasks.scale.settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (TaskOptions(retry_factor=0.5), "retry_factor is 0.5"),
        (TaskOptions(retry_jitter=-1), "retry_jitter is -1"),
        (TaskOptions(retry_on=(KeyboardInterrupt,)), "no class of exceptions"),  # type: ignore[arg-type]
        (TaskOptions(cache="always"), "cache is 'always'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_settings_are_refused(settings: TaskOptions, said: str) -> None:
    with pytest.raises(InvalidTask, match=said):
        Task(named_tasks.split.function, options=settings)


def test_waits_grow_and_are_spread() -> None:
    settings = TaskOptions(retry_delay=1.0, retry_factor=2.0, retry_jitter=0.5)
    assert [settings.wait(attempt, 0.0) for attempt in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert settings.wait(2, 1.0) == 3.0


def test_calling_a_task_costs_little_more_than_calling_its_function() -> None:
    function = named_tasks.increase.function

    def best(call: Callable[[], Any]) -> float:
        return min(timeit.repeat(call, time.thread_time, number=10_000, repeat=7)) / 10_000

    extra = best(lambda: named_tasks.increase(1)) - best(lambda: function(1))
    assert extra < 5e-6  # 0.15 µs on a fast machine; of the processor's time, since it may be busy


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"expires": -1}, "expires"),
        ({"expires": "1h"}, "expires"),
        ({"expires": float("nan")}, "expires"),
        ({"packages": "numpy"}, "packages"),
        ({"packages": (1,)}, "packages"),
        ({"salt": 3}, "salt"),
        ({"code": "no"}, "code"),
        ({"single": None}, "single"),
    ],
)
def test_a_cache_policy_is_checked_when_it_is_made(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(CheckFailed) as refused:
        CachePolicy(**wrong)
    assert [problem.path for problem in refused.value.problems] == [field]
