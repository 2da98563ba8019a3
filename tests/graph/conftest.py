"""Shorthand for documents in tests."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from findspot.core.errors import Problem
from findspot.core.types import NUMBER, STRING, ListOf, Simple
from findspot.graph.spec import HandlerSpec, InputSpec, OutputSpec, TaskGraph, TaskSpec
from findspot.graph.yaml_graph import build_graph, checked_graph, read_document

ARRAY = Simple("numpy.ndarray", python="numpy.ndarray")
FIGURE = Simple("matplotlib.figure.Figure", python="matplotlib.figure.Figure")

TASKS = {
    task.name: task
    for task in (
        TaskSpec(
            name="scale",
            source="plugin:rescaling/methods.py:scale",
            inputs=(InputSpec("x", ARRAY), InputSpec("factor", NUMBER, required=False)),
            outputs=(OutputSpec("output", ARRAY),),
            location="rescaling/methods.py:4",
        ),
        TaskSpec(
            name="split",
            source="plugin:rescaling/methods.py:split",
            inputs=(InputSpec("x", ARRAY),),
            outputs=(OutputSpec("train", ARRAY), OutputSpec("test", ARRAY)),
            unpack=True,
        ),
        TaskSpec(
            name="draw",
            source="plugin:rescaling/figures.py:draw",
            inputs=(
                InputSpec("job", injected=True),
                InputSpec("x", ARRAY),
                InputSpec("rest", ARRAY, required=False, variadic="args"),
                InputSpec("title", STRING, keyword_only=True),
                InputSpec("labels", ListOf(STRING), required=False, keyword_only=True),
            ),
            outputs=(OutputSpec("output", FIGURE),),
        ),
        TaskSpec(
            name="tell",
            source="plugin:rescaling/methods.py:tell",
            inputs=(
                InputSpec("text", STRING, positional_only=True),
                InputSpec("options", required=False, variadic="kwargs"),
            ),
            outputs=(),
        ),
        TaskSpec(name="anything", source="tools:anything", inputs=(InputSpec("x"),)),
    )
}
HANDLERS = {
    handler.name: handler
    for handler in (
        HandlerSpec(
            name="FigureTask",
            source="plugin:figures/saving.py:FigureTask",
            type=FIGURE,
            schema={"dpi": {"type": "integer", "minimum": 1}, "format": {"enum": ["png", "svg"]}},
        ),
        HandlerSpec(name="ArrayTask", source="plugin:figures/saving.py:ArrayTask", type=ARRAY),
        HandlerSpec(name="AnyTask", source="plugin:figures/saving.py:AnyTask", schema=...),
    )
}

Build = Callable[[str], tuple[TaskGraph, list[Problem]]]


@pytest.fixture(scope="session")
def build() -> Build:
    """The graph of a document, and only the mistakes in how it is written."""

    def built(text: str) -> tuple[TaskGraph, list[Problem]]:
        return build_graph(read_document(dedent(text), name="g.yaml"), TASKS, HANDLERS)

    return built


@pytest.fixture(scope="session")
def problems() -> Callable[[str], list[Problem]]:
    """All mistakes of a document."""

    def found(text: str) -> list[Problem]:
        document = read_document(dedent(text), name="g.yaml")
        return checked_graph(document, TASKS, HANDLERS)[1]

    return found
