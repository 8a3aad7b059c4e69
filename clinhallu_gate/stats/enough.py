"""From how many patients like those of a sample on a gate passes: strata, questions and weights are theirs."""

import math
from typing import Final

import numpy as np

from clinhallu_gate.stats.planning import MOST, fixed_n_difference, never_event_n
from clinhallu_gate.stats.shown import SEED, Layout, Simulated, fitted, limit_at_best

#: Samples at each of three sizes around the one that was found, in two steps, and how far these lie apart, as a share.
_AROUND: Final = ((40, 0.25), (100, 0.12))
#: Values of a sample beyond which none is simulated: so many meet what the variance alone says.
_LARGE: Final = 15_000
_TIE: Final = 1e-6


def patients_without_any(layout: Layout, threshold: float, alpha: float) -> int | None:
    """Return with how many patients like these, more than these, no bad value shows at most ``threshold``.

    None if more than ``MOST`` would be needed.
    """
    units = never_event_n(threshold - layout.lost, alpha=alpha) if layout.lost < threshold else None
    if units is None or units > MOST:
        return None
    low, high = layout.clusters, max(units, layout.clusters + 1)
    while limit_at_best(layout.like(high), alpha) > threshold:
        if high >= MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        shows = limit_at_best(layout.like(middle), alpha) <= threshold
        low, high = (low, middle) if shows else (middle, high)
    return high


def patients_without_difference(
    layout: Layout, margin: float, *, alpha: float, power: float, icc: float, discordance: float
) -> int | None:
    """Return with how many patients like these a difference of 0 is shown to be at most ``margin``.

    Estimated from the variance, which is all that independent pairs take; of others then by a logistic curve through
    the shares of simulated samples that pass near by, as small strata and few telling patients cost more. Its error is
    some 8 %, and it is rounded up to two digits. None if more than ``MOST`` are needed.

    Args:
        layout: Strata, clusters and weights.
        margin: the threshold.
        alpha: one-sided error of the limit.
        power: wanted probability.
        icc: correlation within a cluster.
        discordance: share of pairs that differ.
    """
    lost = layout.lost
    if lost >= margin:
        return None
    pairs = fixed_n_difference(lost, margin, lost + (1.0 - lost) * discordance, alpha=alpha, power=power)
    if pairs is None:
        return None
    each, independent = layout.n / layout.clusters, worth(layout, icc)
    found = max(pairs * layout.clusters / independent, 2.0)
    rng = np.random.default_rng(SEED)

    def share(size: float, count: int) -> float:
        """Return the share that passes, by the inverse root of the number: that is what limits fall with."""
        larger = layout.like(round(size**-2.0))
        return Simulated(larger, margin, alpha, icc, discordance, rng).share(0.0, count)

    for count, apart in _AROUND:
        if independent < layout.n - _TIE and found * each <= _LARGE:
            size = found**-0.5
            found = fitted(share, power, [size * (1.0 - apart), size, size * (1.0 + apart)], count) ** -2.0
    patients = _rounded_up(max(found, layout.clusters + 1.0))
    return patients if patients <= MOST else None


def worth(layout: Layout, icc: float) -> float:
    """Return how many independent values have the variance of this sample's mean over strata.

    A cluster of m values has the variance (1 + (m - 1) ICC) / m of a value's (Kish, Survey Sampling, 1965).
    """
    weight = np.ones(layout.n) if layout.weight is None else layout.weight
    strata = np.unique(layout.stratum)
    variance = 0.0
    for code in strata:
        inside = layout.stratum == code
        sizes = np.bincount(layout.cluster[inside])
        counts = np.bincount(layout.cluster[inside], weight[inside])[sizes > 0] / weight[inside].sum()
        sizes = sizes[sizes > 0]
        variance += float(np.sum(counts**2 * (1.0 + (sizes - 1.0) * icc) / sizes))
    return strata.size**2 / variance


def _rounded_up(value: float) -> int:
    step = int(10 ** max(math.floor(math.log10(value)) - 1, 0))
    return math.ceil(value / step) * step
