"""Steps that are called for each element of a list, and conditions: as written, and as checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest

from findspot.core.errors import Problem
from findspot.core.types import INTEGER, NUMBER, STRING, UNKNOWN, ListOf, TupleOf, Union
from findspot.graph.checking import check, unused
from findspot.graph.mapped import element_type
from findspot.graph.mapping import fixed
from findspot.graph.plan import order, predecessors
from findspot.graph.spec import Ref, TaskGraph
from findspot.graph.tasks import task
from findspot.graph.tracing import trace
from findspot.graph.yaml_graph import build_graph, checked_graph, read_document
from findspot.graph.yaml_writer import to_yaml

Problems = Callable[[str], list[Problem]]
Build = Callable[[str], tuple[TaskGraph, list[Problem]]]


@task
def names(n: int) -> list[str]:
    return ["a"] * n


@task
def longer(text: str, by: int = 1) -> str:
    return text + "x" * by


@task
def ends(text: str, /, both: bool = True) -> tuple[Annotated[str, "first"], Annotated[str, "last"]]:
    return text[0], text[-1]


@task
def joined(texts: list[str], sep: str = "") -> str:
    return sep.join(texts)


@task
def split(text: str) -> tuple[Annotated[str, "first"], Annotated[int, "length"]]:
    return text[0], len(text)


def pipeline(n: int = 3, by: int = 2, loud: bool = False) -> Any:
    found = longer.map(names(n), by=by)
    call: Any = joined.options(when=loud)
    first, length = split.map(found)
    return {"text": call(found), "first": joined(first), "length": length}


def test_a_traced_loop() -> None:
    graph = trace(pipeline).graph
    assert check(graph) == []
    step = graph.steps["longer"]
    assert (step.args, step.kwargs, step.each) == ((), {"by": Ref("by")}, {"text": Ref("names")})
    assert graph.steps["joined"].when == Ref("loud")
    assert predecessors(graph)["longer"] == ("names",)
    assert order(graph)[:2] == ["names", "longer"]
    assert unused(graph) == []


def test_it_is_the_same_after_yaml() -> None:
    graph = trace(pipeline).graph
    text = to_yaml(graph)
    assert "each: {text: $names}" in text
    assert "when: $loud" in text
    again, problems = checked_graph(read_document(text), graph.tasks, {})
    assert problems == []
    assert again.steps == graph.steps


def test_both_forms_of_a_step_in_yaml(build: Build) -> None:
    graph, problems = build(
        """
        parameters: {xs: {type: {list: ndarray}}, go: true}
        graph:
          long: {task: scale, kwargs: {factor: 2}, each: {x: $xs}, when: $go}
          short: {scale: {factor: 2}, each: {x: $xs}, when: $go}
        """
    )
    assert problems == []
    long, short = graph.steps.values()
    assert long.each == short.each == {"x": Ref("xs")}
    assert long.when == short.when == Ref("go")
    assert graph.locations["$.graph.long.each"] == "g.yaml:4"


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        ("scale: {}, each: {x: $one}", "each.x", "which is no list"),
        ("scale: {}, each: {x: $texts}", "each.x", "do not fit"),
        ("scale: {}, each: {y: $xs}", "each.y", "no argument"),
        ("scale: [$one], each: {x: $xs}", "each.x", "given twice"),
        ("scale: {x: $one}, each: {x: $xs}", "each.x", "given twice"),
        ("scale: {factor: 1}, each: {factor: [1, 2]}", "", "gives no 'x'"),
        ("scale: [$one], each: [$xs]", "each", "has names"),
        ("scale: [$one], when: [1]", "when", "a reference, or true or false"),
        ("scale: [$one], when: yes", "when", "a reference, or true or false"),
        ("scale: [$one], when: $texts", "when", "neither true nor false"),
        ("scale: [$one], when: $nothing", "when", "no step, parameter"),
        ("absent: [$one], each: {x: $nothing}", "each.x", "no step, parameter"),
    ],
)
def test_mistakes_are_found_at_their_places(
    problems: Problems, step: str, path: str, message: str
) -> None:
    found = problems(
        f"""
        parameters: {{texts: {{type: {{list: string}}}}}}
        artifact_inputs:
          one: ndarray
          xs: {{array: {{list: ndarray}}}}
        graph:
          s: {{{step}}}
        """
    )
    place = f"$.graph.s.{path}".rstrip(".")
    assert [p for p in found if p.path == place and message in p.message], found


def test_a_reference_to_a_loop_is_a_list(problems: Problems) -> None:
    found = problems(
        """
        artifact_inputs: {xs: {array: {list: ndarray}}}
        graph:
          scaled: {scale: {}, each: {x: $xs}}
          parts: {split: {}, each: {x: $scaled}}
          wrong: {scale: [$parts.train]}
        """
    )
    assert [p.path for p in found] == ["$.graph.wrong.args[0]"]
    assert "list[" in found[0].found


def test_fixed_lists_and_names_by_position() -> None:
    def flow() -> Any:
        return joined.map([["a"], ["b"]], sep="-"), longer.map(["a", "b"], by=fixed(3))

    graph = trace(flow).graph
    assert check(graph) == []
    assert graph.steps["longer"].kwargs == {"by": 3}
    hinted = trace(lambda: joined.map(texts=["a"], sep="-")).graph
    (problem,) = check(hinted)
    assert "fixed(...)" in problem.hint


def test_an_argument_without_a_name_cannot_be_looped_over() -> None:
    with pytest.raises(Exception, match="given no list"):
        trace(lambda: ends.map(["a"]))


def test_types_of_elements() -> None:
    assert element_type(ListOf(NUMBER)) == NUMBER
    assert element_type(TupleOf((INTEGER, INTEGER))) == INTEGER
    assert element_type(TupleOf(())) == UNKNOWN
    assert element_type(Union((ListOf(INTEGER), ListOf(STRING)))) == Union((INTEGER, STRING))
    assert element_type(Union((ListOf(INTEGER), STRING))) is None


def test_the_same_condition_read_twice() -> None:
    text = "graph: {s: {task: t, when: true}}"
    graph, problems = build_graph(read_document(text), {}, {})
    assert problems == []
    assert graph.steps["s"].when is True
