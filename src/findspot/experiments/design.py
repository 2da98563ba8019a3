"""An experiment, checked: its steps, conditions, seeds and code, from which its cells follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from findspot.core.canonical import canonical_json, is_plain
from findspot.core.digests import Digest, hash_bytes
from findspot.engine.caching.keys import policy_parts
from findspot.engine.code.fingerprint import Fingerprint, fingerprint
from findspot.engine.seeds import derive_seed
from findspot.experiments.cells import VALUE, Cell, Program
from findspot.experiments.history import DATA
from findspot.experiments.pipelines import PipelineProgram
from findspot.experiments.sources import (
    ArtifactSource,
    Datum,
    FunctionSource,
    Source,
    parameters_of,
)
from findspot.experiments.steps import ExperimentStep
from findspot.experiments.treatments import BASELINE, Treatment

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Design:
    """What an experiment is to do, without anything of a workspace.

    Args:
        parameters: of the baseline. treatments: by name, in their order.
        metrics: names that are taken out of mappings that steps return.
        kept: names of steps whose returned value is kept as an artifact.
    """

    name: str
    source: Source
    steps: tuple[ExperimentStep, ...]
    program: Program
    parameters: Mapping[str, Any]
    treatments: Mapping[str, Treatment]
    replicates: int
    seed: int
    metrics: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @cached_property
    def conditions(self) -> dict[str, dict[str, Any]]:
        """The parameters of each condition, the baseline first."""
        found = {BASELINE: dict(self.parameters)}
        for name, treatment in self.treatments.items():
            found[name] = {**self.parameters, **treatment.parameters}
        return found

    @cached_property
    def outputs(self) -> tuple[tuple[str, str], ...]:
        """(step, name) of everything that each cell keeps."""
        return self.program.outputs

    @cached_property
    def signature(self) -> Digest:
        """What the pipeline looks like: the same in every process, whatever its code."""
        return signature_of(self.steps, self.parameters)

    @cached_property
    def expires(self) -> float | None:
        """Seconds after which a finished cell counts no more, by the cache policies of the tasks of
        its steps and its data; None: never."""
        options = [step.options for step in self.steps]
        if isinstance(self.source, FunctionSource):
            options.append(self.source.step.options)
        policies = [each.policy for each in options if each.policy is not None]
        return min((p.expires for p in policies if p.expires is not None), default=None)

    def seed_of(self, condition: str, replicate: int) -> int:
        """The seed of one cell; it depends on nothing but the three and the experiment's."""
        return derive_seed(self.seed, self.name, condition, replicate)

    @cached_property
    def fingerprints(self) -> dict[str, Fingerprint]:
        """Of the code of each step, and of the data source and the treatments, by name."""
        found = {step.name: _of_step(step) for step in self.steps}
        if isinstance(self.program, PipelineProgram):
            found["pipeline"] = fingerprint(self.program.function)
        if isinstance(self.source, FunctionSource):
            found[DATA] = _of_step(self.source.step)
        if isinstance(self.source, ArtifactSource) and callable(self.source.loader.how):
            found[DATA] = fingerprint(self.source.loader.how)
        for name, treatment in self.treatments.items():
            if treatment.function is not None:
                found[f"treatment {name}"] = fingerprint(treatment.function)
        return found

    @cached_property
    def codes(self) -> dict[str, str]:
        """The digest of each of these."""
        return {name: found.digest for name, found in self.fingerprints.items()}

    @cached_property
    def _codes(self) -> dict[str, Digest]:
        codes = {n: c for n, c in self.codes.items() if not n.startswith("treatment ")}
        found: dict[str, Digest] = {}
        for name in self.conditions:
            own = self.codes.get(f"treatment {name}")
            found[name] = hash_bytes(canonical_json([FORMAT, codes, own]))
        return found

    def code_of(self, condition: str) -> Digest:
        """A digest of all the code that a cell of the condition runs."""
        return self._codes[condition]

    def code(self, condition: str) -> Fingerprint:
        """All the code that a cell of the condition runs, function by function."""
        parts: dict[str, str] = {}
        sources: dict[str, str] = {}
        for place, found in self.fingerprints.items():
            if place.startswith("treatment ") and place != f"treatment {condition}":
                continue
            for name, digest in found.parts.items():
                # Two steps may be made by one function: of one name, and of different code.
                own = name if parts.get(name, digest) == digest else f"{name} ({place})"
                parts[own] = digest
                sources[own] = found.sources.get(name, "")
        return Fingerprint(self.code_of(condition), parts, self.unfingerprintable, sources)

    @cached_property
    def unfingerprintable(self) -> tuple[str, ...]:
        """What the code uses that has no fingerprint."""
        found = {n: None for f in self.fingerprints.values() for n in f.unfingerprintable}
        return tuple(found)

    @cached_property
    def _shape(self) -> list[Any]:
        steps = [
            [s.name, sorted(s.declared), sorted(s.values(self.parameters))] for s in self.steps
        ]
        return [FORMAT, self.name, steps, sorted(self.metrics), sorted(self.kept)]

    def cell(self, condition: str, replicate: int, datum: Datum) -> Cell:
        """One cell, with the digests that tell whether it has a result already."""
        seed = self.seed_of(condition, replicate)
        parameters = self.conditions[condition]
        facts = [self._shape, condition, replicate, seed, parameters, datum.digest]
        if isinstance(self.source, FunctionSource):
            facts.append(parameters_of(self.source, self.parameters))
        return Cell(
            experiment=self.name,
            condition=condition,
            replicate=replicate,
            seed=seed,
            parameters=parameters,
            source=datum.source,
            identity=hash_bytes(canonical_json(facts)),
            code=self.code_of(condition),
        )

    def program_of(self, condition: str) -> Program:
        """What the cells of a condition run."""
        treatment = self.treatments.get(condition)
        function = None if treatment is None else treatment.function
        return self.program if function is None else self.program.treated(function)


def signature_of(steps: Sequence[ExperimentStep], parameters: Mapping[str, Any]) -> Digest:
    """A digest of names: steps, their parameters and artifacts. Of no code, and of no addresses."""
    shape = [[s.name, sorted(s.parameters), sorted(s.declared)] for s in steps]
    plain = {name: value if is_plain(value) else None for name, value in parameters.items()}
    return hash_bytes(canonical_json([FORMAT, shape, plain]))


def _of_step(step: ExperimentStep) -> Fingerprint:
    found = fingerprint(step.function)
    policy = step.options.policy
    if policy is None or (policy.code and not policy.salt and not policy.packages):
        return found
    digest = hash_bytes(canonical_json(policy_parts(policy, found.digest)))
    return Fingerprint(digest, found.parts, found.unfingerprintable, found.sources)


def outputs_of(steps: Sequence[ExperimentStep], kept: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(step, name) of every artifact and every kept value."""
    found = [(step.name, name) for step in steps for name in step.declared]
    found += [(name, VALUE) for name in kept]
    return tuple(found)


def kinds_of(steps: Sequence[ExperimentStep]) -> dict[tuple[str, str], str | None]:
    """The kind that each artifact was given."""
    return {(s.name, a.name): a.kind for s in steps for a in s.declared.values()}
