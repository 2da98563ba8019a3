"""From what a user gives for a job to values that the runner takes; all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from findspot.artifacts.saving import prepare
from findspot.artifacts.version import ArtifactVersion
from findspot.catalog.protocol import NewVersion
from findspot.core.canonical import is_plain
from findspot.core.errors import CheckFailed, FindspotError, NotFound, Problem
from findspot.core.names import check_key
from findspot.core.records import VersionRecord
from findspot.core.references import Reference, parse_reference
from findspot.engine.targets.external import ExternalArtifact
from findspot.engine.values import Saved, is_constant, shared
from findspot.graph.narrowing import narrowed
from findspot.graph.spec import ArtifactInput, Opaque, OutputSpec, TaskGraph
from findspot.graph.suggestions import suggestion
from findspot.graph.values import check_values

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


@dataclass(slots=True)
class Chosen:
    """The values of one job.

    Args:
        given: of parameters and artifact inputs, by name: plain, or `Saved`.
        opaque: of live objects in the graph, by identity of their `Opaque`.
        params, artifacts: as the job's record lists them.
        new: versions that values were saved as; to be recorded with the job.
        notes: what the job's log is to say of the values.
    """

    given: dict[str, Any] = field(default_factory=dict)
    opaque: dict[int, Saved] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    new: list[NewVersion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def choose(
    space: ArtifactSpace, graph: TaskGraph, values: Mapping[str, Any], project: str
) -> Chosen:
    """Fix every parameter and artifact input of a graph to a value or a version.

    Args:
        values: by name; a plain value, a live object, an `ExternalArtifact`, an `ArtifactVersion`,
            or for an artifact input a reference as text.

    Raises:
        CheckFailed: lists every unknown name, missing value, value of a wrong type, and
            reference that leads nowhere.
    """
    return _Choice(space, graph, project).make(values)


def recalled(
    space: ArtifactSpace,
    graph: TaskGraph,
    params: Mapping[str, Any],
    artifacts: Mapping[str, str],
) -> Chosen:
    """The values that a job was created with, from its record.

    Raises:
        NotFound: a version was deleted since.
    """
    found = space.catalog.versions(artifacts.values())
    for name, uid in artifacts.items():
        if uid not in found:
            raise NotFound("version", uid, how=f"It was the value of {name!r}; it was deleted.")
    chosen = Chosen(params=dict(params), artifacts=dict(artifacts))
    for name in (*graph.parameters, *graph.artifact_inputs):
        if name in artifacts:
            chosen.given[name] = Saved(found[artifacts[name]])
        else:
            chosen.given[name] = params.get(name)
    for place, opaque in opaque_places(graph):
        chosen.opaque[id(opaque)] = Saved(found[artifacts[place]])
    return chosen


def opaque_places(graph: TaskGraph) -> Iterator[tuple[str, Opaque]]:
    """Every live object in a graph, with a place such as ``scale.x`` or ``scale.0``."""
    for step in graph.steps.values():
        for index, value in enumerate(step.args):
            if not is_constant(value):
                yield from _opaque_in(value, f"{step.name}.{index}")
        for name, value in (*step.kwargs.items(), *step.each.items()):
            if not is_constant(value):
                yield from _opaque_in(value, f"{step.name}.{name}")
    for export in graph.outputs.values():
        yield from _opaque_in(export.contents, export.name)
    for parameter in graph.parameters.values():
        yield from _opaque_in(parameter.default, parameter.name)


def _opaque_in(value: Any, place: str) -> Iterator[tuple[str, Opaque]]:
    if isinstance(value, Opaque):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _opaque_in(item, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _opaque_in(item, f"{place}.{index}")


class _Choice:
    def __init__(self, space: ArtifactSpace, graph: TaskGraph, project: str) -> None:
        self._space = space
        self._graph = graph
        self._project = project
        self._chosen = Chosen()
        self._problems: list[Problem] = []

    def make(self, values: Mapping[str, Any]) -> Chosen:
        graph, chosen = self._graph, self._chosen
        known = (*graph.parameters, *graph.artifact_inputs)
        for name in values:
            if name not in known:
                self._problem(
                    name,
                    "there is no such parameter or artifact input",
                    hint=suggestion(name, known, role="parameters and artifact inputs"),
                )
        for name, parameter in graph.parameters.items():
            if name in values:
                self._take(name, values[name])
            elif isinstance(parameter.default, Opaque):
                self._take(name, parameter.default.value)
            elif not parameter.required:
                chosen.given[name] = chosen.params[name] = parameter.default
        for name in graph.artifact_inputs:
            if name in values:
                self._take_artifact(name, values[name])
        for place, opaque in opaque_places(graph):
            if place in graph.parameters:
                continue
            saved = self._saved(place, opaque.value)
            if saved is not None:
                chosen.opaque[id(opaque)] = saved
                chosen.artifacts[place] = saved.record.uid
        self._check_types(values)
        if self._problems:
            raise CheckFailed(f"The values for {graph.name!r}", self._problems)
        return chosen

    def _check_types(self, values: Mapping[str, Any]) -> None:
        """Note what is missing, and what does not fit its declaration."""
        graph, chosen = self._graph, self._chosen
        types: dict[str, str] = {}
        inputs = dict(graph.artifact_inputs)
        parameters = narrowed(graph)
        for name in (*graph.parameters, *graph.artifact_inputs):
            value = chosen.given.get(name)
            if isinstance(value, Saved):
                types[name] = value.record.python_type
            elif name in values and name not in chosen.params:
                types[name] = ""  # It could not be had, which is noted already.
            else:
                continue
            if name in graph.parameters:
                output = OutputSpec(name, parameters[name].type)
                inputs[name] = ArtifactInput(name=name, outputs=(output,))
        plain = {name: p for name, p in graph.parameters.items() if name not in types}
        asked = replace(graph, parameters=plain, artifact_inputs=inputs)
        self._problems.extend(check_values(asked, chosen.params, types))

    def _take(self, name: str, value: Any) -> None:
        value = list(value) if type(value) is tuple else value
        if is_plain(value):
            self._chosen.given[name] = self._chosen.params[name] = value
            return
        self._take_saved(name, value)

    def _take_artifact(self, name: str, value: Any) -> None:
        if isinstance(value, str | Reference):
            self._take_reference(name, value)
        else:
            self._take_saved(name, value)

    def _take_reference(self, name: str, text: str | Reference) -> None:
        try:
            reference = text if isinstance(text, Reference) else parse_reference(text)
            record = self._space.resolve(reference, project=self._place(reference))
        except FindspotError as error:
            self._problem(name, error.what, hint=error.how)
            return
        self._put(name, Saved(record))

    def _place(self, reference: Reference) -> str | None:
        return None if reference.project is not None or reference.uid else self._project

    def _take_saved(self, name: str, value: Any) -> None:
        saved = self._saved(name, value)
        if saved is not None:
            self._put(name, saved)

    def _put(self, name: str, saved: Saved) -> None:
        self._chosen.given[name] = saved
        self._chosen.artifacts[name] = saved.record.uid

    def _saved(self, place: str, value: Any) -> Saved | None:
        """A value as a saved version; None, with a problem noted, where it cannot be had."""
        try:
            if isinstance(value, ArtifactVersion):
                return Saved(value.record)
            if not isinstance(value, ExternalArtifact):
                return self._by_value(place, ExternalArtifact(value))
            if value.has_value:
                return self._by_value(place, value)
            return Saved(value.find(self._space, self._project))
        except FindspotError as error:
            self._problem(place, error.what, hint=error.how)
            return None

    def _by_value(self, place: str, external: ExternalArtifact) -> Saved:
        key = check_key(external.key or f"{self._graph.name}/{place}")
        handler = self._space.handler_for(external.value, external.handler)
        new = prepare(
            self._space,
            external.value,
            key,
            project=self._project,
            handler=handler,
            handler_args={},
            with_metadata=external.metadata,
            with_preview=external.preview,
        )
        newest = self._newest(key)
        if newest is not None and newest.digest == new.record.digest:
            return Saved(newest, new.files, shared(external.value))
        if newest is not None and not handler.deterministic:
            self._chosen.notes.append(
                f"Whether the value of {place!r} is that of earlier jobs cannot be told: "
                f"the handler {handler.name} does not always give the same bytes. Steps that take "
                "it run again. Save the value once, and give it by its name; or give another "
                "handler."
            )
        self._chosen.new.append(new)
        return Saved(new.record, new.files, shared(external.value))

    def _newest(self, key: str) -> VersionRecord | None:
        return self._space.catalog.find_version(self._project, key)

    def _problem(self, name: str, message: str, *, hint: str | None = None) -> None:
        self._problems.append(Problem(name, message, hint=hint or ""))
