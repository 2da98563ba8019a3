"""Hypotheses about a metric, and verdicts on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from findspot.core.canonical import canonical_json
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import Problem
from findspot.engine.fingerprint import fingerprint
from findspot.experiments.statistics import (
    TESTS,
    Alternative,
    Correction,
    Effect,
    corrected,
    effect_of,
)
from findspot.experiments.treatments import BASELINE, Treatment

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

    def problems(self, path: str, treatments: Mapping[str, Treatment]) -> list[Problem]:
        """Every mistake in it."""
        found: list[Problem] = []
        metric: Any = self.metric
        if not isinstance(metric, str) or not metric:
            found.append(Problem(path, f"its metric is {self.metric!r}", expected="a name"))
        if not callable(self.test) and self.test not in TESTS:
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
        for name in self.treatments or ():
            if name not in treatments:
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

    @property
    def verdict(self) -> str:
        """In words: ``confirmed as registered``, ``not confirmed (exploratory)`` ..."""
        if self.supported is None:
            said = "undecided"
        else:
            said = "confirmed" if self.supported else "not confirmed"
        tail = self.standing if self.standing == "as registered" else f"({self.standing})"
        return f"{said} {tail}"

    def __str__(self) -> str:
        effect = self.effect
        return (
            f"{self.hypothesis.title}, {self.treatment} against the {BASELINE}: {self.verdict}; "
            f"difference {effect.mean:+.4g} [{effect.low:.4g}, {effect.high:.4g}], "
            f"d {effect.cohen_dz:.3g}, p {self.p:.4g}, corrected {self.p_corrected:.4g}, "
            f"n {self.n}" + (f", {self.dropped} dropped" if self.dropped else "")
        )


def verdicts(
    hypotheses: Sequence[Hypothesis], result: Result, registration: Registration | None
) -> list[Verdict]:
    """A verdict for each hypothesis and treatment; the p values of one correction are corrected
    together."""
    found: list[Verdict] = []
    for hypothesis in hypotheses:
        names = hypothesis.treatments
        for treatment in names or [c for c in result.conditions if c != BASELINE]:
            if treatment in result.conditions:
                found.append(_tested(hypothesis, treatment, result, registration))
    for method in _CORRECTIONS:
        together = [i for i, v in enumerate(found) if v.hypothesis.correction == method]
        p_values = corrected([found[i].p for i in together], method)
        for index, p in zip(together, p_values, strict=True):
            verdict = found[index]
            supported = None if math.isnan(p) else p <= verdict.hypothesis.alpha
            found[index] = replace(verdict, p_corrected=p, supported=supported)
    return found


def _tested(
    hypothesis: Hypothesis, treatment: str, result: Result, registration: Registration | None
) -> Verdict:
    values = result.metrics.get(hypothesis.metric, {})
    empty = [math.nan] * result.replicates
    base, other = values.get(BASELINE, empty), values.get(treatment, empty)
    pairs = [
        (b, t) for b, t in zip(base, other, strict=True) if math.isfinite(b) and math.isfinite(t)
    ]
    dropped = result.replicates - len(pairs)
    notes = []
    if dropped:
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
    )


def _p_value(
    hypothesis: Hypothesis, pairs: list[tuple[float, float]], differences: list[float]
) -> tuple[float, list[str]]:
    if not pairs:
        return math.nan, ["There is no pair of values to compare."]
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
