"""Simulated one-sided errors at the boundary, where the threshold is the truth (seed 20260101)."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from clinhallu_gate.stats import (
    Sample,
    clopper_pearson_upper,
    lower_limit_of_difference,
    lower_limit_of_mean,
    upper_limit_of_difference,
    upper_limit_of_mean,
)

ALPHA = 0.05
REPETITIONS = 1500
# Three standard errors of an error rate of .05 at this number of repetitions.
SLACK = 3 * (0.05 * 0.95 / REPETITIONS) ** 0.5


def errors(draw: Callable[[np.random.Generator], Sample], truth: float, *, paired: bool = False) -> tuple[float, float]:
    """Return how often the upper limit is below the truth, and how often the lower one is above it."""
    rng = np.random.default_rng(20260101)
    upper, lower = (
        (upper_limit_of_difference, lower_limit_of_difference) if paired else (upper_limit_of_mean, lower_limit_of_mean)
    )
    samples = [draw(rng) for _ in range(REPETITIONS)]
    below = np.mean([upper(sample, ALPHA) < truth for sample in samples])
    above = np.mean([lower(sample, ALPHA) > truth for sample in samples])
    return float(below), float(above)


def clusters_of(rate: float, clusters: int, size: int, icc: float) -> Callable[[np.random.Generator], Sample]:
    """Draw exchangeable clusters: with probability ``icc`` a value repeats the cluster's common value."""
    cluster = np.repeat(np.arange(clusters), size)
    keep = np.sqrt(icc)

    def draw(rng: np.random.Generator) -> Sample:
        common = np.repeat(rng.binomial(1, rate, clusters), size)
        own = rng.binomial(1, rate, clusters * size)
        return Sample(np.where(rng.random(own.size) < keep, common, own).astype(float), np.zeros_like(cluster), cluster)

    return draw


def strata_of(sizes: Sequence[int], rates: Sequence[float]) -> Callable[[np.random.Generator], Sample]:
    """Draw strata of independent values."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)

    def draw(rng: np.random.Generator) -> Sample:
        y = (rng.random(stratum.size) < np.repeat(rates, sizes)).astype(float)
        return Sample(y, stratum, np.arange(stratum.size))

    return draw


@pytest.mark.parametrize(("rate", "clusters", "size"), [(0.05, 200, 3), (0.15, 200, 8)])
def test_clusters(rate: float, clusters: int, size: int) -> None:
    """With an intra-cluster correlation of .3 both errors stay near .05, where naive limits err twice to four times."""
    draw = clusters_of(rate, clusters, size, 0.3)
    below, above = errors(draw, rate)
    assert max(below, above) <= ALPHA + SLACK
    rng = np.random.default_rng(20260101)
    naive = [clopper_pearson_upper(s.y.sum(), s.n, ALPHA) < rate for s in (draw(rng) for _ in range(REPETITIONS))]
    assert np.mean(naive) > ALPHA + SLACK


@pytest.mark.parametrize(
    ("sizes", "rates"),
    [
        ([60] * 4, [0.05] * 4),
        ([60] * 4, [0.17, 0.01, 0.01, 0.01]),
        ([34, 269, 240, 160], [0.3, 0.1, 0.1, 0.1]),
        ([5, 400], [0.3, 0.0]),
        ([20, 400], [0.1, 0.02]),
    ],
)
def test_mean_over_strata(sizes: list[int], rates: list[float]) -> None:
    """Equal or very unequal strata: both errors stay near .05 for the unweighted mean."""
    below, above = errors(strata_of(sizes, rates), float(np.mean(rates)))
    assert max(below, above) <= ALPHA + SLACK


@pytest.mark.parametrize(("sizes", "gain", "loss"), [([60] * 4, 0.1, 0.06), ([34, 269, 240, 160], 0.1, 0.06)])
def test_mean_over_strata_of_differences(sizes: list[int], gain: float, loss: float) -> None:
    """Tango's score with the effective number of pairs holds both errors near .05."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)

    def draw(rng: np.random.Generator) -> Sample:
        u = rng.random(stratum.size)
        d = (u < gain).astype(float) - (u > 1 - loss)
        return Sample(d, stratum, np.arange(stratum.size))

    below, above = errors(draw, gain - loss, paired=True)
    assert max(below, above) <= ALPHA + SLACK


def test_clustered_differences() -> None:
    """100 clusters of 4 pairs that often move together: both errors stay near .05."""
    cluster = np.repeat(np.arange(100), 4)

    def draw(rng: np.random.Generator) -> Sample:
        u = np.where(rng.random(400) < 0.5, np.repeat(rng.random(100), 4), rng.random(400))
        return Sample((u < 0.12).astype(float) - (u > 0.92), np.zeros_like(cluster), cluster)

    below, above = errors(draw, 0.04, paired=True)
    assert max(below, above) <= ALPHA + SLACK
