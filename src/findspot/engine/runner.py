"""Run a plan: what is ready is reused or started, what is done sets others free."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from findspot.catalog.protocol import NewVersion
from findspot.core.records import (
    JobOutput,
    JobUpdate,
    LogLine,
    StepRecord,
    StepStatus,
    now,
)
from findspot.engine.caching.keys import key_of, named_arguments
from findspot.engine.caching.reusing import Earlier
from findspot.engine.caching.singles import Singles
from findspot.engine.caching.step_keys import CacheMode, StepKeys
from findspot.engine.calls import JobFacts, SavePlan, StepCall, StepResult
from findspot.engine.code.fingerprint import without_fingerprint
from findspot.engine.conditions import NoCondition, without_missing
from findspot.engine.context import CURRENT
from findspot.engine.elements import Calls, elements_key, take_apart
from findspot.engine.failures import failure_of
from findspot.engine.made import Made, element_name, export
from findspot.engine.plans import Plan
from findspot.engine.step_order import Item, StepOrder
from findspot.engine.values import (
    NOT_LOADED,
    Arguments,
    Saved,
    is_constant,
    light,
    replaced,
    saved_in,
)
from findspot.graph.spec import Step
from findspot.graph.task_options import CachePolicy

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.executors import Executor
    from findspot.engine.recorder import Recorder

OnMade: TypeAlias = Callable[[StepRecord, Mapping[str, NewVersion]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a plan is run.

    Args:
        cache, seed: see `StepKeys`.
        on_step: told of each change of a step.
        on_made: told of each step that ran to its end, with what it made: before that is recorded.
    """

    cache: CacheMode = "on"
    seed: int | None = None
    on_step: Callable[[StepRecord], None] | None = None
    on_made: OnMade | None = None


class _PutOff(Exception):
    """An equal step is being computed; this one is looked at again afterwards."""


_STRIDE = 1_000_000
_LOOK_AGAIN = 0.05


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
        self.resolves = False
        """Whether a step depends on what references lead to, which no key of the job says."""
        self._space = space
        self._recorder = recorder
        self._plan = plan
        self._job = job
        self._options = options
        self._before = before or {}
        self._made = Made(plan, given, opaque)
        self._keys = StepKeys(plan, cache=options.cache, seed=options.seed, keep=recorder.document)
        self._position = {name: index for index, name in enumerate(plan.order)}
        self._earlier = Earlier(space, job.id, job.project, len(plan.order))
        self._singles = Singles(space, patient=CURRENT.get() is None)
        # Calls of a mapped step stand between it and the step after it.
        self._stride = _STRIDE if any(s.each for s in plan.graph.steps.values()) else 1
        self._mapped: dict[str, Calls] = {}
        self._element_of: dict[str, tuple[str, int]] = {}
        self._left_out: set[str] = set()
        self._waiting: dict[str, list[Item]] = {}
        self._elsewhere: list[Item] = []

    def exported(self) -> dict[str, Saved]:
        """The graph's outputs that were made, by name; composed ones are saved now.

        Raises:
            FindspotError: a composed output cannot be saved.
        """
        return export(self._space, self._recorder, self._job, self._made)

    def run(self, executor: Executor) -> None:
        """Run every step that can be run; `records` then holds what became of each.

        Raises:
            KeyboardInterrupt: after the records say so.
        """
        order = StepOrder(self._plan, executor)
        running: dict[str, Item] = {}
        try:
            while order.pending or running or self._elsewhere:
                while len(running) < executor.slots:
                    item = order.next()
                    if item is None:
                        break
                    call = self._prepare(item, order)
                    if call is not None:
                        claim = order.take(item)
                        executor.start(call if claim is None else replace(call, claim=claim))
                        running[call.step] = item
                if running:
                    result = executor.result()
                    item = running.pop(result.step)
                    order.give(item)
                    self._complete(result, order)
                    if result.interrupted:
                        raise KeyboardInterrupt
                    self._settled(item, order)
                elif self._elsewhere:
                    time.sleep(_LOOK_AGAIN)
                while self._elsewhere:
                    order.add(self._elsewhere.pop())
        except BaseException:
            self._stop()
            raise
        finally:
            self._singles.close()

    # ------------------------------------------------------------------ one step

    def _prepare(self, item: Item, order: StepOrder) -> StepCall | None:
        """A call to start; None where there is none to start now: the step is settled (reused,
        skipped or failed), has others to wait for, or its calls are in the order."""
        step = self._plan.graph.steps[self._plan.order[item.position]]
        try:
            if item.element >= 0:
                step = self._element(step, item.element)
            else:
                chosen = self._chosen(step)
                if chosen is None:
                    self._settled(item, order)
                    return None
                step = chosen
                if step.each:
                    self._open(step, item, order)
                    return None
            finished = self._before.get(step.name)
            if item.element >= 0 and not self._mapped[self._plan.order[item.position]].resumed:
                finished = None
            if finished is not None and self._recall(step, finished):
                self.records[step.name] = finished
                self.resolves |= "resolved" in finished.parts.get("logged", {})
            else:
                call = self._call(step, item)
                if call is not None:
                    return call
        except _PutOff:
            return None
        except Exception as error:
            self._fail(step, error)
        self._settled(item, order)
        return None

    def _chosen(self, step: Step) -> Step | None:
        """The step with the arguments that it has; None where it is skipped."""
        if not self._left_out and step.when is None:
            for before in self._plan.waits[step.name]:
                if self.records[before].status != "finished":
                    self._skip(step, f"It needs the step {before!r}, which did not finish.")
                    return None
            return step
        missing: list[str] = []
        for before in self._plan.waits[step.name]:
            if before in self._left_out:
                missing.append(before)
            elif self.records[before].status != "finished":
                self._skip(step, f"It needs the step {before!r}, which did not finish.")
                return None
        found = without_missing(step, self._plan.graph.tasks[step.task], missing)
        if isinstance(found, str):
            self._left_out.add(step.name)
            self._skip(step, f"It needs the result of the step {found!r}, which was skipped.")
            return None
        if step.when is not None and not self._condition(step):
            self._left_out.add(step.name)
            self._skip(step, f"Its condition {step.when} is false.")
            return None
        return found

    def _condition(self, step: Step) -> bool:
        value = replaced(step.when, self._made.value_of)
        if type(value) is Saved:
            value = value.load(self._space)
        if type(value) is bool or type(value).__name__ in ("bool", "bool_"):  # NumPy's, too
            return bool(value)
        raise NoCondition(step.name, str(step.when), type(value).__name__)

    def _skip(self, step: Step, reason: str) -> None:
        self._settle(self._record(step, status="skipped", parts={"skipped": reason}))

    def _settled(self, item: Item, order: StepOrder) -> None:
        """A step, or a call of a mapped one, is done; what waited for it may be free."""
        name = self._plan.order[item.position]
        if item.element >= 0:
            mapped = self._mapped[name]
            element = self.records[element_name(name, item.element)]
            self._element_of.pop(element.name, None)
            mapped.waiting -= 1
            mapped.failed += element.status != "finished"
            mapped.cached += element.cached
            if mapped.waiting:
                return
            self._close(mapped)
        order.release(name)

    # ------------------------------------------------------------------ mapped steps

    def _open(self, step: Step, item: Item, order: StepOrder) -> None:
        """Take the lists of a mapped step apart, and let its calls start."""
        given = {name: replaced(value, self._made.value_of) for name, value in step.each.items()}
        graph, project = self._plan.graph.name, self._job.project
        key = elements_key(graph, project, step.name, given)
        if self._options.cache == "off" or step.cache is False:
            key = None
        inputs = {
            place: saved.record.uid
            for name, value in given.items()
            for place, saved in saved_in(value, name)
        }
        before = self._before.get(step.name)
        resumed = before is not None and before.inputs == inputs
        elements = take_apart(
            self._space,
            given,
            self._known_elements(before if resumed else None, key),
            job=self._job.id,
            project=project,
            graph=graph,
            step=step.name,
        )
        record = self._record(
            step,
            status="running",
            key=key,
            parts={"elements": elements.count},
            inputs=inputs,
            outputs=elements.outputs,
            started=now(),
        )
        mapped = self._mapped[step.name] = Calls(step, elements, elements.count, resumed)
        self._made.counts[step.name] = elements.count
        self.records[step.name] = record
        self._recorder.finished(record, elements.made, cache=False)
        self._tell(record)
        if elements.count:
            order.open(item, elements.count)
        else:
            self._close(mapped)
            order.release(step.name)

    def _known_elements(self, before: StepRecord | None, key: str | None) -> Mapping[str, Saved]:
        """Elements that were saved by an earlier attempt, or by an earlier job."""
        if before is not None and before.outputs:
            return self._earlier.versions(before.outputs) or {}
        if key is not None and self._options.cache == "on":
            entry = self._earlier.entry(key)
            if entry is not None and entry.complete:
                uids = {place: version.uid for place, version in entry.outputs.items()}
                return self._earlier.versions(uids) or {}
        return {}

    def _element(self, step: Step, index: int) -> Step:
        """One call of a mapped step, as a step."""
        mapped = self._mapped[step.name]
        name = element_name(step.name, index)
        self._element_of[name] = (step.name, index)
        taken = {given: values[index] for given, values in mapped.elements.values.items()}
        found = mapped.step
        return replace(found, name=name, kwargs={**found.kwargs, **taken}, each={}, when=None)

    def _close(self, mapped: Calls) -> None:
        """All calls of a mapped step are settled."""
        count = mapped.elements.count
        record = replace(
            self.records[mapped.step.name],
            status="failed" if mapped.failed else "finished",
            cached=0 < count == mapped.cached,
            ended=now(),
        )
        self.records[record.name] = record
        self._recorder.finished(record, [], cache=not mapped.failed)
        self._tell(record)

    def _call(self, step: Step, item: Item) -> StepCall | None:
        started = now()
        spec = self._plan.graph.tasks[step.task]
        saves = self._saves(step)
        source = self._plan.sources[step.task]
        # Most are constants, and that is looked up once.
        templates = [*step.args, *step.kwargs.values()]
        constant = [is_constant(value) for value in templates]
        values = [
            value if fixed else replaced(value, self._made.value_of)
            for value, fixed in zip(templates, constant, strict=True)
        ]
        arguments = _arguments(step, values)
        named = named_arguments(spec, arguments)
        inputs: dict[str, str] = {}
        params: dict[str, Any] = {}
        for (place, value), fixed in zip(named.items(), constant, strict=True):
            found = [] if fixed else saved_in(value, place)
            if found:
                inputs.update({where: saved.record.uid for where, saved in found})
            else:
                params[place] = list(value) if type(value) is tuple else value
        if step.name in self._element_of:
            lists = self._mapped[self._element_of[step.name][0]].elements.lists
            inputs.update({name: uid for name, uid in lists.items() if name in params})
        seed = self._keys.seed(step.name)
        code = self._keys.code(step.task)
        policy = self._keys.policy(step)
        parts = self._keys.parts(step, named, saves, policy=policy, seed=seed)
        key = None if policy is None or code.unfingerprintable else key_of(parts)
        if key is not None and self._options.cache == "on":
            entry = self._earlier.entry(key)
            if entry is None and self._computed_elsewhere(key, policy, item):
                raise _PutOff
            if entry is None and policy is not None and policy.single:
                entry = self._earlier.entry(key)  # It may have been made while we waited.
            made = None
            if entry is not None:
                made = self._earlier.outputs(entry, step.name, saves, policy)
            if entry is not None and made is not None:
                self._made.saved.update({(step.name, name): saved for name, saved in made.items()})
                if policy is not None and policy.single:
                    self._singles.end(key)
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
                if entry.logged:
                    self.resolves |= "resolved" in entry.logged
                    self._log_again(entry.logged)
                self._tell(record)
                return None
        if policy is not None and code.unfingerprintable:
            self._say(
                step.name,
                f"It is run each time, because {without_fingerprint(code.unfingerprintable)}",
                "WARNING",
            )
        parts["sources"] = self._keys.sources(step.task)
        if code.unfingerprintable:
            parts["unfingerprintable"] = list(code.unfingerprintable)
        if policy is None:
            parts["uncached"] = "job" if self._options.cache == "off" else "task"
        elif policy.expires is not None:
            parts["expires"] = policy.expires
        record = self._record(
            step,
            status="running",
            key=key,
            parts=parts,
            params=params,
            inputs=inputs,
            started=started,
        )
        self.records[step.name] = record
        self._recorder.step(record)
        self._tell(record)
        if key is not None and self._options.cache == "on":
            self._singles.begin(key)
        if inputs:
            arguments = _arguments(step, [light(value) for value in values])
        return StepCall(
            job=self._job,
            step=step.name,
            spec=spec,
            source=source,
            arguments=arguments,
            saves=saves,
            seed=seed,
        )

    def _computed_elsewhere(self, key: str, policy: CachePolicy | None, item: Item) -> bool:
        """Whether an equal step is being computed, in this job or by another process; the step is
        then tried again later."""
        if self._singles.runs(key):
            self._waiting.setdefault(key, []).append(item)
            return True
        if policy is not None and policy.single:
            elsewhere = not self._singles.take(key)
        else:
            elsewhere = self._singles.elsewhere(key)
        if elsewhere:
            self._elsewhere.append(item)
        return elsewhere

    def _computed(self, key: str | None, order: StepOrder) -> None:
        """Let equal steps that waited go on: they find what was made, or run themselves."""
        if key is None or not self._singles.runs(key):
            return
        waiting = self._waiting.pop(key, ()) if self._waiting else ()
        if waiting or self._singles.announced(key):
            self._recorder.flush()
        for item in waiting:
            order.add(item)
        self._singles.end(key)

    def _complete(self, result: StepResult, order: StepOrder) -> None:
        if result.said is not None:
            self._recorder.merge(result.said)
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
            self._computed(record.key, order)
            return
        if result.logged:
            self.resolves |= "resolved" in result.logged
            record = replace(record, parts={**record.parts, "logged": result.logged})
        for name, new in result.versions.items():
            value = result.values.get(name, NOT_LOADED)
            self._made.saved[result.step, name] = Saved(new.record, new.files, value)
        self.records[result.step] = record
        self._recorder.finished(record, list(result.versions.values()), cache=True)
        self._tell(record)
        if self._options.on_made is not None:
            self._options.on_made(record, result.versions)
        self._computed(record.key, order)

    # ------------------------------------------------------------------ reuse

    def _log_again(self, logged: Mapping[str, Any]) -> None:
        """Make what a reused step logged the job's too; the artifacts stay those that were made."""
        for key, uid in logged.get("outputs", {}).items():
            self._recorder.output(JobOutput(self._job.id, key, uid))
        labels, params = logged.get("labels"), logged.get("params")
        if labels or params:
            update = JobUpdate(id=self._job.id, expected=("running",), labels=labels, params=params)
            self._recorder.update(update)

    def _recall(self, step: Step, finished: StepRecord) -> bool:
        """Take the outputs that an earlier attempt of this job made; False where they are gone."""
        names = {save.name for save in self._saves(step)}
        if finished.status != "finished" or names != set(finished.outputs):
            return False
        found = self._earlier.versions(finished.outputs)
        if found is None:
            return False
        for name, saved in found.items():
            self._made.saved[finished.name, name] = saved
        return True

    # ------------------------------------------------------------------ parts of a call

    def _saves(self, step: Step) -> tuple[SavePlan, ...]:
        element = self._element_of.get(step.name)
        if element is None:
            return self._plan.saves[step.name]
        saves = self._plan.saves[element[0]]
        return tuple(replace(save, key=f"{save.key}/{element[1]}") for save in saves)

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
            position=self._place(step.name),
            **fields,
        )

    def _place(self, name: str) -> int:
        element = self._element_of.get(name)
        if element is None:
            return self._position[name] * self._stride
        return self._position[element[0]] * self._stride + 1 + element[1]

    def _fail(self, step: Step, error: Exception) -> None:
        """The step cannot even be started."""
        failure = failure_of(error)
        self._say(step.name, failure.traceback or failure.message, "ERROR")
        time = now()
        self._settle(self._record(step, status="failed", started=time, ended=time, failure=failure))

    def _stop(self) -> None:
        """The run was interrupted: what was under way and what was still to come is so too."""
        for record in list(self.records.values()):
            if record.status == "running":
                self._settle(replace(record, status="interrupted", ended=now()))

    def _say(self, step: str, text: str, level: str = "INFO") -> None:
        self._recorder.line(LogLine(self._job.id, step, now(), level, "findspot", text))

    def _tell(self, record: StepRecord) -> None:
        if self._options.on_step is not None:
            self._options.on_step(record)


def _arguments(step: Step, values: list[Any]) -> Arguments:
    """Values in the order of a step's arguments, as these."""
    count = len(step.args)
    return Arguments(tuple(values[:count]), dict(zip(step.kwargs, values[count:], strict=True)))
