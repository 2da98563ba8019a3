"""Whatever a document holds, reading it ends in a graph or in mistakes with places, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from findspot.core.errors import Problem
from findspot.core.types import NUMBER, STRING
from findspot.graph.plan import order
from findspot.graph.spec import HandlerSpec, InputSpec, OutputSpec, TaskSpec
from findspot.graph.yaml_graph import SECTIONS, checked_graph, read_document
from findspot.graph.yaml_writer import to_yaml

TASKS = {
    "scale": TaskSpec(
        name="scale",
        source="plugin:p/m.py:scale",
        inputs=(InputSpec("x", NUMBER), InputSpec("y", STRING, required=False)),
    ),
    "split": TaskSpec(
        name="split",
        source="plugin:p/m.py:split",
        outputs=(OutputSpec("a", NUMBER), OutputSpec("b")),
        unpack=True,
    ),
}
HANDLERS = {"H": HandlerSpec(name="H", schema={"dpi": {"type": "integer"}})}

words = st.sampled_from(
    [
        "scale",
        "split",
        "a",
        "b",
        "x",
        "y",
        "$a",
        "$b.a",
        "$x",
        "$",
        "$$",
        "H",
        "p.m.scale",
        "m:f",
        "string",
        "number",
        "ndarray",
        "t",
        "",
        "null",
        "é",
        "a.b",
        "../x",
        "$a.",
        "list[int]",
    ]
)
keys = st.one_of(
    words,
    st.integers(0, 3),
    st.sampled_from(
        [
            "task",
            "args",
            "kwargs",
            "dependencies",
            "each",
            "when",
            "cache",
            "contents",
            "name",
            "kind",
            "type",
            "default",
            "inputs",
            "outputs",
            "plugin",
            "function",
            "required",
            "variadic",
            "list",
            "tuple",
            "mapping",
            "union",
            "is_a",
            "class",
            "path",
        ]
    ),
)
leaves = st.one_of(words, st.none(), st.booleans(), st.integers(-2, 3), st.floats(allow_nan=False))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
steps = st.one_of(
    trees,
    st.fixed_dictionaries(
        {"task": words},
        optional={
            "args": st.lists(trees, max_size=2),
            "kwargs": st.dictionaries(words, trees, max_size=2),
            "dependencies": st.lists(words, max_size=2),
        },
    ),
    st.dictionaries(st.sampled_from(["scale", "split", "a"]), trees, min_size=1, max_size=1),
)
documents = st.fixed_dictionaries(
    {"graph": st.one_of(trees, st.dictionaries(words, steps, max_size=4))},
    optional={
        section: st.one_of(trees, st.dictionaries(words, trees, max_size=3))
        for section in SECTIONS
        if section != "graph"
    },
)


@settings(deadline=None, max_examples=250, derandomize=True)
@given(st.one_of(documents, trees))
def test_every_document_is_sound_or_has_mistakes_with_places(content: Any) -> None:
    text = yaml.safe_dump(content, allow_unicode=True)
    graph, problems = checked_graph(read_document(text, name="g.yaml"), TASKS, HANDLERS)
    for problem in problems:
        assert problem.location.startswith("g.yaml:"), problem
        assert problem.path.startswith("$")
        assert problem.message.endswith((".", ".)")), problem
        assert len(problem.message) < 400
    if not problems:
        assert sorted(order(graph)) == sorted(graph.steps)
        known = {name: graph.tasks[name] for name in TASKS}
        again, more = checked_graph(read_document(to_yaml(graph, known=known)), known, HANDLERS)
        assert more == []
        assert again.steps == graph.steps
        assert again.outputs == graph.outputs
        assert again.parameters == graph.parameters


def test_thousands_of_mistakes_are_listed_in_seconds(
    problems: Callable[[str], list[Problem]],
) -> None:
    text = "".join(f"  step_{i}: {{task_{i}: [$stepp_{i}]}}\n" for i in range(2000))
    begin = time.thread_time()
    found = problems(f"graph:\n{text}")
    assert len(found) == 4000
    assert found[0].location == "g.yaml:2"
    assert "Did you mean 'step_0'" in found[1].hint
    assert time.thread_time() - begin < 60
