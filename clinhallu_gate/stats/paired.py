"""Limits of a paired difference of rates: Tango's score interval, also for clusters and strata."""

import math

from scipy.optimize import brentq
from scipy.special import bdtrc, ndtri

from clinhallu_gate.stats.effective import effective_size, hidden_rise
from clinhallu_gate.stats.moments import strata_moments
from clinhallu_gate.stats.sample import Sample

# The score statistic is 0/0 at the estimate itself when nothing, or everything, is discordant: start beside it.
_BESIDE = 1e-7


def tango_upper(gains: float, losses: float, n: float, alpha: float) -> float:
    """Return the upper limit of (gains - losses) / n, with one-sided error ``alpha``.

    Args:
        gains: pairs with difference +1 (real-valued effective counts are admitted).
        losses: pairs with difference -1.
        n: all pairs; with 0 the limit is 1.
        alpha: one-sided error.

    Source: Tango, Statistics in Medicine 17 (1998) 891-908; the limit is found by root search.
    """
    if n <= 0:
        return 1.0
    estimate = (gains - losses) / n
    start, z = estimate + _BESIDE, float(ndtri(1.0 - alpha))

    def score(delta: float) -> float:
        return gains - losses - n * delta + z * _standard_error(gains, losses, n, delta)

    if start >= 1.0:
        return 1.0
    if score(start) <= 0 or score(1.0) >= 0:
        return start if score(start) <= 0 else 1.0
    return float(brentq(score, start, 1.0, xtol=1e-12))


def tango_lower(gains: float, losses: float, n: float, alpha: float) -> float:
    """Return the lower limit of (gains - losses) / n; -1 with ``n = 0``."""
    return -tango_upper(losses, gains, n, alpha)


def mcnemar_worse(worse: int, better: int) -> float:
    """Return the exact one-sided p-value of McNemar's test: that worse pairs are not more likely than better ones.

    P(at least ``worse`` of ``worse + better`` fair coins); 1 without any. A small one shows that something got worse; a
    large one shows nothing, least of all that nothing did.

    Source: McNemar, Psychometrika 12 (1947) 153-157, with the exact binomial distribution.
    """
    return float(bdtrc(worse - 1, worse + better, 0.5)) if worse else 1.0


def upper_limit_of_difference(sample: Sample, alpha: float) -> float:
    """Return the upper limit of the unweighted mean over strata of paired differences.

    ``sample.y`` holds -1, 0 and 1. The shares of gains and of losses are averaged over strata and enter Tango's score
    with the effective number of pairs of ``effective_size``, in which the cluster-robust error of d takes the place
    that it has for rates. One stratum of independent pairs gives Tango's interval itself; an empty sample gives 1.
    Simulated errors: tests/stats/test_coverage.py.
    """
    if sample.n == 0:
        return 1.0
    moments = strata_moments(sample, span=2.0)
    size = effective_size(moments, alpha)
    discordant, mean = float(moments.mean_square.mean()), moments.grand_mean
    limit = tango_upper(size * (discordant + mean) / 2.0, size * (discordant - mean) / 2.0, size, alpha)
    if moments.strata == 1:
        return limit
    return min(1.0, max(limit, mean + hidden_rise(moments, alpha)))


def lower_limit_of_difference(sample: Sample, alpha: float) -> float:
    """Return the lower limit of the unweighted mean over strata of paired differences; -1 for an empty sample."""
    return -upper_limit_of_difference(sample.mapped(0.0), alpha)


def _standard_error(gains: float, losses: float, n: float, delta: float) -> float:
    """Return sqrt(n (2q + delta (1 - delta))), q the likeliest share of losses if the difference is ``delta``."""
    a = 2.0 * n
    b = -gains - losses + (2.0 * n - gains + losses) * delta
    c = -losses * delta * (1.0 - delta)
    q = (math.sqrt(max(b * b - 4.0 * a * c, 0.0)) - b) / (2.0 * a)
    return math.sqrt(max(n * (2.0 * q + delta * (1.0 - delta)), 0.0))
