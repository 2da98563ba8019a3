"""Every mistake in what users give to an experiment, found before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from findspot.core.canonical import is_plain
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import KEY_LENGTH, check_name
from findspot.engine.seeds import LARGEST
from findspot.experiments.artifact import Artifact
from findspot.experiments.history import DATA
from findspot.experiments.sources import FunctionSource, ListSource, Source
from findspot.experiments.steps import REQUIRED, ExperimentStep
from findspot.experiments.treatments import BASELINE, Treatment
from findspot.graph.suggestions import suggestion

Strategy = Literal["rerun", "resume", "fill"]
STRATEGIES: Final[tuple[Strategy, ...]] = ("rerun", "resume", "fill")
_OUTPUTS = "a list of artifacts and names of steps"


@dataclass(slots=True)
class Checks:
    """Every mistake in what the user gave, gathered."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, path: str, message: str, hint: str = "", expected: str = "") -> None:
        self.problems.append(Problem(path, message, hint=hint, expected=expected))

    def found_in(self, path: str) -> bool:
        """Whether there is a mistake in this argument."""
        return any(problem.path == path for problem in self.problems)

    def kinds(self, **given: tuple[Any, type | tuple[type, ...], str]) -> None:
        """Values by the names of their arguments, each with its type, and that in words."""
        for path, (value, kind, expected) in given.items():
            if value is not None and not isinstance(value, kind):
                self.add(path, f"it is {value!r}", expected=expected)

    def options(self, strategy: Any, workers: Any, progress: Any) -> None:
        """Those of a run."""
        from findspot.engine.launching import JobOptions, check_options

        if strategy not in STRATEGIES:
            self.add("strategy", f"it is {strategy!r}", expected=", ".join(STRATEGIES))
        try:
            check_options(JobOptions(workers=workers))
        except CheckFailed as error:
            self.problems.extend(error.problems)
        if progress is not None and not callable(progress):
            self.add("progress", f"it is {progress!r}", expected="a function that is told of cells")

    def listed(self, path: str, given: Any, expected: str) -> tuple[Any, ...]:
        """The items of a list of the user's; a text is none."""
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
            self.add(path, f"it is {given!r}", expected=expected)
            return ()
        return tuple(given)

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
        for index, output in enumerate(self.listed("outputs", given, _OUTPUTS)):
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
