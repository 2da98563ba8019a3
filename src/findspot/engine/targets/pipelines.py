"""`pipeline`: a Python function, traced into a task graph and run as a job."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.engine.code.task_sources import LiveTask
from findspot.engine.plans import Plan, make_plan
from findspot.graph.checking import check
from findspot.graph.spec import Ref, TaskGraph
from findspot.graph.tracing import Traced, called_inside, trace

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import Snapshot
    from findspot.engine.jobs import Job

P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Generic[P, R]):
    """A function whose calls of tasks make a task graph; see `pipeline`.

    Called as a function it just calls the function: outside a pipeline the tasks run at once and
    nothing is saved; inside another pipeline its steps become steps of that one.
    """

    function: Callable[P, R]

    def __init__(self, function: Callable[P, R], name: str | None = None, **options: Any) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name: str = name or function.__name__
        self._options = options
        self._known: tuple[Traced, Plan] | None = None
        self._snapshots: dict[tuple[str, str], Snapshot] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        with called_inside(self.name):
            return self.function(*args, **kwargs)

    def graph(self) -> TaskGraph:
        """The task graph, traced anew; not checked."""
        return self._traced().graph

    def check(self) -> None:
        """Check the graph without running anything.

        Raises:
            CheckFailed: lists every mistake with its place.
        """
        self.plan()

    def problems(self) -> list[Problem]:
        """Every mistake in the graph; empty where there is none."""
        return check(self.graph())

    def to_yaml(self) -> str:
        """The graph as a YAML entrypoint, which runs the same and can be read back.

        Raises:
            FindspotError: the graph holds live objects, which have no YAML form.
        """
        from findspot.graph.yaml_writer import to_yaml

        return to_yaml(self.graph())

    def plan(self) -> Plan:
        """The checked graph, ready to run; made anew only when the graph has changed.

        Raises:
            CheckFailed: lists every mistake with its place.
        """
        traced = self._traced()
        known = self._known
        if (
            known is not None
            and known[0].graph == traced.graph
            and _constants(known[0].graph) == _constants(traced.graph)
            and all(known[0].tasks[name] is task for name, task in traced.tasks.items())
        ):
            return known[1]
        sources = {name: LiveTask(task) for name, task in traced.tasks.items()}
        plan = replace(
            make_plan(traced.graph, sources),
            on_success=self._options.get("on_success"),
            on_failure=self._options.get("on_failure"),
        )
        self._known, self._snapshots = (traced, plan), {}
        return plan

    def options(self, **options: Any) -> Pipeline[P, R]:
        """The same pipeline with options for its jobs (see `run`).

        The way to give an option whose name is also a parameter of the pipeline.

        Raises:
            CheckFailed: lists every name that is no option.
        """
        known = _option_names()
        wrong = [
            Problem(name, "there is no such option", expected=", ".join(known))
            for name in options
            if name not in known
        ]
        if wrong:
            raise CheckFailed(f"The options of {self.name!r}", wrong)
        return Pipeline(self.function, self.name, **{**self._options, **options})

    def run(self, *args: Any, **values: Any) -> Job:
        """Run the pipeline as a job, to its end.

        Arguments are the pipeline's parameters: plain values, `ExternalArtifact`, an
        `ArtifactVersion`, a live object (which is saved), or, for an artifact input, a reference as
        text. Names that are no parameters are options:

        Args:
            workspace: a `Workspace`; by default the current one.
            project, experiment, labels: where the job belongs, and how to find it.
            executor: ``inline``, ``threads``, ``processes``, ``dask:`` or ``ray:`` (these two also
                with an address). workers: how many steps at once.
            cache: False (or ``"refresh"``) runs every step; ``"off"`` also keeps what it makes
                from being reused later.
            seed: every step gets a seed of its own, derived from it.
            artifact_path: where readable copies of the outputs and of what steps log are published:
                a folder or URL, with variables such as ``{{project}}`` and ``{{step}}``.
            on_step: called with the `StepRecord` at each change of a step.
            on_success, on_failure: called with the job when it has ended.

        Returns:
            the job; a failed step makes it ``failed`` and skips what depends on it, nothing raises.

        Raises:
            CheckFailed: the graph or the values have mistakes; all are listed, nothing has run.
            KeyboardInterrupt: after the job was recorded as interrupted.
        """
        from findspot.artifacts.current import current_space
        from findspot.engine.launching import JobOptions, check_supply, choose_values, launch
        from findspot.engine.targets.choosing import Chosen
        from findspot.engine.targets.entrypoints import python_snapshot

        plan = self.plan()
        parameters = (*plan.graph.parameters, *plan.graph.artifact_inputs)
        given = self._by_name(args, values)
        options = dict(self._options)
        for name in list(given):
            if name not in parameters and name in _option_names():
                options[name] = given.pop(name)
        space: ArtifactSpace = options.pop("workspace", None) or current_space()
        chosen = JobOptions(**options)
        project = chosen.project or space.project
        place = (space.url, project)
        snapshot = self._snapshots.get(place)
        taken: Mapping[str, Any] | Chosen = given
        if snapshot is None:
            # What is refused leaves nothing, no snapshot either.
            taken = choose_values(space, plan.graph, given, chosen)
            check_supply(space, plan, chosen)
            snapshot = python_snapshot(space, plan.graph, self.target, project)
            self._snapshots[place] = snapshot
        return launch(space, plan, taken, chosen, entrypoint=snapshot, file=self.file)

    @property
    def target(self) -> str:
        """Where it can be imported from: ``module:qualname``."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @property
    def file(self) -> str | None:
        """The full path of the file that it is in; None where it was typed in."""
        file = getattr(sys.modules.get(self.function.__module__), "__file__", None)
        return os.path.abspath(file) if isinstance(file, str) else None

    def _traced(self) -> Traced:
        return trace(self.function, name=self.name)

    def _by_name(self, args: tuple[Any, ...], values: Mapping[str, Any]) -> dict[str, Any]:
        import inspect

        names = [
            p.name
            for p in inspect.signature(self.function).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if len(args) > len(names):
            raise FindspotError(
                f"It takes {len(names)} positional arguments, but {len(args)} were given.",
                where=f"pipeline {self.name}",
                how=f"Its parameters are {', '.join(names) or 'none'}.",
            )
        twice = [name for name in names[: len(args)] if name in values]
        if twice:
            raise FindspotError(
                f"The values of {', '.join(twice)} are given twice.", where=f"pipeline {self.name}"
            )
        return {**dict(zip(names, args, strict=False)), **values}

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"


def _constants(graph: TaskGraph) -> str:
    """The plain values in a graph, with their types: ``1``, ``1.0`` and ``True`` are equal."""
    values = [v for step in graph.steps.values() for v in step.values if type(v) is not Ref]
    return repr([*values, *(output.contents for output in graph.outputs.values())])


@functools.cache
def _option_names() -> tuple[str, ...]:
    from findspot.engine.launching import JobOptions

    return ("workspace", *(field.name for field in fields(JobOptions)))


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...


@overload
def pipeline(
    function: None = None, /, *, name: str | None = None, **options: Any
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...


def pipeline(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any
) -> Any:
    """Make a function a pipeline: calling tasks in it builds a task graph.

    Its parameters become the graph's parameters; those annotated with a class (an array, a table,
    an estimator) become artifact inputs. What it returns are the outputs, saved as artifacts: a
    mapping names them; a single result or a tuple of results is named by the tasks' outputs.

    Args:
        name: the graph's; None: the function's.
        options: of every job, as in `Pipeline.run`.

    >>> from findspot import task
    >>> @task
    ... def double(x: float) -> float:
    ...     return 2 * x
    >>> @pipeline
    ... def fourfold(x: float = 1.0):
    ...     return {"result": double(double(x))}
    >>> [step.name for step in fourfold.graph().steps.values()]
    ['double', 'double_2']
    """
    if function is not None:
        return Pipeline(function, name)
    return lambda decorated: Pipeline(decorated, name, **options)
