"""Values and versions that are chosen for one job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
from findspot.graph.spec import (
    ArtifactInput,
    InputSpec,
    Opaque,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.values import InvalidValue, check_values, parse_parameters, parse_value

ARRAY = Simple("numpy.ndarray", python="numpy.ndarray")
PATH = Simple("pathlib.Path", python="pathlib.Path")

PARSED: list[tuple[str, Type, Any]] = [
    ("Three ways", STRING, "Three ways"),
    ("12", STRING, "12"),
    ("", STRING, ""),
    ("$x", STRING, "$x"),
    ("12", INTEGER, 12),
    (" -3 ", INTEGER, -3),
    ("0x1f", INTEGER, 31),
    ("12", NUMBER, 12),
    ("1e-3", NUMBER, 0.001),
    ("-.inf", NUMBER, float("-inf")),
    ("true", BOOLEAN, True),
    ("Yes", BOOLEAN, True),
    ("off", BOOLEAN, False),
    ("0", BOOLEAN, False),
    ("null", NULL, None),
    ("", NULL, None),
    ("3", UNKNOWN, 3),
    ("3 apples: red", UNKNOWN, "3 apples: red"),
    ("[1, a]", UNKNOWN, [1, "a"]),
    ("[not closed", UNKNOWN, "[not closed"),
    ("'3'", UNKNOWN, "3"),
    ("true", ANY, True),
    ("yes", ANY, "yes"),
    ("[1, 2.5]", ListOf(NUMBER), [1, 2.5]),
    ('["a", "b"]', TupleOf((STRING, STRING)), ["a", "b"]),
    ("{a: 1}", MappingOf(STRING, INTEGER), {"a": 1}),
    ('{"a": 1, "b": [x]}', Record({"a": INTEGER, "b": ListOf(STRING)}), {"a": 1, "b": ["x"]}),
    ("3", Union((STRING, INTEGER)), 3),
    ("three", Union((STRING, INTEGER)), "three"),
    ("1", Union((BOOLEAN, INTEGER)), 1),
    ("true", Union((NUMBER, BOOLEAN)), True),
    ("1", Union((BOOLEAN, STRING)), True),
    ("", Union((STRING, NULL)), ""),
    ("null", Union((STRING, NULL)), None),
    ("[1]", Union((INTEGER, ListOf(INTEGER))), [1]),
    ("5", Simple("distance", (NUMBER,)), 5),
    ("5", Simple("code", (STRING,)), "5"),
    ("5", Simple("free"), 5),
    ("a/b", PATH, Path("a/b")),
    ("x", Simple("bytes", python="builtins.bytes"), b"x"),
]


@pytest.mark.parametrize(("text", "type_", "value"), PARSED)
def test_texts_are_parsed_by_the_type_that_is_wanted(text: str, type_: Type, value: Any) -> None:
    found = parse_value(text, type_)
    assert found == value
    assert type(found) is type(value)


REFUSED: list[tuple[str, Type, str]] = [
    ("high", INTEGER, "a whole number"),
    ("1.5", INTEGER, "a whole number"),
    ("", INTEGER, "a whole number"),
    ("9" * 5000, INTEGER, "fewer digits"),
    ("1,5", NUMBER, "a number, such as"),
    ("maybe", BOOLEAN, "true or false"),
    ("nothing", NULL, "null"),
    ("a, b", ListOf(STRING), "such as [1, 2]"),
    ("[1, a]", ListOf(NUMBER), "a value of type list[number]"),
    ("[1", ListOf(NUMBER), "as YAML or JSON"),
    ("{a: 1, a: 2}", MappingOf(STRING, INTEGER), "stands twice"),
    ("{b: 1}", Record({"a": INTEGER}), "a value of type"),
    ("[1]", Record({"a": INTEGER}), "a value of type"),
    ("x", Union((INTEGER, BOOLEAN)), "one of integer, boolean"),
    ("x", ARRAY, "as an artifact"),
    ("far", Simple("distance", (NUMBER,)), "a number"),
]


@pytest.mark.parametrize(("text", "type_", "said"), REFUSED)
def test_texts_that_are_no_such_value_are_refused(text: str, type_: Type, said: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_value(text, type_)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 400


GRAPH = TaskGraph(
    name="g",
    parameters={
        "title": Parameter(name="title", type=STRING, default="Rescaled"),
        "seed": Parameter(name="seed", type=INTEGER, required=True),
        "loose": Parameter(name="loose", default="text"),
        "array": Parameter(name="array", type=ARRAY, default=None),
    },
    artifact_inputs={
        "samples": ArtifactInput(name="samples", outputs=(OutputSpec("output", ARRAY),)),
        "pair": ArtifactInput(
            name="pair", outputs=(OutputSpec("a", ARRAY), OutputSpec("b", NUMBER)), unpack=True
        ),
    },
    locations={"$.parameters.seed": "g.yaml:3", "$.artifact_inputs.samples": "g.yaml:7"},
)
CHOSEN = {"samples": "numpy.ndarray", "pair": "builtins.tuple"}


def test_parameters_given_as_text() -> None:
    values, problems = parse_parameters(GRAPH, {"title": "3", "seed": "7", "loose": "5"})
    assert values == {"title": "3", "seed": 7, "loose": "5"}
    assert problems == []


def test_all_mistakes_in_parameters_given_as_text_are_listed() -> None:
    values, problems = parse_parameters(GRAPH, {"titel": "x", "seed": "many", "title": "ok"})
    assert values == {"title": "ok"}
    assert [str(p) for p in problems] == [
        "$.parameters.titel: There is no parameter 'titel'.\n    Did you mean 'title'?",
        "g.yaml:3 ($.parameters.seed): The value given for the parameter 'seed' is not of its type."
        "\n    expected: integer\n    found:    the text 'many'"
        "\n    Give a whole number, such as 3.",
    ]


def test_good_choices() -> None:
    assert check_values(GRAPH, {"seed": 1}, CHOSEN) == []
    assert check_values(GRAPH, {"seed": 1, "array": Opaque([1], ARRAY)}, CHOSEN) == []
    assert check_values(GRAPH, {"seed": 1, "array": None}, CHOSEN) == []  # its default
    assert check_values(GRAPH, {"seed": 1, "title": "x", "loose": [1]}, CHOSEN) == []


def test_all_mistakes_in_what_was_chosen_are_listed() -> None:
    problems = check_values(
        GRAPH,
        {"title": 5, "sede": 1, "array": [1]},
        {"samples": "pandas.DataFrame", "smaples": "numpy.ndarray"},
    )
    assert [(p.path, p.message, p.location) for p in problems] == [
        ("$.parameters.title", "The value given for the parameter 'title' is not of its type.", ""),
        (
            "$.parameters.seed",
            "The parameter 'seed' has no default, and no value is given.",
            "g.yaml:3",
        ),
        ("$.parameters.array", "The value given for the parameter 'array' is not of its type.", ""),
        (
            "$.artifact_inputs.samples",
            "The artifact chosen for 'samples' is not of the declared type.",
            "g.yaml:7",
        ),
        ("$.artifact_inputs.pair", "No artifact is chosen for the artifact input 'pair'.", ""),
        ("$.parameters.sede", "There is no parameter 'sede'.", ""),
        ("$.artifact_inputs.smaples", "There is no artifact input 'smaples'.", ""),
    ]
    assert problems[0].found == "5, of type integer"
    assert problems[3].expected == "numpy.ndarray"
    assert problems[3].found == "a version of type pandas.DataFrame"
    assert problems[5].hint == "Did you mean 'seed'?"


VERSIONS: list[tuple[str, Type, bool]] = [
    ("numpy.ndarray", ARRAY, True),
    ("numpy.ndarray", Simple("image", python="numpy.ndarray"), True),
    ("numpy.ndarray", Simple("only_a_name"), True),
    ("numpy.ndarray", Simple("distance", (NUMBER,)), False),
    ("numpy.ndarray", UNKNOWN, True),
    ("numpy.ndarray", ANY, True),
    ("numpy.ndarray", NUMBER, False),
    ("numpy.ndarray", ListOf(NUMBER), False),
    ("numpy.ma.MaskedArray", ARRAY, True),
    ("pandas.core.frame.DataFrame", Simple("DataFrame", python="pandas.DataFrame"), True),
    ("pathlib.PosixPath", PATH, True),
    ("", ARRAY, True),
    ("nobody.knows.This", ARRAY, False),
    ("builtins.int", INTEGER, True),
    ("int", INTEGER, True),
    ("builtins.int", NUMBER, True),
    ("builtins.float", INTEGER, False),
    ("builtins.bool", INTEGER, False),
    ("builtins.bool", BOOLEAN, True),
    ("builtins.str", STRING, True),
    ("builtins.str", ListOf(STRING), False),
    ("builtins.NoneType", NULL, True),
    ("builtins.NoneType", Union((ARRAY, NULL)), True),
    ("builtins.str", Union((ARRAY, NULL)), False),
    ("numpy.float64", NUMBER, True),
    ("numpy.int64", INTEGER, True),
    ("numpy.int64", NUMBER, True),
    ("numpy.bool", BOOLEAN, True),
    ("numpy.float64", INTEGER, False),
    ("builtins.list", ListOf(NUMBER), True),
    ("builtins.tuple", TupleOf((NUMBER,)), True),
    ("builtins.dict", Record({"a": NUMBER}), True),
    ("builtins.dict", MappingOf(STRING, NUMBER), True),
    ("collections.OrderedDict", MappingOf(STRING, NUMBER), True),
    ("builtins.list", MappingOf(STRING, NUMBER), False),
]


@pytest.mark.parametrize(("python", "type_", "good"), VERSIONS)
def test_versions_of_a_type(python: str, type_: Type, good: bool) -> None:
    graph = TaskGraph(
        name="g",
        artifact_inputs={"i": ArtifactInput(name="i", outputs=(OutputSpec("output", type_),))},
    )
    problems = check_values(graph, {}, {"i": python})
    assert (problems == []) is good, problems


@pytest.mark.parametrize(("python", "good"), [("builtins.tuple", True), ("builtins.int", False)])
def test_a_version_that_is_unpacked_must_have_parts(python: str, good: bool) -> None:
    problems = check_values(GRAPH, {"seed": 1}, {**CHOSEN, "pair": python})
    assert (problems == []) is good


def test_a_parameter_without_a_type_must_be_what_its_task_takes() -> None:
    task = TaskSpec(
        name="grow",
        source="m:grow",
        inputs=(InputSpec("x", NUMBER), InputSpec("n", INTEGER, keyword_only=True)),
    )
    graph = TaskGraph(
        name="g",
        parameters={name: Parameter(name=name, required=True) for name in ("x", "n", "free")},
        tasks={"grow": task},
        steps={
            "first": Step(name="first", task="grow", args=(Ref("x"),), kwargs={"n": Ref("n")}),
            "second": Step(name="second", task="grow", args=([Ref("free")],)),
        },
    )
    assert check_values(graph, {"x": 1, "n": 2, "free": "any"}, {}) == []
    problems = check_values(graph, {"x": "1", "n": 2.5, "free": None}, {})
    assert [(p.path, p.expected) for p in problems] == [
        ("$.parameters.x", "number"),
        ("$.parameters.n", "integer"),
    ]
    values, none = parse_parameters(graph, {"x": "1", "n": "2", "free": "3"})
    assert (values, none) == ({"x": 1, "n": 2, "free": 3}, [])
    _, problems = parse_parameters(graph, {"n": "two"})
    assert [p.expected for p in problems] == ["integer"]
