"""Each mistake in a graph, how it is reported, and what is no mistake."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from findspot.core.errors import Problem
from findspot.core.types import INTEGER, NUMBER, STRING, ListOf, Simple
from findspot.graph.checking import check, signature, unused
from findspot.graph.hierarchy import LoadedHierarchy
from findspot.graph.spec import (
    ArtifactInput,
    ArtifactOutput,
    HandlerSpec,
    InputSpec,
    Opaque,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)

Find = Callable[[str], list[Problem]]

HEAD = """\
parameters: {title: Rescaled, factor: 2.5, count: 3}
artifact_inputs:
  samples: {array: ndarray}
  pair: [{first: ndarray}, {second: number}]
graph:
"""

SOUND = {
    "positional": "a: {scale: [$samples]}",
    "one scalar is a list of one": "a: {scale: $samples}",
    "keywords": "a: {scale: {x: $samples, factor: 2}}",
    "an integer where a number is wanted": "a: {task: scale, args: [$samples, 2]}",
    "mixed": "a: {task: scale, args: [$samples], kwargs: {factor: $factor}}",
    "an output by name": "a: {split: $samples}\n  b: {scale: $a.train}",
    "the only output by name": "a: {scale: $samples}\n  b: {scale: $a.output}",
    "an artifact input's part": "a: {task: scale, args: [$pair.first, $pair.second]}",
    "an artifact input's only part by name": "a: {scale: $samples.array}",
    "a later step": "a: {scale: $b}\n  b: {scale: $samples}",
    "surplus arguments that are collected": (
        "a: {task: draw, args: [$samples, $samples, $samples], kwargs: {title: $title}}"
    ),
    "a list of text": "a: {draw: {x: $samples, title: t, labels: [a, $title]}}",
    "escaped dollar": "a: {task: tell, args: [$$title], kwargs: {price: $$5}}",
    "collected keywords of any type": (
        "a: {task: tell, args: [x], kwargs: {n: 1, x: {y: [$samples]}}}"
    ),
    "a name that is also a positional-only argument": (
        "a: {task: tell, args: [x], kwargs: {text: y}}"
    ),
    "anything fits an unknown type": "a: {anything: [{1: $samples, 2: null}]}",
    "an unknown output fits everything": "a: {anything: 1}\n  b: {scale: $a}",
    "dependencies": "a: {tell: hello}\n  b: {task: tell, args: [x], dependencies: [a]}",
    "one dependency": "a: {tell: hello}\n  b: {tell: x, dependencies: $a}",
    "no cache": "a: {tell: x, cache: false}",
}


@pytest.mark.parametrize("steps", SOUND.values(), ids=SOUND)
def test_sound_graphs_have_no_mistakes(steps: str, problems: Find) -> None:
    assert problems(f"{HEAD}  {steps}\n") == []


# The steps; then line, path and the beginning of the message of each mistake; then what else must
# be said about the first one.
WRONG: dict[str, tuple[str, list[tuple[int, str, str]], str]] = {
    "unknown task": (
        "a: {scael: $samples}",
        [(6, "$.graph.a.task", "There is no task 'scael'.")],
        "Did you mean 'scale'?",
    ),
    "unknown step": (
        "step_one: {scale: $samples}\n  b: {scale: $stepone}",
        [(7, "$.graph.b.args[0]", "There is no step, parameter or artifact input 'stepone'.")],
        "Did you mean 'step_one'?",
    ),
    "unknown parameter, nested": (
        "a:\n    task: tell\n    args: [x]\n    kwargs:\n      deep:\n"
        "        - y:\n            - $titel",
        [
            (
                12,
                "$.graph.a.kwargs.deep[0].y[0]",
                "There is no step, parameter or artifact input 'titel'.",
            )
        ],
        "Did you mean 'title'?",
    ),
    "a dollar that was meant": (
        "a: {tell: $5}",
        [(6, "$.graph.a.args[0]", "There is no step, parameter or artifact input '5'.")],
        "Write $$5 for the text '$5'.",
    ),
    "unknown output": (
        "a: {split: $samples}\n  b: {scale: $a.trian}",
        [(7, "$.graph.b.args[0]", "The step 'a' (of the task 'split') has no output 'trian'.")],
        "Did you mean 'train'?",
    ),
    "unknown part of an artifact input": (
        "a: {scale: $pair.third}",
        [(6, "$.graph.a.args[0]", "The artifact input 'pair' has no output 'third'.")],
        "There are these outputs: first, second.",
    ),
    "which output?": (
        "a: {split: $samples}\n  b: {scale: $a}",
        [(7, "$.graph.b.args[0]", "The step 'a' (of the task 'split') has 2 outputs; say which")],
        "$a.train or $a.test",
    ),
    "no output": (
        "a: {tell: x}\n  b: {anything: $a}",
        [(7, "$.graph.b.args[0]", "The step 'a' (of the task 'tell') has no output to refer to.")],
        "dependencies",
    ),
    "output of a parameter": (
        "a: {tell: $title.text}",
        [(6, "$.graph.a.args[0]", "'title' is a parameter; it has no outputs.")],
        "Write $title.",
    ),
    "missing": (
        "a: {draw: {}}",
        [
            (6, "$.graph.a", "The step 'a' gives no 'x', which the task 'draw' requires."),
            (6, "$.graph.a", "The step 'a' gives no 'title', which the task 'draw' requires."),
        ],
        "draw(x: numpy.ndarray, *rest: numpy.ndarray, title: string, labels: list[string] = ...)",
    ),
    "surplus by position": (
        "a:\n    scale:\n      - $samples\n      - 2\n      - 3\n      - 4",
        [(10, "$.graph.a.args[2]", "The step 'a' gives too many arguments by position.")],
        "at most 2: scale(x: numpy.ndarray, factor: number = ...)",
    ),
    "surplus by name": (
        "a:\n    scale:\n      x: $samples\n      facter: 2",
        [(9, "$.graph.a.kwargs.facter", "The task 'scale' has no argument 'facter'.")],
        "Did you mean 'factor'?",
    ),
    "given twice": (
        "a: {task: scale, args: [$samples], kwargs: {x: $samples}}",
        [(6, "$.graph.a.kwargs.x", "The argument 'x' of the task 'scale' is given twice.")],
        "argument 1 by position, and by name",
    ),
    "by name where only position will do": (
        "a: {anything: 1}\n  b: {tell: {text: x}}",
        [(7, "$.graph.b", "The step 'b' gives no 'text', which the task 'tell' requires.")],
        "tell(text: string, **options)",
    ),
    "injected": (
        "a: {draw: {job: 1, x: $samples, title: t}}",
        [(6, "$.graph.a.kwargs.job", "The argument 'job' of the task 'draw' is filled in when")],
        "Leave it out.",
    ),
    "type of a literal": (
        "a: {draw: {x: $samples, title: 5}}",
        [
            (
                6,
                "$.graph.a.kwargs.title",
                "The argument 'title' of the task 'draw' does not fit its type.",
            )
        ],
        "5, of type integer",
    ),
    "type of a parameter": (
        "a: {scale: [$samples, $title]}",
        [(6, "$.graph.a.args[1]", "The argument 'factor' of the task 'scale' does not fit")],
        "$title, of type string",
    ),
    "type inside a list": (
        "a: {draw: {x: $samples, title: t, labels: [a, $count]}}",
        [(6, "$.graph.a.kwargs.labels", "The argument 'labels' of the task 'draw' does not fit")],
        "Element 1 is of type integer, and integer is not string.",
    ),
    "type of a collected argument": (
        "a: {task: draw, args: [$samples, $samples, 3], kwargs: {title: t}}",
        [(6, "$.graph.a.args[2]", "The argument 'rest' of the task 'draw' does not fit")],
        "3, of type integer",
    ),
    "type of an output": (
        "a: {draw: {x: $samples, title: t}}\n  b: {scale: $a}",
        [(7, "$.graph.b.args[0]", "The argument 'x' of the task 'scale' does not fit its type.")],
        "numpy.ndarray (rescaling/methods.py:4)",
    ),
    "circle": (
        "a: {scale: $b}\n  b: {scale: $c}\n  c: {tell: x, dependencies: [a]}\n  d: {scale: $a}",
        [
            (6, "$.graph.a", "Steps wait for each other in a circle, so that none can begin."),
            (7, "$.graph.b.args[0]", "The step 'c' (of the task 'tell') has no output"),
        ],
        "a <- b <- c <- a",
    ),
    "circle of one": (
        "a: {scale: $a}",
        [(6, "$.graph.a", "The step 'a' waits for itself.")],
        "",
    ),
    "dependency on nothing": (
        "first: {tell: x}\n  b: {tell: x, dependencies: [frist]}",
        [(7, "$.graph.b.dependencies[0]", "There is no step 'frist' to wait for.")],
        "Did you mean 'first'?",
    ),
    "dependency on a parameter": (
        "b: {tell: x, dependencies: [title]}",
        [(6, "$.graph.b.dependencies[0]", "'title' is a parameter; only steps can be waited for.")],
        "",
    ),
    "one name for two things": (
        "samples: {tell: x}\n  title: {tell: x}",
        [
            (6, "$.graph.samples", "The step 'samples' has the name of the artifact input"),
            (7, "$.graph.title", "The step 'title' has the name of the parameter 'title'."),
        ],
        "the other one at g.yaml:3",
    ),
    "a dot in a name": (
        "a.b: {tell: x}",
        [(6, "$.graph['a.b']", "The name 'a.b' of a step holds a dot.")],
        "output's name",
    ),
    "a name that is none": (
        "'a/../b': {tell: x}",
        [(6, "$.graph['a/../b']", "The name 'a/../b' of a step holds a dot.")],
        "",
    ),
    "an empty name": (
        "'': {tell: x}",
        [(6, "$.graph['']", "'' is no name of a step: it is empty.")],
        "",
    ),
    "everything at once": (
        "a: {scale: [$smaples, x]}\n  b: {draw: {titel: t}}\n  c: {nothing: $a.out}",
        [
            (6, "$.graph.a.args[0]", "There is no step, parameter or artifact input 'smaples'."),
            (6, "$.graph.a.args[1]", "The argument 'factor' of the task 'scale' does not fit"),
            (7, "$.graph.b.kwargs.titel", "The task 'draw' has no argument 'titel'."),
            (7, "$.graph.b", "The step 'b' gives no 'x'"),
            (7, "$.graph.b", "The step 'b' gives no 'title'"),
            (8, "$.graph.c.task", "There is no task 'nothing'."),
            (8, "$.graph.c.args[0]", "The step 'a' (of the task 'scale') has no output 'out'."),
        ],
        "Did you mean 'samples'?",
    ),
}


@pytest.mark.parametrize(("steps", "expected", "said"), WRONG.values(), ids=WRONG)
def test_wrong_graphs(
    steps: str, expected: list[tuple[int, str, str]], said: str, problems: Find
) -> None:
    found = problems(f"{HEAD}  {steps}\n")
    shown = "\n".join(map(str, found))
    assert [(p.location, p.path) for p in found] == [
        (f"g.yaml:{line}", path) for line, path, _ in expected
    ], shown
    for problem, (_, _, message) in zip(found, expected, strict=True):
        assert problem.message.startswith(message), shown
    assert said in str(found[0])


OUTPUTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "by type": ("o: {contents: $figure}", []),
    "only the contents": ("o: $figure", []),
    "a nested value": ("o: {contents: {a: [$figure, $array], b: text}}", []),
    "with a handler": ("o: {contents: $figure, task: {name: FigureTask}}", []),
    "with a handler's name": ("o: {contents: $figure, task: FigureTask, kind: plot}", []),
    "with arguments": ("o: {contents: $figure, task: {name: FigureTask, args: {dpi: 100}}}", []),
    "a key of several parts": ("reports/o: $figure", []),
    "arguments that cannot be known": (
        "o: {contents: $figure, task: {name: AnyTask, args: {x: [1]}}}",
        [],
    ),
    "unknown step": (
        "o: {contents: $figrue}",
        [("contents", "There is no step, parameter or artifact input 'figrue'.")],
    ),
    "unknown handler": (
        "o: {contents: $figure, task: {name: FigurTask}}",
        [("task.name", "There is no handler 'FigurTask'.")],
    ),
    "type": (
        "o: {contents: $array, task: {name: FigureTask}}",
        [("contents", "The handler 'FigureTask' cannot save this.")],
    ),
    "invalid arguments": (
        "o: {contents: $figure, task: {name: FigureTask, args: {dpi: high, format: gif, dip: 1}}}",
        [
            ("task.args.dip", "The handler 'FigureTask' has no argument 'dip'."),
            ("task.args.dpi", "The argument is not what the handler 'FigureTask' takes."),
            ("task.args.format", "The argument is not what the handler 'FigureTask' takes."),
        ],
    ),
    "arguments of one that takes none": (
        "o: {contents: $array, task: {name: ArrayTask, args: {x: 1}}}",
        [("task.args.x", "The handler 'ArrayTask' takes no arguments.")],
    ),
    "kind": ("o: {contents: $array, kind: modle}", [("kind", "There is no kind of artifacts")]),
    "a key that leaves": (
        "../o: {contents: $array}",
        [("", "'../o' is no name of an artifact output")],
    ),
}


@pytest.mark.parametrize(("outputs", "expected"), OUTPUTS.values(), ids=OUTPUTS)
def test_artifact_outputs(outputs: str, expected: list[tuple[str, str]], problems: Find) -> None:
    found = problems(
        f"{HEAD}  array: {{scale: $samples}}\n  figure: {{draw: {{x: $array, title: $title}}}}\n"
        f"artifact_outputs:\n  {outputs}\n"
    )
    shown = "\n".join(map(str, found))
    assert len(found) == len(expected), shown
    for problem, (end, message) in zip(found, expected, strict=True):
        assert problem.path.endswith(end), shown
        assert problem.message.startswith(message), shown
        assert problem.location == "g.yaml:9"


SCHEMAS: dict[str, tuple[object, dict[str, object], list[str]]] = {
    "a whole schema": (
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"a": "x", "more": 1},
        [],
    ),
    "required": (
        {"properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
        {"b": 1},
        ["$.artifact_outputs.o.task.args: The handler 'H' requires the argument 'a'."],
    ),
    "required, nothing given": (
        {"type": "object", "properties": {}, "required": ["a"]},
        {},
        ["$.artifact_outputs.o.task.args: The handler 'H' requires the argument 'a'."],
    ),
    "nested": (
        {"sizes": {"type": "array", "items": {"type": "number"}}},
        {"sizes": [1, "x"]},
        ["$.artifact_outputs.o.task.args.sizes[1]: The argument is not what the handler"],
    ),
    "a property called type": ({"type": {"type": "string"}}, {"type": "x"}, []),
    "no schema at all": (
        {"a": {"type": "strnig"}},
        {"a": 1},
        ["$.artifact_outputs.o.task.args: The handler 'H' gives no valid JSON Schema"],
    ),
    "a schema that refers outside": (
        {"a": {"$ref": "http://127.0.0.1:9/schema"}},
        {"a": 1},
        ["$.artifact_outputs.o.task.args: The schema of the handler 'H' refers to what is not in"],
    ),
}


@pytest.mark.parametrize(("schema", "args", "expected"), SCHEMAS.values(), ids=SCHEMAS)
def test_schemas_of_handlers(schema: object, args: dict[str, object], expected: list[str]) -> None:
    graph = TaskGraph(
        name="g",
        parameters={"p": Parameter(name="p")},
        handlers={"H": HandlerSpec(name="H", schema=schema)},
        outputs={"o": ArtifactOutput(name="o", contents=Ref("p"), handler="H", args=args)},
    )
    found = [f"{p.path}: {p.message}" for p in check(graph)]
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start)


def test_what_could_not_be_read_is_not_reported_again(problems: Find) -> None:
    found = problems("""\
        types: {wrong: {lst: string}}
        parameters: {p: {type: nothing}, q: }
        tasks: {bad: 5, worse: {function: 7, inputs: [{x: wrong}]}}
        graph:
          a: {scale: $p, dependencies: [broken]}
          b: {scale: [$broken, $q]}
          broken: [1]
          c: {bad: [$b, {x: $a}]}
          d: {worse: {x: $c.output}}
          e: {scale: $}
          f: {scale: $broken.anything}
        artifact_outputs:
          o: {contents: $broken, task: {name: FigureTask}}
        """)
    assert [p.path for p in found] == [
        "$.types.wrong",
        "$.parameters.p.type",
        "$.parameters.q",
        "$.tasks.bad",
        "$.tasks.worse.function",
        "$.graph.broken",
        "$.graph.e.args[0]",
    ]


def test_a_graph_built_in_python_is_located_by_its_call() -> None:
    task = TaskSpec(name="add", source="m:add", inputs=(InputSpec("a", INTEGER),))
    graph = TaskGraph(
        name="g",
        tasks={"add": task},
        steps={"add": Step(name="add", task="add", args=(Opaque(b"x", Simple("bytes")),))},
        locations={"$.graph.add": "flow.py:12"},
    )
    (problem,) = check(graph)
    assert problem.location == "flow.py:12"
    assert problem.found == "a value of type bytes"


def test_names_of_builtin_types_are_reserved() -> None:
    graph = TaskGraph(name="g", types={"string": Simple("string"), "mine": Simple("mine")})
    assert [p.path for p in check(graph)] == ["$.types.string"]


def test_arguments_without_a_handler_are_a_mistake() -> None:
    graph = TaskGraph(
        name="g", outputs={"o": ArtifactOutput(name="o", contents=1, args={"dpi": 1})}
    )
    assert [p.path for p in check(graph)] == ["$.artifact_outputs.o.task.args"]


def test_classes_are_asked_whether_one_is_below_another() -> None:
    path, pure = (Simple(n, python=n) for n in ("pathlib.PosixPath", "pathlib.PurePath"))
    tasks = {
        "make": TaskSpec(name="make", source="m:make", outputs=(OutputSpec("output", path),)),
        "take": TaskSpec(name="take", source="m:take", inputs=(InputSpec("x", pure),)),
    }
    steps = {
        "a": Step(name="a", task="make"),
        "b": Step(name="b", task="take", args=(Ref("a"),)),
    }
    graph = TaskGraph(name="g", tasks=tasks, steps=steps)
    assert check(graph) == []
    assert check(graph, hierarchy=LoadedHierarchy()) == []
    back = replace(
        graph,
        tasks={
            "make": replace(tasks["make"], outputs=(OutputSpec("output", pure),)),
            "take": replace(tasks["take"], inputs=(InputSpec("x", path),)),
        },
    )
    assert [p.path for p in check(back)] == ["$.graph.b.args[0]"]


def test_unused_parameters_and_inputs_are_noted_but_no_mistakes(problems: Find) -> None:
    graph = TaskGraph(
        name="g",
        parameters={n: Parameter(name=n) for n in ("a", "b", "c")},
        artifact_inputs={n: ArtifactInput(name=n, outputs=()) for n in ("x", "y")},
        outputs={"o": ArtifactOutput(name="o", contents=[Ref("b"), {"k": Ref("x")}])},
        steps={"s": Step(name="s", task="t", kwargs={"k": [Ref("c")]})},
        tasks={"t": TaskSpec(name="t", source="", inputs=(InputSpec("k"),))},
    )
    assert [p.message for p in unused(graph)] == [
        "The parameter 'a' is never used.",
        "The artifact input 'y' is never used.",
    ]


def test_a_signature_reads_as_in_python() -> None:
    task = TaskSpec(
        name="f",
        source="",
        inputs=(
            InputSpec("a", NUMBER),
            InputSpec("b", STRING, required=False),
            InputSpec("c", keyword_only=True),
            InputSpec("rest", variadic="kwargs"),
        ),
    )
    assert signature(task) == "f(a: number, b: string = ..., *, c, **rest)"


def test_a_thousand_steps_are_checked_in_milliseconds() -> None:
    inputs = (InputSpec("xs", ListOf(NUMBER)), InputSpec("n", INTEGER), InputSpec("s", STRING))
    tasks = {
        "f": TaskSpec(
            name="f", source="m:f", inputs=inputs, outputs=(OutputSpec("output", NUMBER),)
        )
    }
    steps = {
        f"s{i}": Step(
            name=f"s{i}",
            task="f",
            args=([1.5, Ref(f"s{i - 1}")] if i else [0.5], 3),
            kwargs={"s": "text"},
        )
        for i in range(1000)
    }
    graph = TaskGraph(name="g", tasks=tasks, steps=steps)
    best = 100.0
    for _ in range(5):
        begin = time.thread_time()
        assert check(graph) == []
        best = min(best, time.thread_time() - begin)
    assert best < 0.3  # 10 ms on a fast machine; of the processor's time, since it may be busy
