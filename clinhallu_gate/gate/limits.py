"""The limits that face a threshold, on the scale on which larger is worse."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.metrics import GateArrays
from clinhallu_gate.gate.result import threshold_of
from clinhallu_gate.stats import Sample, lower_limit, upper_limit
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray
from clinhallu_gate.vocabulary import Method, Metric

# Limits come from root search: a limit that equals the threshold may lie this much beside it.
TIE = Fraction(1, 10**12)


@dataclass(frozen=True, slots=True)
class Limits:
    """A lower and an upper limit with their one-sided errors."""

    lower: Fraction
    lower_error: float
    upper: Fraction
    upper_error: float
    tie: Fraction
    """Differences up to this are none; 0 for exact limits."""
    method: Method

    def allows_pass(self, threshold: Fraction) -> bool:
        """Whether everything up to the upper limit is within the threshold."""
        return self.upper <= threshold + self.tie

    def shows_fail(self, threshold: Fraction) -> bool:
        """Whether everything from the lower limit on is beyond the threshold."""
        return self.lower > threshold + self.tie


def list_limits(arrays: GateArrays) -> Limits:
    """Return the limits for a complete list, exact fractions: only what is unjudged or lacks gold leaves them apart."""
    everything = np.ones(arrays.y_pass.size, dtype=np.bool_)
    lower = exact_mean(arrays.y_fail, arrays, everything)
    upper = exact_mean(arrays.y_pass, arrays, everything)
    if lower is None or upper is None:
        raise ValueError("limits of an empty list")
    return Limits(lower, 0.0, upper, 0.0, Fraction(0), Method.COMPLETE_LIST)


def sampling_limits(arrays: GateArrays, *, pass_error: float, fail_error: float, clustered: bool) -> Limits:
    """Return the limits for a sample: of patients (clustered), or of a list that was not asked as a whole."""
    above = arrays.pass_side if clustered else _independent(arrays, arrays.pass_side)
    below = arrays.fail_side if clustered else _independent(arrays, arrays.fail_side)
    upper = upper_limit(above, pass_error, paired=arrays.paired, by_layout=arrays.by_layout)
    lower = lower_limit(below, fail_error, paired=arrays.paired, by_layout=arrays.by_layout)
    method = _method(arrays, plain=above.plain)
    return Limits(Fraction(lower), fail_error, Fraction(upper), pass_error, TIE, method)


def _method(arrays: GateArrays, *, plain: bool) -> Method:
    """Return how such limits are called."""
    if plain:
        return Method.TANGO if arrays.paired else Method.CLOPPER_PEARSON
    if arrays.by_layout:
        return Method.BY_LAYOUT
    return Method.TANGO_CLUSTERED if arrays.paired else Method.KORN_GRAUBARD


def exact_estimate(arrays: GateArrays) -> Fraction | None:
    """Return the unweighted mean over strata of what is judged or failed; None if a stratum has nothing else."""
    return exact_mean(arrays.y_pass, arrays, arrays.judged)


def natural(spec: GateSpec, y: Fraction) -> Fraction:
    """Translate between the metric's own scale and the one on which larger is worse; its own inverse."""
    if spec.max_drop is not None or not turned(spec):
        return y
    return -y if spec.metric is Metric.RECOVERY else 1 - y


def bound(spec: GateSpec) -> Fraction:
    """Return the threshold on the scale on which larger is worse."""
    ((_, value),) = threshold_of(spec).items()
    return natural(spec, Fraction(str(value)))


def turned(spec: GateSpec) -> bool:
    """Whether a larger value of the metric is better, so that its lower limit is the upper one of y."""
    return spec.min is not None or (spec.metric is Metric.ANSWER_ACCURACY and spec.max_events is not None)


def _independent(arrays: GateArrays, sample: Sample) -> Sample:
    """Return the sample with every unit a cluster of its own: the traces of one instance are never independent."""
    return replace(sample, cluster=arrays.units)


def exact_mean(y: FloatArray, arrays: GateArrays, counted: BoolArray) -> Fraction | None:
    """Return the unweighted mean over strata of the means over units; None if a stratum has nothing that counts."""
    units = arrays.units
    n = np.bincount(units[counted], minlength=units.max(initial=-1) + 1)
    total = np.bincount(units[counted], y[counted], minlength=n.size)
    stratum = np.zeros(n.size, np.int64)
    stratum[units] = arrays.stratum
    shares = [_mean_of_units(total[of], n[of]) for of in (stratum == code for code in np.unique(arrays.stratum))]
    known = [share for share in shares if share is not None]
    return sum(known, Fraction(0)) / len(known) if known and len(known) == len(shares) else None


def _mean_of_units(total: FloatArray, n: IntArray) -> Fraction | None:
    """Return the exact mean of ``total / n`` over the units of which something counts."""
    if not n.any():
        return None
    summed = sum((Fraction(int(total[n == k].sum()), int(k)) for k in np.unique(n[n > 0])), Fraction(0))
    return summed / int(np.count_nonzero(n))
