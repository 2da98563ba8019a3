"""Documents: their sections and forms, and the mistakes in how they are written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from findspot.core.errors import NotFound, Problem
from findspot.core.types import (
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
)
from findspot.graph.spec import (
    ArtifactInput,
    ArtifactOutput,
    InputSpec,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.yaml_graph import build_graph, read_document

Build = Callable[[str], tuple[TaskGraph, list[Problem]]]
STEPS = "graph: {s: {tell: x}}\n"


def sound(build: Build, text: str) -> TaskGraph:
    graph, problems = build(text)
    assert problems == []
    return graph


STEP_FORMS: dict[str, tuple[str, Step]] = {
    "explicit": (
        "{task: t, args: [1, $a], kwargs: {k: $b.out}, dependencies: [x, y], cache: true}",
        Step(
            name="s",
            task="t",
            args=(1, Ref("a")),
            kwargs={"k": Ref("b", "out")},
            dependencies=("x", "y"),
            cache=True,
        ),
    ),
    "explicit, a scalar for a list": (
        "{task: t, args: $a, dependencies: x}",
        Step(name="s", task="t", args=(Ref("a"),), dependencies=("x",)),
    ),
    "explicit, nothing": ("{task: t}", Step(name="s", task="t")),
    "explicit, empty": ("{task: t, args: , kwargs: }", Step(name="s", task="t")),
    "positional": ("{t: [1, $a]}", Step(name="s", task="t", args=(1, Ref("a")))),
    "one scalar": ("{t: $a}", Step(name="s", task="t", args=(Ref("a"),))),
    "false is a scalar": ("{t: false}", Step(name="s", task="t", args=(False,))),
    "nothing": ("{t: }", Step(name="s", task="t")),
    "an empty list": ("{t: []}", Step(name="s", task="t")),
    "keywords": (
        "{t: {k: [1], l: $a}}",
        Step(name="s", task="t", kwargs={"k": [1], "l": Ref("a")}),
    ),
    "with dependencies": (
        "{t: [1], dependencies: [x]}",
        Step(name="s", task="t", args=(1,), dependencies=("x",)),
    ),
    "nested references": (
        "{t: [[$a, {k: [$b.c]}]]}",
        Step(name="s", task="t", args=([Ref("a"), {"k": [Ref("b", "c")]}],)),
    ),
    "escapes": (
        "{t: [$$a, $$$b, a$b, $$, {$k: 1}]}",
        Step(name="s", task="t", args=("$a", "$$b", "a$b", "$", {"$k": 1})),
    ),
    "whole numbers as keys": ("{t: [{1: $a}]}", Step(name="s", task="t", args=({1: Ref("a")},))),
    "other alphabets": ("{t: $Größe.名}", Step(name="s", task="t", args=(Ref("Größe", "名"),))),
    "a dotted output": ("{t: $a.b.c}", Step(name="s", task="t", args=(Ref("a", "b.c"),))),
    "text that looks like YAML 1.1": (
        "{t: [yes, 1e3, 2026-01-01]}",
        Step(name="s", task="t", args=("yes", 1000.0, "2026-01-01")),
    ),
}


@pytest.mark.parametrize(("text", "step"), STEP_FORMS.values(), ids=STEP_FORMS)
def test_steps(text: str, step: Step, build: Build) -> None:
    assert sound(build, f"graph: {{s: {text}}}").steps == {"s": step}


PARAMETERS: dict[str, tuple[str, Parameter]] = {
    "text": ("x", Parameter(name="p", type=STRING, default="x")),
    "a number": ("1.5", Parameter(name="p", type=NUMBER, default=1.5)),
    "a whole number": ("3", Parameter(name="p", type=INTEGER, default=3)),
    "a list": ("[1, x]", Parameter(name="p", type=TupleOf((INTEGER, STRING)), default=[1, "x"])),
    "a mapping": ("{a: 1}", Parameter(name="p", type=Record({"a": INTEGER}), default={"a": 1})),
    "a mapping with a type in it": (
        "{type: linear, size: 2}",
        Parameter(
            name="p",
            type=Record({"type": STRING, "size": INTEGER}),
            default={"type": "linear", "size": 2},
        ),
    ),
    "a dollar is a dollar": ("$x", Parameter(name="p", type=STRING, default="$x")),
    "a type": ("{type: number}", Parameter(name="p", type=NUMBER, required=True)),
    "a type and a default": (
        "{type: number, default: 1}",
        Parameter(name="p", type=NUMBER, default=1),
    ),
    "a list's type": (
        "{type: {list: number}, default: []}",
        Parameter(name="p", type=ListOf(NUMBER), default=[]),
    ),
    "nothing as a default": ("{default: null}", Parameter(name="p", type=NULL, default=None)),
    "a default in the long form": (
        "{default: {type: linear}}",
        Parameter(name="p", type=Record({"type": STRING}), default={"type": "linear"}),
    ),
}


@pytest.mark.parametrize(("text", "parameter"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(text: str, parameter: Parameter, build: Build) -> None:
    assert sound(build, f"parameters: {{p: {text}}}\n{STEPS}").parameters == {"p": parameter}


INPUTS: dict[str, tuple[str, ArtifactInput]] = {
    "one": ("{out: integer}", ArtifactInput(name="i", outputs=(OutputSpec("out", INTEGER),))),
    "only a type": ("integer", ArtifactInput(name="i", outputs=(OutputSpec("output", INTEGER),))),
    "anything": ("", ArtifactInput(name="i", outputs=(OutputSpec("output", UNKNOWN),))),
    "several": (
        "[{a: integer}, {b: string}]",
        ArtifactInput(
            name="i", outputs=(OutputSpec("a", INTEGER), OutputSpec("b", STRING)), unpack=True
        ),
    ),
    "a list of one": (
        "[{a: integer}]",
        ArtifactInput(name="i", outputs=(OutputSpec("a", INTEGER),), unpack=True),
    ),
}


@pytest.mark.parametrize(("text", "expected"), INPUTS.values(), ids=INPUTS)
def test_artifact_inputs(text: str, expected: ArtifactInput, build: Build) -> None:
    assert sound(build, f"artifact_inputs: {{i: {text}}}\n{STEPS}").artifact_inputs == {
        "i": expected
    }


OUTPUTS: dict[str, tuple[str, ArtifactOutput]] = {
    "a reference": ("$s", ArtifactOutput(name="o", contents=Ref("s"))),
    "contents": ("{contents: $s}", ArtifactOutput(name="o", contents=Ref("s"))),
    "a value with references": (
        "{contents: {a: [$s, $$x]}}",
        ArtifactOutput(name="o", contents={"a": [Ref("s"), "$x"]}),
    ),
    "a handler": (
        "{contents: $s, task: {name: H, args: {price: $$5}}, kind: model}",
        ArtifactOutput(
            name="o", contents=Ref("s"), handler="H", args={"price": "$5"}, kind="model"
        ),
    ),
    "a handler's name": (
        "{contents: $s, task: H}",
        ArtifactOutput(name="o", contents=Ref("s"), handler="H"),
    ),
}


@pytest.mark.parametrize("section", ["artifact_outputs", "artifacts"])
@pytest.mark.parametrize(("text", "expected"), OUTPUTS.values(), ids=OUTPUTS)
def test_artifact_outputs(text: str, expected: ArtifactOutput, section: str, build: Build) -> None:
    assert sound(build, f"{STEPS}{section}: {{o: {text}}}").outputs == {"o": expected}


def test_places_are_canonical_whatever_form_was_written(build: Build) -> None:
    graph = sound(build, "graph:\n  s:\n    t:\n      - 1\n      - k:\n          - $a\n")
    assert {path: graph.locations[path] for path in graph.locations if "args" in path} == {
        "$.graph.s.args[0]": "g.yaml:4",
        "$.graph.s.args[1]": "g.yaml:5",
        "$.graph.s.args[1].k": "g.yaml:5",
        "$.graph.s.args[1].k[0]": "g.yaml:6",
    }
    assert graph.locations["$.graph.s.task"] == "g.yaml:3"


TASK_SECTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "only types": (
        "scale: {inputs: [{x: {list: number}}]}",
        {"inputs": (InputSpec("x", ListOf(NUMBER)),)},
    ),
    "inputs by mapping": ("scale: {inputs: {x: string}}", {"inputs": (InputSpec("x", STRING),)}),
    "defaults are known from the source": (
        "scale: {inputs: [{factor: integer}, {x: string}]}",
        {"inputs": (InputSpec("x", STRING), InputSpec("factor", INTEGER, required=False))},
    ),
    "required on purpose": (
        "scale: {inputs: [{x: string}, {name: factor, type: integer, required: true}]}",
        {"inputs": (InputSpec("x", STRING), InputSpec("factor", INTEGER))},
    ),
    "what is filled in stays": (
        "draw: {inputs: [{x: string}, {title: string}]}",
        {
            "inputs": (
                InputSpec("job", injected=True),
                InputSpec("x", STRING),
                InputSpec("title", STRING, keyword_only=True),
            )
        },
    ),
    "what **options collects may be named": (
        "tell: {inputs: [{text: string}, {loud: boolean}]}",
        {},
    ),
    "one output": (
        "split: {outputs: {both: {list: number}}}",
        {"outputs": (OutputSpec("both", ListOf(NUMBER)),), "unpack": False},
    ),
    "outputs unpacked": (
        "scale: {outputs: [{a: number}, {b: }]}".replace("{b: }", "b"),
        {"outputs": (OutputSpec("a", NUMBER), OutputSpec("b")), "unpack": True},
    ),
    "no outputs": ("scale: {outputs: []}", {"outputs": (), "unpack": False}),
    "another name": (
        "own: {plugin: rescaling.methods.scale}",
        {"source": "plugin:rescaling/methods.py:scale"},
    ),
    "a longer name": (
        "own: {plugin: plugins.rescaling.methods.scale}",
        {"source": "plugin:rescaling/methods.py:scale"},
    ),
    "a shorter name": (
        "own: {plugin: rescaling.scale}",
        {"source": "plugin:rescaling/methods.py:scale"},
    ),
    "a function": (
        "own: {function: 'tools:anything'}",
        {"source": "tools:anything", "inputs": (InputSpec("x"),)},
    ),
    "a function that is not known": (
        "own: {function: 'a.b:f', inputs: [x, {name: y, required: false}], outputs: z}",
        {
            "source": "a.b:f",
            "inputs": (InputSpec("x"), InputSpec("y", required=False)),
            "outputs": (OutputSpec("z"),),
        },
    ),
}


@pytest.mark.parametrize(("text", "expected"), TASK_SECTIONS.values(), ids=TASK_SECTIONS)
def test_tasks(text: str, expected: dict[str, Any], build: Build) -> None:
    graph = sound(build, f"tasks:\n  {text}\n{STEPS}")
    task = graph.tasks[text.partition(":")[0]]
    assert replace(task, **expected) == task


def test_functions_outside_of_plugins_are_listed() -> None:
    document = read_document("tasks: {a: {function: 'm:f'}, b: {plugin: x.y}, c: }\n" + STEPS)
    assert document.functions == ("m:f",)


# The document; then line, path, message and what else is said of each mistake.
MISTAKES: dict[str, tuple[str, list[tuple[int, str, str, str]]]] = {
    "nothing": ("", [(1, "$.graph", "The document has no steps.", "graph: {step")]),
    "a list": ("- a\n", [(1, "$", "A task graph must be a mapping.", "a list of 1")]),
    "no steps": ("graph: {}\n", [(1, "$.graph", "The document has no steps.", "")]),
    "a section that is none": (
        f"paramters: {{a: 1}}\n{STEPS}",
        [(1, "$.paramters", "There is no section 'paramters'.", "Did you mean 'parameters'?")],
    ),
    "steps without their section": (
        "zebra: {task: tell}\n",
        [
            (1, "$.zebra", "There is no section 'zebra'.", "Steps stand under 'graph:'."),
            (1, "$.graph", "The document has no steps.", ""),
        ],
    ),
    "a section of another shape": (
        f"parameters: [a]\n{STEPS}",
        [(1, "$.parameters", "The parameters must be a mapping.", "a list of 1")],
    ),
    "a name that is no text": (
        f"name: [a]\ndescription: 5\n{STEPS}",
        [
            (1, "$.name", "The name must be text.", "a list of 1"),
            (2, "$.description", "The description must be text.", "the number 5"),
        ],
    ),
    "plugins": (
        f"plugins:\n  - a\n  - a\n  - 5\n  - {{folder: b}}\n  - {{path: c}}\n{STEPS}",
        [
            (3, "$.plugins[1]", "The plugin 'a' is named twice.", ""),
            (4, "$.plugins[2]", "A plugin's folder must be text.", "the number 5"),
            (5, "$.plugins[3].folder", "A plugin has no key 'folder'.", "one of path"),
            (5, "$.plugins[3]", "The plugin has no path.", ""),
        ],
    ),
    "both names of the outputs": (
        f"{STEPS}artifacts: {{}}\nartifact_outputs: {{}}\n",
        [(2, "$.artifacts", "The sections artifacts and artifact_outputs are the same.", "")],
    ),
    "a parameter of nothing": (
        f"parameters:\n  p:\n{STEPS}",
        [(2, "$.parameters.p", "The parameter 'p' has neither a default nor a type.", "")],
    ),
    "a default of another type": (
        f"parameters:\n  p:\n    type: integer\n    default: high\n{STEPS}",
        [
            (
                4,
                "$.parameters.p.default",
                "The default of the parameter 'p' is not of its type.",
                "the text 'high', of type string",
            )
        ],
    ),
    "a name that is a number": (
        f"parameters:\n  5: a\n{STEPS}",
        [(2, "$.parameters[5]", "The name 5 is a number.", "Begin it with a letter.")],
    ),
    "an artifact input of two": (
        f"artifact_inputs: {{i: {{a: string, b: string}}}}\n{STEPS}",
        [
            (
                1,
                "$.artifact_inputs.i",
                "Several outputs must be a list, because they are taken in order.",
                "[{a: ...}, {b: ...}]",
            )
        ],
    ),
    "steps of no shape": (
        "graph:\n  a: tell\n  b: [1]\n  c:\n  d: {}\n  e: {tell: x, scale: y}\n  f: {args: [1]}\n",
        [
            (2, "$.graph.a", "The step 'a' must be a mapping.", "Write {tell: []}"),
            (3, "$.graph.b", "The step 'b' must be a mapping.", "a list of 1"),
            (4, "$.graph.c", "The step 'c' must be a mapping.", "nothing"),
            (5, "$.graph.d", "It is not clear which task the step 'd' invokes.", "an empty"),
            (6, "$.graph.e", "It is not clear which task the step 'e' invokes.", "one step of"),
            (7, "$.graph.f", "It is not clear which task the step 'f' invokes.", "{task: name"),
        ],
    ),
    "misplaced keys of steps": (
        "graph:\n  a: {tell: x, dependancies: [b]}\n  b: {scale: [1], factor: 2}\n"
        "  c: {task: tell, arg: [1]}\n  d: {tell: [1], kwargs: {a: 1}}\n",
        [
            (2, "$.graph.a", "It is not clear", "Did you mean 'dependencies'?"),
            (3, "$.graph.b", "It is not clear", "{scale: {factor: ...}}"),
            (4, "$.graph.c.arg", "A step has no key 'arg'.", "Did you mean 'args'"),
            (5, "$.graph.d", "It is not clear", "{task: name, args: [...], kwargs: {...}}"),
        ],
    ),
    "arguments of no shape": (
        "graph:\n  a: {task: tell, args: {x: 1}, kwargs: [1], cache: maybe}\n"
        "  b: {task: [tell], dependencies: [{a: 1}]}\n  c: {tell: {1: a}}\n",
        [
            (2, "$.graph.a.args", "Positional arguments must be a list.", "under kwargs"),
            (2, "$.graph.a.kwargs", "Keyword arguments must be a mapping.", "a list of 1"),
            (2, "$.graph.a.cache", "cache must be true or false.", "the text 'maybe'"),
            (3, "$.graph.b.task", "The task of a step must be text.", "a list of 1"),
            (4, "$.graph.c.kwargs[1]", "The name 1 is a number.", ""),
        ],
    ),
    "references without names": (
        'graph:\n  a: {tell: [$, "$ x", $a., $.a]}\n',
        [
            (2, f"$.graph.a.args[{i}]", "The reference has no name.", "Write $$ for text")
            for i in range(4)
        ],
    ),
    "artifact outputs": (
        f"{STEPS}artifact_outputs:\n  a: {{content: $s}}\n"
        "  b: {contents: $s, task: {args: {}}}\n"
        "  c: {contents: $s, task: [H]}\n  d: {contents: $s, task: {name: H, args: {x: [$s]}}}\n"
        "  e: {contents: $s, kind: 5, tags: [a]}\n",
        [
            (3, "$.artifact_outputs.a", "The artifact output 'a' has no contents.", "content"),
            (4, "$.artifact_outputs.b.task", "The artifact task has no name.", ""),
            (5, "$.artifact_outputs.c.task", "The artifact task must be a mapping.", ""),
            (6, "$.artifact_outputs.d.task.args", "A handler's arguments are fixed; they", "$$"),
            (7, "$.artifact_outputs.e.tags", "An artifact output has no key 'tags'.", ""),
            (7, "$.artifact_outputs.e.kind", "The kind must be text.", "the number 5"),
        ],
    ),
    "tasks": (
        "tasks:\n"
        "  a: scale\n"
        "  b: {plugin: rescaling.methods.scael}\n"
        "  c: {plugin: x.y, function: 'x:y'}\n"
        "  d: {function: nothing}\n"
        "  e: {inputs: []}\n"
        "  f: {function: 'm:f', inputs: [5, {a: nub}, a, a, {name: b, variadic: all}], "
        "outputs: 5}\n"
        "  scale: {inputs: [{y: number}], result: x}\n"
        "  split: {inputs: [{name: x, required: false}], outputs: [{a: number}, {a: number}]}\n"
        + STEPS,
        [
            (2, "$.tasks.a", "The declaration of the task 'a' must be a mapping.", "the text"),
            (3, "$.tasks.b.plugin", "No plugin of this document has the function", "methods.scale"),
            (4, "$.tasks.c", "The task 'c' names a plugin's function and another function.", ""),
            (5, "$.tasks.d.function", "'nothing' does not name a function.", "statistics:mean"),
            (6, "$.tasks.e", "The task 'e' names no function.", "There are these tasks"),
            (7, "$.tasks.f.inputs[0]", "This is no input.", "the number 5"),
            (7, "$.tasks.f.inputs[1].a", "There is no type 'nub'.", "number"),
            (7, "$.tasks.f.inputs[2]", "The input 'a' is declared twice.", ""),
            (7, "$.tasks.f.inputs[3]", "The input 'a' is declared twice.", ""),
            (7, "$.tasks.f.inputs[4].variadic", "An input collects surplus", "args or kwargs"),
            (7, "$.tasks.f.outputs", "This is no output.", "{name: type}"),
            (8, "$.tasks.scale.result", "A task has no key 'result'.", ""),
            (8, "$.tasks.scale.inputs", "The function of the task 'scale' has no parameter", ""),
            (8, "$.tasks.scale.inputs", "The function of the task 'scale' requires 'x', which", ""),
            (9, "$.tasks.split.inputs", "The input 'x' is declared as not required, but the", ""),
            (9, "$.tasks.split.outputs[1]", "The output 'a' is declared twice.", ""),
        ],
    ),
    "form and sense together": (
        f"parameters:\n  a: 1\n  a: !x 2\n  b: {{type: nubmer}}\n{STEPS}",
        [
            (3, "$.parameters.a", "The key 'a' stands twice in one mapping.", ""),
            (3, "$.parameters", "Tags that build objects are not allowed.", "!x"),
            (4, "$.parameters.b.type", "There is no type 'nubmer'.", "Did you mean 'number'?"),
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(text: str, expected: list[tuple[int, str, str, str]], build: Build) -> None:
    _, found = build(text)
    shown = "\n".join(map(str, found))
    assert [(p.location, p.path) for p in found] == [
        (f"g.yaml:{line}", path) for line, path, _, _ in expected
    ], shown
    for problem, (_, _, message, said) in zip(found, expected, strict=True):
        assert problem.message.startswith(message), shown
        assert said in str(problem), shown


def test_a_document_that_cannot_be_read_has_only_that_mistake(build: Build) -> None:
    graph, problems = build("graph: {a: [\n")
    assert graph.steps == {}
    assert [p.message[:30] for p in problems] == ["The document is not valid YAML"]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "flows" / "rescale.yaml"
    path.parent.mkdir()
    path.write_text(f"\ufeffplugins: [plugins/a, ../b, {{path: /c}}]\n{STEPS}", encoding="utf-8")
    document = read_document(path)
    assert document.name == "rescale"
    assert document.problems == ()
    assert document.plugins == ("plugins/a", "../b", "/c")
    assert document.plugin_paths == (
        path.parent / "plugins/a",
        path.parent / "../b",
        Path("/c"),
    )
    graph, problems = build_graph(document, {}, {})
    assert problems == []
    assert graph.plugins == document.plugins
    assert graph.source == document.source
    assert graph.locations["$.graph.s"] == f"{path}:2"


def test_a_documents_own_name_counts_most(tmp_path: Path) -> None:
    path = tmp_path / "rescale.yaml"
    path.write_text(f"name: own\ndescription: Words.\n{STEPS}")
    assert read_document(path, name="given").name == "own"
    assert read_document(path).description == "Words."
    assert read_document(STEPS).name == "graph"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.yaml"):
        read_document(tmp_path / "nothing.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(NotFound):  # and is not waited for
        read_document(tmp_path / "pipe.yaml")


def test_a_text_is_never_taken_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.yaml").write_text(STEPS)
    assert read_document("secret.yaml").sections == {}


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"a: 1\nb: \xff\n", 2, "The file is not UTF-8 text."),
        ("a: 1".encode("utf-16"), 1, "The file is not UTF-8 text."),
        (b"a: \0", 1, "The document holds a character that YAML does not allow."),
        (b"#" * (33 * 1024 * 1024), 1, "The file is too long for a task graph."),
    ],
    ids=["latin", "utf-16", "nul", "size"],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, line: int, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    (problem,) = build_graph(read_document(path), {}, {})[1]
    assert problem.message == message
    assert problem.location == f"{path}:{line}"


def test_short_names_mean_the_classes_in_the_signatures(build: Build) -> None:
    model = Simple("shop.models.Basket", python="shop.models.Basket")
    own = Simple("rescaling.shapes.Circle")
    tasks = {
        "make": TaskSpec(name="make", source="", outputs=(OutputSpec("output", model),)),
        "draw": TaskSpec(name="draw", source="", inputs=(InputSpec("x", own),)),
    }
    document = read_document(
        "parameters: {a: {type: Basket}, b: {type: Circle}, c: {type: {mapping: [str, Basket]}}}\n"
        + STEPS
    )
    graph, problems = build_graph(document, tasks, {})
    assert problems == []
    assert [p.type for p in graph.parameters.values()] == [model, own, MappingOf(STRING, model)]
