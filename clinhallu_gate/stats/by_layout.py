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
from clinhallu_gate.stats.sample import FloatArray, Sample


def upper_limit_by_layout(sample: Sample, alpha: float, *, paired: bool) -> float:
    """Return an upper limit of the unweighted mean over strata, with one-sided error ``alpha``; monotone in ``y``.

    One stratum: Clopper-Pearson (of pairs Tango's score) with sum w / max w values, w what a cluster counts: as many
    as there are clusters where all count alike, and all of n where nothing is shared. A cluster of probability p has at
    most the variance p (1 - p), as if it had one answer, and sum w^2 p (1 - p) <= max w sum w p (1 - p), whichever
    clusters are the bad ones. Kish's (sum w)^2 / sum w^2 would take them to be like the others: where 20 patients of 20
    questions are worse than 1,980 of one, a PASS at a nominal .05 errs in a fifth.

    Several strata: the larger of two limits. One puts the distances of the strata's limits from their means together by
    squares (MOVER; Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702), or, where a cluster lies in several,
    adds them; the other is that of the mean with ``size_by_layout`` values (with the first alone a FAIL of four strata
    of 60 at a rate of .1 errs in .066). Both rise with each mean, as a limit rises with its mean: the derivative of
    mean + root of the sum of (U - mean)^2 is at least 1 - (U - mean) / root.

    Args:
        sample: Values with strata, clusters and weights; an empty one gives 1.
        alpha: One-sided error.
        paired: Whether the values are differences: -1, 0 or 1.
    """
    if sample.n == 0:
        return 1.0
    seen = _seen(sample)
    whole = _Part(float(seen.gains.mean()), float(seen.losses.mean()), seen.together)
    limit = whole.upper(alpha, paired=paired)
    if seen.size.size == 1:
        return limit
    parts = [_Part(*each) for each in np.stack([seen.gains, seen.losses, seen.size], axis=1).tolist()]
    apart = [max(each.upper(alpha, paired=paired) - each.mean, 0.0) for each in parts]
    together = sum(apart) if seen.share_clusters else math.hypot(*apart)
    return min(1.0, max(limit, whole.mean + together / len(parts)))


def size_by_layout(sample: Sample) -> float:
    """Return how many independent values these are taken for at least: K^2 / sum of 1 / n_s over K strata."""
    return _seen(sample).together


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


class _Seen(NamedTuple):
    """What is seen of the strata that occur, arrays of shape (strata,)."""

    gains: FloatArray
    losses: FloatArray
    size: FloatArray
    share_clusters: bool
    """Whether a cluster lies in several strata."""

    @property
    def together(self) -> float:
        return float(self.size.size**2 / np.sum(1.0 / self.size))


def _seen(sample: Sample) -> _Seen:
    """Return what is seen, by one table of what each cluster counts in each stratum: sum w / max w is the size."""
    strata, clusters = (int(codes.max()) + 1 for codes in (sample.stratum, sample.cluster))
    pairs = sample.stratum * clusters + sample.cluster
    counts = np.bincount(pairs, sample.weights, minlength=strata * clusters).reshape(strata, clusters)
    total = counts.sum(axis=1)
    there = total > 0
    gains, losses = (
        np.bincount(sample.stratum, sample.weights * np.maximum(sign * sample.y, 0.0), minlength=strata)[there]
        / total[there]
        for sign in (1.0, -1.0)
    )
    shared = strata > 1 and bool(((counts > 0).sum(axis=0) > 1).any())
    return _Seen(gains, losses, total[there] / counts.max(axis=1)[there], shared)
