"""Limits whose width follows from strata, clusters and weights alone, so that no value makes them narrower.

A variance that is estimated from the values falls with some of them: a worse value in the place of a better one then
draws a limit nearer (of ``effective_size`` in every fifth random small sample with clusters or strata). Where values
are missing and are counted as the worst, that would let what is left out mend a decision. These limits only rise if a
value rises, whatever the others are.
"""

import math
from typing import NamedTuple

import numpy as np

from clinhallu_gate.stats.exact import clopper_pearson_upper
from clinhallu_gate.stats.paired import tango_upper
from clinhallu_gate.stats.sample import BoolArray, Sample


def upper_limit_by_layout(sample: Sample, alpha: float, *, paired: bool) -> float:
    """Return an upper limit of the unweighted mean over strata, with one-sided error ``alpha``; monotone in ``y``.

    One stratum: Clopper-Pearson (of pairs Tango's score) with clusters for values, as if all values of a cluster were
    one: (sum w)^2 / sum w^2 of them (Kish), which are all of n where nothing is shared. Several strata: the larger of
    two limits. One puts the distances of the strata's limits from their means together by squares (MOVER; Zou and
    Donner, Statistics in Medicine 27 (2008) 1693-1702), or, where a cluster lies in several, adds them; the other is
    that of the mean with ``size_by_layout`` values (with the first alone a FAIL of four strata of 60 at a rate of .1
    errs in .066). Both rise with each mean, as a limit rises with its mean: the derivative of mean + root of the sum of
    (U - mean)^2 is at least 1 - (U - mean) / root.

    Args:
        sample: Values with strata, clusters and weights; an empty one gives 1.
        alpha: One-sided error.
        paired: Whether the values are differences: -1, 0 or 1.
    """
    if sample.n == 0:
        return 1.0
    parts = _parts(sample)
    gains, losses = (sum(shares) / len(parts) for shares in ([p.gains for p in parts], [p.losses for p in parts]))
    whole = _Part(gains, losses, _together(parts))
    limit = whole.upper(alpha, paired=paired)
    if len(parts) == 1:
        return limit
    apart = [max(each.upper(alpha, paired=paired) - each.mean, 0.0) for each in parts]
    together = sum(apart) if _share_clusters(sample) else math.hypot(*apart)
    return min(1.0, max(limit, whole.mean + together / len(parts)))


def lower_limit_by_layout(sample: Sample, alpha: float, *, paired: bool) -> float:
    """Return the lower limit: that of the complement, or of the difference the other way, turned round."""
    if paired:
        return -upper_limit_by_layout(sample.mapped(0.0), alpha, paired=True)
    return 1.0 - upper_limit_by_layout(sample.mapped(1.0), alpha, paired=False)


def size_by_layout(sample: Sample) -> float:
    """Return how many independent values these are taken for: K^2 / sum of 1 / n_s over K strata."""
    return _together(_parts(sample))


class _Part(NamedTuple):
    """A stratum, or the mean over all."""

    gains: float
    """The share of values above 0: of a rate the rate itself."""
    losses: float
    """The share below 0."""
    size: float
    """Independent values that they are taken for."""

    @property
    def mean(self) -> float:
        return self.gains - self.losses

    def upper(self, alpha: float, *, paired: bool) -> float:
        if paired:
            return tango_upper(self.gains * self.size, self.losses * self.size, self.size, alpha)
        return clopper_pearson_upper(self.gains * self.size, self.size, alpha)


def _parts(sample: Sample) -> list[_Part]:
    return [_part(sample, sample.stratum == code) for code in np.unique(sample.stratum)]


def _together(parts: list[_Part]) -> float:
    return len(parts) ** 2 / sum(1.0 / each.size for each in parts)


def _part(sample: Sample, inside: BoolArray) -> _Part:
    """Return what is seen of a stratum, and (sum w)^2 / sum w^2 over its clusters, w what a cluster counts."""
    y, weights = sample.y[inside], sample.weights[inside]
    counts = np.bincount(np.unique(sample.cluster[inside], return_inverse=True)[1], weights)
    gains, losses = (float(np.average(np.maximum(sign * y, 0.0), weights=weights)) for sign in (1.0, -1.0))
    return _Part(gains, losses, float(counts.sum() ** 2 / np.sum(counts**2)))


def _share_clusters(sample: Sample) -> bool:
    """Whether a cluster lies in several strata."""
    pairs = np.unique(np.stack([sample.stratum, sample.cluster]), axis=1)
    return bool(pairs.shape[1] > np.unique(sample.cluster).size)
