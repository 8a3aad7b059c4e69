"""Limits of rates with clusters and strata: cross-checks, degenerate samples, and what must hold for any sample."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from clinhallu_gate.stats import (
    Sample,
    clopper_pearson_lower,
    clopper_pearson_upper,
    lower_limit_of_mean,
    upper_limit_of_mean,
)
from clinhallu_gate.stats.effective import effective_size, hidden_rise
from clinhallu_gate.stats.moments import strata_moments

ALPHA = 0.05


def clustered(seed: int, clusters: int, size: int, rate: float) -> Sample:
    """Draw clusters that share a rate of their own."""
    rng = np.random.default_rng(seed)
    own = rng.beta(rate * 2, (1 - rate) * 2, clusters)
    y = rng.binomial(1, np.repeat(own, size))
    return Sample.of(y, None, np.repeat(np.arange(clusters), size).tolist())


def test_sandwich_variance_agrees_with_statsmodels() -> None:
    """SE^2 is statsmodels' cluster-robust variance of an intercept-only regression."""
    sample = clustered(1, 37, 5, 0.3)
    fit = sm.OLS(sample.y, np.ones(sample.n)).fit(cov_type="cluster", cov_kwds={"groups": sample.cluster})
    moments = strata_moments(sample, span=1.0)
    assert moments.variance_of_mean[0] == pytest.approx(fit.bse[0] ** 2, rel=1e-10)


def test_korn_graubard_by_hand() -> None:
    """One stratum of clusters: n_eff = p(1-p)/SE^2 * (t_{n-1}/t_{G-1})^2, G the clusters with an event."""
    sample = clustered(2, 60, 6, 0.2)
    telling = np.count_nonzero(sample.y.reshape(60, 6).any(axis=1))
    assert telling < 60
    moments = strata_moments(sample, span=1.0)
    p, n, variance = float(sample.y.mean()), sample.n, float(moments.variance_of_mean[0])
    by_hand = p * (1 - p) / variance * (stdtrit(n - 1, 0.95) / stdtrit(telling - 1, 0.95)) ** 2
    assert by_hand < n
    assert effective_size(moments, ALPHA) == pytest.approx(by_hand)
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_upper(p * by_hand, by_hand, ALPHA))


def test_mean_over_strata_by_hand() -> None:
    """K strata: SE^2 = sum SE_s^2 / K^2 with Satterthwaite's degrees of freedom, at most K^2 / sum(1/n_s)."""
    n, k = np.array([40, 100]), np.array([12, 5])
    y = np.concatenate([np.arange(size) < events for size, events in zip(n, k, strict=True)]).astype(float)
    sample = Sample.of(y, np.repeat([0, 1], n).tolist())
    share = k / n
    v = share * (1 - share) / (n - 1)
    df = v.sum() ** 2 / (v**2 / (n - 1)).sum()
    p = share.mean()
    first = p * (1 - p) / (v.sum() / 4) * (stdtrit(139, 0.95) / stdtrit(df, 0.95)) ** 2
    size = min(first, 4 / (1 / n).sum())
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_upper(p * size, size, ALPHA))
    assert lower_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_lower(p * size, size, ALPHA))


def test_independent_values_give_clopper_pearson() -> None:
    """One stratum of clusters of one is plain Clopper-Pearson."""
    sample = Sample.of([1] * 13 + [0] * 87)
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_upper(13, 100, ALPHA))
    assert lower_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_lower(13, 100, ALPHA))


def test_no_events_count_clusters() -> None:
    """Without an event 200 clusters of 4 are worth 200 values, not 800."""
    sample = Sample.of(np.zeros(800), None, np.repeat(np.arange(200), 4).tolist())
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx(1 - 0.05 ** (1 / 200))
    assert lower_limit_of_mean(sample.mapped(1.0), ALPHA) == pytest.approx(0.05 ** (1 / 200))


def test_a_small_silent_stratum_is_not_taken_for_clean() -> None:
    """Five values without an event leave their half of the mean open, however large the other stratum is."""
    sample = Sample.of(np.zeros(405), [0] * 5 + [1] * 400)
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx((1 - 0.05 ** (1 / 5)) / 2)
    equal = Sample.of(np.zeros(240), np.repeat(np.arange(4), 60).tolist())
    assert upper_limit_of_mean(equal, ALPHA) == pytest.approx(clopper_pearson_upper(0, 240, ALPHA))
    moments = strata_moments(Sample.of([0, 1] * 30, [0, 1] * 30), span=1.0)
    assert hidden_rise(moments, ALPHA) == pytest.approx((1 - 0.05 ** (1 / 30)) / 2)


def test_an_empty_sample_says_nothing() -> None:
    """With n = 0 the limits are 0 and 1."""
    assert upper_limit_of_mean(Sample.of([]), ALPHA) == 1.0
    assert lower_limit_of_mean(Sample.of([]), ALPHA) == 0.0


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("clusters", [[0], [0] * 40])
def test_one_cluster_is_one_value(value: float, clusters: list[int]) -> None:
    """One cluster of equal values says as much as a single value does."""
    sample = Sample.of([value] * len(clusters), None, clusters)
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx(1.0 if value else 0.95)
    assert lower_limit_of_mean(sample, ALPHA) == pytest.approx(0.05 if value else 0.0)


def test_one_mixed_cluster_says_almost_nothing() -> None:
    """From one cluster no variance can be estimated, so the limits stay near 0 and 1."""
    sample = Sample.of([0, 1] * 200, None, [0] * 400)
    assert lower_limit_of_mean(sample, ALPHA) < 0.01
    assert upper_limit_of_mean(sample, ALPHA) > 0.99


SAMPLES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
    )
)


@settings(max_examples=150)
@given(SAMPLES, st.floats(0.001, 0.2))
def test_limits_enclose_the_estimate_without_certainty(parts: tuple[list[int], ...], alpha: float) -> None:
    """For any strata and clusters the limits lie in [0, 1] around the estimate, and never meet."""
    y, stratum, cluster = parts
    sample = Sample.of(y, stratum, cluster)
    estimate = strata_moments(sample, span=1.0).grand_mean
    lower, upper = lower_limit_of_mean(sample, alpha), upper_limit_of_mean(sample, alpha)
    assert 0.0 <= lower <= estimate + 1e-9
    assert estimate - 1e-9 <= upper <= 1.0
    assert lower < upper


@settings(max_examples=60)
@given(SAMPLES)
def test_stricter_limits_are_wider(parts: tuple[list[int], ...]) -> None:
    """A smaller error never gives a narrower interval, and names of strata and clusters do not matter."""
    y, stratum, cluster = parts
    sample = Sample.of(y, stratum, cluster)
    renamed = Sample.of(y, [7 - s for s in stratum], [9 - c for c in cluster])
    assert upper_limit_of_mean(sample, 0.01) >= upper_limit_of_mean(sample, 0.05) - 1e-9
    assert upper_limit_of_mean(renamed, 0.05) == pytest.approx(upper_limit_of_mean(sample, 0.05), abs=1e-9)
