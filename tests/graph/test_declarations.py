"""Types as documents write them."""

from __future__ import annotations

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
from findspot.graph.compatibility import fits
from findspot.graph.declarations import TypeNames
from findspot.graph.yaml_reading import Reading
from findspot.graph.yaml_source import read_yaml

ARRAY = Simple("numpy.ndarray", python="numpy.ndarray")
FRAME = Simple("pandas.DataFrame", python="pandas.DataFrame")


def expression(text: str, *seen: Simple) -> tuple[Type, Reading]:
    """What a type expression stands for, and what was said about it."""
    node = read_yaml(text, "t.yaml").root
    assert node is not None
    reading = Reading("t.yaml")
    return TypeNames(reading, seen).read(node, "$.t"), reading


def section(text: str, classes: str = "{}", *seen: Simple) -> tuple[dict[str, Type], Reading]:
    """The types that a section declares, and what was said about it."""
    reading = Reading("t.yaml")
    types, below = read_yaml(text, "t.yaml"), read_yaml(classes, "t.yaml")
    return TypeNames(reading, seen).declare(types.root, below.root), reading


EXPRESSIONS: dict[str, Type] = {
    "string": STRING,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
    "'null'": NULL,
    "any": ANY,
    "unknown": UNKNOWN,
    "str": STRING,
    "int": INTEGER,
    "float": NUMBER,
    "bool": BOOLEAN,
    "list": ListOf(UNKNOWN),
    "dict": MappingOf(UNKNOWN, UNKNOWN),
    "ndarray": ARRAY,
    "np.ndarray": ARRAY,
    "numpy.ndarray": ARRAY,
    "DataFrame": FRAME,
    "pd.DataFrame": FRAME,
    "pandas.core.frame.DataFrame": FRAME,
    "Path": Simple("pathlib.Path", python="pathlib.Path"),
    "{list: integer}": ListOf(INTEGER),
    "{list: {list: np.ndarray}}": ListOf(ListOf(ARRAY)),
    "{tuple: [string, integer]}": TupleOf((STRING, INTEGER)),
    "{tuple: []}": TupleOf(()),
    "{mapping: {a: string, b: {list: number}}}": Record({"a": STRING, "b": ListOf(NUMBER)}),
    "{mapping: {}}": Record({}),
    "{mapping: [string, number]}": MappingOf(STRING, NUMBER),
    "{mapping: [integer, any]}": MappingOf(INTEGER, ANY),
    "{union: [string, 'null']}": Union((STRING, NULL)),
    "{union: []}": Union(()),
}


@pytest.mark.parametrize(("text", "type_"), EXPRESSIONS.items())
def test_expressions(text: str, type_: Type) -> None:
    found, reading = expression(text)
    assert reading.problems == []
    assert found == type_


def test_definitions() -> None:
    types, reading = section(
        """
        loose:
        distance: {is_a: number}
        length: {is_a: distance}
        both: {is_a: [distance, loose]}
        lengths: {list: length}
        pair: {tuple: [lengths, {union: [loose, 'null']}]}
        point: {mapping: {x: distance, y: number}}
        table: {mapping: [string, point]}
        either: {union: [point, table]}
        """
    )
    assert reading.problems == []
    loose = Simple("loose")
    distance = Simple("distance", (NUMBER,))
    length = Simple("length", (distance,))
    lengths = ListOf(length, "lengths")
    point = Record({"x": distance, "y": NUMBER}, "point")
    table = MappingOf(STRING, point, "table")
    assert types == {
        "loose": loose,
        "distance": distance,
        "length": length,
        "both": Simple("both", (distance, loose)),
        "lengths": lengths,
        "pair": TupleOf((lengths, Union((loose, NULL))), "pair"),
        "point": point,
        "table": table,
        "either": Union((point, table), "either"),
    }


def test_declared_names_are_tied_to_the_classes_they_name() -> None:
    types, reading = section(
        """
        ndarray:
        np.ndarray:
        image: {class: ndarray}
        grey: {is_a: image, class: np.ndarray}
        Basket:
        Series: {class: }
        """,
        "{}",
        Simple("shop.Basket", python="shop.Basket"),
    )
    assert reading.problems == []
    assert {name: getattr(type_, "python", None) for name, type_ in types.items()} == {
        "ndarray": "numpy.ndarray",
        "np.ndarray": "numpy.ndarray",
        "image": "numpy.ndarray",
        "grey": "numpy.ndarray",
        "Basket": "shop.Basket",
        "Series": None,
    }
    for type_ in (types["ndarray"], types["np.ndarray"], types["image"]):
        assert fits(type_, ARRAY)
        assert fits(ARRAY, type_)


def test_a_declared_name_may_be_a_class_of_a_plugin() -> None:
    own = Simple("rescaling.shapes.Circle")
    types, reading = section("{Circle: , round: {is_a: Circle}}", "{}", own)
    assert reading.problems == []
    assert types == {"Circle": own, "round": Simple("round", (own,))}


def test_what_is_declared_counts_before_well_known_classes() -> None:
    types, reading = section("{Table: {list: Figure}, Figure: string}")
    assert [p.path for p in reading.problems] == ["$.types.Figure"]
    assert types["Table"] == ListOf(UNKNOWN, "Table")


def test_the_order_of_definitions_does_not_matter() -> None:
    types, reading = section("{b: {list: a}, a: {is_a: c}, c: }")
    assert reading.problems == []
    assert types["b"] == ListOf(Simple("a", (Simple("c"),)), "b")


def test_classes_describe_what_python_classes_are_below() -> None:
    reading = Reading("t.yaml")
    names = TypeNames(reading)
    node = read_yaml(
        "{deep.Leaf: deep.Stem, deep.Stem: [pathlib.Path, number], x: {class: y.X}}", ""
    )
    assert names.declare(None, node.root) == {}
    leaf = read_yaml("deep.Leaf", "").root
    assert leaf is not None
    path = Simple("pathlib.Path", python="pathlib.Path")
    stem = Simple("deep.Stem", (path, NUMBER), "deep.Stem")
    assert names.read(leaf, "$") == Simple("deep.Leaf", (stem,), "deep.Leaf")
    assert reading.problems == []


MISTAKES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "builtin names": (
        "{string: , any: {list: string}, unknown: }",
        [
            ("$.types.string", "'string' is the name of a builtin type.", "another name"),
            ("$.types.any", "'any' is the name of a builtin type.", ""),
            ("$.types.unknown", "'unknown' is the name of a builtin type.", ""),
        ],
    ),
    "a name": (
        "{'$a': , 5: }",
        [
            ("$.types[5]", "The name 5 is a number.", ""),
            ("$.types['$a']", "'$a' is no name for a type.", ""),
        ],
    ),
    "an alias": (
        "{a: string}",
        [("$.types.a", "The definition of the type 'a' cannot be read.", "{is_a: string}")],
    ),
    "an unknown name": (
        "{figure: , a: {list: figrue}, b: {is_a: ndaray}, c: {list: Circle}}",
        [
            ("$.types.a.list", "There is no type 'figrue'.", "Did you mean 'figure'"),
            ("$.types.b.is_a", "There is no type 'ndaray'.", "'ndarray'"),
            ("$.types.c.list", "There is no type 'Circle'.", "Declare it under types"),
        ],
    ),
    "python's own syntax": (
        "{a: {list: 'list[int]'}}",
        [("$.types.a.list", "There is no type 'list[int]'.", "{list: T}")],
    ),
    "null without quotes": (
        "{a: {union: [string, null]}}",
        [("$.types.a.union[1]", "This is no type.", "Put 'null' in quotes")],
    ),
    "a structure that is none": (
        "{a: {lst: string}, b: {list: string, tuple: []}, c: {tuple: {x: string}}, "
        "d: {union: string}, e: {mapping: [string]}, f: {list: {is_a: number}}}",
        [
            ("$.types.a", "The definition of the type 'a' cannot be read.", ""),
            ("$.types.b", "The definition of the type 'b' cannot be read.", ""),
            ("$.types.c.tuple", "The members of a tuple must be a list.", "{tuple: [T, U]}"),
            ("$.types.d.union", "The members of a union must be a list.", "'string'"),
            ("$.types.e.mapping", "A mapping type has its properties, or", "[string, T]"),
            ("$.types.f.list", "This is no type.", "Declare it under a name"),
        ],
    ),
    "keys": (
        "{a: {mapping: [number, string]}, b: {mapping: {1: string}}}",
        [
            ("$.types.a.mapping[0]", "The keys of a mapping are text or whole numbers.", ""),
            ("$.types.b.mapping[1]", "The name 1 is a number.", ""),
        ],
    ),
    "a circle": (
        "{a: {list: b}, b: {tuple: [c]}, c: {is_a: d}, d: {is_a: c}}",
        [("$.types.c", "The type 'c' is defined by itself.", "c -> d -> c")],
    ),
    "a type that holds itself": (
        "{a: {mapping: {next: a}}}",
        [("$.types.a", "The type 'a' is defined by itself.", "a -> a")],
    ),
    "a kind of a structure": (
        "{a: {list: string}, b: {is_a: a}, c: {is_a: [{list: string}]}, d: {is_a: a, of: x}}",
        [
            ("$.types.b.is_a", "A simple type cannot be a kind of a, which is a structure.", ""),
            ("$.types.c.is_a[0]", "is_a must be text.", "a mapping with list"),
            ("$.types.d.of", "A simple type has no key 'of'.", "is_a"),
            ("$.types.d.is_a", "A simple type cannot be a kind of a", ""),
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(text: str, expected: list[tuple[str, str, str]]) -> None:
    _, reading = section(text)
    shown = "\n".join(map(str, reading.problems))
    assert [p.path for p in reading.problems] == [path for path, _, _ in expected], shown
    for problem, (_, message, said) in zip(reading.problems, expected, strict=True):
        assert problem.message.startswith(message), shown
        assert said in str(problem), shown
        assert problem.location == "t.yaml:1"


def test_a_name_of_several_classes_is_asked_back() -> None:
    found, reading = expression(
        "Model", Simple("a.Model", python="a.Model"), Simple("b.Model", python="b.Model")
    )
    assert found is UNKNOWN
    assert "a.Model, b.Model" in str(reading.problems[0])


def test_a_class_below_itself() -> None:
    _, reading = section("{}", "{a.A: b.B, b.B: a.A}")
    assert [p.message for p in reading.problems] == ["The class 'a.A' is below itself."]
