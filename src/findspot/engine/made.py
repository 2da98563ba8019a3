"""What a job was given and what its steps made so far, and the job's outputs of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from findspot.artifacts.saving import prepare
from findspot.core.records import JobInput, JobOutput, Producer
from findspot.engine.calls import JobFacts, SavePlan
from findspot.engine.plans import Plan, output_name
from findspot.engine.values import Arguments, Saved, replaced, saved_in
from findspot.graph.spec import Opaque, Ref

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.recorder import Recorder


class Made:
    """The values that references in a plan stand for.

    Args:
        given: values of parameters and artifact inputs: plain ones, or `Saved`.
        opaque: the `Saved` that stands for each live object in the graph, by identity.
    """

    def __init__(self, plan: Plan, given: Mapping[str, Any], opaque: Mapping[int, Saved]) -> None:
        self.plan = plan
        self.saved: dict[tuple[str, str], Saved] = {}
        self.counts: dict[str, int] = {}
        self._given = given
        self._opaque = opaque

    def value_of(self, leaf: Any) -> Any:
        """A reference's or live object's value; anything else as it is.

        Raises:
            KeyError: the step that it refers to did not finish.
        """
        if type(leaf) is Ref:
            if leaf.name in self.plan.graph.steps:
                return self._output_of(leaf)
            value = self._given[leaf.name]
            if leaf.output is not None and isinstance(value, Saved):
                outputs = self.plan.graph.artifact_inputs[leaf.name]
                if outputs.unpack:
                    names = [output.name for output in outputs.outputs]
                    return replace(value, part=names.index(leaf.output))
            return value
        if type(leaf) is Opaque:
            return self._opaque[id(leaf)]
        return leaf

    def _output_of(self, ref: Ref) -> Any:
        name = output_name(self.plan.graph, ref)
        step = self.plan.graph.steps[ref.name]
        if name is None:
            outputs = self.plan.graph.tasks[step.task].outputs
            return tuple(self._output_of(Ref(ref.name, output.name)) for output in outputs)
        if not step.each:
            return self.saved[ref.name, name]
        count = self.counts[ref.name]
        return [self.saved[element_name(ref.name, index), name] for index in range(count)]


def element_name(step: str, index: int) -> str:
    """The name of one call of a mapped step.

    >>> element_name("fit", 3)
    'fit[3]'
    """
    return f"{step}[{index}]"


def export(space: ArtifactSpace, recorder: Recorder, job: JobFacts, made: Made) -> dict[str, Saved]:
    """Record the graph's outputs that were made; composed ones are saved now.

    Raises:
        FindspotError: a composed output cannot be saved.
    """
    outputs: dict[str, Saved] = {}
    for name, place in made.plan.exports.items():
        if place in made.saved:
            outputs[name] = made.saved[place]
    for save, contents in made.plan.composed:
        try:
            filled = replaced(contents, made.value_of)
        except KeyError:
            continue  # A step that it needs did not finish.
        outputs[save.name] = _compose(space, recorder, job, save, filled)
    for name, saved in outputs.items():
        recorder.output(JobOutput(job.id, name, saved.record.uid))
    return outputs


def _compose(
    space: ArtifactSpace, recorder: Recorder, job: JobFacts, save: SavePlan, contents: Any
) -> Saved:
    """An output that the job itself puts together, of outputs of steps and inputs."""
    value = Arguments((contents,)).load(space)[0][0]
    new = prepare(
        space,
        value,
        save.key,
        project=job.project,
        handler=save.chosen(space, value),
        handler_args=save.handler_args,
        kind=save.kind,
        producer=Producer(job.id, None, save.name),
    )
    recorder.version(new)
    for place, saved in saved_in(contents, save.name):
        recorder.read(JobInput(job.id, None, place, saved.record.uid))
    return Saved(new.record, new.files)
