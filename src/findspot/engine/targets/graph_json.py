"""A task graph as plain JSON, for the snapshots of pipelines: to be shown and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from findspot.core.canonical import is_plain
from findspot.graph.spec import ArtifactOutput, Opaque, Ref, Step, TaskGraph
from findspot.plugins.specs_json import task_to_json, type_to_json


def graph_to_json(graph: TaskGraph) -> dict[str, Any]:
    """Parameters, inputs, tasks, steps and outputs of a graph.

    In arguments, ``{"ref": "step.output"}`` is a reference, ``{"live": type}`` an object that has
    no plain form, and ``{"value": ...}`` a plain mapping.
    """
    return {
        "name": graph.name,
        "parameters": [
            {
                "name": p.name,
                "type": type_to_json(p.type),
                **({} if p.required else {"default": _value(p.default)}),
            }
            for p in graph.parameters.values()
        ],
        "artifact_inputs": [
            {"name": i.name, "outputs": [[o.name, type_to_json(o.type)] for o in i.outputs]}
            for i in graph.artifact_inputs.values()
        ],
        "tasks": [task_to_json(task) for task in graph.tasks.values()],
        "steps": [_step(step) for step in graph.steps.values()],
        "outputs": [_output(output) for output in graph.outputs.values()],
    }


def _step(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"name": step.name, "task": step.task}
    if step.args:
        found["args"] = [_value(value) for value in step.args]
    if step.kwargs:
        found["kwargs"] = {name: _value(value) for name, value in step.kwargs.items()}
    if step.each:
        found["each"] = {name: _value(value) for name, value in step.each.items()}
    if step.when is not None:
        found["when"] = _value(step.when)
    if step.dependencies:
        found["dependencies"] = list(step.dependencies)
    if step.cache is not None:
        found["cache"] = step.cache
    return found


def _output(output: ArtifactOutput) -> dict[str, Any]:
    found: dict[str, Any] = {"name": output.name, "contents": _value(output.contents)}
    if output.handler is not None:
        found["handler"] = output.handler
    if output.args:
        found["args"] = dict(output.args)
    if output.kind is not None:
        found["kind"] = output.kind
    return found


def _value(value: Any) -> Any:
    if isinstance(value, Ref):
        return {"ref": str(value).removeprefix("$")}
    if isinstance(value, Opaque):
        return {"live": type_to_json(value.type)}
    if isinstance(value, Mapping):
        return {"value": {str(key): _value(item) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return value if is_plain(value) else {"live": type(value).__qualname__}
