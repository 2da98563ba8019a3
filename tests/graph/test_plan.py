"""The order of steps."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findspot.core.errors import CheckFailed
from findspot.graph.plan import circle_problems, order, predecessors
from findspot.graph.spec import Parameter, Ref, Step, TaskGraph


def graph(waits: dict[str, list[str]]) -> TaskGraph:
    """Steps by name, with the steps that each refers to."""
    return TaskGraph(
        name="g",
        parameters={"p": Parameter(name="p")},
        steps={
            name: Step(name=name, task="t", args=tuple(map(Ref, others)))
            for name, others in waits.items()
        },
    )


def test_predecessors_are_found_wherever_they_are_referred_to() -> None:
    steps = {
        "a": Step(name="a", task="t"),
        "b": Step(name="b", task="t"),
        "c": Step(name="c", task="t"),
        "d": Step(
            name="d",
            task="t",
            args=(Ref("p"), [{"x": Ref("b", "out")}], Ref("a")),
            kwargs={"k": (Ref("b"),), "missing": Ref("nothing")},
            dependencies=("c", "a", "nothing"),
        ),
    }
    found = predecessors(TaskGraph(name="g", steps=steps, parameters={"p": Parameter(name="p")}))
    assert found == {"a": (), "b": (), "c": (), "d": ("b", "a", "c")}


def test_the_order_of_the_source_decides_where_it_can() -> None:
    waits: dict[str, list[str]] = {"d": ["c"], "a": [], "c": ["a"], "b": ["p"], "e": []}
    assert order(graph(waits)) == ["a", "c", "d", "b", "e"]
    assert order(graph({})) == []


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_every_step_comes_after_all_that_it_waits_for(seed: int) -> None:
    source = random.Random(seed)
    names = [f"s{i}" for i in range(source.randrange(1, 12))]
    waits = {name: source.sample(names[:i], source.randint(0, i)) for i, name in enumerate(names)}
    shuffled = dict(source.sample(list(waits.items()), len(waits)))
    found = order(graph(shuffled))
    assert sorted(found) == sorted(names)
    for name, others in waits.items():
        assert all(found.index(other) < found.index(name) for other in others)


CIRCLES: dict[str, tuple[dict[str, list[str]], list[str]]] = {
    "itself": ({"a": ["a"], "b": ["a"]}, ["a"]),
    "two": ({"x": [], "b": ["a", "x"], "a": ["b"]}, ["b <- a <- b"]),
    "three, and what waits for them": (
        {"z": ["a"], "a": ["b"], "b": ["c"], "c": ["a"], "y": ["z"]},
        ["a <- b <- c <- a"],
    ),
    "two circles": (
        {"a": ["b"], "b": ["a"], "c": ["d", "a"], "d": ["c"]},
        ["a <- b <- a", "c <- d <- c"],
    ),
    "a knot": ({"a": ["b", "c"], "b": ["c", "a"], "c": ["a"]}, ["a <- b <- a"]),
}


@pytest.mark.parametrize(("waits", "expected"), CIRCLES.values(), ids=CIRCLES)
def test_circles_are_named(waits: dict[str, list[str]], expected: list[str]) -> None:
    looped = graph(waits)
    problems = circle_problems(looped)
    assert [p.found or p.path.removeprefix("$.graph.") for p in problems] == expected
    with pytest.raises(CheckFailed) as raised:
        order(looped)
    assert raised.value.problems == tuple(problems)


@pytest.mark.slow
def test_a_long_chain_and_a_long_circle_need_no_recursion() -> None:
    count = 20_000
    waits = {f"s{i}": [f"s{i + 1}"] for i in range(count - 1)}
    assert order(graph({**waits, f"s{count - 1}": []}))[0] == f"s{count - 1}"
    (problem,) = circle_problems(graph({**waits, f"s{count - 1}": ["s0"]}))
    assert problem.path == "$.graph.s0"
    assert problem.found.endswith("s11 <- ... <- s0")
