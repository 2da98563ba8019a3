"""From cells to a job: a step for each cell, and one for each datum that a function makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from findspot.engine.calls import SavePlan
from findspot.engine.code.fingerprint import Fingerprint
from findspot.engine.code.task_sources import PickledTask, TaskSource
from findspot.engine.errors import CannotSend
from findspot.engine.plans import Plan
from findspot.experiments.cells import Cell, DataProgram
from findspot.experiments.design import Design, kinds_of
from findspot.experiments.history import DATA, RUN
from findspot.experiments.sources import Datum, FunctionSource, parameters_of
from findspot.experiments.view import place_in_view
from findspot.experiments.written import ArtifactSave
from findspot.graph.spec import (
    InputSpec,
    Opaque,
    OutputSpec,
    Parameter,
    Ref,
    Step,
    TaskGraph,
    TaskSpec,
)
from findspot.graph.task_options import CachePolicy, TaskOptions, byte_count

_NO_ARGUMENTS: Mapping[str, Any] = {}  # one for all: there may be many cells


@dataclass(frozen=True)
class CellSource:
    """The program of a condition as the engine takes it: with its code's digest."""

    name: str
    program: Callable[..., Any]
    code: Fingerprint
    options: TaskOptions = field(default_factory=TaskOptions)

    def function(self) -> Callable[..., Any]:
        return self.program

    def fingerprint(self) -> Fingerprint:
        return self.code

    def portable(self) -> TaskSource:
        import cloudpickle

        try:
            return PickledTask(cloudpickle.dumps(self.program), self.options)
        except Exception as error:
            raise CannotSend(self.name, str(error)) from error


def plan_cells(
    design: Design, cells: Sequence[tuple[Cell, Datum]], facts: Mapping[str, Any], view: str = ""
) -> Plan:
    """The plan of a job that runs these cells.

    Args:
        facts: what the job's record is to say of the run, beside its number.
        view: the folder of the run's readable view, where the cells themselves are to write it.
    """
    tasks: dict[str, TaskSpec] = {}
    sources: dict[str, TaskSource] = {}
    steps: dict[str, Step] = {}
    saves: dict[str, tuple[SavePlan, ...]] = {}
    waits: dict[str, tuple[str, ...]] = {}
    followers: dict[str, list[str]] = {}
    kinds = kinds_of(design.steps)
    labels = [(f"{place[0]}/{place[1]}", kinds.get(place)) for place in design.outputs]
    for cell, datum in cells:
        name = cell.name
        task = _task_of(design, cell.condition, tasks, sources)
        before: tuple[str, ...] = ()
        kwargs: dict[str, Any] = {"cell": cell.plain()}
        if isinstance(design.source, FunctionSource):
            data = f"{DATA}/{cell.replicate}"
            if data not in steps:
                steps[data] = _data_step(design, cell.replicate, data, tasks, sources)
                key = f"{design.name}/data/{cell.replicate}"
                saves[data] = (SavePlan("output", "output", key),)
                waits[data] = ()
            kwargs["data"] = Ref(data)
            before = (data,)
            followers.setdefault(data, []).append(name)
        elif datum.version is not None:
            kwargs["data"] = Opaque(datum.version)
        elif datum.source is None:
            kwargs["data"] = datum.value
        steps[name] = Step(name=name, task=task, kwargs=kwargs)
        place = f"{design.name}/{cell.condition}/{cell.replicate}"
        shown = f"{view}/{place_in_view(cell.condition, cell.replicate)}" if view else ""
        saves[name] = tuple(
            [
                ArtifactSave(
                    label,
                    label,
                    f"{place}/{label}",
                    None,
                    _NO_ARGUMENTS,
                    kind,
                    f"{shown}/{label}" if shown else "",
                )
                for label, kind in labels
            ]
        )
        waits[name] = before
    graph = TaskGraph(
        name=design.name,
        parameters={
            name: Parameter(name=name, default=value)
            for name, value in {**facts_of(design), **facts}.items()
        },
        tasks=tasks,
        steps=steps,
    )
    return Plan(
        graph=graph,
        order=tuple(steps),
        waits=waits,
        followers={name: tuple(names) for name, names in followers.items()},
        sources=sources,
        saves=saves,
        exports={},
        composed=(),
    )


def facts_of(design: Design) -> dict[str, Any]:
    """What every job of a run says of it, as its parameters."""
    return {
        RUN: 0,
        "replicates": design.replicates,
        "conditions": design.conditions,
        "seed": design.seed,
        "signature": design.signature,
        "code": design.codes,
        "metrics": list(design.metrics),
        "outputs": [f"{step}/{name}" for step, name in design.outputs],
    }


def body_of(design: Design) -> dict[str, Any]:
    """What the snapshot of the experiment says, which its jobs run."""
    return {
        "format": 1,
        "syntax": "experiment",
        "experiment": design.name,
        "steps": [
            {
                "name": step.name,
                "source": f"{step.function.__module__}:"
                f"{getattr(step.function, '__qualname__', type(step.function).__qualname__)}",
                "artifacts": sorted(step.declared),
            }
            for step in design.steps
        ],
        "conditions": design.conditions,
        "seed": design.seed,
    }


def _task_of(
    design: Design, condition: str, tasks: dict[str, TaskSpec], sources: dict[str, TaskSource]
) -> str:
    treatment = design.treatments.get(condition)
    own = treatment is not None and treatment.function is not None
    name = f"cell of {condition}" if own else "cell"
    if name not in tasks:
        outputs = tuple(OutputSpec(f"{step}/{output}") for step, output in design.outputs)
        inputs = (InputSpec("cell"), InputSpec("data", required=False))
        tasks[name] = TaskSpec(
            name=name,
            source=f"experiment:{design.name}",
            inputs=inputs,
            outputs=outputs,
            unpack=True,
        )
        sources[name] = CellSource(
            name,
            design.program_of(condition),
            design.code(condition),
            options_of([step.options for step in design.steps]),
        )
    return name


def options_of(steps: Sequence[TaskOptions]) -> TaskOptions:
    """How a whole cell is run: it occupies the most that any of its steps does, and is reused as
    long as all of them may be. Retries and timeouts are each step's own.

    >>> found = options_of([TaskOptions(cpus=2), TaskOptions(cpus=1, memory="1 kB")])
    >>> found.cpus, found.memory, found.gpus
    (2, 1000, None)
    """
    policies = [policy for step in steps if (policy := step.policy) is not None]
    cache: bool | CachePolicy = False
    if len(policies) == len(steps):
        expires = min((p.expires for p in policies if p.expires is not None), default=None)
        # Their code, salts and packages are in the digest of the cell's code.
        cache = CachePolicy(expires=expires, single=any(policy.single for policy in policies))
    return TaskOptions(
        cache=cache,
        cpus=max((step.cpus for step in steps if step.cpus is not None), default=None),
        memory=max((byte_count(s.memory) for s in steps if s.memory is not None), default=None),
        gpus=max((step.gpus for step in steps if step.gpus is not None), default=None),
    )


def _data_step(
    design: Design,
    replicate: int,
    name: str,
    tasks: dict[str, TaskSpec],
    sources: dict[str, TaskSource],
) -> Step:
    source = design.source
    assert isinstance(source, FunctionSource)
    if DATA not in tasks:
        step = source.step
        tasks[DATA] = TaskSpec(name=DATA, source=step.name, inputs=(InputSpec("cell"),))
        sources[DATA] = CellSource(DATA, DataProgram(step), design.fingerprints[DATA], step.options)
    return Step(name=name, task=DATA, kwargs={"cell": data_cell(design, replicate)})


def data_cell(design: Design, replicate: int) -> dict[str, Any]:
    """What a function that makes data is told: it works for all conditions, so it is of none."""
    return {
        "experiment": design.name,
        "condition": "",
        "replicate": replicate,
        "seed": design.seed_of("", replicate),
        "parameters": parameters_of(design.source, design.parameters),
    }
