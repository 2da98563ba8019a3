"""`trace`: what a pipeline's function becomes, and what it may not do."""

from __future__ import annotations

import copy
import os
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.types import INTEGER, NULL, NUMBER, STRING, UNKNOWN, ListOf, Simple, Union
from findspot.engine.context import JobContext
from findspot.graph.placeholders import StepOutputs
from findspot.graph.spec import (
    ArtifactInput,
    ArtifactOutput,
    Opaque,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    references,
)
from findspot.graph.tasks import ACTIVE, task
from findspot.graph.tracing import InvalidPipeline, Traced, is_tracing, trace
from named_tasks import increase, noted, scale, split
from source_lines import line_of

ARRAY = Simple("numpy.ndarray", python="numpy.ndarray")
HERE = Path(__file__).name


def rescale(samples: np.ndarray, title: str = "Rescaled") -> Any:
    """Scales samples.

    In two steps.
    """
    train, _test = split(samples)
    return {"scaled": scale(train), "title": title}


def test_a_pipeline_becomes_a_graph() -> None:
    traced = trace(rescale)
    graph = traced.graph
    assert graph.name == "rescale"
    assert graph.description == "Scales samples.\n\nIn two steps."
    assert graph.parameters == {
        "title": Parameter(name="title", type=STRING, default="Rescaled", required=False)
    }
    assert graph.artifact_inputs == {
        "samples": ArtifactInput(name="samples", outputs=(OutputSpec("output", ARRAY),))
    }
    assert graph.steps == {
        "split": Step(name="split", task="split", args=(Ref("samples"),)),
        "scale": Step(name="scale", task="scale", args=(Ref("split", "train"),)),
    }
    assert graph.outputs == {
        "scaled": ArtifactOutput(name="scaled", contents=Ref("scale")),
        "title": ArtifactOutput(name="title", contents=Ref("title")),
    }
    assert graph.tasks == {"split": split.spec, "scale": scale.spec}
    assert dict(traced.tasks) == {"split": split, "scale": scale}
    assert ACTIVE.get() is None


def test_every_place_is_known() -> None:
    locations = trace(rescale).graph.locations
    called = f"{line_of(rescale, 'train, _test = split')}"
    assert locations["$.graph.split"].endswith(f"{HERE}:{called}")
    assert locations["$.graph.scale"].endswith(f"{HERE}:{line_of(rescale, 'scale(train)')}")
    for path in ("$", "$.parameters.title", "$.artifact_inputs.samples"):
        assert locations[path].endswith(f"{HERE}:{rescale.__code__.co_firstlineno}")


def test_places_below_the_working_folder_are_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    assert trace(rescale).graph.locations["$"].startswith(f"{HERE}:")
    monkeypatch.chdir(Path(__file__).parents[1])
    assert trace(rescale).graph.locations["$"].startswith(f"graph{os.sep}{HERE}:")


def test_the_name_and_the_description_may_be_given() -> None:
    graph = trace(rescale, "other", description="Short.").graph
    assert (graph.name, graph.description) == ("other", "Short.")


@dataclass
class Settings:
    rate: float


ARRAY_DEFAULT = np.arange(3)


def many_parameters(  # type: ignore[no-untyped-def]
    plain=1,
    text: str = "x",
    numbers: list[float] = [1, 2.5],  # noqa: B006
    nothing: int | None = None,
    array: np.ndarray = ARRAY_DEFAULT,
    *,
    number: float,
    arrays: list[np.ndarray],
    model: Annotated[Settings, "settings"],
    maybe: Settings | None,
):
    return None


def test_parameters_and_artifact_inputs() -> None:
    graph = trace(many_parameters).graph
    settings = Simple(f"{__name__}.Settings", (), f"{__name__}.Settings")
    assert list(graph.parameters) == ["plain", "text", "numbers", "nothing", "array", "number"]
    assert graph.parameters["plain"] == Parameter(name="plain", type=UNKNOWN, default=1)
    assert graph.parameters["number"] == Parameter(name="number", type=NUMBER, required=True)
    assert graph.parameters["numbers"].default == [1, 2.5]
    assert graph.parameters["numbers"].type == ListOf(NUMBER)
    assert graph.parameters["nothing"].default is None
    assert not graph.parameters["nothing"].required
    array = graph.parameters["array"]
    assert isinstance(array.default, Opaque)
    assert array.default.value is ARRAY_DEFAULT
    assert array.default.type == array.type == ARRAY
    assert graph.artifact_inputs == {
        "arrays": ArtifactInput(name="arrays", outputs=(OutputSpec("output", ListOf(ARRAY)),)),
        "model": ArtifactInput(name="model", outputs=(OutputSpec("settings", settings),)),
        "maybe": ArtifactInput(
            name="maybe",
            outputs=(OutputSpec("output", Union((settings, NULL))),),
        ),
    }


@pytest.mark.parametrize(
    ("signature", "what"),
    [
        ("a, /", "'a' has no name"),
        ("*values", "'values' takes any number"),
        ("**values", "'values' takes any number"),
        ("context: JobContext", "'context' asks for the job's context"),
    ],
)
def test_parameters_that_no_graph_has_are_refused(signature: str, what: str) -> None:
    names: dict[str, Any] = {"JobContext": JobContext}
    exec(f"def function({signature}): pass", names)
    with pytest.raises(InvalidPipeline, match="The pipeline function") as caught:
        trace(names["function"])
    assert what in caught.value.what
    assert caught.value.how


def chain(x: int = 0) -> Any:
    for _ in range(3):
        x = increase(x)
    return x


def test_steps_of_one_task_are_numbered() -> None:
    graph = trace(chain).graph
    assert list(graph.steps) == ["increase", "increase_2", "increase_3"]
    assert graph.steps["increase_3"].args == (Ref("increase_2"),)
    assert list(graph.tasks) == ["increase"]


def test_numbers_and_parameters_leave_names_that_are_taken() -> None:
    @task(name="increase_2")
    def odd(x: int) -> int:
        return x

    def function(increase_3: int = 0) -> None:
        odd(increase(increase_3))
        increase(increase(increase_3))
        odd(1)

    assert list(trace(function).graph.steps) == [
        "increase",
        "increase_2",
        "increase_4",
        "increase_5",
        "increase_2_2",
    ]


def test_different_tasks_of_one_name_are_told_apart() -> None:
    @task(name="increase")
    def other(x: int) -> int:
        return x

    def function(x: int = 0) -> Any:
        return increase(other(increase(x)))

    traced = trace(function)
    assert dict(traced.tasks) == {"increase": increase, "increase_2": other}
    assert [(s.name, s.task) for s in traced.graph.steps.values()] == [
        ("increase", "increase"),
        ("increase_2", "increase_2"),
        ("increase_3", "increase"),
    ]
    assert traced.graph.tasks["increase_2"].name == "increase_2"
    assert other.spec.name == "increase"


def test_a_task_made_in_a_loop_is_one_task() -> None:
    def plain(x: int) -> int:
        return x

    def function(x: int = 0) -> None:
        for _ in range(3):
            x = task(plain)(x)

    traced = trace(function)
    assert list(traced.tasks) == ["plain"]
    assert list(traced.graph.steps) == ["plain", "plain_2", "plain_3"]


def test_names_of_tasks_that_no_step_may_have_are_changed() -> None:
    named = task(name="2 scale.v1")(lambda x: x)

    def function(x: int = 0) -> Any:
        return named(x)

    graph = trace(function).graph
    assert list(graph.steps) == ["_2_scale_v1"]
    assert graph.steps["_2_scale_v1"].task == "2 scale.v1"


def test_options_of_a_step() -> None:
    def function(x: int = 0) -> Any:
        first = increase.options(step="first", cache=False)(x)
        nothing = noted(x)  # type: ignore[call-arg]
        halves = split.options(after=nothing)(x)
        return increase.options(after=[first, halves, "first", halves[0]])(x, by=2)

    graph = trace(function).graph
    assert graph.steps["first"] == Step(
        name="first", task="increase", args=(Ref("x"),), cache=False
    )
    assert graph.steps["split"].dependencies == ("noted",)
    assert graph.steps["increase"] == Step(
        name="increase",
        task="increase",
        args=(Ref("x"),),
        kwargs={"by": 2},
        dependencies=("first", "split"),
    )


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"step": "x"}, "another step or parameter named 'x'"),
        ({"step": "increase"}, "another step or parameter named 'increase'"),
        ({"step": "a.b"}, "'a.b' is no name for a step"),
        ({"step": 3}, "3 is no name for a step"),
        ({"after": "later"}, "after= names 'later'"),
        ({"after": 3}, "after= names 3"),
    ],
)
def test_wrong_options_of_a_step_are_refused(options: dict[str, Any], what: str) -> None:
    def function(x: int = 0) -> None:
        increase(x)
        increase.options(**options)(x)

    with pytest.raises(InvalidPipeline) as caught:
        trace(function)
    assert what in caught.value.what
    line = line_of(function, "increase.options(**options)")
    assert str(caught.value.where).endswith(f"{HERE}:{line}")


def test_a_parameter_is_nothing_to_wait_for() -> None:
    def function(x: int = 0) -> None:
        increase.options(after=x)(1)

    with pytest.raises(InvalidPipeline, match="no step so far"):
        trace(function)


def test_several_outputs_come_apart_and_have_names() -> None:
    found: dict[str, Any] = {}

    def function(x: np.ndarray) -> None:
        outputs: Any = split(x)
        found.update(
            outputs=outputs,
            length=len(outputs),
            train=outputs.train,
            test=outputs[1],
            repr=repr(outputs),
        )
        with pytest.raises(AttributeError, match="no output 'tests'; it has train, test"):
            _ = outputs.tests

    trace(function)
    assert isinstance(found["outputs"], StepOutputs)
    assert found["length"] == 2
    assert repr(found["train"]) == "<placeholder $split.train>"
    assert repr(found["test"]) == "<placeholder $split.test>"
    assert found["repr"] == "<outputs $split.train, $split.test>"


def test_a_list_of_one_output_comes_as_a_tuple_as_its_function_returns_it() -> None:
    @task(outputs=["only"])
    def one() -> tuple[int]:
        return (1,)

    def function() -> Any:
        (only,) = one()
        return only

    assert trace(function).graph.outputs["only"].contents == Ref("one", "only")


def test_a_single_output_may_be_asked_for_by_its_name() -> None:
    @task
    def evaluate() -> Annotated[float, "accuracy"]:
        return 1.0

    def function() -> Any:
        result: Any = evaluate()
        return result.accuracy

    assert trace(function).graph.outputs["accuracy"].contents == Ref("evaluate")


@task
def anything(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def argument(make: Callable[[Any], Any]) -> Any:
    """An argument as it stands in the graph; ``make`` gets a placeholder ``$x``."""

    def function(x: int = 0) -> None:
        anything(make(x))

    return trace(function).graph.steps["anything"].args[0]


X = Ref("x")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: x, X),
        (lambda x: 3, 3),
        (lambda x: None, None),
        (lambda x: [x, 1, [x]], [X, 1, [X]]),
        (lambda x: (x, "a"), (X, "a")),
        (lambda x: {"a": x, "b": {"c": [x]}}, {"a": X, "b": {"c": [X]}}),
        (lambda x: {1: x}, {1: X}),
        (lambda x: copy.deepcopy([x]), [X]),
        (lambda x: copy.copy(x), X),
        (lambda x: "$x", "$x"),
    ],
)
def test_plain_values_stand_in_the_graph_with_references(
    make: Callable[[Any], Any], expected: Any
) -> None:
    found = argument(make)
    assert found == expected
    assert type(found) is type(expected)


def test_outputs_stay_a_tuple_when_passed_on_together() -> None:
    def function(x: np.ndarray) -> None:
        anything(split(x))

    assert trace(function).graph.steps["anything"].args == (
        (Ref("split", "train"), Ref("split", "test")),
    )


class External:
    __findspot_external__ = True


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (np.arange(3), ARRAY),
        (np.float64(1), NUMBER),
        (Settings(1.0), Simple(f"{__name__}.Settings", (), f"{__name__}.Settings")),
        ({1, 2}, Simple("set", (), "builtins.set")),
        (b"x", Simple("bytes", (), "builtins.bytes")),
        (External(), UNKNOWN),
        (True + 0j, Simple("complex", (), "builtins.complex")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_live_objects_stand_in_the_graph_as_they_are(value: Any, type_: Any) -> None:
    found = argument(lambda x: [value])[0]
    assert isinstance(found, Opaque)
    assert found.value is value
    assert found.type == type_


def test_later_changes_of_a_list_do_not_reach_the_graph() -> None:
    values = [1, [2]]
    found = argument(lambda x: values)
    values.append(3)
    assert found == [1, [2]]


def test_wrong_arguments_are_left_to_the_check() -> None:
    def function(x: int = 0) -> None:
        increase()  # type: ignore[call-arg]
        increase(x, 1, 2, more=3)  # type: ignore[call-arg]

    graph = trace(function).graph
    assert graph.steps["increase_2"].args == (X, 1, 2)
    assert graph.steps["increase_2"].kwargs == {"more": 3}


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (lambda x: None, {}),
        (lambda x: {"a": increase(x), "b/c": [x, 1]}, {"a": Ref("increase"), "b/c": [X, 1]}),
        (lambda x: {}, {}),
        (lambda x: increase(x), {"output": Ref("increase")}),
        (lambda x: x, {"x": X}),
        (lambda x: [increase(x), x], {"output": [Ref("increase"), X]}),
        (split, {"train": Ref("split", "train"), "test": Ref("split", "test")}),
        (lambda x: split(x).test, {"test": Ref("split", "test")}),  # type: ignore[attr-defined]
        (
            lambda x: (increase(x), increase(x), x),
            {"increase": Ref("increase"), "increase_2": Ref("increase_2"), "x": X},
        ),
        (
            lambda x: (*split(x), *split(x)),
            {
                "train": Ref("split", "train"),
                "test": Ref("split", "test"),
                "train_2": Ref("split_2", "train"),
                "test_2": Ref("split_2", "test"),
            },
        ),
        (lambda x: (increase(x), [x]), {"increase": Ref("increase"), "output_2": [X]}),
        (lambda x: 3, {"output": 3}),
        (lambda x: (), {}),
    ],
)
def test_what_is_returned_becomes_the_outputs(
    returned: Callable[[Any], Any], expected: dict[str, Any]
) -> None:
    def function(x: int = 0) -> Any:
        return returned(x)

    outputs = trace(function).graph.outputs
    assert {name: output.contents for name, output in outputs.items()} == expected
    assert list(outputs) == list(expected)
    assert all(output.name == name for name, output in outputs.items())


@pytest.mark.parametrize("key", [1, None, "", ("a", "b")])
def test_keys_of_the_returned_mapping_are_text(key: Any) -> None:
    def function(x: int = 0) -> Any:
        return {key: increase(x)}

    with pytest.raises(InvalidPipeline, match="a mapping with the key"):
        trace(function)


def test_a_pipeline_called_in_a_pipeline_becomes_part_of_it() -> None:
    def inner(x: int) -> Any:
        return {"more": increase(x)}

    def outer(x: int = 0) -> Any:
        return increase(inner(inner(x)["more"])["more"])

    graph = trace(outer).graph
    assert {name: step.args for name, step in graph.steps.items()} == {
        "increase": (X,),
        "increase_2": (Ref("increase"),),
        "increase_3": (Ref("increase_2"),),
    }


def test_tracing_within_tracing_keeps_the_two_apart() -> None:
    kept: list[Traced] = []

    def inner(y: int = 0) -> Any:
        return increase(y)

    def outer(x: int = 0) -> Any:
        first = increase(x)
        kept.append(trace(inner))
        return increase(first)

    graph = trace(outer).graph
    assert list(graph.steps) == ["increase", "increase_2"]
    assert list(kept[0].graph.steps) == ["increase"]


def test_it_is_known_whether_a_pipeline_is_traced() -> None:
    seen: list[bool] = []

    def function() -> None:
        seen.append(is_tracing())

    trace(function)
    assert [*seen, is_tracing()] == [True, False]


def test_an_error_in_the_pipeline_ends_the_trace() -> None:
    def function(x: int = 0) -> None:
        increase(x)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        trace(function)
    assert ACTIVE.get() is None
    assert increase(1) == 2


def test_types_of_outputs_and_parameters_are_known() -> None:
    kept: list[Any] = []

    def function(x: int = 0) -> None:
        kept.extend([x, increase(x), split(np.arange(3))[1]])

    trace(function)
    assert [placeholder._type for placeholder in kept] == [INTEGER, INTEGER, ARRAY]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
SHAPES = st.recursive(
    SCALARS | st.just(X),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=12,
)


def with_placeholder(shape: Any, placeholder: Any) -> Any:
    if isinstance(shape, Ref):
        return placeholder
    if isinstance(shape, list | tuple):
        return type(shape)(with_placeholder(item, placeholder) for item in shape)
    if isinstance(shape, dict):
        return {key: with_placeholder(item, placeholder) for key, item in shape.items()}
    return shape


@given(SHAPES)
def test_any_nesting_of_plain_values_is_kept(shape: Any) -> None:
    found = argument(lambda x: with_placeholder(shape, x))
    assert found == shape
    assert len(list(references(found))) == len(list(references(shape)))


def test_a_step_is_traced_quickly() -> None:
    def many(x: int = 0) -> Any:
        for _ in range(1000):
            x = increase(x)
        return x

    best = min(timeit.repeat(lambda: trace(many), time.thread_time, number=1, repeat=5)) / 1000
    assert best < 180e-6  # 6 µs on a fast machine; of the processor's time, since it may be busy


def test_a_namespace_is_an_object_like_others() -> None:
    value = SimpleNamespace(a=1)
    assert argument(lambda x: value).value is value
