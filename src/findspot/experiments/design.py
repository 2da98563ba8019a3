"""An experiment, checked: its steps, conditions, seeds and code, from which its cells follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from findspot.core.canonical import canonical_json, is_plain
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import FindspotError, Problem
from findspot.core.names import KEY_LENGTH, check_name
from findspot.engine.caching.keys import policy_parts
from findspot.engine.code.fingerprint import Fingerprint, fingerprint
from findspot.engine.seeds import LARGEST, derive_seed
from findspot.experiments.artifact import Artifact
from findspot.experiments.cells import VALUE, Cell, Program
from findspot.experiments.history import DATA
from findspot.experiments.pipelines import PipelineProgram
from findspot.experiments.sources import (
    ArtifactSource,
    Datum,
    FunctionSource,
    ListSource,
    Source,
    parameters_of,
)
from findspot.experiments.steps import REQUIRED, ExperimentStep
from findspot.experiments.treatments import BASELINE, Treatment
from findspot.graph.suggestions import suggestion

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


@dataclass(slots=True)
class Checks:
    """Every mistake in what the user gave, gathered."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, path: str, message: str, hint: str = "", expected: str = "") -> None:
        self.problems.append(Problem(path, message, hint=hint, expected=expected))

    def name(self, path: str, name: Any, role: str) -> bool:
        try:
            check_name(name, role)
        except FindspotError as error:
            self.add(path, error.what, error.how or "")
            return False
        return True

    def replicates(self, given: Any, source: Source) -> int:
        """How many: as given, or as the data source has items."""
        known = source.replicates if isinstance(source, ListSource) else None
        if given is None:
            return known or 1
        if not isinstance(given, int) or isinstance(given, bool):
            self.add("replicates", f"it is {given!r}", expected="a whole number from 1 on")
        elif given < 1:
            self.add("replicates", f"{given} replicates cannot be", expected="at least 1")
        elif known is not None and given != known:
            self.add("replicates", f"{given} are wanted, but the data source has {known} items")
        else:
            return given
        return 1

    def seed(self, given: Any) -> int:
        good = isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= LARGEST
        if not good:
            self.add("seed", f"it is {given!r}", expected=f"a whole number from 0 to {LARGEST}")
        return given if good else 0

    def treatments(self, given: Any) -> dict[str, Treatment]:
        found: dict[str, Treatment] = {}
        folded = {BASELINE: BASELINE}
        if not isinstance(given, Sequence) or isinstance(given, str):
            self.add("treatments", f"they are {given!r}", expected="a list of Treatment")
            return found
        for index, treatment in enumerate(given):
            path = f"treatments[{index}]"
            if not isinstance(treatment, Treatment):
                self.add(path, f"it is a {type(treatment).__name__}", expected="a Treatment")
                continue
            path = f"{path} ({treatment.name})"
            if not self.name(path, treatment.name, "name of a treatment"):
                continue
            same = folded.get(treatment.name.casefold())
            if treatment.name == BASELINE:
                self.add(path, "the baseline is implied", "Say what it is with parameters={...}.")
            elif treatment.name.casefold() == DATA:
                self.add(path, f"the name {DATA!r} is taken by the data", "Choose another name.")
            elif same == treatment.name:
                self.add(path, "there are two treatments of this name", "Rename one of them.")
            elif same is not None:
                self.add(path, f"its name differs from {same!r} only in case", "Rename one.")
            else:
                folded[treatment.name.casefold()] = treatment.name
                found[treatment.name] = treatment
            change: Any = treatment.change
            if not isinstance(change, Mapping) and not callable(change):
                expected = "parameters by name, or a function of ctx"
                self.add(path, f"its change is {change!r}", expected=expected)
        return found

    def parameters(
        self,
        parameters: Any,
        treatments: Mapping[str, Treatment],
        steps: Sequence[ExperimentStep],
        source: Source = None,
    ) -> dict[str, Any]:
        """Unknown and missing ones, and values that are not plain."""
        if not isinstance(parameters, Mapping):
            self.add("parameters", f"they are {parameters!r}", expected="values by name")
            parameters = {}
        known = {
            **{name: None for step in steps for name in step.parameters},
            **{f"{step.name}.{name}": None for step in steps for name in step.parameters},
        }
        maker = source.step if isinstance(source, FunctionSource) else None
        of_data = set() if maker is None else set(maker.parameters)
        reads_context = any(step.context for step in (*steps, *([maker] if maker else ())))
        places = [("parameters", dict(parameters))]
        places += [(f"treatment {t.name}", t.parameters) for t in treatments.values()]
        for path, values in places:
            for name, value in values.items():
                if not is_plain(value):
                    self.add(
                        f"{path}.{name}",
                        f"its value is a {type(value).__name__}",
                        "Give a name or a number, and let the step make the object of it; or use "
                        "a function as the treatment.",
                        "a plain JSON value",
                    )
                declared = name in known or (path != "parameters" and name in parameters)
                if path == "parameters" and (name in of_data or reads_context):
                    continue
                if name in of_data and name not in known:
                    self.add(
                        f"{path}.{name}",
                        "it is a parameter of the data source, whose data all conditions share",
                        "Make it a parameter of a step.",
                    )
                elif not declared:
                    near = suggestion(name, {**known, **parameters}, role="parameters")
                    self.add(
                        f"{path}.{name}",
                        "no step has such a parameter",
                        f"{near or ''} Where a step reads it as ctx.parameters[{name!r}], declare "
                        "it in parameters={...} of the experiment.".strip(),
                    )
        for step in (*steps, *([maker] if maker else ())):
            for name, default in step.parameters.items():
                if default is not REQUIRED or step.values(parameters):
                    continue
                self.add(
                    f"step {step.name}",
                    f"its parameter {name!r} has no value in the baseline",
                    f"Give it a default, or a value with parameters={{{name!r}: ...}}.",
                )
        return dict(parameters)

    def outputs(
        self, given: Any, steps: Sequence[ExperimentStep], returned: Callable[[str], bool]
    ) -> tuple[str, ...]:
        """Names of steps whose value is kept; artifacts must be declared by some step."""
        kept: list[str] = []
        declared = {name: step.name for step in steps for name in step.declared}
        for index, output in enumerate(given):
            path = f"outputs[{index}]"
            if isinstance(output, Artifact):
                if output.name not in declared:
                    self.add(
                        path,
                        f"no step declares the artifact {output.name!r}",
                        "Make it the default of a parameter of the step that writes it, or an "
                        "attribute of the object that is the step.",
                    )
            elif isinstance(output, str) and returned(output):
                kept.append(output)
            else:
                names = ", ".join(step.name for step in steps)
                self.add(path, f"there is no {output!r}", f"Steps are {names or 'none'}.")
        return tuple(dict.fromkeys(kept))

    def keys(
        self, design_name: str, conditions: Sequence[str], outputs: Sequence[tuple[str, str]]
    ) -> None:
        longest = max((len(f"{s}/{n}") for s, n in outputs), default=0)
        for condition in conditions:
            if len(design_name) + len(condition) + longest + 12 > KEY_LENGTH:
                self.add(f"condition {condition}", "the names together are too long for a key")


def outputs_of(steps: Sequence[ExperimentStep], kept: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(step, name) of every artifact and every kept value."""
    found = [(step.name, name) for step in steps for name in step.declared]
    found += [(name, VALUE) for name in kept]
    return tuple(found)


def kinds_of(steps: Sequence[ExperimentStep]) -> dict[tuple[str, str], str | None]:
    """The kind that each artifact was given."""
    return {(s.name, a.name): a.kind for s in steps for a in s.declared.values()}
