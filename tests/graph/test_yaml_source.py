"""The YAML dialect, and texts that mean harm."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from findspot.graph.yaml_source import MAX_CHARACTERS, plain, read_yaml

MEANINGS: dict[str, Any] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "true": True,
    "FALSE": False,
    "yes": "yes",
    "on": "on",
    "Off": "Off",
    "n": "n",
    "12": 12,
    "-7": -7,
    "+7": 7,
    "007": 7,
    "0o17": 15,
    "0x1F": 31,
    "1_000": "1_000",
    "12:30": "12:30",
    "1.5": 1.5,
    "1e3": 1000.0,
    "1.": 1.0,
    ".5": 0.5,
    "-.inf": -math.inf,
    "2026-01-01": "2026-01-01",
    "1.2.3": "1.2.3",
    "nullable": "nullable",
    "'12'": "12",
    '"true"': "true",
    "!!str 12": "12",
    "!!int 12": 12,
    "! 12": "12",
    "[1, [a, {b: c}], 'x']": [1, ["a", {"b": "c"}], "x"],
    "{1: a, '1': b}": {1: "a", "1": "b"},
    "[&a {x: 1}, *a, *a]": [{"x": 1}, {"x": 1}, {"x": 1}],
    "|\n  two\n  lines\n": "two\nlines\n",
    "名前: Größe": {"名前": "Größe"},
    "$x": "$x",
}


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.items())
def test_what_texts_mean(text: str, meaning: Any) -> None:
    source = read_yaml(text, "x.yaml")
    assert source.problems == ()
    assert source.root is not None
    found = plain(source.root)
    assert found == meaning
    assert type(found) is type(meaning)


def test_not_a_number() -> None:
    source = read_yaml(".nan", "x.yaml")
    assert source.root is not None
    assert math.isnan(source.root.value)


def test_lines_are_those_of_the_text() -> None:
    source = read_yaml("a:\n  - 1\n  - b:\n\n      c\n", "x.yaml")
    assert source.root is not None
    items = source.root.value["a"].value
    assert source.root.key_lines == {"a": 1}
    assert [item.line for item in items] == [2, 3]
    assert items[1].key_lines == {"b": 3}
    assert items[1].value["b"].line == 5


# Text; line, path, beginning of the message and hint; whether the rest can still be read.
MISTAKES: dict[str, tuple[str, list[tuple[int, str, str, str]], bool]] = {
    "duplicate keys": (
        "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n",
        [
            (4, "$.b.c", "The key 'c' stands twice", "Remove"),
            (5, "$.a", "The key 'a' stands twice", "Remove"),
        ],
        True,
    ),
    "objects": (
        "a: !!python/object/apply:os.system ['echo']\nb: !!python/name:os.system\n",
        [
            (1, "$.a", "Tags that build objects are not allowed.", "plain YAML"),
            (2, "$.b", "Tags that build objects are not allowed.", "plain YAML"),
        ],
        True,
    ),
    "custom tags": (
        "a: [1, !thing {x: 1}]\n",
        [(1, "$.a[1]", "Tags that build objects are not allowed.", "plain YAML")],
        True,
    ),
    "tags of YAML 1.1": (
        "a: !!binary aGk=\nb: !!set {x}\nc: !!timestamp 2026-01-01\n",
        [(line, f"$.{k}", "Tags that build", "") for line, k in enumerate("abc", 1)],
        True,
    ),
    "a tag that does not fit": (
        "a: !!int x\nb: !!map [1]\n",
        [
            (1, "$.a", "The value is tagged !!int, but it is none.", ""),
            (2, "$.b", "The value is tagged !!map, but it is none.", ""),
        ],
        True,
    ),
    "merge keys": (
        "a: &a {x: 1}\nb:\n  <<: *a\n",
        [(3, "$.b", "Merge keys (<<) are not part of YAML 1.2.", "Write the entries out.")],
        True,
    ),
    "keys that are no text": (
        "true: 1\n? [1]\n: 2\n? {a: 1}\n: 3\nnull: 4\n1.5: 5\n",
        [(line, "$", "A key must be text or a whole number.", "") for line in (1, 2, 4, 6, 7)],
        True,
    ),
    "unknown alias": (
        "a: *b\n",
        [(1, "$.a", "There is no anchor &b before this alias.", "quotes")],
        True,
    ),
    "an alias in itself": (
        "a: &a\n  - *a\n",
        [(2, "$.a[0]", "The alias *a stands inside of what it repeats.", "")],
        True,
    ),
    "two documents": (
        "a: 1\n---\nb: 2\n",
        [(2, "$", "The file holds a second YAML document.", "one document")],
        False,
    ),
    "tabs": (
        "a:\n\tb: 1\n",
        [(2, "$.a", "The document is not valid YAML: ", "not with tabs")],
        False,
    ),
    "a colon in text": (
        "a: b: c\n",
        [(1, "$", "The document is not valid YAML: mapping values", 'text that holds ": "')],
        False,
    ),
    "an open bracket": (
        "a: [1, 2\nb: 3\n",
        [(2, "$.a[1]", "The document is not valid YAML: did not find", "not closed")],
        False,
    ),
    "an open quote": (
        "a: 'b\n",
        [(1, "$.a", "The document is not valid YAML: ", "A quote is not closed.")],
        False,
    ),
    "a special character": (
        "a: @b\n",
        [(1, "$.a", "The document is not valid YAML: ", "in quotes")],
        False,
    ),
    "indentation": (
        "a:\n  b: 1\n c: 2\n",
        [(3, "$.a.b", "The document is not valid YAML: ", "indentation")],
        False,
    ),
    "a control character": (
        "a: 1\nb: \x07\n",
        [(2, "$", "The document holds a character that YAML does not allow.", "escape")],
        False,
    ),
    "NUL": ("a\0b: 1", [(1, "$", "The document holds a character", "")], False),
    "half a character": ("a: \ud800", [(1, "$", "The document holds a character", "")], False),
    "a number without end": (
        f"a: {'9' * 5000}\n",
        [(1, "$.a", "The number is too long.", "quotes")],
        True,
    ),
    "two mistakes and the end": (
        "a: 1\na: 2\nb: [\n",
        [
            (2, "$.a", "The key 'a' stands twice", ""),
            (4, "$.b", "The document is not valid YAML: ", ""),
        ],
        False,
    ),
}


@pytest.mark.parametrize(("text", "expected", "readable"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(text: str, expected: list[tuple[int, str, str, str]], readable: bool) -> None:
    source = read_yaml(text, "x.yaml")
    shown = "\n".join(map(str, source.problems))
    assert [p.location for p in source.problems] == [f"x.yaml:{e[0]}" for e in expected], shown
    for problem, (_, path, message, hint) in zip(source.problems, expected, strict=True):
        if "not valid YAML" not in message:  # how far the two YAML parsers get differs by a token
            assert problem.path == path, shown
        assert problem.message.startswith(message), shown
        assert hint in problem.hint, shown
    assert (source.root is not None) is readable


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        inner = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{inner}]")
    return "\n".join(lines)


HOSTILE = {
    "a bomb of aliases": (laughs(20), "The document is too large."),
    "a bomb of mappings": (
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}\n" for i in range(1, 60)),
        "The document is too large.",
    ),
    "depth": ("[" * 100_000, "The document is nested too deeply."),
    "depth in blocks": (
        "".join(f"{' ' * i}a:\n" for i in range(500)),
        "The document is nested too deeply.",
    ),
    "depth in keys": ("? " * 5_000, "The document is nested too deeply."),
    "many values": (f"[{'1,' * 300_000}]", "The document is too large."),
    "length": ("#" * (MAX_CHARACTERS + 1), "The document is too long."),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_texts_that_mean_harm_are_refused_quickly(text: str, message: str) -> None:
    begin = time.thread_time()
    source = read_yaml(text, "x.yaml")
    assert source.root is None
    assert source.problems[-1].message == message
    assert time.thread_time() - begin < 30


@pytest.mark.parametrize("loader", ["SafeLoader", "CSafeLoader"])
def test_both_parsers_of_the_library_serve(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("findspot.graph.yaml_source._LOADER", getattr(yaml, loader))
    for text, meaning in MEANINGS.items():
        source = read_yaml(text, "x.yaml")
        assert source.root is not None
        assert plain(source.root) == meaning
    for text, expected, readable in MISTAKES.values():
        source = read_yaml(text, "x.yaml")
        assert len(source.problems) == len(expected), text
        assert (source.root is not None) is readable
        assert all(problem.location for problem in source.problems)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.text(st.sampled_from("ab12:,[]{}&*!<>|-?#'\"$% \n\t~.\\\0é😀"), max_size=40))
def test_no_text_makes_it_raise(text: str) -> None:
    source = read_yaml(text, "x.yaml")
    assert source.root is not None or source.problems
    for problem in source.problems:
        assert problem.location.startswith("x.yaml:")
        assert problem.message.endswith(".")
