"""Types and specs survive JSON, and nothing else is taken for them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.canonical import canonical_json
from findspot.core.types import (
    BUILTINS,
    UNKNOWN,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.spec import HandlerSpec, InputSpec, OutputSpec, TaskSpec
from findspot.plugins.specs_json import (
    handler_from_json,
    handler_to_json,
    task_from_json,
    task_to_json,
    type_from_json,
    type_to_json,
)

names = st.text(max_size=5)
maybe = st.none() | names
builtins = st.sampled_from([*BUILTINS.values(), UNKNOWN])
simples = st.recursive(
    st.builds(Simple, names, python=maybe),
    lambda inner: st.builds(
        Simple, names, st.lists(inner | builtins, max_size=2).map(tuple), python=maybe
    ),
    max_leaves=4,
)


def _structured(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    several = st.lists(inner, max_size=3).map(tuple)
    return (
        st.builds(ListOf, inner, maybe)
        | st.builds(TupleOf, several, maybe)
        | st.builds(Record, st.dictionaries(names, inner, max_size=3), maybe)
        | st.builds(MappingOf, inner, inner, maybe)
        | st.builds(Union, several, maybe)
    )


types = st.recursive(builtins | simples, _structured, max_leaves=12)
flags = st.booleans()
inputs = st.builds(
    InputSpec, names, types, flags, st.sampled_from(["", "args", "kwargs"]), flags, flags, flags
)
tasks = st.builds(
    TaskSpec,
    name=names,
    source=names,
    inputs=st.lists(inputs, max_size=3).map(tuple),
    outputs=st.lists(st.builds(OutputSpec, names, types), max_size=3).map(tuple),
    unpack=flags,
    location=names,
)
schemas = st.sampled_from([None, ..., {}, {"dpi": {"type": "integer", "minimum": 1}}])
handlers = st.builds(
    HandlerSpec, name=names, source=names, type=types, schema=schemas, location=names
)


def _through_json(data: Any) -> Any:
    return json.loads(canonical_json(data))


@given(types)
def test_a_type_comes_back(type: Type) -> None:
    back = type_from_json(_through_json(type_to_json(type)))
    assert back == type
    if isinstance(type, Record) and isinstance(back, Record):
        assert list(back.properties) == list(type.properties)


@pytest.mark.slow
@given(tasks)
def test_a_task_comes_back(task: TaskSpec) -> None:
    assert task_from_json(_through_json(task_to_json(task))) == task


@given(handlers)
def test_a_handler_comes_back(handler: HandlerSpec) -> None:
    assert handler_from_json(_through_json(handler_to_json(handler))) == handler


@pytest.mark.parametrize(
    "data",
    [
        None,
        1,
        "text",
        {},
        [],
        {"list": None},
        {"list": "integer", "name": 1},
        {"tuple": "integer"},
        {"mapping": ["string"]},
        {"record": [["a"]]},
        {"record": [[1, "integer"]]},
        {"simple": 3},
        {"simple": "a", "python": 3},
        {"simple": "a", "parents": "b"},
        {"union": {"a": "integer"}},
    ],
)
def test_what_is_no_type_is_refused(data: object) -> None:
    with pytest.raises(ValueError):
        type_from_json(data)


def test_a_type_that_is_nested_without_end_is_refused() -> None:
    data: Any = "integer"
    for _ in range(5000):
        data = {"list": data}
    with pytest.raises(ValueError, match="too deeply"):
        type_from_json(data)


@pytest.mark.parametrize(
    "change",
    [{"name": None}, {"inputs": None}, {"outputs": [{}]}, {"unpack": 1}, {"source": 1}],
)
def test_what_is_no_task_is_refused(change: dict[str, Any]) -> None:
    data = task_to_json(TaskSpec(name="f", source="m:f", inputs=(InputSpec("x"),)))
    assert task_from_json(data).name == "f"
    with pytest.raises(ValueError):
        task_from_json({**data, **change})
