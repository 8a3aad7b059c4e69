"""Repeated traces: components of variance, the probability of a flip, and the guard band (seed 20260101)."""

from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.stats.noise import split_variance


def test_components_by_hand() -> None:
    """Rows 00, 11, 01, 00: within (0 + 0 + 1/2 + 0) / 4 = 1/8; means 0, 1, 1/2, 0 of variance 11/48, less 1/16.

    The variance of the means: mean 3/8, squares 9 + 25 + 1 + 9 = 44 of 64, over 3 = 11/48.
    """
    noise = split_variance(np.array([[0, 0], [1, 1], [0, 1], [0, 0]], dtype=float))
    assert (noise.instances, noise.repeats) == (4, 2)
    assert noise.within == pytest.approx(1 / 8)
    assert noise.between == pytest.approx(11 / 48 - 1 / 16)
    assert noise.flip == pytest.approx(1 / 4)
    assert noise.guard == pytest.approx(1.6448536 * (1 / 8 / 8) ** 0.5)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_components_are_those_of_a_one_way_anova(k: int) -> None:
    """Within is the residual mean square of statsmodels' ANOVA by instance, between (MS_between - MS_within) / k."""
    rng = np.random.default_rng(20260101)
    y = rng.binomial(1, np.repeat(rng.beta(1, 1, 50), k)).astype(float).reshape(50, k)
    indicators = np.repeat(np.eye(50), k, axis=0)
    indicators[:, 0] = 1.0
    fit = sm.OLS(y.ravel(), indicators).fit()
    noise = split_variance(y)
    assert noise.within == pytest.approx(fit.mse_resid)
    assert noise.between == pytest.approx((fit.mse_model - fit.mse_resid) / k)


ROWS = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 1), min_size=k, max_size=k), min_size=1, max_size=20)
)


@given(ROWS)
def test_flip_counts_pairs_that_differ(rows: list[list[int]]) -> None:
    """The probability of a flip is the share of pairs of traces that differ, mean over instances."""
    shares = [np.mean([a != b for a, b in combinations(row, 2)]) for row in rows]
    noise = split_variance(np.array(rows, dtype=float))
    assert noise.flip == pytest.approx(np.mean(shares))
    assert noise.between >= 0.0
    assert 0.0 <= noise.guard < 1.7


def test_the_guard_covers_the_expected_rate() -> None:
    """The expected rate lies above that of these traces plus the guard in about .05 of 2,000 runs (200 x 3)."""
    rng = np.random.default_rng(20260101)
    share = np.repeat(rng.beta(1, 2, 200), 3).reshape(200, 3)
    missed = 0
    for _ in range(2000):
        y = (rng.random((200, 3)) < share).astype(float)
        missed += share.mean() > y.mean() + split_variance(y).guard
    assert missed / 2000 == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / 2000) ** 0.5)


def test_steady_traces_have_no_noise() -> None:
    """Where all traces of each instance agree, everything lies between instances and nothing flips."""
    noise = split_variance(np.repeat([[0.0], [1.0], [1.0], [0.0]], 3, axis=1))
    assert (noise.within, noise.flip, noise.guard) == (0.0, 0.0, 0.0)
    assert noise.between == pytest.approx(1 / 3)
