"""One cell of an experiment: all steps of one condition and replicate, run in one place.

A whole cell is one step of the job: its steps hand values to each other in memory, and what is
kept of it are its metrics, its artifacts and the returned values that were asked for.
"""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from findspot.engine.context import CURRENT
from findspot.engine.seeds import seed_everything
from findspot.engine.timeouts import deadline
from findspot.experiments.artifact import FILES, BoundArtifact, StepFiles
from findspot.experiments.context import CellContext, PathVariables
from findspot.experiments.loading import Loader
from findspot.experiments.steps import ExperimentStep
from findspot.experiments.written import WrittenFile

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

VALUE = "output"
"""What the value that a step returned is called, where it is kept as an artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Which cell: all plain values, so that the step's record shows them.

    Args:
        seed: derived from experiment, condition and replicate.
        parameters: of the condition, as far as they are known before it runs.
        source: the version that its datum is, where it is an artifact of another experiment.
        identity: a digest of all this; code: a digest of all the code.
    """

    experiment: str
    condition: str
    replicate: int
    seed: int
    parameters: Mapping[str, Any]
    source: str | None = None
    identity: str = ""
    code: str = ""

    @property
    def name(self) -> str:
        """The name of its step in the job."""
        return f"{self.condition}/{self.replicate}"

    def plain(self) -> dict[str, Any]:
        return {
            "experiment": self.experiment,
            "condition": self.condition,
            "replicate": self.replicate,
            "seed": self.seed,
            "parameters": self.parameters,
            "source": self.source,
            "identity": self.identity,
            "code": self.code,
        }


@dataclass(slots=True)
class Outcome:
    """What a cell made.

    Args:
        value: what its last step returned.
        artifacts: what was written, by (step, name): paths, or small ones as their bytes.
        kept: returned values that were asked for, by (step, name).
    """

    value: Any
    context: CellContext
    artifacts: dict[tuple[str, str], Path | bytes] = field(default_factory=dict)
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)


class Activity:
    """A cell while it runs: it calls steps one by one and gathers what they make."""

    def __init__(
        self,
        context: CellContext,
        metrics: frozenset[str],
        kept: frozenset[str],
        folder: Path | None,
        *,
        in_memory: bool = False,
    ) -> None:
        self.outcome = Outcome(None, context)
        self.context = context
        self._metrics = metrics
        self._kept = kept
        self._folder = folder
        self._in_memory = in_memory
        self.files: list[StepFiles] = []

    def call(self, step: ExperimentStep, arguments: Mapping[str, Any]) -> Any:
        """Run one step, with its retries; its artifacts must be there afterwards."""
        if step.simple and FILES.get() is None:
            return self._called_simply(step, arguments)
        own = None if self._folder is None else self._folder / step.name
        files = StepFiles(step.name, step.declared, own, in_memory=self._in_memory)
        before = self.context.step
        self.context.step = step.name
        try:
            value = self._tried(step, arguments, files)
            written = files.written() if files.names else {}
        except (Exception, SystemExit) as error:
            self._place(step, error)
            raise
        finally:
            self.context.step = before
            if files.names:
                self.files.append(files)
        for name, found in written.items():
            self.outcome.artifacts[step.name, name] = found
            self.context.artifacts.add(name, files)
        self._keep(step, value)
        return value

    def _called_simply(self, step: ExperimentStep, arguments: Mapping[str, Any]) -> Any:
        """The same for a step that writes nothing and is called once, as most steps are."""
        context = self.context
        before, context.step = context.step, step.name
        try:
            if step.context:
                arguments = {**arguments, step.context: context}
            value = step.function(**arguments)
        except (Exception, SystemExit) as error:
            self._place(step, error)
            raise
        finally:
            context.step = before
        self._keep(step, value)
        return value

    def _place(self, step: ExperimentStep, error: BaseException) -> None:
        error.add_note(
            f"In step {step.name!r} of condition {self.context.condition!r}, "
            f"replicate {self.context.replicate}."
        )

    def _keep(self, step: ExperimentStep, value: Any) -> None:
        if step.name in self._kept:
            self.outcome.kept[step.name, VALUE] = value
        if self._metrics and isinstance(value, Mapping):
            self.log_declared(step.name, value)

    def log_declared(self, step: str, value: Mapping[Any, Any]) -> None:
        """Log those of a returned mapping's numbers that are declared as metrics."""
        found = {name: value[name] for name in self._metrics if name in value}
        if found:
            before, self.context.step = self.context.step, step
            self.context.log_metrics(found)
            self.context.step = before

    def _tried(self, step: ExperimentStep, arguments: Mapping[str, Any], files: StepFiles) -> Any:
        options = step.options
        attempt = 0
        while True:
            attempt += 1
            again = attempt <= options.retries
            # What a failed attempt did to its arguments must not reach the next one.
            given = copy.deepcopy(dict(arguments)) if again else dict(arguments)
            for name, artifact in step.artifacts.items():
                given[name] = BoundArtifact(artifact, files)
            if step.context:
                given[step.context] = self.context
            token = FILES.set(files)
            try:
                if options.timeout is None:
                    return step.function(**given)
                with deadline(step.name, options.timeout):
                    return step.function(**given)
            except Exception as error:
                if not again or not isinstance(error, options.retry_on):
                    raise
                self.context.log(f"{step.name}: attempt {attempt} failed: {error!r}")
                files.clear()
                if options.retry_delay:
                    time.sleep(options.wait(attempt, SystemRandom().random()))
            finally:
                FILES.reset(token)


@dataclass(frozen=True)
class Program:
    """What all cells of a condition run: sent to the worker processes as it is.

    Args:
        steps: in their order.
        treatment: changes the context before the first step.
        metrics: names that are taken out of mappings that steps return.
        kept: names of steps whose returned value is kept.
        loader: turns the artifact that the datum is into the datum.
        outputs: (step, name) of everything that is kept, in the order of the step's outputs.
    """

    steps: tuple[ExperimentStep, ...]
    treatment: Callable[[CellContext], object] | None = None
    metrics: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    loader: Loader | None = None
    outputs: tuple[tuple[str, str], ...] = ()

    def __call__(self, cell: Mapping[str, Any], data: Any = None) -> tuple[Any, ...]:
        """Run a cell as a step of a job; the values of the outputs, in their order."""
        job = CURRENT.get()
        assert job is not None

        def sink(step: str, numbers: Mapping[str, float], at: int | None) -> None:
            job.record_metrics(numbers, at, f"{job.step}/{step}")

        context = context_of(cell, sink, job.log)
        job.path_variables = PathVariables(context)
        if cell["source"] is not None:
            assert self.loader is not None
            data = self.loader.load(job.space, cell["source"])
        activity = Activity(context, self.metrics, self.kept, None, in_memory=True)
        try:
            outcome = self.run(activity, data)
        finally:
            job.path_variables = dict(job.path_variables)  # or the two would hold each other
            # The files are saved after this returns.
            for files in activity.files:
                if files.folder is not None:
                    job.afterwards.callback(shutil.rmtree, files.folder, ignore_errors=True)
        made: dict[tuple[str, str], Any] = {**outcome.artifacts, **outcome.kept}
        for place, data in outcome.artifacts.items():
            if isinstance(data, bytes):
                made[place] = WrittenFile(place[1].rpartition("/")[2], data)
        return tuple([made[place] for place in self.outputs])

    def treated(self, function: Callable[[CellContext], object]) -> Program:
        """The same for a condition whose treatment is a function."""
        return replace(self, treatment=function)

    def run(self, activity: Activity, data: Any) -> Outcome:
        """Run all steps; what they raise is passed on."""
        context, outcome = activity.context, activity.outcome
        seed_everything(context.seed)
        if self.treatment is not None:
            self.treatment(context)
        context.freeze()
        outcome.value = self.body(activity, data)
        return outcome

    def body(self, activity: Activity, data: Any) -> Any:
        """The steps in turn, each given what the one before returned."""
        for step in self.steps:
            arguments = step.values(activity.context.parameters)
            if step.data:
                arguments[step.data] = data
            if step.jobs:
                arguments.update(dict.fromkeys(step.jobs, CURRENT.get()))
            data = activity.call(step, arguments)
        return data


def context_of(
    cell: Mapping[str, Any],
    sink: Callable[[str, Mapping[str, float], int | None], None] | None,
    say: Callable[[str], None] | None,
) -> CellContext:
    """The context that a cell's steps get."""
    return CellContext(
        experiment=cell["experiment"],
        condition=cell["condition"],
        replicate=cell["replicate"],
        seed=cell["seed"],
        parameters=cell["parameters"],
        sink=sink,
        say=say,
    )


@dataclass(frozen=True)
class DataProgram:
    """What makes the datum of one replicate, for all conditions."""

    step: ExperimentStep

    def __call__(self, cell: Mapping[str, Any]) -> Any:
        job = CURRENT.get()
        context = context_of(cell, None, None if job is None else job.log)
        context.step = self.step.name
        if job is not None:
            job.path_variables = PathVariables(context)
        return self.run(context)

    def run(self, context: CellContext) -> Any:
        seed_everything(context.seed)
        context.freeze()
        arguments = self.step.values(context.parameters)
        if self.step.context:
            arguments[self.step.context] = context
        if self.step.jobs:
            arguments.update(dict.fromkeys(self.step.jobs, CURRENT.get()))
        return self.step.function(**arguments)


def loaded_datum(space: ArtifactSpace, loader: Loader | None, source: str) -> Any:
    """The datum that an artifact is, outside a job."""
    return (loader or Loader()).load(space, source)
