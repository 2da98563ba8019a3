"""Create a job, run its plan, and record how it ended; and the same for a job that is resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.leases import lease
from findspot.catalog.protocol import Batch
from findspot.core.digests import Digest
from findspot.core.errors import CheckFailed, Conflict, FindspotError, Problem
from findspot.core.ids import new_uid
from findspot.core.names import check_name
from findspot.core.records import (
    Failure,
    JobRecord,
    JobStatus,
    JobUpdate,
    LogLine,
    Snapshot,
    StepRecord,
    now,
)
from findspot.engine.caching.repeating import job_key, repeated_job
from findspot.engine.caching.step_keys import CacheMode
from findspot.engine.calls import JobFacts, StepCall, StepResult, perform
from findspot.engine.cancelling import CancelWatch
from findspot.engine.capturing.capture import Capture
from findspot.engine.context import CURRENT
from findspot.engine.environment.document import EnvironmentProbe, Gathering
from findspot.engine.errors import CannotResume
from findspot.engine.executors import check_executor, executor_name, make_executor
from findspot.engine.failures import failure_of
from findspot.engine.jobs import Job
from findspot.engine.logged.publishing import (
    OF_A_CELL,
    checked,
    path_of_job,
    publish_outputs,
    values_of,
    variables_of,
)
from findspot.engine.plans import Plan
from findspot.engine.process import this_process
from findspot.engine.recorder import Recorder
from findspot.engine.resources.budgets import check_needs
from findspot.engine.runner import OnMade, Runner, RunOptions
from findspot.engine.targets.choosing import Chosen, choose, recalled

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.graph.spec import TaskGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How a job is run; None: as the workspace's settings say.

    Args:
        project: that the job and its outputs belong to.
        experiment: a question that several jobs answer, by name.
        executor: ``inline``, ``threads``, ``processes``, ``dask:``, ``dask:<address>``, ``ray:`` or
            ``ray:<address>``; or a Dask client.
        workers: how many steps at once; 0: one for each core.
        cache: True reuses what equal steps made before. False (or ``"refresh"``) runs every step,
            for later jobs to reuse; ``"off"`` runs every step, and nothing of it is reused later.
        seed: every step gets a seed of its own, derived from it.
        labels: names and values to find the job by.
        artifact_path: where readable copies of its outputs and of what its steps log are published:
            a folder or URL, with variables such as ``{{project}}`` and ``{{step}}``.
        on_step: told of each change of a step, as it happens.
        on_success, on_failure: called with the job when it has ended; what they raise is noted in
            the job's log and goes no further.
        job_id: a uid for the job, that no other has; None: a new one.
    """

    project: str | None = None
    experiment: str | None = None
    executor: str | Any | None = None
    workers: int | None = None
    cache: bool | CacheMode = True
    seed: int | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    artifact_path: str | Path | None = None
    on_step: Callable[[StepRecord], None] | None = None
    on_success: Callable[[Job], object] | None = None
    on_failure: Callable[[Job], object] | None = None
    job_id: str | None = None

    @property
    def cache_mode(self) -> CacheMode:
        """``cache`` as one of its three words.

        Raises:
            FindspotError: it is none of them.
        """
        if self.cache is True or self.cache == "on":
            return "on"
        if self.cache is False or self.cache == "refresh":
            return "refresh"
        if self.cache == "off":
            return "off"
        raise FindspotError(
            f"{self.cache!r} says not how to reuse steps.",
            how="Say True (on), False (refresh) or off.",
        )


def choose_values(
    space: ArtifactSpace, graph: TaskGraph, values: Mapping[str, Any], options: JobOptions
) -> Chosen:
    """Fix the values of a job, and check its options: for `launch`, before anything is recorded
    that the job needs.

    Raises:
        CheckFailed, BadArtifactPath, UnknownScheme, InvalidName, UnknownExecutor: as `launch`.
    """
    check_options(options)
    project = space.project if options.project is None else options.project
    check_name(project, "project name")
    if options.experiment is not None:
        check_name(options.experiment, "experiment name")
    for label in options.labels:
        check_name(label, "label")
    if options.artifact_path is not None:
        checked(options.artifact_path)
    return choose(space, graph, values, project)


def check_supply(space: ArtifactSpace, plan: Plan, options: JobOptions) -> None:
    """Whether the job's executor is there and has what each step asks for: for `launch`, as
    `choose_values`. No worker is started; a connection to a cluster is kept for the job.

    Raises:
        CheckFailed: lists every task that asks for more.
        UnknownExecutor, ExecutorLibraryMissing, ExecutorUnavailable
    """

    def nowhere(call: StepCall) -> StepResult:
        raise AssertionError(f"Only the supply was asked for, not to run {call.step}.")

    settings = space.settings
    workers = settings.workers if options.workers is None else options.workers
    with make_executor(options.executor or settings.executor, workers, space, nowhere) as pool:
        check_needs(plan, pool)


def launch(
    space: ArtifactSpace,
    plan: Plan,
    values: Mapping[str, Any] | Chosen,
    options: JobOptions,
    *,
    entrypoint: Snapshot,
    plugins: Mapping[str, str] | None = None,
    file: str | None = None,
    on_made: OnMade | None = None,
) -> Job:
    """Run a plan as a new job, to its end.

    The job is recorded before its first step; a step that fails makes the job failed, it does not
    raise.

    Args:
        values: of parameters and artifact inputs, by name; or what `choose_values` made of them.
        entrypoint: the snapshot of the graph.
        plugins: plugin name to the id of its snapshot.
        file: where the pipeline's code is, so that a resume finds it.
        on_made: told of each step that ran to its end, with what it made: before that is recorded.

    Raises:
        CheckFailed: a value is missing, unknown or of a wrong type, or a step asks for more than
            the executor has; there is no job then.
        BadArtifactPath, UnknownScheme: the artifact path is no good; there is no job then.
        KeyboardInterrupt: the user stopped it; the job is recorded as interrupted.
    """
    project = space.project if options.project is None else options.project
    executor = options.executor or space.settings.executor
    workers = space.settings.workers if options.workers is None else options.workers
    environment = EnvironmentProbe.shared().start(Path.cwd())
    chosen = (
        values if isinstance(values, Chosen) else choose_values(space, plan.graph, values, options)
    )
    parent = CURRENT.get()
    time = now()
    record = JobRecord(
        id=options.job_id or new_uid(),
        project=project,
        experiment=options.experiment,
        name=plan.graph.name,
        status="running",
        entrypoint=entrypoint.id,
        plugins=plugins or {},
        params=chosen.params,
        artifacts=chosen.artifacts,
        options={
            "executor": executor_name(executor),
            "workers": workers,
            "cache": options.cache_mode,
            **({} if file is None else {"file": file}),
        },
        seed=options.seed,
        owner=space.owner,
        process=this_process(),
        labels={name: str(text) for name, text in options.labels.items()},
        parent=None if parent is None else parent.id,
        created=time,
        started=time,
    )
    record = _with_artifact_path(space, record, options.artifact_path, entrypoint)
    key: Digest | None = None
    if options.cache_mode == "on":
        key = job_key(plan, chosen, entrypoint=entrypoint, project=project, seed=options.seed)
        earlier = None if key is None else repeated_job(space, key)
        if earlier is not None:
            return _repeat(space, plan, record, chosen, options, earlier, environment)
    notes = [_line(record.id, text) for text in chosen.notes]
    begin = Batch(jobs=[record], versions=chosen.new, log=notes)
    return _run(
        space,
        plan,
        record,
        chosen,
        options,
        {},
        executor=executor,
        workers=workers,
        begin=begin,
        environment=environment,
        key=key,
        on_made=on_made,
    )


def check_options(options: JobOptions) -> None:
    """What the types say, for those who do not check them: before there is a job, and also where
    an earlier one is repeated, which uses few of them.

    Raises:
        CheckFailed: lists every option that is wrong.
        UnknownExecutor: lists those there are.
    """
    given: Mapping[str, Any] = {
        name: getattr(options, name)
        for name in ("workers", "seed", "labels", "on_step", "on_success", "on_failure")
    }
    problems = []
    if given["workers"] is not None and (type(given["workers"]) is not int or given["workers"] < 0):
        text = f"it is {given['workers']!r}"
        problems.append(Problem("workers", text, expected="a whole number from 0 on"))
    if given["seed"] is not None and type(given["seed"]) is not int:
        problems.append(Problem("seed", f"it is {given['seed']!r}", expected="a whole number"))
    try:
        _ = options.cache_mode
    except FindspotError:
        text = f"it is {options.cache!r}"
        expected = 'True ("on"), False ("refresh") or "off"'
        problems.append(Problem("cache", text, expected=expected))
    if not isinstance(given["labels"], Mapping):
        text = f"it is {given['labels']!r}"
        problems.append(Problem("labels", text, expected="a mapping of names to texts"))
    problems += [
        Problem(name, f"it is {value!r}", expected="a function")
        for name, value in given.items()
        if name.startswith("on_") and value is not None and not callable(value)
    ]
    if problems:
        raise CheckFailed("The options of the job", problems)
    if options.executor is not None:
        check_executor(options.executor)


def _repeat(
    space: ArtifactSpace,
    plan: Plan,
    record: JobRecord,
    chosen: Chosen,
    options: JobOptions,
    earlier: str,
    environment: Gathering,
) -> Job:
    """Record a job whose steps are all those of an earlier one."""
    digest, document = environment.result()
    before = space.catalog.job(earlier)
    assert before is not None
    given = before.options.get("labels", {})
    said = {name: text for name, text in before.labels.items() if given.get(name) != text}
    record = replace(
        record,
        status="finished",
        ended=now(),
        environment=digest,
        params={**record.params, **before.params},  # equal ones, and those that steps logged
        labels={**record.labels, **said},
    )
    space.catalog.write(
        Batch(
            documents={digest: document},
            jobs=[record],
            versions=chosen.new,
            repeats=[(record.id, earlier)],
        )
    )
    publish_outputs(space, _facts(record), plan, lambda text: _note(space, record.id, text))
    job = Job(space, record, plan)
    if options.on_step is not None:
        for step in space.catalog.steps(record.id):
            options.on_step(step)
    _call_hook(job, options.on_success)
    return job


def resume(
    job: Job,
    plan: Plan | None,
    pipeline: Any,
    *,
    executor: str | None,
    workers: int | None,
    on_step: Callable[[StepRecord], None] | None,
) -> None:
    """Run what is missing of a job; see `Job.resume`."""
    space = job.space
    record = job.refresh().record
    if record.status in ("running", "queued"):
        raise CannotResume(record.id, "it has not ended.")
    if record.status == "finished":
        raise CannotResume(record.id, "it finished; nothing is missing.")
    if pipeline is not None:
        plan = pipeline.plan()
    elif plan is None:
        from findspot.engine.targets.entrypoints import plan_of_job

        plan = plan_of_job(space, record)
    chosen = recalled(space, plan.graph, record.params, record.artifacts)
    before = {step.name: step for step in space.catalog.steps(record.id)}
    options = JobOptions(
        cache=record.options.get("cache", "on"),
        seed=record.seed,
        on_step=on_step,
        on_success=plan.on_success,
        on_failure=plan.on_failure,
    )
    update = JobUpdate(
        id=record.id,
        expected=("failed", "interrupted", "cancelled"),
        status="running",
        process=this_process(),
    )
    environment = EnvironmentProbe.shared().start(Path.cwd())
    try:
        _run(
            space,
            plan,
            record,
            chosen,
            options,
            before,
            executor=executor or record.options.get("executor") or space.settings.executor,
            workers=record.options.get("workers", 0) if workers is None else workers,
            begin=Batch(updates=[update]),
            environment=environment,
        )
    except Conflict as error:
        raise CannotResume(record.id, "somebody else resumed it just now.") from error


def _run(
    space: ArtifactSpace,
    plan: Plan,
    record: JobRecord,
    chosen: Chosen,
    options: JobOptions,
    before: Mapping[str, StepRecord],
    *,
    executor: str | Any,
    workers: int,
    begin: Batch,
    environment: Gathering,
    key: Digest | None = None,
    on_made: OnMade | None = None,
) -> Job:
    """One attempt to run a job to its end, in this process. ``begin`` records that it runs; under
    ``key`` a later job may repeat it."""
    watch = CancelWatch(space.catalog, record.id)
    recorder = Recorder(space.catalog, watch.look)
    capture = Capture(recorder.line, job=record.id)

    def here(call: StepCall) -> StepResult:
        return perform(call, space, recorder, capture)

    pool = make_executor(executor, workers, space, here)
    facts = _facts(record)
    runner = Runner(
        space,
        recorder,
        plan,
        facts,
        chosen.given,
        chosen.opaque,
        RunOptions(
            cache=options.cache_mode,
            seed=options.seed,
            on_step=options.on_step,
            on_made=on_made,
        ),
        before,
    )
    with ExitStack() as unused:
        unused.push(pool)
        check_needs(plan, pool)
        space.catalog.write(begin)
        unused.pop_all()
    status: JobStatus = "finished"
    failure: Failure | None = None
    stopped: BaseException | None = None
    held = lease(space, purpose=f"job {record.id}", process=this_process())

    def describe(digest: Digest, document: bytes) -> None:
        """Where it runs is on record while it still does: should it be killed, what it had made by
        then can be made again."""
        recorder.document(digest, document)
        recorder.update(
            JobUpdate(id=record.id, expected=("running", "cancelled"), environment=digest)
        )

    with held, recorder, capture:
        environment.then(describe)
        try:
            with pool, watch:
                runner.run(pool)
            runner.exported()
            if facts.artifact_path is not None:
                recorder.flush()
                publish_outputs(
                    space, facts, plan, lambda text: recorder.line(_line(record.id, text))
                )
            failure = _failure_of_steps(runner.records)
            if failure is not None:
                status = "failed"
        except BaseException as error:
            failure = failure_of(error)
            status = "failed" if isinstance(error, Exception) else "interrupted"
            stopped = None if isinstance(error, FindspotError) else error
            if watch.cancelled and isinstance(error, KeyboardInterrupt):
                status, stopped = "cancelled", None
                failure = Failure("Cancelled", "The job was cancelled.")
            text = failure.traceback or f"{failure.type}: {failure.message}"
            recorder.line(LogLine(record.id, None, now(), "ERROR", "findspot", text))
        digest, _ = environment.result()
        update = JobUpdate(
            id=record.id,
            expected=("running", "cancelled"),
            status=status,
            ended=now(),
            failure=failure,
            environment=digest,
        )
        if key is not None and status == "finished" and not runner.resolves:
            recorder.repeatable(key, record.id)
        recorder.update(update)
    ended = space.catalog.job(record.id)  # with the labels and parameters that steps set
    assert ended is not None
    if (plan.on_success, plan.on_failure) != (options.on_success, options.on_failure):
        plan = replace(plan, on_success=options.on_success, on_failure=options.on_failure)
    job = Job(space, ended, plan)
    _call_hook(job, options.on_success if status == "finished" else options.on_failure)
    if stopped is not None:
        raise stopped
    return job


def _call_hook(job: Job, hook: Callable[[Job], object] | None) -> None:
    if hook is None:
        return
    try:
        hook(job)
    except Exception as error:
        failure = failure_of(error)
        text = f"A hook failed: {failure.traceback or failure.message}"
        _note(job.space, job.id, text, "ERROR")


def _note(space: ArtifactSpace, job: str, text: str, level: str = "WARNING") -> None:
    space.catalog.write(Batch(log=[_line(job, text, level)]))


def _line(job: str, text: str, level: str = "WARNING") -> LogLine:
    return LogLine(job, None, now(), level, "findspot", text)


def _with_artifact_path(
    space: ArtifactSpace, record: JobRecord, given: str | Path | None, entrypoint: Snapshot
) -> JobRecord:
    """The record with the artifact path that holds for the job, checked; a resume has it then."""
    variables = variables_of(CURRENT.get())
    known = values_of(record.id, record.project, record.experiment, variables)
    if entrypoint.body.get("syntax") == "experiment":
        known |= OF_A_CELL
    path = path_of_job(space, given, known, record.project)
    options = dict(record.options)
    if record.labels:
        options["labels"] = dict(record.labels)
    if path is not None:
        options |= {"artifact_path": path, **({"path_variables": variables} if variables else {})}
    return replace(record, options=options)


def _facts(record: JobRecord) -> JobFacts:
    return JobFacts(
        id=record.id,
        project=record.project,
        experiment=record.experiment,
        params=record.params,
        artifact_path=record.options.get("artifact_path"),
        path_variables=record.options.get("path_variables", {}),
    )


def _failure_of_steps(records: Mapping[str, StepRecord]) -> Failure | None:
    """The first failed step's failure, with a count of the others."""
    failed = [r for r in records.values() if r.status == "failed" and r.failure is not None]
    if not failed:
        return None
    first = min(failed, key=lambda r: r.ended or r.started or now())
    assert first.failure is not None
    skipped = sum(r.status == "skipped" for r in records.values())
    others = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    lost = f" ({skipped} skipped)" if skipped else ""
    said = first.failure.message.removeprefix(f"step {first.name}: ")
    return replace(
        first.failure,
        message=f"step {first.name!r}: {first.failure.type}: {said}{others}{lost}",
    )
