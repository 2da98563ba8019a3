"""Canonical JSON: equal values give equal bytes."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.canonical import canonical_json, is_plain

plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
).filter(lambda value: not _has_surrogates(value))


def _has_surrogates(value: object) -> bool:
    return any(0xD800 <= ord(c) <= 0xDFFF for c in json.dumps(value, ensure_ascii=False))


@given(plain)
def test_a_plain_value_comes_back_exactly_as_it_was(value: Any) -> None:
    assert is_plain(value)
    back = json.loads(canonical_json(value))
    assert back == value
    assert canonical_json(back) == canonical_json(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({"a": {"d": [], "c": {}}}, '{"a":{"c":{},"d":[]}}'),
        ("é標🏺", '"é標🏺"'),
        ('a"\\\n\0', r'"a\"\\\n\u0000"'),
        ([1, 1.0, True, None, 1e300, -0.0], "[1,1.0,true,null,1e+300,-0.0]"),
        (2**100, str(2**100)),
        (float("inf"), "Infinity"),
        (float("nan"), "NaN"),
    ],
)
def test_its_bytes(value: object, text: str) -> None:
    assert canonical_json(value) == text.encode()


def test_the_order_of_keys_makes_no_difference() -> None:
    assert canonical_json({"a": 1, "b": 2}) == canonical_json({"b": 2, "a": 1})


def test_equal_numbers_of_two_types_are_two_values() -> None:
    assert len({canonical_json(value) for value in (1, 1.0, True, "1")}) == 4


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {"a": 1j}, {"a": 1, 2: 3}])
def test_what_json_does_not_know_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_no_unicode_and_cycles_are_value_errors() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    for value in ("\ud800", cycle):
        with pytest.raises(ValueError):
            canonical_json(value)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        *(
            (1,),
            [(1,)],
            {1: "a"},
            {"a": {2: 3}},
            Text("a"),
            OrderedDict(a=1),
            float("nan"),
            b"",
            {1},
        ),
        *("\ud800", ["a\udfff"], {"\ud800": 1}),
    ],
)
def test_what_a_round_trip_changes_is_not_plain(value: object) -> None:
    assert not is_plain(value)


def test_what_is_very_deep_is_not_plain() -> None:
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    assert not is_plain(value)
    assert is_plain(value, depth=101)
