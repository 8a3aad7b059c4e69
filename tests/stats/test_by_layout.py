"""Limits whose width no value changes: a worse value never draws them nearer, and they err no more than they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinhallu_gate.stats import (
    Sample,
    clopper_pearson_upper,
    lower_limit_by_layout,
    size_by_layout,
    tango_upper,
    upper_limit_by_layout,
    upper_limit_of_mean,
)
from clinhallu_gate.stats.sample import FloatArray, IntArray

ALPHA = 0.05


@st.composite
def samples(draw: st.DrawFn, *, paired: bool) -> Sample:
    """Draw values of a few strata and clusters, which may lie in several; alike, or every cluster alike."""
    n = draw(st.integers(1, 25))
    column = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    stratum = np.array(draw(column), np.int64)
    cluster = np.array(draw(st.lists(st.integers(0, n), min_size=n, max_size=n)), np.int64)
    y = np.array(draw(st.lists(st.integers(-1 if paired else 0, 1), min_size=n, max_size=n)), np.float64)
    units = np.unique(stratum * (n + 1) + cluster, return_inverse=True)[1]
    weight = 1.0 / np.bincount(units)[units] if draw(st.booleans()) else None
    return Sample(y, stratum, cluster, weight)


@pytest.mark.parametrize("paired", [False, True])
@settings(max_examples=300, deadline=None)
@given(data=st.data(), alpha=st.sampled_from([0.2, 0.05, 0.0125, 0.005]))
def test_a_worse_value_draws_no_limit_nearer(*, data: st.DataObject, paired: bool, alpha: float) -> None:
    """Whatever the layout: with one value larger both limits are as large or larger."""
    sample = data.draw(samples(paired=paired))
    place = data.draw(st.integers(0, sample.n - 1))
    y = sample.y.copy()
    y[place] = data.draw(st.integers(int(y[place]), 1))
    worse = Sample(y, sample.stratum, sample.cluster, sample.weight)
    for limit in (upper_limit_by_layout, lower_limit_by_layout):
        assert limit(worse, alpha, paired=paired) >= limit(sample, alpha, paired=paired) - 1e-12


def test_an_estimated_variance_draws_limits_nearer() -> None:
    """Why these limits are needed: 100 patients of 3 questions, one misread thrice; Korn and Graubard leave .108.

    If a question of another patient were counted as bad for want of gold, two patients would tell of the variance, and
    leave .099: what was left out would pass a gate at .10.
    """
    cluster = np.repeat(np.arange(100), 3).tolist()
    y = np.zeros(300)
    y[:3] = 1.0
    known = Sample.of(y, None, cluster)
    y = y.copy()
    y[-1] = 1.0
    left_out = Sample.of(y, None, cluster)
    assert upper_limit_of_mean(left_out, ALPHA) < 0.10 < upper_limit_of_mean(known, ALPHA)
    assert upper_limit_by_layout(left_out, ALPHA, paired=False) > upper_limit_by_layout(known, ALPHA, paired=False)


def test_independent_values_have_the_exact_limits() -> None:
    """In one stratum without clusters they are Clopper-Pearson's and Tango's."""
    y = np.array([1.0] * 7 + [0.0] * 53)
    assert upper_limit_by_layout(Sample.of(y), ALPHA, paired=False) == clopper_pearson_upper(7, 60, ALPHA)
    pairs = np.array([1.0] * 5 + [-1.0] * 3 + [0.0] * 52)
    assert upper_limit_by_layout(Sample.of(pairs), ALPHA, paired=True) == pytest.approx(tango_upper(5, 3, 60, ALPHA))


def test_clusters_count_for_values() -> None:
    """Kish: 60 values of 20 patients are worth 20, of one large and ten small clusters fewer than eleven."""
    cluster = np.repeat(np.arange(20), 3)
    clean = Sample.of(np.zeros(60), None, cluster.tolist())
    assert upper_limit_by_layout(clean, ALPHA, paired=False) == pytest.approx(1 - ALPHA ** (1 / 20))
    uneven = Sample.of(np.zeros(40), None, [0] * 30 + list(range(1, 11)))
    assert size_by_layout(uneven) == pytest.approx(40**2 / (30**2 + 10))


def test_an_empty_sample_excludes_nothing() -> None:
    """Nothing is known."""
    assert upper_limit_by_layout(Sample.of([]), ALPHA, paired=False) == 1.0
    assert lower_limit_by_layout(Sample.of([]), ALPHA, paired=True) == -1.0


def sizes(*of_strata: IntArray) -> tuple[IntArray, ...]:
    """Name the sizes of the clusters, stratum by stratum."""
    return of_strata


ONE = np.ones(400, np.int64)


@pytest.mark.parametrize(
    ("clusters", "rates", "icc"),
    [
        (sizes(np.full(200, 3)), (0.3,), 0.3),
        (sizes(np.full(50, 8)), (0.05,), 1.0),
        (sizes(np.resize([1, 1, 2, 20, 3], 100)), (0.10,), 1.0),
        (sizes(ONE[:12], ONE, ONE, ONE), (0.5, 0.05, 0.05, 0.05), 0.0),
        (sizes(ONE[:60], ONE[:60], ONE[:60], ONE[:60]), (0.1, 0.1, 0.1, 0.1), 0.0),
        (sizes(np.full(40, 3), np.full(40, 3)), (0.02, 0.02), 1.0),
    ],
)
def test_errors_are_what_they_say(clusters: tuple[IntArray, ...], rates: tuple[float, ...], icc: float) -> None:
    """Seed 20260101, 1,000 samples: false PASS and false FAIL at a nominal .05 stay within it.

    The third is a layout at which limits with an estimated variance have a false PASS of .11.
    """
    rng = np.random.default_rng(20260101)
    stratum = np.concatenate([np.full(each.sum(), code) for code, each in enumerate(clusters)])
    cluster = np.repeat(np.arange(sum(each.size for each in clusters)), np.concatenate(clusters))
    truth, runs = float(np.mean(rates)), 1000
    passed = failed = 0
    for _ in range(runs):
        own = np.concatenate([_drawn(rng, rate, icc, each.size) for rate, each in zip(rates, clusters, strict=True)])
        sample = Sample((rng.random(cluster.size) < own[cluster]).astype(np.float64), stratum, cluster)
        passed += upper_limit_by_layout(sample, ALPHA, paired=False) < truth
        failed += lower_limit_by_layout(sample, ALPHA, paired=False) > truth
    assert max(passed, failed) / runs <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / runs) ** 0.5


def _drawn(rng: np.random.Generator, rate: float, icc: float, count: int) -> FloatArray:
    """Return each cluster's own rate: all alike, all or nothing, or a beta distribution between."""
    if icc in (0.0, 1.0):
        return (rng.random(count) < rate).astype(np.float64) if icc else np.full(count, rate)
    return rng.beta(rate * (1 / icc - 1), (1 - rate) * (1 / icc - 1), count)
