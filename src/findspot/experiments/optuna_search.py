"""`OptunaSearch`: Optuna proposes the treatments, and what came of them is in the catalog."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from findspot.core.canonical import canonical_json
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.experiments.treatments import Treatment, named_treatment

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna.study
    import optuna.trial

Space = Mapping[str, Any] | Callable[["optuna.trial.Trial"], Mapping[str, Any]]


class OptunaSearch:
    """Treatments proposed by Optuna, for `Experiment.optimise`: equal seeds propose equal ones.

    Optuna's study lives in memory only. A search that was killed is made anew and run with
    ``strategy="resume"``: the same treatments are asked for, the cells that have a result are told
    from their records, and the search goes on where it was.

    Args:
        space: of each parameter a list to choose from, a pair (low, high) of whole numbers (both
            included) or of floats, or a distribution of Optuna's (``FloatDistribution(1e-5, 1.0,
            log=True)``). Or a function that is given a trial, suggests values by it, and returns
            the treatment's parameters.
        metric: whose mean over the replicates is told; replicates without it do not count.
        better: which values of it are sought.
        trials: how many treatments to try. batch: how many of them are run at once.
        seed: of the sampler.
        sampler: makes the sampler of a seed: a class of Optuna's samplers, or a function. None:
            a tree-structured Parzen estimator.
        pruner: one of Optuna's pruners. After each of the ``stages`` it may give up treatments that
            do worse than others did; these are run for no more replicates, and left out of the
            result.
        stages: numbers of replicates, rising.

    Raises:
        FindspotError: Optuna is not installed, or an argument cannot be.

    >>> search = OptunaSearch({"depth": (1, 9)}, metric="accuracy", trials=2, seed=3)
    >>> [treatment.name for treatment in search.ask()]
    ['depth=5']
    """

    def __init__(
        self,
        space: Space,
        *,
        metric: str,
        better: Literal["higher", "lower"] = "higher",
        trials: int = 20,
        batch: int = 1,
        seed: int = 0,
        sampler: Callable[..., optuna.samplers.BaseSampler] | None = None,
        pruner: optuna.pruners.BasePruner | None = None,
        stages: Sequence[int] = (),
    ) -> None:
        library = _optuna()
        _check(
            metric=metric,
            better=better,
            trials=trials,
            batch=batch,
            seed=seed,
            stages=stages,
            pruner=pruner,
        )
        self.metric = metric
        self.better = better
        self.trials = trials
        self.batch = batch
        self.stages = tuple(stages)
        self._suggest = space if callable(space) else None
        self._ranges = {} if callable(space) else _distributions(space)
        with _quiet():
            self.study: optuna.study.Study = library.create_study(
                direction="maximize" if better == "higher" else "minimize",
                sampler=(sampler or library.samplers.TPESampler)(seed=seed),
                pruner=pruner or library.pruners.NopPruner(),
            )
        self._asked: dict[str, list[optuna.trial.Trial]] = {}
        self._treatments: dict[int, Treatment] = {}
        self._by_parameters: dict[bytes, Treatment] = {}

    def ask(self) -> Sequence[Treatment]:
        """The next batch; none after all trials."""
        self._asked = {}
        found: dict[str, Treatment] = {}
        for _ in range(min(self.batch, self.trials - len(self._treatments))):
            trial = self.study.ask(self._ranges)
            values = dict(trial.params if self._suggest is None else self._suggest(trial))
            treatment = self._treatment(values)
            self._treatments[trial.number] = treatment
            self._asked.setdefault(treatment.name, []).append(trial)
            found[treatment.name] = treatment
        return list(found.values())

    def keep(self, replicates: int, results: Mapping[str, Mapping[str, float]]) -> Collection[str]:
        """Those of the treatments that are worth more replicates; the others are told as pruned."""
        kept = []
        for name, metrics in results.items():
            value = self._value(metrics)
            if math.isnan(value):
                self._fail(name)
                continue
            for trial in self._asked[name]:
                trial.report(value, replicates)
            if self._asked[name][0].should_prune():
                self._end(name, state="PRUNED")
            else:
                kept.append(name)
        return kept

    def tell(self, results: Mapping[str, Mapping[str, float]]) -> None:
        """What came of the treatments; those without the metric count as failed.

        Raises:
            FindspotError: nothing in the whole experiment has the metric.
        """
        for name, metrics in results.items():
            value = self._value(metrics)
            if math.isnan(value):
                self._fail(name)
            else:
                self._end(name, value)

    @property
    def best(self) -> Treatment:
        """The best treatment so far.

        Raises:
            FindspotError: none has a result yet.
        """
        states = {trial.state.name for trial in self.study.trials}
        if "COMPLETE" not in states:
            raise FindspotError(
                "No treatment of the search has a result.",
                how="Run it: experiment.optimise(search); see result.errors where cells failed.",
            )
        return self._treatments[self.study.best_trial.number]

    def _treatment(self, values: dict[str, Any]) -> Treatment:
        """Equal parameters are one treatment: it runs once, and each trial is told its result."""
        key = canonical_json(values)
        found = self._by_parameters.get(key)
        if found is None:
            found = named_treatment("", values)
            taken = {treatment.name.casefold() for treatment in self._by_parameters.values()}
            if found.name.casefold() in taken:
                found = Treatment(f"{found.name} ({len(taken) + 1})", values)
            self._by_parameters[key] = found
        return found

    def _value(self, metrics: Mapping[str, float]) -> float:
        if self.metric not in metrics:
            raise FindspotError(
                f"No cell has the metric {self.metric!r}.",
                where="the search",
                how=f"There are: {', '.join(metrics) or 'none; see the errors of the cells'}.",
            )
        return metrics[self.metric]

    def _fail(self, name: str) -> None:
        self._end(name, state="FAIL")

    def _end(self, name: str, value: float | None = None, *, state: str = "COMPLETE") -> None:
        from optuna.trial import TrialState

        for trial in self._asked.pop(name, ()):
            with _quiet():
                self.study.tell(trial, value, TrialState[state])


def _check(**given: Any) -> None:
    stages = given["stages"]
    listed = isinstance(stages, Sequence) and all(map(_counts, stages))
    seed = given["seed"]
    good = {
        "metric": isinstance(given["metric"], str) and given["metric"] != "",
        "better": given["better"] in ("higher", "lower"),
        "trials": _counts(given["trials"]),
        "batch": _counts(given["batch"]),
        "seed": type(seed) is int and 0 <= seed < 2**32,
        "stages": listed and list(stages) == sorted(set(stages)),
        "pruner": (given["pruner"] is None) == (not stages),
    }
    expected = {
        "metric": "a name",
        "better": "higher or lower",
        "trials": "a whole number from 1 on",
        "batch": "a whole number from 1 on",
        "seed": "a whole number from 0 to 4294967295",
        "stages": "rising numbers of replicates: stages=(3, 6)",
        "pruner": "both a pruner and stages, or neither",
    }
    problems = [
        Problem(name, f"it is {given[name]!r}", expected=expected[name])
        for name, is_good in good.items()
        if not is_good
    ]
    if problems:
        raise CheckFailed("The search", problems)


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _distributions(space: Mapping[str, Any]) -> dict[str, optuna.distributions.BaseDistribution]:
    from optuna import distributions

    if not space:
        raise FindspotError(
            "The search has no parameters.", how='Name some with their ranges: {"depth": (1, 9)}.'
        )
    found: dict[str, optuna.distributions.BaseDistribution] = {}
    for name, given in space.items():
        try:
            if isinstance(given, distributions.BaseDistribution):
                found[name] = given
            elif isinstance(given, tuple) and [type(end) for end in given] == [int, int]:
                found[name] = distributions.IntDistribution(*given)
            elif isinstance(given, tuple) and {type(end) for end in given} <= {int, float}:
                found[name] = distributions.FloatDistribution(*given)
            elif isinstance(given, Sequence) and not isinstance(given, str) and given:
                found[name] = distributions.CategoricalDistribution(given)
        except (TypeError, ValueError) as error:
            raise _no_range(name, given, str(error)) from error
        if name not in found:
            raise _no_range(name, given)
    return found


def _no_range(name: str, given: Any, reason: str = "it is nothing to draw from") -> FindspotError:
    return FindspotError(
        f"The range of {name!r} is {given!r}: {reason}.",
        how="Give a list, a pair (low, high), or a distribution of optuna.distributions.",
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise FindspotError(
            "The search needs the library optuna.", how="pip install 'findspot[optuna]'"
        ) from error
    return optuna


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's lines of each trial: a job's progress says what runs."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(before)
