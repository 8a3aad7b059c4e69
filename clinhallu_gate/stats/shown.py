"""Which truth a given sample suffices for: the chance of a PASS is simulated with the limits that decide."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import logit

from clinhallu_gate.stats.limits import upper_limit
from clinhallu_gate.stats.planning import shares
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray, Sample

#: Seed of the simulated samples.
SEED: Final = 20260101
#: Halvings of the range in which the truth lies (of one from -1 on, which is wider), and samples at each.
_HALVINGS: Final = 6
_HALVINGS_OF_ALL: Final = 9
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
    worst: BoolArray | None = None
    """Values that count as the worst, whatever is true, since nobody can judge them; None if there are none."""
    by_layout: bool = False
    """Whether limits rest on strata and clusters alone (``stats.by_layout``)."""

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

    def like(self, clusters: int) -> "Layout":
        """Return a layout of so many clusters like these: the same ones again and again, of all strata in turn."""
        sizes = np.bincount(self.cluster)
        chosen = np.resize(self._in_turn(), clusters)
        m = sizes[chosen]
        before = np.repeat((np.cumsum(sizes) - sizes)[chosen] - (np.cumsum(m) - m), m)
        values = np.argsort(self.cluster, kind="stable")[before + np.arange(before.size)]
        weight, worst = (None if each is None else each[values] for each in (self.weight, self.worst))
        return replace(
            self, stratum=self.stratum[values], cluster=np.repeat(np.arange(clusters), m), weight=weight, worst=worst
        )

    def _in_turn(self) -> IntArray:
        """Return the clusters so that every beginning holds about the same share of each stratum."""
        stratum = self.stratum[np.unique(self.cluster, return_index=True)[1]]
        place = np.empty(stratum.size)
        for code in np.unique(stratum):
            inside = np.flatnonzero(stratum == code)
            place[inside] = (np.arange(inside.size) + 0.5) / inside.size
        return np.argsort(place, kind="stable").astype(np.int64)

    @property
    def lost(self) -> float:
        """Return the share of what counts as the worst, the unweighted mean over strata."""
        if self.worst is None:
            return 0.0
        weight = np.ones(self.n) if self.weight is None else self.weight
        strata = (self.stratum == code for code in np.unique(self.stratum))
        return float(np.mean([np.average(self.worst[inside], weights=weight[inside]) for inside in strata]))

    def upper_limit(self, y: FloatArray, alpha: float, *, paired: bool) -> float:
        """Return the gate's upper limit of a sample with these values."""
        values = y if self.worst is None else np.where(self.worst, 1.0, y)
        sample = Sample(values, self.stratum, self.cluster, self.weight)
        return upper_limit(sample, alpha, paired=paired, by_layout=self.by_layout)


def limit_at_best(layout: Layout, alpha: float, best: float = 0.0) -> float:
    """Return the upper limit of the best of all samples: nothing smaller can be shown.

    Of a rate it is one without a bad value, of pairs one in which the share -``best`` differs, all for the better;
    beside what counts as the worst in any case.
    """
    y = np.zeros(layout.n)
    y[: round(-best * layout.n)] = -1.0
    return layout.upper_limit(y, alpha, paired=best != 0.0)


def largest_truth(
    layout: Layout,
    threshold: float,
    *,
    alpha: float,
    power: float,
    icc: float,
    discordance: float | None = None,
    best: float | None = None,
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
        discordance: share of pairs that differ; None for a rate. A truth beyond it is one of as many as it takes.
        best: the best truth that there may be; by default 0 of a rate, and of pairs that all which differ are better.
    """
    if best is None:
        best = 0.0 if discordance is None else -discordance
    simulated = Simulated(layout, threshold, alpha, icc, discordance, np.random.default_rng(SEED))
    if threshold <= best or simulated.share(best, _EACH) < power:
        return None
    low, high = best, threshold
    for _ in range(_HALVINGS if best > -1.0 else _HALVINGS_OF_ALL):
        middle = (low + high) / 2.0
        low, high = (middle, high) if simulated.share(middle, _EACH) >= power else (low, middle)
    found = (low + high) / 2.0
    for count, apart in _AROUND:
        step = apart * min(found - best, threshold - found)
        found = fitted(simulated.share, power, [found - step, found, found + step], count)
    return _rounded_down(found)


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
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

    def _passes(self, truth: float) -> bool:
        limit = self.layout.upper_limit(self._drawn(truth), self.alpha, paired=self.discordance is not None)
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


def fitted(share: Callable[[float, int], float], power: float, places: Sequence[float], count: int) -> float:
    """Return the place near ``places`` at which a falling logistic curve through the shares at them has ``power``.

    Weighted least squares of empirical logits (Cox, Analysis of Binary Data, 1970).
    """
    rates = (np.array([share(place, count) for place in places]) * count + 0.5) / (count + 1.0)
    slope, intercept = np.polyfit(places, logit(rates), 1, w=np.sqrt(rates * (1.0 - rates)))
    found = (logit(power) - intercept) / slope if slope < 0 else places[int(rates.argmin())]
    return float(min(max(found, places[0]), places[-1]))


def _rounded_down(value: float) -> float:
    """Return ``value`` with two digits, never larger: 0.1789 as 0.17, -0.0412 as -0.042."""
    if abs(value) < _TIE:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return round(math.floor(value / step + _TIE) * step, 12)
