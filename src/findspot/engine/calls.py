"""One step's work: load its arguments, call the task, save what it returns.

`perform` runs in the process of the job or in a worker; a `StepCall` and a `StepResult` are all
that passes between them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from findspot.artifacts.saving import prepare
from findspot.catalog.protocol import Batch, NewVersion
from findspot.core.pickling import quick_to_pickle
from findspot.core.records import Failure, Producer, now
from findspot.engine.caching.keys import positional_slots
from findspot.engine.code.task_sources import PluginHandler, TaskSource
from findspot.engine.context import JobContext
from findspot.engine.errors import WrongOutputs
from findspot.engine.failures import failure_of
from findspot.engine.resources.budgets import Claim
from findspot.engine.resources.cards import seeing
from findspot.engine.resources.memory import watched
from findspot.engine.timeouts import deadline
from findspot.engine.values import Arguments, shared
from findspot.graph.spec import TaskSpec

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.capturing.capture import Capture
    from findspot.engine.recorder import Recorder
    from findspot.handlers.protocol import ArtifactHandler


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class SavePlan:
    """How one output of a step is saved.

    Args:
        name: under which the step's record lists the version: the output's name, or the output's
            and the export's name with ``/`` between them.
        output: the task's output.
        handler: a handler's name, or one of a plugin; None: by the value's type.
    """

    name: str
    output: str
    key: str
    handler: str | PluginHandler | None = None
    handler_args: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None

    def chosen(self, space: ArtifactSpace, value: Any) -> ArtifactHandler:
        """The handler that saves the value."""
        if isinstance(self.handler, PluginHandler):
            return self.handler.load(self.key)
        return space.handler_for(value, self.handler)

    def saved(self, space: ArtifactSpace, new: NewVersion) -> None:
        """Called where the step ran, when all its outputs are in the store, but not recorded."""


@quick_to_pickle
@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What every step of a job has in common.

    Args:
        artifact_path: where copies of what the job makes and logs are published; None: nowhere.
        path_variables: further variables of it.
    """

    id: str
    project: str
    experiment: str | None
    params: Mapping[str, Any]
    artifact_path: str | None = None
    path_variables: Mapping[str, str] = field(default_factory=dict)


@quick_to_pickle
@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """A step that is ready to run, with all that it needs.

    Args:
        claim: what it holds of the executor's supply; None: it asked for nothing.
    """

    job: JobFacts
    step: str
    spec: TaskSpec
    source: TaskSource
    arguments: Arguments
    saves: tuple[SavePlan, ...]
    seed: int | None
    claim: Claim | None = None


@quick_to_pickle
@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What became of a call.

    Args:
        versions: by the name of the `SavePlan`; not recorded yet.
        values: those of the saved values that cannot be changed.
        logged: what the code said of the job besides (`JobContext.logged`).
        interrupted: the user stopped the job during the step.
        said: what this step and those after it in its batch said, and the worker did not record.
    """

    step: str
    started: datetime
    ended: datetime
    attempt: int = 1
    versions: Mapping[str, NewVersion] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    logged: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    interrupted: bool = False
    said: Batch | None = None


def perform(
    call: StepCall, space: ArtifactSpace, recorder: Recorder, capture: Capture
) -> StepResult:
    """Run a step; whatever goes wrong in it is in the result, and in the job's log."""
    started = now()
    options = call.source.options
    attempt = 0
    context = JobContext(
        space,
        recorder,
        job=call.job.id,
        step=call.step,
        project=call.job.project,
        experiment=call.job.experiment,
        params=call.job.params,
        seed=call.seed,
        artifact_path=call.job.artifact_path,
        path_variables=call.job.path_variables,
    )
    failure: Failure | None = None
    interrupted = False
    with context.active(), capture.step(call.job.id, call.step), _claimed(call.claim, context):
        while True:
            attempt += 1
            worth_it = False
            try:
                versions, values = _attempt(call, space, context)
                return StepResult(
                    step=call.step,
                    started=started,
                    ended=now(),
                    attempt=attempt,
                    versions=versions,
                    values=values,
                    logged=context.logged,
                )
            except Exception as error:
                failure = failure_of(error)
                worth_it = isinstance(error, options.retry_on)
            except BaseException as error:  # also SystemExit, or what an event loop is cancelled by
                failure = failure_of(error)
                interrupted = isinstance(error, KeyboardInterrupt)
            if not worth_it or attempt > options.retries:
                break
            context.log(
                f"Attempt {attempt} of {options.retries + 1} failed: "
                f"{failure.type}: {failure.message}",
                "WARNING",
            )
            if options.retry_delay:
                # The wait must not depend on the step's seed: equal steps would wake together.
                time.sleep(options.wait(attempt, SystemRandom().random()))
        context.log(failure.traceback or f"{failure.type}: {failure.message}", "ERROR")
    return StepResult(
        step=call.step,
        started=started,
        ended=now(),
        attempt=attempt,
        failure=failure,
        interrupted=interrupted,
    )


def _claimed(claim: Claim | None, context: JobContext) -> AbstractContextManager[None]:
    """What a step holds is what it sees, and exceeding it is told."""
    return nullcontext() if claim is None else _seeing(claim, context)


@contextmanager
def _seeing(claim: Claim, context: JobContext) -> Iterator[None]:
    with seeing(claim.cards), watched(claim.need.memory, lambda text: context.log(text, "WARNING")):
        yield


def _attempt(
    call: StepCall, space: ArtifactSpace, context: JobContext
) -> tuple[dict[str, NewVersion], dict[str, Any]]:
    function = call.source.function()
    if call.seed is not None:
        from findspot.engine.seeds import seed_everything

        seed_everything(call.seed)
    args, kwargs = call.arguments.load(space)
    _inject(call.spec, args, kwargs, context)
    process = os.getpid()
    try:
        with deadline(call.step, call.source.options.timeout):
            returned = function(*args, **kwargs)
    finally:
        if os.getpid() != process:
            # A child that the task forked came back from it: the step, and the job, are its
            # parent's. Nothing is flushed, since the buffers are the parent's too.
            os._exit(0)
    outputs = _by_output(call, returned)
    versions: dict[str, NewVersion] = {}
    values: dict[str, Any] = {}
    for save in call.saves:
        value = outputs[save.output]
        versions[save.name] = prepare(
            space,
            value,
            save.key,
            project=call.job.project,
            handler=save.chosen(space, value),
            handler_args=save.handler_args,
            kind=save.kind,
            producer=Producer(call.job.id, call.step, save.name),
        )
        values[save.name] = shared(value)
    for save in call.saves:
        save.saved(space, versions[save.name])
    return versions, values


def _inject(spec: TaskSpec, args: list[Any], kwargs: dict[str, Any], context: JobContext) -> None:
    """Fill in the parameters that are annotated `JobContext`."""
    injected = [i for i in spec.inputs if i.injected]
    if not injected:
        return
    if not any(i.variadic for i in spec.inputs):
        # By name, because a positional argument after an injected one would move up.
        names = [slot.name for slot in positional_slots(spec)]
        only = {i.name for i in spec.inputs if i.positional_only}
        if not only:
            kwargs.update(zip(names, args, strict=False))
            del args[: len(names)]
    kwargs.update({i.name: context for i in injected})


def _by_output(call: StepCall, returned: Any) -> dict[str, Any]:
    outputs = call.spec.outputs
    if not outputs:
        return {}
    if not call.spec.unpack:
        return {outputs[0].name: returned}
    names = tuple(output.name for output in outputs)
    if isinstance(returned, str | bytes | Mapping) or not hasattr(returned, "__len__"):
        raise WrongOutputs(call.step, names, f"a {type(returned).__name__}")
    if len(returned) != len(names):
        raise WrongOutputs(call.step, names, f"{len(returned)} values")
    return dict(zip(names, returned, strict=True))


Perform = Callable[[StepCall], StepResult]
