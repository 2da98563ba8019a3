"""Task graphs written in YAML: the document, and the graph that it stands for together with the
tasks and handlers of its plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from findspot.core.errors import NotFound, Problem
from findspot.core.types import UNKNOWN, Type
from findspot.graph.checking import check
from findspot.graph.classes import simple_types_in
from findspot.graph.declarations import TypeNames
from findspot.graph.hierarchy import ClassHierarchy
from findspot.graph.inference import infer, value_fits
from findspot.graph.paths import child
from findspot.graph.places import in_order
from findspot.graph.spec import (
    DEFAULT_OUTPUT,
    ArtifactInput,
    HandlerSpec,
    OutputSpec,
    Parameter,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.yaml_reading import Reading, describe
from findspot.graph.yaml_source import MAX_CHARACTERS, Node, plain, read_yaml
from findspot.graph.yaml_steps import StepReader
from findspot.graph.yaml_tasks import read_outputs, read_tasks

SECTIONS = (
    "name",
    "description",
    "plugins",
    "parameters",
    "artifact_inputs",
    "types",
    "classes",
    "tasks",
    "graph",
    "artifact_outputs",
    "artifacts",
)
_PARAMETER_KEYS = ("type", "default")


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML task graph as it was written: read, but not yet brought together with its plugins.

    Args:
        name: what it calls itself; else the file's name without its ending.
        plugins: plugin folders as written.
        path: the file it was read from; None for a text.
        problems: mistakes found so far; `build_graph` reports them again among its own.
        sections: the rest, by the names in `SECTIONS`.
    """

    name: str
    description: str
    plugins: tuple[str, ...]
    source: str
    file: str
    path: Path | None
    problems: tuple[Problem, ...]
    sections: Mapping[str, Node]
    locations: Mapping[str, str]

    @property
    def plugin_paths(self) -> tuple[Path, ...]:
        """The plugin folders; relative ones are looked for beside the document's file."""
        folder = self.path.parent if self.path is not None else Path()
        return tuple(folder / plugin for plugin in self.plugins)

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions of installed modules (``module:function``) that its tasks name."""
        tasks = self.sections.get("tasks")
        if tasks is None or not isinstance(tasks.value, dict):
            return ()
        found = []
        for task in tasks.value.values():
            entry = task.value.get("function") if isinstance(task.value, dict) else None
            if entry is not None and isinstance(entry.value, str):
                found.append(entry.value)
        return tuple(dict.fromkeys(found))


def read_document(source: str | Path, *, name: str = "") -> Document:
    """A document from its text, or from a file where ``source`` is a `Path`.

    Mistakes are collected in the result, never raised; a text is never taken for a file's name.

    Args:
        name: of the graph, unless the document has one; for a text also the file name in messages.

    Raises:
        NotFound: there is no such file.

    >>> read_document("plugins: [rescaling]\\ngraph: {}", name="demo").plugins
    ('rescaling',)
    """
    path = source if isinstance(source, Path) else None
    if isinstance(source, Path):
        file = str(source)
        text, problem = _read_file(source)
        if problem is not None:
            problems: tuple[Problem, ...] = (problem,)
            return Document(name or source.stem, "", (), text, file, path, problems, {}, {})
    else:
        file = name or "<text>"
        text = source
    reading = Reading(file)
    yaml = read_yaml(text, file)
    reading.problems.extend(yaml.problems)
    sections: dict[str, Node] = {}
    if yaml.root is not None:
        sections = _sections(yaml.root, reading)
    own_name = path.stem if path is not None else ""
    return Document(
        name=_text(sections, "name", reading) or name or own_name or "graph",
        description=_text(sections, "description", reading),
        plugins=_plugins(sections["plugins"], reading) if "plugins" in sections else (),
        source=text,
        file=file,
        path=path,
        problems=tuple(reading.problems),
        sections=sections,
        locations=reading.locations,
    )


def build_graph(
    document: Document,
    tasks: Mapping[str, TaskSpec],
    handlers: Mapping[str, HandlerSpec],
) -> tuple[TaskGraph, list[Problem]]:
    """The graph of a document, and the mistakes in how it is written, in the order of its lines.

    Whether the graph makes sense is asked by `findspot.graph.checking.check`. The document's own
    ``tasks`` override or complete ``tasks``; what cannot be read is left out, or of unknown type.

    Args:
        tasks: those of the document's plugins (and of `Document.functions`), by name.
        handlers: those that may be named in artifact outputs, by name.
    """
    reading = Reading(document.file)
    reading.problems.extend(document.problems)
    reading.locations.update(document.locations)
    sections = document.sections
    types = TypeNames(reading, simple_types_in(_types_of(tasks, handlers)))
    declared = types.declare(sections.get("types"), sections.get("classes"))
    known = dict(tasks)
    if "tasks" in sections:
        known.update(read_tasks(sections["tasks"], tasks, types, reading))
    steps = StepReader(reading, known)
    graph = TaskGraph(
        name=document.name,
        description=document.description,
        types=declared,
        parameters=_parameters(sections.get("parameters"), types, reading),
        artifact_inputs=_artifact_inputs(sections.get("artifact_inputs"), types, reading),
        tasks=known,
        handlers=dict(handlers),
        plugins=document.plugins,
        steps=steps.steps(sections["graph"]) if "graph" in sections else {},
        outputs=steps.outputs(sections["artifact_outputs"])
        if "artifact_outputs" in sections
        else {},
        source=document.source,
    )
    return replace(graph, locations=reading.locations), in_order(reading.problems)


def checked_graph(
    document: Document,
    tasks: Mapping[str, TaskSpec],
    handlers: Mapping[str, HandlerSpec],
    *,
    hierarchy: ClassHierarchy | None = None,
) -> tuple[TaskGraph, list[Problem]]:
    """The graph of a document, and all its mistakes, of form and of sense, in one list.

    What could not be read is not reported again for its use. The arguments are those of
    `build_graph` and of `findspot.graph.checking.check`.
    """
    graph, problems = build_graph(document, tasks, handlers)
    return graph, in_order([*problems, *check(graph, hierarchy=hierarchy)])


def _read_file(path: Path) -> tuple[str, Problem | None]:
    if not path.is_file():
        raise NotFound("file", str(path), how="Look at its name and the current folder.")
    place = f"{path}:1"
    if path.stat().st_size > 4 * MAX_CHARACTERS:
        return "", Problem(
            "$",
            "The file is too long for a task graph.",
            place,
            expected=f"at most {4 * MAX_CHARACTERS:,} bytes",
            found=f"{path.stat().st_size:,} bytes",
        )
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", Problem(
            "$",
            "The file is not UTF-8 text.",
            f"{path}:{line}",
            found=f"byte 0x{data[error.start]:02x}",
            hint="Save the file with the encoding UTF-8.",
        )


def _sections(root: Node, reading: Reading) -> dict[str, Node]:
    entries = reading.mapping(root, "$", "A task graph", "the sections graph, parameters, ...")
    sections: dict[str, Node] = {}
    for key, node in entries.items():
        line = root.key_lines[key]
        reading.at(child("$", key), line)
        if key in SECTIONS:
            sections[str(key)] = node
            continue
        hint = reading.near(str(key), SECTIONS)
        if not hint and "graph" not in entries:
            hint = "Steps stand under 'graph:'."
        reading.problem(
            child("$", key),
            line,
            f"There is no section {key!r}.",
            expected=f"one of {', '.join(SECTIONS[:-1])}",
            hint=hint,
        )
    if "artifacts" in sections:
        # The name that stored entrypoints of other systems give to the artifact outputs.
        line = root.key_lines["artifacts"]
        if "artifact_outputs" in sections:
            reading.problem(
                "$.artifacts",
                line,
                "The sections artifacts and artifact_outputs are the same.",
                hint="Put both into artifact_outputs.",
            )
        sections.setdefault("artifact_outputs", sections["artifacts"])
        del sections["artifacts"]
        reading.locations.setdefault("$.artifact_outputs", f"{reading.file}:{line}")
    graph = sections.get("graph")
    if isinstance(root.value, dict | type(None)) and (graph is None or graph.value in (None, {})):
        reading.problem(
            "$.graph",
            root.key_lines.get("graph", root.line),
            "The document has no steps.",
            expected="graph: {step: {task: name, args: [...]}}",
        )
    return sections


def _text(sections: Mapping[str, Node], key: str, reading: Reading) -> str:
    node = sections.get(key)
    if node is None or node.value is None:
        return ""
    return reading.text(node, child("$", key), f"The {key}") or ""


def _plugins(node: Node, reading: Reading) -> tuple[str, ...]:
    if node.value is None:
        return ()
    items = node.value if isinstance(node.value, list) else [node]
    plugins: dict[str, None] = {}
    for index, item in enumerate(items):
        place = child("$.plugins", index)
        reading.at(place, item.line)
        entry = item
        if isinstance(item.value, dict):
            reading.known_keys(item, place, ("path",), "A plugin")
            if "path" not in item.value:
                reading.problem(
                    place,
                    item.line,
                    "The plugin has no path.",
                    expected="folder, or {path: folder}",
                    found=describe(item),
                )
                continue
            entry = item.value["path"]
        text = reading.text(entry, place, "A plugin's folder")
        if text is None:
            continue
        if not text or "\0" in text:
            reading.problem(place, item.line, "The plugin's folder has no name.")
        elif text in plugins:
            reading.problem(
                place,
                item.line,
                f"The plugin {text!r} is named twice.",
                hint="Remove one of the two.",
            )
        else:
            plugins[text] = None
    return tuple(plugins)


def _parameters(node: Node | None, types: TypeNames, reading: Reading) -> dict[str, Parameter]:
    if node is None:
        return {}
    parameters = {}
    for name, item, path, line in reading.named(node, "$.parameters", "The parameters"):
        parameters[name] = _parameter(name, item, path, line, types, reading)
    return parameters


def _parameter(
    name: str, item: Node, path: str, line: int, types: TypeNames, reading: Reading
) -> Parameter:
    value = item.value
    if value is None:
        reading.problem(
            path,
            line,
            f"The parameter {name!r} has neither a default nor a type.",
            expected=f"{name}: default, or {name}: {{type: string}}",
        )
        return Parameter(name=name)
    if not is_long_form(value):
        default = plain(item)
        return Parameter(name=name, type=infer(default), default=default)
    type_: Type | None = None
    if "type" in value:
        type_ = types.read(value["type"], child(path, "type"))
    if "default" not in value:
        return Parameter(name=name, type=type_ or UNKNOWN, required=True)
    default = plain(value["default"])
    if type_ is not None and not value_fits(default, type_):
        reading.problem(
            child(path, "default"),
            value["default"].line,
            f"The default of the parameter {name!r} is not of its type.",
            expected=str(type_),
            found=f"{describe(value['default'])}, of type {infer(default)}",
        )
    return Parameter(name=name, type=infer(default) if type_ is None else type_, default=default)


def is_long_form(value: Any) -> bool:
    """Whether a parameter is written as ``{type: T, default: V}`` and is no mapping of its own."""
    return isinstance(value, dict) and bool(value) and value.keys() <= set(_PARAMETER_KEYS)


def _artifact_inputs(
    node: Node | None, types: TypeNames, reading: Reading
) -> dict[str, ArtifactInput]:
    if node is None:
        return {}
    inputs = {}
    for name, item, path, _line in reading.named(node, "$.artifact_inputs", "The artifact inputs"):
        outputs: tuple[OutputSpec, ...] = (OutputSpec(DEFAULT_OUTPUT),)
        unpack = False
        if item.value is None:
            pass  # anything may be chosen
        elif isinstance(item.value, str):
            # Only a type: {samples: ndarray}.
            outputs = (OutputSpec(DEFAULT_OUTPUT, types.read(item, path)),)
        else:
            outputs, unpack = read_outputs(item, path, types, reading)
        inputs[name] = ArtifactInput(name=name, outputs=outputs, unpack=unpack)
    return inputs


def _types_of(tasks: Mapping[str, TaskSpec], handlers: Mapping[str, HandlerSpec]) -> list[Type]:
    inputs = chain.from_iterable(task.inputs for task in tasks.values())
    outputs = chain.from_iterable(task.outputs for task in tasks.values())
    return [
        *(part.type for part in inputs),
        *(part.type for part in outputs),
        *(handler.type for handler in handlers.values()),
    ]
