"""Run what a target names: a YAML file, a pipeline, or a function; and know its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from findspot.core.errors import CheckFailed, Problem
from findspot.core.records import Snapshot
from findspot.engine.jobs import Job
from findspot.engine.targets.stored import Runnable, find_runnable
from findspot.graph.paths import child
from findspot.graph.spec import Parameter, TaskGraph

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


def run_target(
    space: ArtifactSpace,
    what: str | Path | Callable[..., Any] | Snapshot,
    *,
    params: Mapping[str, Any] | None = None,
    artifacts: Mapping[str, Any] | None = None,
    **options: Any,
) -> Job:
    """Run an entrypoint, a pipeline or a function as a job, to its end; see `Workspace.run`."""
    from findspot.engine.launching import JobOptions, choose_values, launch
    from findspot.engine.targets.entrypoints import checked_file, open_stored, record_file
    from findspot.engine.targets.functions import run_function
    from findspot.engine.targets.pipelines import Pipeline

    target = find_runnable(space, what, options.get("project"))
    if isinstance(target, FunctionType):
        return run_function(space, target, params=params, inputs=artifacts, **options)
    values = together(params or {}, artifacts or {})
    if isinstance(target, Pipeline):
        return target.options(workspace=space, **options).run(**values)
    chosen = JobOptions(**options)
    if isinstance(target, Snapshot):
        entrypoint = open_stored(space, target)
        taken = choose_values(space, entrypoint.plan.graph, values, chosen)
    else:
        graph = checked_file(target)
        # What is refused leaves nothing, no snapshots either.
        taken = choose_values(space, graph, values, chosen)
        entrypoint = record_file(space, target, project=chosen.project or space.project)
    return launch(
        space,
        entrypoint.plan,
        taken,
        chosen,
        entrypoint=entrypoint.snapshot,
        plugins=entrypoint.plugins,
    )


def target_graph(space: ArtifactSpace, target: Runnable) -> tuple[TaskGraph, list[Problem]]:
    """The graph of a target with its parameters, and every mistake in it; of a function, the
    parameters alone.

    Raises:
        CheckFailed, NotFound: a recorded entrypoint cannot be run here any more.
    """
    from findspot.engine.targets.entrypoints import check_file, open_stored
    from findspot.engine.targets.pipelines import Pipeline
    from findspot.graph.task_specs import task_spec

    if isinstance(target, Path):
        return check_file(target)
    if isinstance(target, Snapshot):
        return open_stored(space, target).plan.graph, []
    if isinstance(target, Pipeline):
        return target.graph(), target.problems()
    inputs = task_spec(target, target.__name__).inputs
    parameters = {i.name: Parameter(name=i.name, type=i.type) for i in inputs}
    return TaskGraph(name=target.__name__, parameters=parameters), []


def mistakes_in_target(space: ArtifactSpace, target: Runnable) -> list[Problem]:
    """Every mistake in a target; nothing is run or recorded. A function is not looked into."""
    if isinstance(target, FunctionType):
        return []
    try:
        return target_graph(space, target)[1]
    except CheckFailed as error:
        return list(error.problems)


def mistakes_in_values(
    space: ArtifactSpace,
    target: Runnable,
    graph: TaskGraph,
    params: Mapping[str, Any],
    artifacts: Mapping[str, Any],
    project: str,
    *,
    unread: Set[str] = frozenset(),
) -> list[Problem]:
    """What a run with these values would be refused for; nothing is recorded.

    Args:
        unread: parameters whose texts could not be read, which were complained of before.
    """
    from findspot.engine.targets.choosing import choose
    from findspot.engine.targets.functions import check_call

    try:
        if isinstance(target, FunctionType):
            check_call(space, target, params=params, inputs=artifacts, project=project)
        else:
            choose(space, graph, together(params, artifacts), project)
    except CheckFailed as error:
        known = {place for name in unread for place in (name, child("$.parameters", name))}
        return [problem for problem in error.problems if problem.path not in known]
    return []


def together(params: Mapping[str, Any], artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters and artifacts as one mapping of values.

    Raises:
        CheckFailed: a name is in both.
    """
    from findspot.artifacts.version import ArtifactVersion
    from findspot.engine.targets.external import ExternalArtifact

    twice = sorted(params.keys() & artifacts.keys())
    if twice:
        raise CheckFailed(
            "The values",
            [Problem(name, "it is given twice, as value and artifact") for name in twice],
        )
    chosen = {
        name: value
        if isinstance(value, ExternalArtifact | ArtifactVersion)
        else ExternalArtifact(name=str(value))
        for name, value in artifacts.items()
    }
    return {**params, **chosen}
