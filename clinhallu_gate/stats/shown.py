"""Which truth a given sample suffices for: the chance of a PASS is simulated with the limits that decide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import logit

from clinhallu_gate.stats.effective import effective_size
from clinhallu_gate.stats.means import upper_limit_of_mean
from clinhallu_gate.stats.moments import strata_moments
from clinhallu_gate.stats.paired import upper_limit_of_difference
from clinhallu_gate.stats.planning import shares
from clinhallu_gate.stats.sample import FloatArray, IntArray, Sample

#: Seed of the simulated samples.
SEED: Final = 20260101
#: Halvings of the range in which the truth lies, and samples at each.
_HALVINGS: Final = 6
_EACH: Final = 24
#: Samples at each of three places around the truth that was found, in two steps, and how far these lie apart, as a
#: share of the way to the nearer end of the range.
_AROUND: Final = ((60, 0.3), (240, 0.2))
#: Values in all samples at one truth: a large sample needs fewer, as its chance of a PASS falls more steeply.
_VALUES: Final = 200_000
_FEWEST: Final = 12
_TIE: Final = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Strata, clusters and weights of a sample whose values are not known yet."""

    stratum: IntArray
    cluster: IntArray
    """Codes from 0 without a gap."""
    weight: FloatArray | None
    """What each value counts within its stratum; None if all count alike."""

    @classmethod
    def of(cls, stratum: IntArray, cluster: IntArray, *, alike: bool) -> "Layout":
        """Lay out a sample; with ``alike`` every cluster counts alike within a stratum, else every value."""
        codes = np.unique(cluster, return_inverse=True)[1].astype(np.int64)
        if not alike:
            return cls(stratum, codes, None)
        pairs = stratum * (int(codes.max(initial=0)) + 1) + codes
        units = np.unique(pairs, return_inverse=True)[1]
        return cls(stratum, codes, 1.0 / np.bincount(units)[units])

    @property
    def n(self) -> int:
        """Return the number of values."""
        return self.stratum.size

    @property
    def clusters(self) -> int:
        """Return the number of clusters."""
        return int(self.cluster.max(initial=-1)) + 1

    @property
    def mean_size(self) -> float:
        """Return how many values share a cluster, seen from a value: sum of m^2 over sum of m."""
        sizes = np.bincount(self.cluster)
        return float(np.sum(sizes**2)) / max(self.n, 1)

    def sample(self, y: FloatArray) -> Sample:
        """Return the sample with these values."""
        return Sample(y, self.stratum, self.cluster, self.weight)


@dataclass(frozen=True, slots=True)
class Best:
    """What the best of all samples comes to."""

    limit: float
    """Upper limit: nothing smaller can be shown."""
    size: float
    """Independent values that it is worth."""


def passes_without_any(layout: Layout, alpha: float, discordance: float | None = None) -> Best:
    """Return what a sample without a bad value comes to; of pairs, one in which all that differ are better."""
    if discordance is None:
        sample = layout.sample(np.zeros(layout.n))
        return Best(upper_limit_of_mean(sample, alpha), effective_size(strata_moments(sample, span=1.0), alpha))
    y = np.zeros(layout.n)
    y[: round(discordance * layout.n)] = -1.0
    sample = layout.sample(y)
    return Best(upper_limit_of_difference(sample, alpha), effective_size(strata_moments(sample, span=2.0), alpha))


def largest_truth(
    layout: Layout, threshold: float, *, alpha: float, power: float, icc: float, discordance: float | None = None
) -> float | None:
    """Return the largest true mean at which the upper limit is at most ``threshold`` with probability ``power``.

    Found by halving the range, then by a logistic curve through the shares of simulated samples that pass near by; with
    some 1,000 samples its own error is some .02 of the power. Rounded down to two digits, which errs to the safe side.
    None if not even the best truth passes.

    Args:
        layout: Strata, clusters and weights.
        threshold: t, or the margin of a difference.
        alpha: one-sided error of the limit.
        power: wanted probability.
        icc: correlation within a cluster: probabilities follow a beta (of pairs, Dirichlet) distribution.
        discordance: share of pairs that differ; None for a rate.
    """
    best = 0.0 if discordance is None else -discordance
    rng = np.random.default_rng(SEED)
    simulated = _Simulated(layout, threshold, alpha, icc, discordance, rng)
    if threshold <= best or simulated.share(best, _EACH) < power:
        return None
    low, high = best, threshold
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if simulated.share(middle, _EACH) >= power else (low, middle)
    found = (low + high) / 2.0
    for count, apart in _AROUND:
        step = apart * min(found - best, threshold - found)
        found = simulated.fitted(power, [found - step, found, found + step], count)
    return _rounded_down(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Simulated:
    """Samples with values, by the truth, and whether they pass."""

    layout: Layout
    threshold: float
    alpha: float
    icc: float
    discordance: float | None
    rng: np.random.Generator

    def share(self, truth: float, count: int) -> float:
        """Return which share of ``count`` samples at a truth passes; of large samples fewer are drawn."""
        count = max(min(count, _VALUES // max(self.layout.n, 1)), _FEWEST)
        return sum(self._passes(truth) for _ in range(count)) / count

    def fitted(self, power: float, truths: Sequence[float], count: int) -> float:
        """Return the truth near ``truths`` at which a logistic curve through the shares at them has ``power``.

        Weighted least squares of empirical logits (Cox, Analysis of Binary Data, 1970).
        """
        rates = (np.array([self.share(truth, count) for truth in truths]) * count + 0.5) / (count + 1.0)
        slope, intercept = np.polyfit(truths, logit(rates), 1, w=np.sqrt(rates * (1.0 - rates)))
        found = (logit(power) - intercept) / slope if slope < 0 else truths[int(rates.argmin())]
        return float(min(max(found, truths[0]), truths[-1]))

    def _passes(self, truth: float) -> bool:
        sample = self.layout.sample(self._drawn(truth))
        limit = (upper_limit_of_mean if self.discordance is None else upper_limit_of_difference)(sample, self.alpha)
        return limit <= self.threshold + _TIE

    def _drawn(self, truth: float) -> FloatArray:
        """Return the values of one sample."""
        layout = self.layout
        u = self.rng.random(layout.n)
        if self.discordance is None:
            return (u < self._shares(truth, 1.0)[layout.cluster]).astype(np.float64)
        differing = max(self.discordance, abs(truth))
        up, down = (differing + truth) / 2.0, (differing - truth) / 2.0
        gains = self._shares(up, 1.0)[layout.cluster]
        losses = (1.0 - gains) * self._shares(down, 1.0 - up)[layout.cluster]
        return (u < gains).astype(np.float64) - (u >= 1.0 - losses)

    def _shares(self, part: float, whole: float) -> FloatArray:
        return shares(part, whole, self.icc, self.layout.clusters, self.rng)


def _rounded_down(value: float) -> float:
    """Return ``value`` with two digits, never larger: 0.1789 as 0.17, -0.0412 as -0.042."""
    if abs(value) < _TIE:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return round(math.floor(value / step + _TIE) * step, 12)
