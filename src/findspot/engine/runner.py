"""Run a plan: what is ready is reused or started, what is done sets others free."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from findspot.artifacts.saving import prepare, record_of
from findspot.catalog.protocol import NewVersion
from findspot.core.digests import Digest, hash_bytes
from findspot.core.records import (
    CacheEntry,
    FileEntry,
    JobInput,
    JobOutput,
    LogLine,
    Producer,
    StepRecord,
    StepStatus,
    now,
)
from findspot.engine.calls import JobFacts, SavePlan, StepCall, StepResult
from findspot.engine.errors import CannotSend
from findspot.engine.failures import failure_of
from findspot.engine.keys import key_of, key_parts, named_arguments, sources_document
from findspot.engine.plans import Plan, output_name
from findspot.engine.sources import PluginHandler
from findspot.engine.values import NOT_LOADED, Arguments, Saved, replaced, saved_in
from findspot.graph.spec import Opaque, Ref, Step
from findspot.graph.task_options import CachePolicy

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.executors import Executor
    from findspot.engine.fingerprint import Fingerprint
    from findspot.engine.recorder import Recorder
    from findspot.engine.sources import TaskSource

CacheMode = Literal["on", "refresh", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a plan is run.

    Args:
        cache: ``on`` reuses what equal steps made before; ``refresh`` runs every step, for later
            jobs to reuse; ``off`` runs every step, and nothing of it is reused later.
        seed: each step gets a seed of its own derived from it; None: seeds are left alone.
        portable: tasks must be in a form that can be sent to other processes.
        on_step: told of each change of a step.
    """

    cache: CacheMode = "on"
    seed: int | None = None
    portable: bool = False
    on_step: Callable[[StepRecord], None] | None = None


class Runner:
    """One run of a plan, in the thread of its caller.

    Args:
        given: values of parameters and artifact inputs: plain ones, or `Saved`.
        opaque: the `Saved` that stands for each live object in the graph, by identity.
        before: finished steps of an earlier attempt of the same job, which are not run again.
    """

    def __init__(
        self,
        space: ArtifactSpace,
        recorder: Recorder,
        plan: Plan,
        job: JobFacts,
        given: Mapping[str, Any],
        opaque: Mapping[int, Saved],
        options: RunOptions,
        before: Mapping[str, StepRecord] | None = None,
    ) -> None:
        self.records: dict[str, StepRecord] = {}
        self._space = space
        self._recorder = recorder
        self._plan = plan
        self._job = job
        self._given = given
        self._opaque = opaque
        self._options = options
        self._before = before or {}
        self._made: dict[tuple[str, str], Saved] = {}
        self._codes: dict[str, Fingerprint] = {}
        self._sources: dict[str, Digest] = {}
        self._entries: dict[str, CacheEntry] = {}
        self._asked: set[str] = set()
        self._portable: dict[str, TaskSource] = {}
        self._position = {name: index for index, name in enumerate(plan.order)}

    def run(self, executor: Executor) -> None:
        """Run every step that can be run; `records` then holds what became of each.

        Raises:
            KeyboardInterrupt: after the records say so.
        """
        plan = self._plan
        waiting = {name: len(plan.waits[name]) for name in plan.order}
        ready = [self._position[name] for name in plan.order if not waiting[name]]
        running = 0
        try:
            while ready or running:
                while ready and running < executor.slots:
                    name = plan.order[heapq.heappop(ready)]
                    call = self._prepare(name)
                    if call is None:
                        self._release(name, waiting, ready)
                    else:
                        executor.start(call)
                        running += 1
                if running:
                    result = executor.result()
                    running -= 1
                    self._complete(result)
                    if result.interrupted:
                        raise KeyboardInterrupt
                    self._release(result.step, waiting, ready)
        except BaseException:
            self._stop()
            raise

    def exported(self) -> dict[str, Saved]:
        """The graph's outputs that were made, by name; composed ones are saved now.

        Raises:
            FindspotError: a composed output cannot be saved.
        """
        made: dict[str, Saved] = {}
        for name, place in self._plan.exports.items():
            if place in self._made:
                made[name] = self._made[place]
        for save, contents in self._plan.composed:
            try:
                filled = replaced(contents, self._value_of)
            except KeyError:
                continue  # A step that it needs did not finish.
            made[save.name] = self._compose(save, filled)
        for name, saved in made.items():
            self._recorder.output(JobOutput(self._job.id, name, saved.record.uid))
        return made

    def _compose(self, save: SavePlan, contents: Any) -> Saved:
        """An output that the job itself puts together, of outputs of steps and inputs."""
        value = Arguments((contents,)).load(self._space)[0][0]
        new = prepare(
            self._space,
            value,
            save.key,
            project=self._job.project,
            handler=save.chosen(self._space, value),
            handler_args=save.handler_args,
            kind=save.kind,
            producer=Producer(self._job.id, None, save.name),
        )
        self._recorder.version(new)
        for place, saved in saved_in(contents, save.name):
            self._recorder.read(JobInput(self._job.id, None, place, saved.record.uid))
        return Saved(new.record, new.files)

    # ------------------------------------------------------------------ one step

    def _prepare(self, name: str) -> StepCall | None:
        """A call to start; None where the step is settled: reused, skipped or failed."""
        lost = any(self.records[b].status != "finished" for b in self._plan.waits[name])
        step = self._plan.graph.steps[name]
        if lost:
            self._settle(self._record(step, status="skipped"))
            return None
        finished = self._before.get(name)
        if finished is not None and self._recall(finished):
            self.records[name] = finished
            return None
        try:
            return self._call(step)
        except Exception as error:
            self._fail(step, error)
            return None

    def _call(self, step: Step) -> StepCall | None:
        started = now()
        spec = self._plan.graph.tasks[step.task]
        saves = self._plan.saves[step.name]
        source = self._plan.sources[step.task]
        arguments = Arguments(
            tuple([replaced(value, self._value_of) for value in step.args]),
            {key: replaced(value, self._value_of) for key, value in step.kwargs.items()},
        )
        named = named_arguments(spec, arguments)
        inputs: dict[str, str] = {}
        params: dict[str, Any] = {}
        for place, value in named.items():
            found = list(saved_in(value, place))
            if found:
                inputs.update({where: saved.record.uid for where, saved in found})
            else:
                params[place] = list(value) if type(value) is tuple else value
        seed = self._seed(step.name)
        code = self._code(step.task)
        policy = self._policy(step, source)
        parts = key_parts(
            spec,
            code.digest,
            named,
            policy=policy,
            seed=seed,
            handlers=self._chosen_handlers(saves),
        )
        key = None if policy is None or code.unfingerprintable else key_of(parts)
        if key is not None and self._options.cache == "on":
            entry = self._entry(key)
            if entry is not None and self._reuse(step, entry, saves, policy):
                made = {save.name: self._made[step.name, save.name] for save in saves}
                record = self._record(
                    step,
                    status="finished",
                    cached=True,
                    source_job=entry.job,
                    key=key,
                    params=params,
                    inputs=inputs,
                    outputs={name: saved.record.uid for name, saved in made.items()},
                    started=started,
                    ended=now(),
                )
                new = [
                    NewVersion(saved.record, saved.files)
                    for name, saved in made.items()
                    if saved.record is not entry.outputs[name] and saved.files is not None
                ]
                self.records[step.name] = record
                self._recorder.finished(record, new, cache=False)
                self._tell(record)
                return None
        if policy is not None and code.unfingerprintable:
            self._say(
                step.name,
                "It is run each time, because its code uses what has no fingerprint: "
                + ", ".join(code.unfingerprintable[:5]),
            )
        record = self._record(
            step,
            status="running",
            key=key,
            parts={**parts, **self._beside(step, code, policy)},
            params=params,
            inputs=inputs,
            started=started,
        )
        self.records[step.name] = record
        self._recorder.step(record)
        self._tell(record)
        return StepCall(
            job=self._job,
            step=step.name,
            spec=spec,
            source=self._sendable(step, source),
            arguments=arguments,
            saves=saves,
            seed=seed,
        )

    def _complete(self, result: StepResult) -> None:
        status: StepStatus = "finished"
        if result.failure is not None:
            status = "interrupted" if result.interrupted else "failed"
        record = replace(
            self.records[result.step],
            status=status,
            outputs={name: new.record.uid for name, new in result.versions.items()},
            started=result.started,
            ended=result.ended,
            attempt=result.attempt,
            failure=result.failure,
        )
        if result.failure is not None:
            self._settle(record)
            return
        for name, new in result.versions.items():
            value = result.values.get(name, NOT_LOADED)
            self._made[result.step, name] = Saved(new.record, new.files, value)
        self.records[result.step] = record
        self._recorder.finished(record, list(result.versions.values()), cache=True)
        self._tell(record)

    def _release(self, name: str, waiting: dict[str, int], ready: list[int]) -> None:
        for follower in self._plan.followers.get(name, ()):
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, self._position[follower])

    # ------------------------------------------------------------------ reuse

    def _entry(self, key: str) -> CacheEntry | None:
        """What the key led to before. The first find in a job brings all other finds in it along:
        most jobs repeat another one as a whole, and asking once is much faster."""
        found = self._entries.get(key)
        if found is not None:
            return found
        found = self._space.catalog.cached(key)
        if found is not None and found.job not in self._asked and len(self._plan.order) > 2:
            self._asked.add(found.job)
            self._entries.update(self._space.catalog.cached_in(found.job))
        return found

    def _policy(self, step: Step, source: TaskSource) -> CachePolicy | None:
        """When the step may be reused; None: never."""
        policy = source.options.policy
        if self._options.cache == "off" or step.cache is False:
            return None
        return CachePolicy() if policy is None and step.cache else policy

    def _reuse(
        self,
        step: Step,
        entry: CacheEntry,
        saves: tuple[SavePlan, ...],
        policy: CachePolicy | None,
    ) -> bool:
        """Take the outputs of an equal step; False where some of them, or their bytes, are gone,
        or where they are too old."""
        if not entry.complete or any(save.name not in entry.outputs for save in saves):
            return False
        if policy is not None and policy.expires is not None:
            oldest = min((v.created for v in entry.outputs.values()), default=now())
            if (now() - oldest).total_seconds() > policy.expires:
                return False
        files: dict[str, tuple[FileEntry, ...]] = {}
        if entry.in_store:
            for save in saves:
                files[save.name] = self._space.catalog.files(entry.outputs[save.name].uid)
            if not self._stored(files):
                return False
        for save in saves:
            saved = Saved(entry.outputs[save.name], files.get(save.name))
            if saved.record.key != save.key or saved.record.project != self._job.project:
                twin = self._renamed(saved, save, step)
                saved = Saved(twin.record, twin.files)
            self._made[step.name, save.name] = saved
        return True

    def _renamed(self, saved: Saved, save: SavePlan, step: Step) -> NewVersion:
        """A version of the same bytes under another key."""
        found = saved.record
        files = saved.files
        if files is None:
            files = self._space.catalog.files(found.uid)
        return record_of(
            self._space,
            files,
            save.key,
            project=self._job.project,
            handler_name=found.handler,
            handler_args=found.handler_args,
            python_type=found.python_type,
            kind=save.kind or found.kind,
            metadata=found.metadata,
            preview=found.preview,
            producer=Producer(self._job.id, step.name, save.name),
        )

    def _recall(self, finished: StepRecord) -> bool:
        """Take the outputs that an earlier attempt of this job made; False where they are gone."""
        names = {save.name for save in self._plan.saves[finished.name]}
        if finished.status != "finished" or names != set(finished.outputs):
            return False
        versions = self._space.catalog.versions(finished.outputs.values())
        files = {uid: self._space.catalog.files(uid) for uid in versions}
        if len(versions) != len(set(finished.outputs.values())) or not self._stored(files):
            return False
        for name, uid in finished.outputs.items():
            self._made[finished.name, name] = Saved(versions[uid], files[uid])
        return True

    def _stored(self, files: Mapping[str, tuple[FileEntry, ...]]) -> bool:
        digests: set[Digest] = {
            entry.digest for entries in files.values() for entry in entries if entry.inline is None
        }
        return not digests or not self._space.store.missing(digests)

    # ------------------------------------------------------------------ parts of a call

    def _value_of(self, leaf: Any) -> Any:
        if type(leaf) is Ref:
            if leaf.name in self._plan.graph.steps:
                return self._output_of(leaf)
            value = self._given[leaf.name]
            if leaf.output is not None and isinstance(value, Saved):
                outputs = self._plan.graph.artifact_inputs[leaf.name]
                if outputs.unpack:
                    names = [output.name for output in outputs.outputs]
                    return replace(value, part=names.index(leaf.output))
            return value
        if type(leaf) is Opaque:
            return self._opaque[id(leaf)]
        return leaf

    def _output_of(self, ref: Ref) -> Any:
        name = output_name(self._plan.graph, ref)
        if name is not None:
            return self._made[ref.name, name]
        outputs = self._plan.graph.tasks[self._plan.graph.steps[ref.name].task].outputs
        return tuple(self._made[ref.name, output.name] for output in outputs)

    def _code(self, task: str) -> Fingerprint:
        found = self._codes.get(task)
        if found is None:
            found = self._codes[task] = self._plan.sources[task].fingerprint()
        return found

    def _beside(self, step: Step, code: Fingerprint, policy: CachePolicy | None) -> dict[str, Any]:
        """What a record says of a step's key that is no part of it."""
        beside: dict[str, Any] = {"sources": self._kept_sources(step.task, code)}
        if code.unfingerprintable:
            beside["unfingerprintable"] = list(code.unfingerprintable)
        if policy is None:
            beside["uncached"] = "job" if self._options.cache == "off" else "task"
        return beside

    def _kept_sources(self, task: str, code: Fingerprint) -> Digest:
        """The digest of the document with the text of a task's code, recorded once a job."""
        found = self._sources.get(task)
        if found is None:
            document = sources_document(code)
            found = self._sources[task] = hash_bytes(document)
            self._recorder.document(found, document)
        return found

    def _seed(self, step: str) -> int | None:
        if self._options.seed is None:
            return None
        from findspot.engine.seeds import derive_seed

        return derive_seed(self._options.seed, step)

    def _chosen_handlers(self, saves: tuple[SavePlan, ...]) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        for save in saves:
            if isinstance(save.handler, PluginHandler):
                handler = [save.handler.class_name, save.handler.code]
                chosen[save.name] = [*handler, dict(save.handler_args)]
            elif save.handler is not None:
                chosen[save.name] = [save.handler, dict(save.handler_args)]
        return chosen

    def _sendable(self, step: Step, source: TaskSource) -> TaskSource:
        if not self._options.portable:
            return source
        found = self._portable.get(step.task)
        if found is None:
            found = self._portable[step.task] = source.portable()
        return found

    # ------------------------------------------------------------------ records

    def _settle(self, record: StepRecord) -> None:
        self.records[record.name] = record
        self._recorder.step(record)
        self._tell(record)

    def _record(self, step: Step, **fields: Any) -> StepRecord:
        return StepRecord(
            job=self._job.id,
            name=step.name,
            task=step.task,
            position=self._position[step.name],
            **fields,
        )

    def _fail(self, step: Step, error: Exception) -> None:
        """The step cannot even be started."""
        if isinstance(error, CannotSend):
            error = CannotSend(step.name, error.reason)
        failure = failure_of(error)
        self._say(step.name, failure.traceback or failure.message, "ERROR")
        time = now()
        self._settle(self._record(step, status="failed", started=time, ended=time, failure=failure))

    def _stop(self) -> None:
        """The run was interrupted: what was under way and what was still to come is so too."""
        for name in self._plan.order:
            record = self.records.get(name)
            if record is not None and record.status == "running":
                self._settle(replace(record, status="interrupted", ended=now()))

    def _say(self, step: str, text: str, level: str = "INFO") -> None:
        self._recorder.line(LogLine(self._job.id, step, now(), level, "findspot", text))

    def _tell(self, record: StepRecord) -> None:
        if self._options.on_step is not None:
            self._options.on_step(record)
