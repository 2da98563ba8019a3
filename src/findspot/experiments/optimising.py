"""`Experiment.optimise`: rounds of treatments that an optimiser asks for and is told about."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from findspot.core.errors import CheckFailed, FindspotError
from findspot.experiments.checking import Checks
from findspot.experiments.history import give_up
from findspot.experiments.treatments import Optimiser, StagedOptimiser, Treatment

if TYPE_CHECKING:
    from findspot.experiments.checking import Strategy
    from findspot.experiments.experiment import Experiment
    from findspot.experiments.results import Result


class Search:
    """One call of `Experiment.optimise`: all rounds are jobs of one run."""

    def __init__(self, experiment: Experiment, options: dict[str, Any]) -> None:
        self._experiment = experiment
        self._strategy: Strategy = options.pop("strategy", "rerun")
        self._options = options
        self._tried = {treatment.name: treatment for treatment in experiment.treatments}

    def run(self, optimiser: Optimiser, rounds: int | None) -> Result:
        """Ask, run and tell, until nothing more is asked for."""
        _check(optimiser, rounds)
        result: Result | None = None
        done = 0
        while rounds is None or done < rounds:
            asked = self._asked(optimiser)
            if not asked:
                break
            done += 1
            kept = asked
            if isinstance(optimiser, StagedOptimiser):
                kept = self._stages(optimiser, asked)
            self._tried.update(kept)
            result = self._run(self._tried)
            optimiser.tell({name: means_of(result, name) for name in kept})
        if result is None:
            raise FindspotError(
                "The optimiser asked for no treatment.", how="Its ask() must return some at first."
            )
        return result

    def _asked(self, optimiser: Optimiser) -> dict[str, Treatment]:
        """What the optimiser asks for next.

        Raises:
            CheckFailed: lists what is no treatment, and names that mean two.
        """
        checks = Checks()
        given = list(optimiser.ask())
        asked = checks.treatments(given)
        for name, treatment in asked.items():
            before = self._tried.get(name)
            if before is not None and before.parameters != treatment.parameters:
                checks.add(name, "an earlier treatment of this name was another one", "Rename it.")
        if checks.problems:
            raise CheckFailed("What the optimiser asks for", checks.problems)
        return asked

    def _stages(
        self, optimiser: StagedOptimiser, asked: dict[str, Treatment]
    ) -> dict[str, Treatment]:
        """Those of the treatments that are to be run for all replicates."""
        kept = asked
        for count in optimiser.stages:
            if not kept:
                break
            result = self._run({**self._tried, **kept}, _first(count, kept))
            if count < result.replicates:
                means = {name: means_of(result, name) for name in kept}
                worth = set(optimiser.keep(count, means))
                common = self._experiment.parameters
                pruned = {
                    name: {**common, **treatment.parameters}
                    for name, treatment in kept.items()
                    if name not in worth
                }
                if pruned:
                    give_up(result.job.space, result.job.record, pruned)
                kept = {name: treatment for name, treatment in kept.items() if name in worth}
        return kept

    def _run(
        self,
        treatments: dict[str, Treatment],
        wanted: Callable[[str, int], bool] | None = None,
    ) -> Result:
        result = self._experiment._run(
            strategy=self._strategy,
            treatments=list(treatments.values()),
            wanted=wanted,
            **self._options,
        )
        if self._strategy == "rerun":
            self._strategy = "resume"
        return result


def _check(optimiser: Any, rounds: Any) -> None:
    checks = Checks()
    if not all(callable(getattr(optimiser, name, None)) for name in ("ask", "tell")):
        what = f"it is a {type(optimiser).__name__}"
        checks.add("optimiser", what, expected="an OptunaSearch, or an object with ask and tell")
    if rounds is not None and (type(rounds) is not int or rounds < 1):
        checks.add("rounds", f"it is {rounds!r}", expected="a whole number from 1 on")
    if checks.problems:
        raise CheckFailed("The search", checks.problems)


def _first(count: int, treatments: Mapping[str, Treatment]) -> Callable[[str, int], bool]:
    """Of these treatments only the first replicates, of all others every one."""
    return lambda condition, replicate: replicate < count or condition not in treatments


def means_of(result: Result, condition: str) -> dict[str, float]:
    """The mean of each metric of a condition; NaN where it has none."""
    found = {}
    for metric, by_condition in result.metrics.items():
        known = [v for v in by_condition.get(condition, []) if not math.isnan(v)]
        found[metric] = math.fsum(known) / len(known) if known else math.nan
    return found
