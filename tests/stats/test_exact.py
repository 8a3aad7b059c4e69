"""Clopper-Pearson: published values, scipy's, and what must hold for any count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from clinhallu_gate.stats import clopper_pearson_lower, clopper_pearson_upper

ALPHAS = st.floats(0.001, 0.2)


@pytest.mark.parametrize(
    ("events", "n", "lower", "upper"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_published_values(events: int, n: int, lower: float, upper: float) -> None:
    """The 95 % two-sided limits are those of Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 5."""
    assert clopper_pearson_lower(events, n, 0.025) == pytest.approx(lower, abs=5e-5)
    assert clopper_pearson_upper(events, n, 0.025) == pytest.approx(upper, abs=5e-5)


@given(st.integers(1, 400), st.data(), ALPHAS)
def test_agrees_with_scipy(n: int, data: st.DataObject, alpha: float) -> None:
    """Both limits are scipy's exact ones."""
    events = data.draw(st.integers(0, n))
    below = binomtest(events, n, alternative="greater").proportion_ci(1 - alpha, method="exact")
    above = binomtest(events, n, alternative="less").proportion_ci(1 - alpha, method="exact")
    assert clopper_pearson_lower(events, n, alpha) == pytest.approx(below.low, abs=1e-9)
    assert clopper_pearson_upper(events, n, alpha) == pytest.approx(above.high, abs=1e-9)


@given(st.floats(0.01, 1000), st.floats(0, 1), st.floats(0, 1), ALPHAS)
def test_monotone_and_ordered(n: float, a: float, b: float, alpha: float) -> None:
    """With real-valued counts too, more events never lower a limit, and the estimate lies between the limits."""
    few, many = sorted((a * n, b * n))
    assert clopper_pearson_upper(few, n, alpha) <= clopper_pearson_upper(many, n, alpha) + 1e-9
    assert clopper_pearson_lower(few, n, alpha) <= clopper_pearson_lower(many, n, alpha) + 1e-9
    assert clopper_pearson_lower(few, n, alpha) <= few / n + 1e-9
    assert clopper_pearson_upper(few, n, alpha) >= few / n - 1e-9


def test_nothing_seen_says_nothing() -> None:
    """With n = 0 the limits are 0 and 1."""
    assert clopper_pearson_lower(0, 0, 0.05) == 0.0
    assert clopper_pearson_upper(0, 0, 0.05) == 1.0


def test_rule_of_three() -> None:
    """Without an event the upper limit is 1 - alpha^(1/n), near 3/n; 59 clean instances exclude a rate of 5 %."""
    assert clopper_pearson_upper(0, 59, 0.05) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert clopper_pearson_upper(0, 59, 0.05) < 0.05 < clopper_pearson_upper(0, 58, 0.05)
