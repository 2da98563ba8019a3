"""Statistics agree with SciPy and with published tables, and say little of few numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from findspot.experiments.statistics import (
    RESAMPLES,
    SEED,
    Correction,
    bca_interval,
    bootstrap_difference,
    corrected,
    describe,
    effect_of,
    paired_permutation,
    paired_t,
    rank_biserial,
    wilcoxon,
)

# Darwin's plants: heights of 15 cross-fertilised less those of their self-fertilised partners, in
# eighths of an inch (Fisher 1935, section 17). Fisher gives t = 2.148 and counts 1,726 of the
# 32,768 sign patterns at least as extreme, in section 21.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def test_fishers_count_of_darwins_plants() -> None:
    assert paired_permutation(DARWIN) == 1726 / 32768
    assert paired_permutation(DARWIN, "greater") == 863 / 32768


def test_students_t_of_darwins_plants() -> None:
    _, mean, std = describe(DARWIN)
    assert mean / (std / math.sqrt(15)) == pytest.approx(2.148, abs=5e-4)
    assert paired_t(DARWIN) == pytest.approx(0.0497, abs=5e-5)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_exact_permutation_agrees_with_scipy(alternative: str) -> None:
    values = np.random.default_rng(5).normal(0.4, 1, size=9)
    expected = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", alternative=alternative, n_resamples=10**5
    ).pvalue
    assert paired_permutation(list(values), alternative) == pytest.approx(expected)  # type: ignore[arg-type]


def test_drawn_permutations_come_close_to_the_exact_ones() -> None:
    values = list(np.random.default_rng(6).normal(0.45, 1, size=17))
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=17)))
    exact = np.mean(np.abs(signs @ np.array(values)) >= abs(sum(values)) - 1e-9)
    assert paired_permutation(values) == pytest.approx(float(exact), abs=0.01)
    assert paired_permutation(values) == paired_permutation(values)
    assert paired_permutation([1.0] * 30) == pytest.approx(1 / (RESAMPLES + 1))


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_wilcoxon_and_t_agree_with_scipy(alternative: str) -> None:
    a, b = np.random.default_rng(7).normal((0.0, 0.5), 1, size=(12, 2)).T
    differences = list(b - a)
    expected = stats.wilcoxon(b, a, alternative=alternative).pvalue
    assert wilcoxon(differences, alternative) == pytest.approx(expected)  # type: ignore[arg-type]
    expected = stats.ttest_rel(b, a, alternative=alternative).pvalue
    assert paired_t(differences, alternative) == pytest.approx(expected)  # type: ignore[arg-type]


def test_wilcoxons_table() -> None:
    # The critical value for n = 8 and a two-sided 5 % is T = 3 (Wilcoxon 1945, table I).
    assert wilcoxon([-1, -2, 3, 4, 5, 6, 7, 8]) < 0.05
    assert wilcoxon([-1, 2, -3, 4, 5, 6, 7, 8]) > 0.05


def test_bootstrap_of_a_difference_agrees_with_the_t_test_where_that_is_right() -> None:
    values = list(np.random.default_rng(8).normal(0.3, 1, size=60))
    assert bootstrap_difference(values) == pytest.approx(paired_t(values), abs=0.01)
    assert bootstrap_difference(values, "greater") < 0.5 < bootstrap_difference(values, "less")


def test_an_interval_is_scipys() -> None:
    values = np.random.default_rng(9).exponential(size=25)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(SEED)
    ).confidence_interval
    assert bca_interval(list(values)) == pytest.approx((expected.low, expected.high))
    assert bca_interval(list(values)) == bca_interval(list(values))


@pytest.mark.slow
def test_an_interval_covers_what_it_says() -> None:
    drawn = np.random.default_rng(10).normal(3.0, 1.0, size=(150, 30))
    covered = sum(low <= 3.0 <= high for low, high in (bca_interval(list(row)) for row in drawn))
    assert 0.88 <= covered / 150 <= 0.99


def test_holms_and_benjamini_hochbergs_corrections() -> None:
    # Benjamini and Hochberg (1995), section 3.2: fifteen p values; at 0.05 Bonferroni and Holm
    # reject three, the false discovery rate four.
    p_values = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
        *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
    ]
    assert sum(p <= 0.05 for p in corrected(p_values, "holm")) == 3
    assert sum(p <= 0.05 for p in corrected(p_values, "fdr")) == 4
    assert corrected(p_values, "fdr") == pytest.approx(stats.false_discovery_control(p_values))
    assert corrected(p_values, "none") == p_values


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from(["holm", "fdr"]))
def test_corrections_never_lower_and_keep_the_order(p: list[float], method: Correction) -> None:
    found = corrected(p, method)
    assert all(low <= high <= 1 for low, high in zip(p, found, strict=True))
    pairs = sorted(zip(p, found, strict=True))
    assert [q for _, q in pairs] == sorted(found)
    assert corrected([*p, math.nan], method)[:-1] == found
    assert math.isnan(corrected([*p, math.nan], method)[-1])


@given(st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=10))
def test_permutation_sides_belong_together(values: list[float]) -> None:
    greater, less = paired_permutation(values, "greater"), paired_permutation(values, "less")
    assert greater + less >= 1 - 1e-9
    assert paired_permutation([-v for v in values], "greater") == pytest.approx(less)
    assert 0 < paired_permutation(values) <= 1


def test_effect_sizes() -> None:
    effect = effect_of([1.0, 2.0, 3.0])
    assert (effect.mean, effect.cohen_dz, effect.rank_biserial) == (2.0, 2.0, 1.0)
    assert effect.low <= 2.0 <= effect.high
    assert rank_biserial([-1.0, 2.0, 3.0, -4.0]) == pytest.approx(0.0)
    assert rank_biserial([0.0, 0.0]) == 0.0


def test_little_data_say_little_and_raise_nothing() -> None:
    assert describe([]) == pytest.approx((0, math.nan, math.nan), nan_ok=True)
    assert bca_interval([1.0]) == pytest.approx((math.nan, math.nan), nan_ok=True)
    assert bca_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert bca_interval([1.0, math.inf]) == pytest.approx((math.nan, math.nan), nan_ok=True)
    for test in (paired_permutation, wilcoxon, paired_t, bootstrap_difference):
        assert math.isnan(test([], "two-sided"))
    assert wilcoxon([0.0, 0.0]) == 1.0
    assert paired_t([0.0, 0.0]) == 1.0
    assert paired_t([1.0, 1.0], "greater") == 0.0
    assert paired_t([1.0, 1.0], "less") == 1.0
    assert effect_of([1.0, 1.0]).cohen_dz == math.inf
    assert math.isnan(effect_of([]).rank_biserial)
