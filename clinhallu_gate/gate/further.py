"""How many further instances would likely decide a gate that is open."""

import math
from fractions import Fraction
from typing import Final

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.limits import Limits, bound
from clinhallu_gate.gate.metrics import GateArrays
from clinhallu_gate.stats.by_layout import size_by_layout
from clinhallu_gate.stats.effective import effective_size
from clinhallu_gate.stats.moments import StrataMoments, strata_moments
from clinhallu_gate.stats.planning import MOST, fixed_n_difference, fixed_n_rate
from clinhallu_gate.stats.sample import Sample
from clinhallu_gate.stats.sequential import typical_n
from clinhallu_gate.vocabulary import Method, Target

#: How likely the further instances decide it, if the rate stays what it is.
POWER: Final = 0.8


#: A run by bets that is past the mean of such runs is late, not done: at least this share of the mean is to come.
_LATE: Final = 0.25


def further_instances(spec: GateSpec, arrays: GateArrays, limits: Limits, *, of: int | None = None) -> int | None:
    """Return how many instances beyond those that were asked likely decide the gate, if the rate stays.

    What is unjudged, or lacks gold, is counted as it is bounded: as bad where a PASS is in reach, as good where a FAIL
    is. Clusters and strata count by the present design effect. None if the data have none to tell: on a complete list,
    and where the threshold lies between the two bounds, only verdicts are missing, and a rate at its threshold is
    decided by no number.

    Args:
        spec: the gate.
        arrays: what was asked.
        limits: its limits.
        of: instances in the scope, where not all of them were asked; a list is decided at its end at the latest.
    """
    if limits.method is Method.COMPLETE_LIST:
        return None
    threshold = float(bound(spec))
    above, below = (_moments(arrays, sample) for sample in (arrays.pass_side, arrays.fail_side))
    within = above.grand_mean < threshold
    if not within and below.grand_mean <= threshold:
        return None
    moments, error = (above, limits.upper_error) if within else (below, limits.lower_error)
    if limits.method is Method.BETTING:
        listed = of if spec.target is Target.BENCHMARK else None
        needed = _needed_by_bets(arrays, moments, threshold, error, listed)
    else:
        size = size_by_layout(arrays.pass_side) if limits.method is Method.BY_LAYOUT else effective_size(moments, error)
        needed = _needed_at_fixed_n(arrays, moments, threshold, error, size=size)
    if needed is None:
        return None
    late = needed * _LATE if limits.method is Method.BETTING else 1.0
    further = math.ceil(max(needed - arrays.n, late))
    return further if further < MOST else None


def _moments(arrays: GateArrays, sample: Sample) -> StrataMoments:
    return strata_moments(sample, span=2.0 if arrays.paired else 1.0)


def _needed_at_fixed_n(
    arrays: GateArrays, moments: StrataMoments, threshold: float, error: float, *, size: float
) -> float | None:
    """Return the number of instances: that of independent values, times what one of them costs."""
    mean = moments.grand_mean
    if arrays.paired:
        discordance = float(moments.mean_square.mean())
        needed = fixed_n_difference(mean, threshold, discordance, alpha=error, power=POWER)
    else:
        needed = fixed_n_rate(mean, threshold, alpha=error, power=POWER)
    return None if needed is None else needed * arrays.n / size


def _needed_by_bets(
    arrays: GateArrays, moments: StrataMoments, threshold: float, error: float, listed: int | None
) -> float | None:
    """Return the number of instances: that of units, by the variance of their means, times the instances of each."""
    span, least = (2.0, -1.0) if arrays.paired else (1.0, 0.0)
    units = int(np.unique(arrays.units).size)
    variance = (units * moments.variance_of_grand_mean + float(moments.mean.var())) / span**2
    rate, line = ((value - least) / span for value in (moments.grand_mean, threshold))
    needed = typical_n(rate, line, error, variance=variance)
    if needed is None:
        return None
    instances = needed * arrays.n / units
    return instances if listed is None else instances / (1.0 + instances / listed)


def wanted_labels(
    spec: GateSpec, arrays: GateArrays, limits: Limits, estimate: Fraction | None, labels: int
) -> int | None:
    """Return how many labels in all would likely decide a gate that rests on labels; None if all would not.

    A limit draws nearer to the estimate with the square root of their number.
    """
    threshold = bound(spec)
    if estimate is None or estimate == threshold:
        return None
    limit = limits.upper if estimate < threshold else limits.lower
    wanted = math.ceil(labels * float((limit - estimate) / (threshold - estimate)) ** 2)
    return wanted if wanted <= arrays.n else None
