"""Graphs written as YAML and read again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from findspot.graph.annotations import class_type
from findspot.graph.checking import check
from findspot.graph.inference import infer
from findspot.graph.spec import (
    ArtifactInput,
    ArtifactOutput,
    InputSpec,
    Opaque,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.tasks import task
from findspot.graph.tracing import trace
from findspot.graph.yaml_graph import build_graph, checked_graph, read_document
from findspot.graph.yaml_writer import NotWritable, to_yaml


def again(graph: TaskGraph) -> TaskGraph:
    """The graph after a round trip; its places and text are another's."""
    text = to_yaml(graph)
    found, problems = build_graph(read_document(text), {}, graph.handlers)
    assert problems == [], text
    return replace(found, locations={}, source="")


def named(number: int) -> str:
    return f"name_{number}"


names = st.sampled_from(
    ["a", "b", "on", "null", "x-1", "Größe", "名前", "with space", "1", "1e3", "task", "yes", "~"]
)
words = st.one_of(
    names,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        [
            "$x",
            "$$x",
            "$",
            "# no",
            "a: b",
            "- a",
            "0x1F",
            "0o7",
            "-.inf",
            ".nan",
            "\t",
            "a\nb\n",
            "\n",
        ]
    ),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), words, st.just(-0.5e-300)
)
keys = st.one_of(words, st.integers(-5, 5))


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)
        ),
        max_leaves=6,
    )


refs = st.builds(Ref, names, st.none() | names)
literals = nested(scalars)
values = nested(scalars | refs)

NDARRAY = Simple("numpy.ndarray", python="numpy.ndarray")
MODEL = Simple("Model", (Simple("Thing", python="lib.Thing"), NUMBER), None)
PATH = class_type(type("Leaf", (bytes,), {"__module__": "somewhere.deep"}))
leaf_types: st.SearchStrategy[Type] = st.sampled_from(
    [STRING, INTEGER, NUMBER, BOOLEAN, NULL, ANY, UNKNOWN, NDARRAY, MODEL, PATH, class_type(bytes)]
)
types: st.SearchStrategy[Type] = st.recursive(
    leaf_types,
    lambda inner: st.one_of(
        st.builds(ListOf, inner),
        st.builds(TupleOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Record, st.dictionaries(words, inner, max_size=3)),
        st.builds(MappingOf, st.sampled_from([STRING, INTEGER]), inner),
        st.builds(Union, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=4,
)


def declared(name: str, type_: Type) -> Type:
    """A type as a declaration gives it its name."""
    if isinstance(type_, ListOf | TupleOf | Record | MappingOf | Union):
        return replace(type_, name=name)
    return Simple(name, (type_,) if isinstance(type_, Simple) else ())


@st.composite
def inputs(draw: st.DrawFn) -> InputSpec:
    variadic = draw(st.sampled_from(["", "", "", "args", "kwargs"]))
    return InputSpec(
        draw(names),
        draw(types),
        required=draw(st.booleans()),
        variadic=variadic,
        keyword_only=draw(st.booleans()),
        positional_only=draw(st.booleans()),
        injected=draw(st.booleans()),
    )


def unique(specs: list[Any]) -> tuple[Any, ...]:
    return tuple({spec.name: spec for spec in specs}.values())


@st.composite
def graphs(draw: st.DrawFn) -> TaskGraph:
    outputs = st.lists(st.builds(OutputSpec, names, types), max_size=3).map(unique)
    declarations = draw(st.dictionaries(st.sampled_from(["t1", "t 2", "Größe"]), types, max_size=3))

    def task(name: str) -> TaskSpec:
        found = draw(outputs)
        return TaskSpec(
            name=name,
            source=draw(st.sampled_from(["module:function", "a.b:C.method"])),
            inputs=unique(draw(st.lists(inputs(), max_size=3))),
            outputs=found,
            unpack=len(found) > 1 or (len(found) == 1 and draw(st.booleans())),
        )

    def parameter(name: str) -> Parameter:
        if draw(st.booleans()):
            return Parameter(name=name, type=draw(types), required=True)
        default = draw(literals)
        return Parameter(
            name=name, type=draw(st.sampled_from([infer(default), UNKNOWN])), default=default
        )

    def chosen(name: str) -> ArtifactInput:
        found = draw(outputs.filter(bool))
        return ArtifactInput(name=name, outputs=found, unpack=len(found) > 1 or draw(st.booleans()))

    def step(name: str) -> Step:
        return Step(
            name=name,
            task=draw(names),
            args=tuple(draw(st.lists(values, max_size=3))),
            kwargs=draw(st.dictionaries(words, values, max_size=3)),
            dependencies=tuple(draw(st.lists(names, max_size=2))),
            cache=draw(st.sampled_from([None, True, False])),
            each=draw(st.dictionaries(words, values, max_size=2)),
            when=draw(st.none() | st.booleans() | refs),
        )

    def output(name: str) -> ArtifactOutput:
        handler = draw(st.none() | names)
        return ArtifactOutput(
            name=name,
            contents=draw(values),
            handler=handler,
            args={} if handler is None else draw(st.dictionaries(words, literals, max_size=2)),
            kind=draw(st.sampled_from([None, "plot"])),
        )

    def section(make: Any, smallest: int = 0) -> dict[str, Any]:
        return {name: make(name) for name in draw(st.lists(names, min_size=smallest, max_size=3))}

    return TaskGraph(
        name=draw(names),
        description=draw(words),
        types={name: declared(name, type_) for name, type_ in declarations.items()},
        parameters=section(parameter),
        artifact_inputs=section(chosen),
        tasks=section(task),
        plugins=tuple(draw(st.lists(names, max_size=2, unique=True))),
        steps=section(step, 1),
        outputs=section(output),
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=150, derandomize=True)
@given(graphs())
def test_a_round_trip_changes_nothing(graph: TaskGraph) -> None:
    assert again(graph) == graph


def test_the_text_reads_as_people_write_it() -> None:
    graph = TaskGraph(
        name="rescale",
        parameters={"title": Parameter(name="title", type=STRING, default="Rescaled")},
        artifact_inputs={
            "samples": ArtifactInput(name="samples", outputs=(OutputSpec("array", NDARRAY),))
        },
        tasks={
            "draw": TaskSpec(
                name="draw",
                source="project.figures:draw",
                inputs=(InputSpec("x", NDARRAY), InputSpec("title", STRING, required=False)),
            )
        },
        steps={
            "draw": Step(
                name="draw", task="draw", args=(Ref("samples"),), kwargs={"title": Ref("title")}
            )
        },
        outputs={"figure": ArtifactOutput(name="figure", contents=Ref("draw"), kind="plot")},
    )
    assert (
        to_yaml(graph)
        == """\
name: rescale
parameters: {title: Rescaled}
artifact_inputs:
  samples: {array: numpy.ndarray}
tasks:
  draw:
    function: project.figures:draw
    inputs:
      - {x: numpy.ndarray}
      - {name: title, type: string, required: false}
    outputs: {output: unknown}
graph:
  draw:
    task: draw
    args: [$samples]
    kwargs: {title: $title}
artifact_outputs:
  figure: {contents: $draw, kind: plot}
"""
    )


def test_tasks_of_plugins_are_found_by_their_files() -> None:
    task = TaskSpec(name="scale", source="plugin:rescaling/sub/methods.py:scale_array")
    other = replace(task, name="other", source="plugin:rescaling/sub/methods.py:other")
    known = {"scale_array": replace(task, name="scale_array"), "other": other}
    graph = TaskGraph(
        name="g",
        plugins=("rescaling",),
        tasks={**known, "scale": task},
        steps={"s": Step(name="s", task="scale")},
    )
    text = to_yaml(graph, known=known)
    assert "plugin: rescaling.sub.methods.scale_array" in text
    assert "other" not in text
    found, problems = build_graph(read_document(text), known, {})
    assert problems == []
    assert replace(found, locations={}, source="") == graph


@task
def load(
    size: int = 3, where: Path | None = None
) -> tuple[Annotated[np.ndarray, "x"], Annotated[Fraction, "ratio"]]:
    return np.zeros(size), Fraction(1, 2)


@task
def weigh(
    x: np.ndarray, *, ratio: Fraction, names: list[str] | None = None, **more: float
) -> dict[str, float]:
    return {"total": float(x.sum() * ratio)}


def test_a_traced_pipeline_survives_with_its_tasks_and_without() -> None:
    def flow(samples: np.ndarray, rate: float = 0.5, title: str = "$ 5") -> dict[str, Any]:
        x, ratio = load(5)
        first = weigh(x, ratio=ratio, names=["a", title])
        return {"first": first, "second": weigh(samples, ratio=ratio, rate=rate)}

    graph = trace(flow).graph
    assert check(graph) == []
    text = to_yaml(graph)
    # With its tasks at hand, as the engine has them: nothing at all is lost.
    found, problems = checked_graph(read_document(text), graph.tasks, {})
    assert problems == []
    assert replace(found, locations={}, source="") == replace(graph, locations={}, source="")
    # From the text alone: all but where the functions are, and what libraries' classes are below.
    alone, problems = checked_graph(read_document(text), {}, {})
    assert problems == []
    assert (alone.steps, alone.outputs, alone.parameters) == (
        graph.steps,
        graph.outputs,
        graph.parameters,
    )
    assert [t.source for t in alone.tasks.values()] == [t.source for t in graph.tasks.values()]
    wrong = text.replace("args: [5]", "args: [five]")
    assert [p.path for p in checked_graph(read_document(wrong), {}, {})[1]] == [
        "$.graph.load.args[0]"
    ]


def test_tuples_come_back_as_lists() -> None:
    graph = TaskGraph(name="g", steps={"s": Step(name="s", task="t", args=((1, (2,)),))})
    assert again(graph).steps["s"].args == ([1, [2]],)


@dataclass
class Point:
    x: int


UNWRITABLE: dict[str, tuple[Step, str, str]] = {
    "an object": (
        Step(name="s", task="t", kwargs={"p": [1, Opaque(Point(1))]}),
        "$.graph.s.kwargs.p[1]",
        "Point, which has no YAML form",
    ),
    "an object that is not wrapped": (
        Step(name="s", task="t", args=(Point(1),)),
        "$.graph.s.args[0]",
        "Point, which has no YAML form",
    ),
    "a set": (Step(name="s", task="t", args=({1},)), "$.graph.s.args[0]", "builtins.set"),
    "a strange key": (
        Step(name="s", task="t", args=({(1, 2): 3},)),
        "$.graph.s.args[0]",
        "has the key (1, 2)",
    ),
    "a strange name": (
        Step(name="s", task="t", args=(Ref("a.b"),)),
        "$.graph.s.args[0]",
        "The reference to 'a.b' has no YAML form",
    ),
    "half a character": (
        Step(name="s", task="t", args=("\ud800",)),
        "$.graph.s.args[0]",
        "half of a character (U+D800)",
    ),
}


@pytest.mark.parametrize(("step", "path", "message"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_has_no_yaml_form_is_named(step: Step, path: str, message: str) -> None:
    with pytest.raises(NotWritable) as raised:
        to_yaml(TaskGraph(name="g", steps={"s": step}))
    assert raised.value.path == path
    assert message in raised.value.what
    assert raised.value.how


def test_a_local_function_cannot_be_found_again() -> None:
    task = TaskSpec(name="t", source="module:outer.<locals>.t")
    with pytest.raises(NotWritable, match="defined inside a function"):
        to_yaml(TaskGraph(name="g", tasks={"t": task}))
