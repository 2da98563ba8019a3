"""A task graph as YAML, such that reading it gives the same graph again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from findspot.core.errors import FindspotError
from findspot.core.types import (
    UNKNOWN,
    Builtin,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.classes import find_class
from findspot.graph.hierarchy import is_installed
from findspot.graph.inference import infer
from findspot.graph.paths import child
from findspot.graph.spec import (
    ArtifactInput,
    ArtifactOutput,
    InputSpec,
    Opaque,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.yaml_graph import is_long_form
from findspot.graph.yaml_scalars import FLOAT, INTEGER
from findspot.graph.yaml_tasks import dotted_source


class NotWritable(FindspotError):
    """A graph built in Python holds what has no YAML form.

    Args:
        path: the place in the graph.
    """

    exit_code = 2

    def __init__(self, path: str, what: str, *, how: str) -> None:
        self.path = path
        super().__init__(what, where=path, how=how)


def to_yaml(graph: TaskGraph, *, known: Mapping[str, TaskSpec] | None = None) -> str:
    """The YAML of a graph: `build_graph` of its `read_document` is equal to the graph, its source
    and locations apart.

    Tuples inside of arguments come back as lists. What a class of an installed library is derived
    from is not written; who reads the text with the tasks at hand has it from them.

    Args:
        known: tasks that whoever reads the text knows by itself (from the plugins that it names);
            they are not written.

    Raises:
        NotWritable: an argument or a default is no plain value, or a name has no YAML form.
    """
    return _Writer(graph, known or {}).write()


class _Writer:
    def __init__(self, graph: TaskGraph, known: Mapping[str, TaskSpec]) -> None:
        self.graph = graph
        self.known = known
        self.declared = set(graph.types)
        self.extra: dict[str, Type] = {}
        self.classes: dict[str, Simple] = {}

    def write(self) -> str:
        graph = self.graph
        tasks = {
            name: self._task(task)
            for name, task in graph.tasks.items()
            if self.known.get(name) != task
        }
        parameters = {name: self._parameter(p) for name, p in graph.parameters.items()}
        inputs = {name: self._artifact_input(i) for name, i in graph.artifact_inputs.items()}
        types = {name: self._definition(type_) for name, type_ in graph.types.items()}
        waiting = list(self.extra)
        for name in waiting:
            types[name] = self._definition(self.extra[name])
            waiting.extend(new for new in self.extra if new not in waiting)
        done: dict[str, Any] = {}
        while len(done) < len(self.classes):
            for name in [name for name in self.classes if name not in done]:
                done[name] = self._class(self.classes[name])
        sections = {
            "name": graph.name,
            "description": graph.description,
            "plugins": list(graph.plugins),
            "types": types,
            "classes": done,
            "parameters": parameters,
            "artifact_inputs": inputs,
            "tasks": tasks,
            "graph": {name: self._step(step) for name, step in graph.steps.items()},
            "artifact_outputs": {name: self._output(o) for name, o in graph.outputs.items()},
        }
        filled = {key: value for key, value in sections.items() if value or key == "graph"}
        return yaml.dump(
            filled,
            Dumper=_Dumper,
            default_flow_style=None,
            allow_unicode=True,
            sort_keys=False,
            width=1000,
        )

    # Types

    def _type(self, type_: Type) -> Any:
        """The expression of a type: its name, or its structure."""
        if isinstance(type_, Builtin):
            return type_.name
        if type_.name is not None:
            self._note(type_, type_.name)
            return type_.name
        return self._structure(type_)

    def _structure(self, type_: Type) -> Any:
        match type_:
            case ListOf():
                return {"list": self._type(type_.item)}
            case TupleOf():
                return {"tuple": [self._type(item) for item in type_.items]}
            case Record():
                return {"mapping": {k: self._type(v) for k, v in type_.properties.items()}}
            case MappingOf():
                return {"mapping": [self._type(type_.key), self._type(type_.value)]}
            case Union():
                return {"union": [self._type(member) for member in type_.members]}
            case _:
                return self._type(type_)

    def _note(self, type_: Type, name: str) -> None:
        """Remember a named type that must be described, unless its name alone says it all."""
        if name in self.declared or name in self.extra:
            return
        if not isinstance(type_, Simple):
            self.extra[name] = type_
            return
        known = self.classes.get(name)
        # Where a class stands as a distant parent, its own parents may have been cut off.
        if known is None:
            found = find_class(name)
            installed = type_.python == name and is_installed(name.partition(".")[0])
            if found != [type_] and not (found and installed):
                self.classes[name] = type_
        elif len(type_.parents) > len(known.parents):
            self.classes[name] = type_

    def _definition(self, type_: Type) -> Any:
        if not isinstance(type_, Simple):
            return self._structure(type_)
        entry: dict[str, Any] = {}
        if type_.parents:
            entry["is_a"] = self._parents(type_)
        found = find_class(type_.name)
        if type_.python != (found[0].python if len(found) == 1 else None):
            entry["class"] = type_.python
        return entry or None

    def _class(self, type_: Simple) -> Any:
        if type_.python == type_.name:
            # An installed class can be asked itself what it is below.
            asked = is_installed(type_.name.partition(".")[0])
            return self._parents(type_) if type_.parents and not asked else None
        entry: dict[str, Any] = {"class": type_.python}
        if type_.parents:
            entry["is_a"] = self._parents(type_)
        return entry

    def _parents(self, type_: Simple) -> Any:
        names = [self._type(parent) for parent in type_.parents]
        return names[0] if len(names) == 1 else names

    # Tasks

    def _task(self, task: TaskSpec) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        if task.source.startswith("plugin:"):
            entry["plugin"] = dotted_source(task.source)
        elif task.source:
            if "<" in task.source:
                raise NotWritable(
                    child("$.tasks", task.name),
                    f"The task {task.name!r} is defined inside a function, so it cannot be found "
                    f"again by its name {task.source!r}.",
                    how="Move it to the top of a module.",
                )
            entry["function"] = task.source
        entry["inputs"] = [self._input(given) for given in task.inputs]
        entry["outputs"] = self._outputs(task.outputs, task.unpack)
        return entry

    def _input(self, given: InputSpec) -> Any:
        entry: dict[str, Any] = {"name": given.name}
        if given.type != UNKNOWN:
            entry["type"] = self._type(given.type)
        if given.required is bool(given.variadic):
            entry["required"] = given.required
        if given.variadic:
            entry["variadic"] = given.variadic
        for flag in ("keyword_only", "positional_only", "injected"):
            if getattr(given, flag):
                entry[flag] = True
        if entry.keys() == {"name"}:
            return given.name
        if entry.keys() == {"name", "type"}:
            return {given.name: entry["type"]}
        return entry

    def _outputs(self, outputs: tuple[OutputSpec, ...], unpack: bool) -> Any:
        entries = [{output.name: self._type(output.type)} for output in outputs]
        return entries[0] if len(entries) == 1 and not unpack else entries

    # Values

    def _parameter(self, parameter: Parameter) -> Any:
        path = child("$.parameters", parameter.name)
        if parameter.required:
            return {"type": self._type(parameter.type)}
        default = self._literal(parameter.default, path)
        if parameter.type != infer(parameter.default):
            return {"type": self._type(parameter.type), "default": default}
        if default is None or is_long_form(default):
            return {"default": default}
        return default

    def _literal(self, value: Any, path: str) -> Any:
        for place, ref in _walk(value, path):
            if isinstance(ref, Ref):
                raise NotWritable(
                    place, "A default cannot refer to anything.", how="Write a value."
                )
        return self._plain(value, path, escape=False)

    def _artifact_input(self, chosen: ArtifactInput) -> Any:
        return self._outputs(chosen.outputs, chosen.unpack)

    def _plain(self, value: Any, path: str, *, escape: bool = True) -> Any:
        """A value in the form in which it is written; references and escapes as text."""
        kind = type(value)
        if value is None or kind is bool or kind is int or kind is float:
            return value
        if kind is str:
            _writable_text(value, path)
            return f"${value}" if escape and value.startswith("$") else value
        if kind is Ref:
            return self._reference(value, path)
        if kind is dict:
            for key in value:
                if type(key) not in (str, int):
                    raise NotWritable(
                        path,
                        f"A mapping has the key {key!r}, which has no YAML form here.",
                        how="Use text or whole numbers as keys.",
                    )
                if type(key) is str:
                    _writable_text(key, path)
            return {
                key: self._plain(item, child(path, key), escape=escape)
                for key, item in value.items()
            }
        if kind is list or kind is tuple:
            return [
                self._plain(item, child(path, index), escape=escape)
                for index, item in enumerate(value)
            ]
        owner = type(value.value) if isinstance(value, Opaque) else kind
        raise NotWritable(
            path,
            f"The value is of class {owner.__module__}.{owner.__qualname__}, "
            "which has no YAML form.",
            how="Make it a parameter with a plain value, or save it as an artifact and give the "
            "graph an artifact input.",
        )

    def _reference(self, ref: Ref, path: str) -> str:
        if not ref.name or "." in ref.name or ref.name.startswith("$") or ref.output == "":
            raise NotWritable(
                path,
                f"The reference to {ref.name!r} has no YAML form.",
                how="Rename what it refers to; such names hold no dots and begin with no '$'.",
            )
        return str(ref)

    # Steps

    def _step(self, step: Step) -> dict[str, Any]:
        path = child("$.graph", step.name)
        _writable_text(step.name, path)
        entry: dict[str, Any] = {"task": step.task}
        if step.args:
            entry["args"] = self._plain(step.args, child(path, "args"))
        if step.kwargs:
            entry["kwargs"] = self._plain(dict(step.kwargs), child(path, "kwargs"))
        if step.each:
            entry["each"] = self._plain(dict(step.each), child(path, "each"))
        if step.when is not None:
            entry["when"] = self._plain(step.when, child(path, "when"))
        if step.dependencies:
            entry["dependencies"] = list(step.dependencies)
        if step.cache is not None:
            entry["cache"] = step.cache
        return entry

    def _output(self, output: ArtifactOutput) -> dict[str, Any]:
        path = child("$.artifact_outputs", output.name)
        entry: dict[str, Any] = {"contents": self._plain(output.contents, child(path, "contents"))}
        if output.handler is not None:
            task: dict[str, Any] = {"name": output.handler}
            if output.args:
                task["args"] = self._plain(dict(output.args), child(path, "task.args"))
            entry["task"] = task
        if output.kind is not None:
            entry["kind"] = output.kind
        return entry


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(item, child(path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _walk(item, child(path, index))
    else:
        yield path, value


_SURROGATE = re.compile("[\ud800-\udfff]")


def _writable_text(text: str, path: str) -> None:
    found = _SURROGATE.search(text)
    if found is not None:
        raise NotWritable(
            path,
            f"The text holds half of a character (U+{ord(found[0]):04X}), which has no YAML form.",
            how="Remove it.",
        )


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or 1.2 would take for something other than text; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # Lists stand inside of their keys, as people write them.
        super().increase_indent(flow, False)


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    style = None
    if _PARAGRAPHS.fullmatch(text):
        style = "|"
    elif _BREAKS.search(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


# Lines of text that need no escapes; whatever else holds a break is quoted, because breaks that
# YAML knows and Python does not would be folded away.
_PARAGRAPHS = re.compile(r"(?:[!-~]([ -~]*[!-~])?\n){2,}")
_BREAKS = re.compile("[\n\r\x85\u2028\u2029\ufeff]")

_Dumper.add_representer(str, _represent_text)
for _tag, _pattern in (("int", INTEGER), ("float", FLOAT)):
    _Dumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"(?:{_pattern.pattern})\\Z"),
        list("-+.0123456789"),
    )
