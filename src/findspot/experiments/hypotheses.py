"""Hypotheses about a metric, and verdicts on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from findspot.core.canonical import canonical_json
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import CheckFailed, NotFound, Problem
from findspot.engine.code.fingerprint import fingerprint
from findspot.experiments.statistics import (
    TESTS,
    Alternative,
    Correction,
    Effect,
    corrected,
    effect_of,
)
from findspot.experiments.treatments import BASELINE

if TYPE_CHECKING:
    from findspot.experiments.registration import Registration
    from findspot.experiments.results import Result

Verifier = Callable[[list[float], list[float]], Any]
_CORRECTIONS: tuple[Correction, ...] = ("holm", "fdr", "none")


@dataclass(frozen=True)
class Hypothesis:
    """That treatments do better than the baseline in a metric, replicate by replicate.

    Args:
        metric: its name.
        test: of the paired differences: ``paired_permutation``, ``wilcoxon``, ``t`` or
            ``bootstrap_difference``; or a function of (baseline's values, treatment's values) that
            returns a p value, a truth value, or a mapping with ``p_value``.
        better: ``higher`` or ``lower`` values of the metric, or ``either`` way (a two-sided test).
        alpha: a corrected p value at most so large supports it.
        treatments: names; None: all.
        correction: ``holm``, ``fdr`` or ``none``, over all hypotheses that name the same one.
        name: of the hypothesis; the metric's by default.
    """

    metric: str
    test: str | Verifier = "paired_permutation"
    better: Literal["higher", "lower", "either"] = "higher"
    alpha: float = 0.05
    treatments: tuple[str, ...] | None = None
    correction: Correction = "holm"
    name: str = ""

    @property
    def title(self) -> str:
        return self.name or self.metric

    @property
    def alternative(self) -> Alternative:
        """What the test is asked about treatment minus baseline."""
        sides: dict[str, Alternative] = {"higher": "greater", "lower": "less"}
        return sides.get(self.better, "two-sided")

    def problems(self, path: str, treatments: Mapping[str, object]) -> list[Problem]:
        """Every mistake in it."""
        found: list[Problem] = []
        metric: Any = self.metric
        if not isinstance(metric, str) or not metric:
            found.append(Problem(path, f"its metric is {self.metric!r}", expected="a name"))
        if not callable(self.test) and self.test not in tuple(TESTS):
            expected = f"{', '.join(TESTS)}, or a function"
            found.append(Problem(path, f"there is no test {self.test!r}", expected=expected))
        if self.better not in ("higher", "lower", "either"):
            expected = "higher, lower or either"
            found.append(Problem(path, f"better is {self.better!r}", expected=expected))
        if self.correction not in _CORRECTIONS:
            expected = ", ".join(_CORRECTIONS)
            found.append(Problem(path, f"correction is {self.correction!r}", expected=expected))
        alpha: Any = self.alpha
        if not isinstance(alpha, int | float) or not 0 < alpha < 1:
            found.append(Problem(path, f"alpha is {alpha!r}", expected="a number between 0 and 1"))
        chosen: Any = self.treatments
        if chosen is not None and not isinstance(chosen, tuple | list):
            found.append(Problem(path, f"treatments is {chosen!r}", expected="a tuple of names"))
            return found
        for name in chosen or ():
            if name not in tuple(treatments):
                hint = f"There are: {', '.join(treatments) or 'none'}"
                found.append(Problem(path, f"there is no treatment {name!r}", hint=hint))
        return found

    def plain(self) -> dict[str, Any]:
        """It as plain values, which a registration keeps."""
        test = self.test if isinstance(self.test, str) else fingerprint(self.test).digest
        return {
            "metric": self.metric,
            "test": test,
            "better": self.better,
            "alpha": float(self.alpha),
            "treatments": None if self.treatments is None else list(self.treatments),
            "correction": self.correction,
            "name": self.name,
        }

    @classmethod
    def of_plain(cls, document: Mapping[str, Any]) -> Hypothesis:
        """The hypothesis of which `plain` gave this. A test that is a function is known only by its
        digest then: it can be told apart, but not be done."""
        chosen = document["treatments"]
        return cls(**{**document, "treatments": None if chosen is None else tuple(chosen)})

    def digest(self) -> Digest:
        return hash_bytes(canonical_json(self.plain()))


@dataclass(frozen=True)
class Verdict:
    """What came of a hypothesis for one treatment.

    Args:
        n: pairs that were compared. dropped: pairs left out, because a value was missing or NaN.
        p: as the test gave it. p_corrected: what counts.
        supported: whether it is at most alpha; None where there is no p value.
        standing: ``as registered``, ``exploratory``, ``changed code`` or ``reused data``.
        notes: what else there is to say, such as an error of the verifier.
        against: the condition that it is compared with.
    """

    hypothesis: Hypothesis
    treatment: str
    n: int
    dropped: int
    effect: Effect
    p: float
    p_corrected: float = math.nan
    supported: bool | None = None
    standing: str = "exploratory"
    notes: tuple[str, ...] = ()
    against: str = BASELINE

    @property
    def verdict(self) -> str:
        """In words: ``confirmed as registered``, ``not confirmed (exploratory)`` ..."""
        if self.supported is None:
            said = "undecided"
        else:
            said = "confirmed" if self.supported else "not confirmed"
        tail = self.standing if self.standing == "as registered" else f"({self.standing})"
        return f"{said} {tail}"

    def to_json(self) -> dict[str, Any]:
        """It as plain values."""
        effect = self.effect
        return {
            "hypothesis": self.hypothesis.plain(),
            "treatment": self.treatment,
            "against": self.against,
            "verdict": self.verdict,
            "supported": self.supported,
            "standing": self.standing,
            "n": self.n,
            "dropped": self.dropped,
            "difference": effect.mean,
            "low": effect.low,
            "high": effect.high,
            "cohen_dz": effect.cohen_dz,
            "rank_biserial": effect.rank_biserial,
            "p": self.p,
            "p_corrected": self.p_corrected,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        effect = self.effect
        against = f"the {BASELINE}" if self.against == BASELINE else self.against
        return (
            f"{self.hypothesis.title}, {self.treatment} against {against}: {self.verdict}; "
            f"difference {effect.mean:+.4g} [{effect.low:.4g}, {effect.high:.4g}], "
            f"d {effect.cohen_dz:.3g}, p {self.p:.4g}, corrected {self.p_corrected:.4g}, "
            f"n {self.n}" + (f", {self.dropped} dropped" if self.dropped else "")
        )


def verdicts(
    hypotheses: Sequence[Hypothesis],
    result: Result,
    registration: Registration | None,
    *,
    against: str = BASELINE,
) -> list[Verdict]:
    """A verdict for each hypothesis and treatment; the p values of one correction are corrected
    together."""
    found: list[Verdict] = []
    for hypothesis in hypotheses:
        names = hypothesis.treatments
        for treatment in names or [c for c in result.conditions if c != against]:
            if treatment in result.conditions:
                found.append(_tested(hypothesis, treatment, against, result, registration))
    for method in _CORRECTIONS:
        together = [i for i, v in enumerate(found) if v.hypothesis.correction == method]
        p_values = corrected([found[i].p for i in together], method)
        for index, p in zip(together, p_values, strict=True):
            verdict = found[index]
            supported = None if math.isnan(p) else p <= verdict.hypothesis.alpha
            found[index] = replace(verdict, p_corrected=p, supported=supported)
    return found


def compared(
    result: Result,
    hypotheses: Sequence[Hypothesis],
    metric: str,
    asked: Mapping[str, Any],
    conditions: tuple[str, str] | None,
) -> list[Verdict]:
    """See `Result.compare`; ``asked`` are test, better and correction, None where not given."""
    result.values(metric)
    two: Any = conditions
    if two is not None and (not isinstance(two, tuple | list) or len(two) != 2):
        problem = Problem("conditions", f"they are {two!r}", expected="the names of two")
        raise CheckFailed("The comparison", [problem])
    for name in conditions or ():
        if name not in list(result.conditions):
            raise NotFound("condition", name, near=list(result.conditions))
    against, treatment = conditions or (BASELINE, None)
    own = [hypothesis for hypothesis in hypotheses if hypothesis.metric == metric]
    given = {name: value for name, value in asked.items() if value is not None}
    for hypothesis in own:
        if any(getattr(hypothesis, name) != value for name, value in given.items()):
            continue
        found = [
            verdict
            for verdict in result.hypotheses
            if verdict.hypothesis is hypothesis
            and verdict.against == against
            and treatment in (None, verdict.treatment)
        ]
        if found:
            return found
    chosen: dict[str, Any] = {"better": "either"}
    if own:
        chosen = {"better": own[0].better, "correction": own[0].correction}
        if callable(own[0].test) or own[0].test in TESTS:
            chosen["test"] = own[0].test
    chosen["treatments"] = None if treatment is None else (treatment,)
    new = Hypothesis(metric, **{**chosen, **given})
    problems = new.problems(metric, dict.fromkeys(result.conditions))
    if problems:
        raise CheckFailed("The comparison", problems)
    return verdicts([new], result, None, against=against)


def _tested(
    hypothesis: Hypothesis,
    treatment: str,
    against: str,
    result: Result,
    registration: Registration | None,
) -> Verdict:
    values = result.metrics.get(hypothesis.metric, {})
    empty = [math.nan] * result.replicates
    base, other = values.get(against, empty), values.get(treatment, empty)
    pairs = [
        (b, t) for b, t in zip(base, other, strict=True) if math.isfinite(b) and math.isfinite(t)
    ]
    dropped = result.replicates - len(pairs)
    notes = []
    if hypothesis.metric not in result.metrics:
        known = ", ".join(result.metrics) or "none at all"
        notes.append(f"No cell logged a metric {hypothesis.metric!r}. There are: {known}.")
    elif dropped:
        notes.append(
            f"{dropped} of {result.replicates} pairs were left out: a value is missing, NaN or "
            "infinite."
        )
    differences = [t - b for b, t in pairs]
    p, said = _p_value(hypothesis, pairs, differences)
    standing = "exploratory"
    if registration is not None:
        standing = registration.standing(hypothesis, treatment, result)
    return Verdict(
        hypothesis,
        treatment,
        len(pairs),
        dropped,
        effect_of(differences),
        p,
        standing=standing,
        notes=(*notes, *said),
        against=against,
    )


def _p_value(
    hypothesis: Hypothesis, pairs: list[tuple[float, float]], differences: list[float]
) -> tuple[float, list[str]]:
    if not pairs:
        return math.nan, ["There is no pair of values to compare."]
    if isinstance(hypothesis.test, str) and hypothesis.test not in TESTS:
        return math.nan, [
            "Its test is a function, of which records keep only the digest: ask the experiment "
            "itself for its result."
        ]
    if isinstance(hypothesis.test, str):
        return TESTS[hypothesis.test](differences, hypothesis.alternative), []
    try:
        answer = hypothesis.test([b for b, _ in pairs], [t for _, t in pairs])
    except Exception as error:  # one verifier's mistake must not hide the other verdicts
        return math.nan, [f"The verifier raised {type(error).__name__}: {error}"]
    if isinstance(answer, Mapping):
        answer = answer.get("p_value", answer.get("p"))
    if isinstance(answer, bool):
        return (0.0 if answer else 1.0), ["The verifier said only yes or no."]
    try:
        return float(answer), []
    except (TypeError, ValueError):
        return math.nan, [f"The verifier gave {answer!r}, which is no p value."]
