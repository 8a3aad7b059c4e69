"""Differences of rates from independent samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from clinhallu_gate.stats.exact import clopper_pearson_lower, clopper_pearson_upper
from clinhallu_gate.stats.independent import WithLimits, difference


def wilson(events: int, n: int, level: float = 0.95) -> WithLimits:
    """Return Wilson's limits, which Newcombe's method 10 is made of."""
    z, p = norm.ppf((1 + level) / 2), events / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return WithLimits(p, *((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1)))


def exact(events: int, n: int) -> WithLimits:
    """Return Clopper-Pearson's limits."""
    return WithLimits(events / n, clopper_pearson_lower(events, n, 0.025), clopper_pearson_upper(events, n, 0.025))


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_it_is_newcombes_interval_from_wilsons(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """As published: Newcombe, Statistics in Medicine 17 (1998), table II, method 10."""
    found = difference(wilson(*one), wilson(*other))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_exact_limits_make_it_cautious() -> None:
    """Simulated with 84 against 400 at .3 and .2: the true difference is outside in less than 5 % of 2,000 samples."""
    rng = np.random.default_rng(3)
    pairs = zip(rng.binomial(84, 0.3, 2000), rng.binomial(400, 0.2, 2000), strict=True)
    found = [difference(exact(int(a), 84), exact(int(b), 400)) for a, b in pairs]
    outside = np.mean([not one.low <= 0.1 <= one.high for one in found])
    assert 0.005 < outside < 0.05


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_it_holds_its_estimate_and_turns_around(values: list[float]) -> None:
    """For any limits; the other way round it is its own mirror."""
    one, other = (WithLimits(mid, low, high) for low, mid, high in (sorted(values[:3]), sorted(values[3:])))
    found, mirrored = difference(one, other), difference(other, one)
    assert -1 <= found.low <= found.estimate + 1e-12
    assert found.estimate - 1e-12 <= found.high <= 1
    assert (found.low, found.high) == (pytest.approx(-mirrored.high), pytest.approx(-mirrored.low))


def test_an_estimate_outside_its_limits_is_no_trouble() -> None:
    """Unjudged instances may move both limits to one side of it."""
    found = difference(WithLimits(0.1, 0.2, 0.4), WithLimits(0.0, 0.0, 0.1))
    assert found.low <= 0.2
    assert found.estimate == pytest.approx(0.1)
