"""Statistics of replicates: intervals, paired tests, effect sizes, corrections for many tests.

Everything takes plain lists of numbers without NaN. Resampling is done with a fixed seed, so that
equal numbers always give equal results.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

SEED = 20_240_229
RESAMPLES = 9_999
_EXACT = 1 << 16
"""Up to so many permutations are counted one by one instead of drawn."""

Alternative = Literal["greater", "less", "two-sided"]
Correction = Literal["holm", "fdr", "none"]


def describe(values: Sequence[float]) -> tuple[int, float, float]:
    """How many, their mean, and their standard deviation (with n - 1; NaN for fewer than two).

    >>> describe([1.0, 2.0, 3.0])
    (3, 2.0, 1.0)
    """
    n = len(values)
    if n == 0:
        return 0, math.nan, math.nan
    mean = math.fsum(values) / n
    if n == 1 or not math.isfinite(mean):
        return n, mean, math.nan
    return n, mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))


def bca_interval(
    values: Sequence[float],
    *,
    level: float = 0.95,
    statistic: Callable[..., Any] | None = None,
) -> tuple[float, float]:
    """A bias-corrected and accelerated bootstrap interval of the mean.

    Efron (1987), "Better bootstrap confidence intervals", J. Amer. Stat. Assoc. 82, as SciPy
    computes it. Equal values give an interval without width; fewer than two values, or infinite
    ones, give NaN.

    Args:
        level: of confidence.
        statistic: of an array and ``axis``; None: the mean.
    """
    if len(values) < 2 or not all(math.isfinite(v) for v in values):
        return math.nan, math.nan
    if min(values) == max(values):
        return values[0], values[0]
    import numpy as np
    from scipy.stats import bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an interval is degenerate shows in the result
        found = bootstrap(
            (np.asarray(values, dtype=float),),
            np.mean if statistic is None else statistic,
            confidence_level=level,
            n_resamples=RESAMPLES,
            method="BCa",
            rng=np.random.default_rng(SEED),
        ).confidence_interval
    return float(found.low), float(found.high)


def paired_permutation(
    differences: Sequence[float], alternative: Alternative = "two-sided"
) -> float:
    """The p value of the sign-flip permutation test of paired differences.

    Fisher (1935), "The Design of Experiments", section 21: under the null hypothesis each
    difference might as well have the other sign. With up to 16 pairs all sign patterns are counted
    and the p value is exact; with more, 9,999 random ones and (b + 1) / (m + 1) after Phipson and
    Smyth (2010), "Permutation p-values should never be zero".

    >>> paired_permutation([1.0, 2.0, 3.0], "greater")
    0.125
    """
    import numpy as np

    d = np.asarray(differences, dtype=float)
    if len(d) == 0:
        return math.nan
    exact = 2 ** len(d) <= _EXACT
    if exact:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(d))))
    else:
        signs = np.random.default_rng(SEED).choice((1.0, -1.0), size=(RESAMPLES, len(d)))
    sums = signs @ d
    observed = d.sum()
    slack = 1e-12 * max(1.0, float(np.abs(d).sum()))  # so that equal sums count as equal
    extra = 0 if exact else 1

    def share(extreme: Any) -> float:
        return float((np.count_nonzero(extreme) + extra) / (len(sums) + extra))

    if alternative == "greater":
        return share(sums >= observed - slack)
    if alternative == "less":
        return share(sums <= observed + slack)
    return share(np.abs(sums) >= abs(observed) - slack)


def wilcoxon(differences: Sequence[float], alternative: Alternative = "two-sided") -> float:
    """The p value of Wilcoxon's signed-rank test (Wilcoxon 1945, "Individual comparisons by ranking
    methods"; zeros are dropped), as SciPy computes it; 1 where all differences are zero."""
    import numpy as np
    from scipy import stats

    d = np.asarray(differences, dtype=float)
    if len(d) == 0:
        return math.nan
    if not d.any():
        return 1.0
    return float(stats.wilcoxon(d, alternative=alternative).pvalue)


def paired_t(differences: Sequence[float], alternative: Alternative = "two-sided") -> float:
    """The p value of Student's t test of paired differences (Student 1908), as SciPy computes it;
    for fewer than two pairs NaN, and 1 (or 0) where all differences are one number."""
    import numpy as np
    from scipy import stats

    d = np.asarray(differences, dtype=float)
    if len(d) < 2:
        return math.nan
    if d.min() == d.max():
        shown = d[0] if alternative == "greater" else -d[0] if alternative == "less" else abs(d[0])
        return 0.0 if shown > 0 else 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nearly equal differences leave few digits
        return float(stats.ttest_1samp(d, 0.0, alternative=alternative).pvalue)


def bootstrap_difference(
    differences: Sequence[float], alternative: Alternative = "two-sided"
) -> float:
    """The p value of a bootstrap test that the mean difference is zero.

    Davison and Hinkley (1997), "Bootstrap Methods and their Application", section 4.4: means of
    resamples of the centred differences are compared with the observed mean.
    """
    import numpy as np

    d = np.asarray(differences, dtype=float)
    if len(d) < 2:
        return math.nan
    drawn = np.random.default_rng(SEED).integers(0, len(d), size=(RESAMPLES, len(d)))
    means = (d - d.mean())[drawn].mean(axis=1)
    observed = d.mean()
    if alternative == "greater":
        count = np.count_nonzero(means >= observed)
    elif alternative == "less":
        count = np.count_nonzero(means <= observed)
    else:
        count = np.count_nonzero(np.abs(means) >= abs(observed))
    return float((count + 1) / (RESAMPLES + 1))


TESTS: dict[str, Callable[[Sequence[float], Alternative], float]] = {
    "paired_permutation": paired_permutation,
    "wilcoxon": wilcoxon,
    "t": paired_t,
    "bootstrap_difference": bootstrap_difference,
}
"""The named tests of hypotheses, all of paired differences."""


@dataclass(frozen=True, slots=True)
class Effect:
    """How large a difference is, in three ways.

    Args:
        mean: of the differences, in the metric's own unit. low, high: its 95 % BCa interval.
        cohen_dz: the mean by the standard deviation of the differences (Cohen 1988, "Statistical
            Power Analysis", section 2.3.5); infinite where they are all one number.
        rank_biserial: the share of rank sums for, less that against (Kerby 2014, "The simple
            difference formula"); from -1 to 1.
    """

    mean: float
    low: float
    high: float
    cohen_dz: float
    rank_biserial: float


def effect_of(differences: Sequence[float]) -> Effect:
    """The effect sizes of paired differences."""
    n, mean, std = describe(differences)
    low, high = bca_interval(differences)
    if n < 2 or math.isnan(std):
        dz = math.nan
    elif std == 0:
        dz = 0.0 if mean == 0 else math.copysign(math.inf, mean)
    else:
        dz = mean / std
    return Effect(mean, low, high, dz, rank_biserial(differences))


def rank_biserial(differences: Sequence[float]) -> float:
    """The matched-pairs rank-biserial correlation; zeros are dropped, NaN where nothing is left.

    >>> rank_biserial([1.0, 2.0, -3.0])
    0.0
    """
    kept = [d for d in differences if d != 0]
    if not kept:
        return math.nan if not differences else 0.0
    from scipy.stats import rankdata

    ranks = [float(r) for r in rankdata([abs(d) for d in kept])]
    favour = math.fsum(r for r, d in zip(ranks, kept, strict=True) if d > 0)
    return 2 * favour / math.fsum(ranks) - 1


def corrected(p_values: Sequence[float], method: Correction = "holm") -> list[float]:
    """p values corrected for being several; those that are NaN stay so and do not count.

    ``holm``: Holm (1979), "A simple sequentially rejective multiple test procedure": the chance
    of any false claim is held. ``fdr``: Benjamini and Hochberg (1995), "Controlling the false
    discovery rate": the expected share of false claims is held.

    >>> corrected([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found = list(p_values)
    order = sorted(
        (i for i, p in enumerate(p_values) if not math.isnan(p)), key=p_values.__getitem__
    )
    m = len(order)
    if method == "holm":
        highest = 0.0
        for rank, index in enumerate(order):
            highest = max(highest, min(1.0, (m - rank) * p_values[index]))
            found[index] = highest
    elif method == "fdr":
        lowest = 1.0
        for rank, index in reversed(list(enumerate(order, 1))):
            p = p_values[index]
            lowest = min(lowest, max(p, p * m / rank))  # which rounding may put below p
            found[index] = lowest
    return found
