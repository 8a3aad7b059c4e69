"""Paired differences: Tango's published interval, an independent algorithm, clusters, strata, degenerate samples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri, stdtrit

from clinhallu_gate.stats import (
    Sample,
    lower_limit_of_difference,
    tango_lower,
    tango_upper,
    upper_limit_of_difference,
)

ALPHA = 0.05


def test_published_interval() -> None:
    """1 and 7 discordant of 21 pairs: -0.517 to -0.026 (Fagerland et al., BMC Med Res Methodol 14 (2014), Tango)."""
    assert tango_lower(1, 7, 21, 0.025) == pytest.approx(-0.517, abs=5e-4)
    assert tango_upper(1, 7, 21, 0.025) == pytest.approx(-0.026, abs=5e-4)


def quartic_limits(gains: int, losses: int, n: int, alpha: float) -> list[float]:
    """Return the real roots of Yang, Sun and Hardin's quartic, whose extremes are Tango's limits."""
    g, d, s = float(ndtri(1 - alpha)) ** 2, gains - losses, gains + losses
    coefficients = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * (s / g + 1),
        n * d * (2 * s / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - s) / g,
    ]
    return sorted(float(root.real) for root in np.roots(coefficients) if abs(root.imag) < 1e-4)


@settings(max_examples=150)
@given(st.integers(1, 300), st.data(), st.sampled_from([0.005, 0.025, 0.05]))
def test_agrees_with_the_closed_form(n: int, data: st.DataObject, alpha: float) -> None:
    """The root search finds the limits of the non-iterative solution (Statistics in Medicine 32 (2013) 1336-1342)."""
    gains = data.draw(st.integers(0, n))
    losses = data.draw(st.integers(0, n - gains))
    roots = quartic_limits(gains, losses, n, alpha)
    assert tango_lower(gains, losses, n, alpha) == pytest.approx(max(roots[0], -1.0), abs=1e-5)
    assert tango_upper(gains, losses, n, alpha) == pytest.approx(min(roots[-1], 1.0), abs=1e-5)


@given(st.floats(0.05, 500), st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 0.2))
def test_ordered_for_effective_counts(n: float, discordant: float, gain: float, alpha: float) -> None:
    """With real-valued counts the limits lie in [-1, 1] around the estimate."""
    gains, losses = n * discordant * gain, n * discordant * (1 - gain)
    estimate = (gains - losses) / n
    assert -1.0 <= tango_lower(gains, losses, n, alpha) <= estimate + 1e-6
    assert estimate - 1e-6 <= tango_upper(gains, losses, n, alpha) <= 1.0


@given(st.integers(1, 100), st.data())
def test_monotone_in_gains(n: int, data: st.DataObject) -> None:
    """One more gain in place of a tie never lowers a limit."""
    losses = data.draw(st.integers(0, n - 1))
    gains = data.draw(st.integers(0, n - losses - 1))
    assert tango_upper(gains + 1, losses, n, ALPHA) >= tango_upper(gains, losses, n, ALPHA) - 1e-9
    assert tango_lower(gains + 1, losses, n, ALPHA) >= tango_lower(gains, losses, n, ALPHA) - 1e-9


def test_nothing_seen_says_nothing() -> None:
    """With n = 0 the limits are -1 and 1."""
    assert tango_lower(0, 0, 0, ALPHA) == -1.0
    assert tango_upper(0, 0, 0, ALPHA) == 1.0
    assert lower_limit_of_difference(Sample.of([]), ALPHA) == -1.0
    assert upper_limit_of_difference(Sample.of([]), ALPHA) == 1.0


def test_no_discordance_leaves_a_width() -> None:
    """Without a discordant pair the limits are -+ z^2 / (n + z^2), never 0."""
    z2 = float(ndtri(0.95)) ** 2
    assert tango_upper(0, 0, 50, ALPHA) == pytest.approx(z2 / (50 + z2), abs=1e-9)
    assert tango_lower(0, 0, 50, ALPHA) == pytest.approx(-z2 / (50 + z2), abs=1e-9)


def test_independent_pairs_give_tango() -> None:
    """One stratum of clusters of one is Tango's interval itself."""
    sample = Sample.of([1] * 12 + [-1] * 5 + [0] * 83)
    assert upper_limit_of_difference(sample, ALPHA) == pytest.approx(tango_upper(12, 5, 100, ALPHA))
    assert lower_limit_of_difference(sample, ALPHA) == pytest.approx(tango_lower(12, 5, 100, ALPHA))


def test_clusters_that_move_together_count_once() -> None:
    """Pairs that agree within 100 clusters of 4 give limits a little wider than 100 pairs: 17 tell of the variance."""
    d = np.repeat([1] * 12 + [-1] * 5 + [0] * 83, 4)
    sample = Sample.of(d, None, np.repeat(np.arange(100), 4).tolist())
    worth = 0.99 * float(stdtrit(399, 1 - ALPHA) / stdtrit(16, 1 - ALPHA)) ** 2  # of 100 pairs: SE^2 = spread / 99
    limit = tango_upper(12 * worth, 5 * worth, 100 * worth, ALPHA)
    assert upper_limit_of_difference(sample, ALPHA) == pytest.approx(limit, rel=1e-9)
    assert limit > tango_upper(12, 5, 100, ALPHA)
    assert upper_limit_of_difference(sample, ALPHA) > tango_upper(48, 20, 400, ALPHA) + 0.02


def test_strata_weigh_the_same() -> None:
    """The mean over strata of unequal size is not the pooled mean."""
    sample = Sample.of([1] * 10 + [0] * 10 + [0] * 380, [0] * 20 + [1] * 380)
    assert lower_limit_of_difference(sample, ALPHA) < 0.25 < upper_limit_of_difference(sample, ALPHA)
    assert lower_limit_of_difference(sample, ALPHA) > 10 / 400


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=40),
    st.floats(0.001, 0.2),
)
def test_any_sample_has_honest_limits(rows: list[tuple[int, int, int]], alpha: float) -> None:
    """For any strata and clusters the limits lie in [-1, 1], in order, never meet, and mirror with the sign of d."""
    d, stratum, cluster = zip(*rows, strict=True)
    sample = Sample.of(d, stratum, cluster)
    lower, upper = lower_limit_of_difference(sample, alpha), upper_limit_of_difference(sample, alpha)
    assert -1.0 <= lower < upper <= 1.0
    assert not math.isnan(lower + upper)
    assert upper_limit_of_difference(sample.mapped(0.0), alpha) == pytest.approx(-lower, abs=1e-9)
