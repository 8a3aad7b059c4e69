"""The limits that face a threshold, on the scale on which larger is worse."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.metrics import GateArrays
from clinhallu_gate.stats import (
    Sample,
    lower_limit_of_difference,
    lower_limit_of_mean,
    upper_limit_of_difference,
    upper_limit_of_mean,
)
from clinhallu_gate.stats.sample import BoolArray, FloatArray
from clinhallu_gate.vocabulary import Metric

# Limits come from root search: a limit that equals the threshold may lie this much beside it.
_TIE = Fraction(1, 10**12)


@dataclass(frozen=True, slots=True)
class Limits:
    """A lower and an upper limit with their one-sided errors."""

    lower: Fraction
    lower_error: float
    upper: Fraction
    upper_error: float
    tie: Fraction
    """Differences up to this are none; 0 for exact limits."""

    def allows_pass(self, threshold: Fraction) -> bool:
        """Whether everything up to the upper limit is within the threshold."""
        return self.upper <= threshold + self.tie

    def shows_fail(self, threshold: Fraction) -> bool:
        """Whether everything from the lower limit on is beyond the threshold."""
        return self.lower > threshold + self.tie


def list_limits(arrays: GateArrays) -> Limits:
    """Return the limits for a complete list: no sampling error, only what is unjudged is open. Exact fractions."""
    everything = np.ones(arrays.n, dtype=np.bool_)
    lower = _exact_mean(arrays.y_fail, arrays, everything)
    upper = _exact_mean(arrays.y_pass, arrays, everything)
    if lower is None or upper is None:
        raise ValueError("limits of an empty list")
    return Limits(lower, 0.0, upper, 0.0, Fraction(0))


def sampling_limits(arrays: GateArrays, *, pass_error: float, fail_error: float, clustered: bool) -> Limits:
    """Return the limits for a sample: of patients (clustered), or of a list that was not asked as a whole."""
    above = arrays.pass_side if clustered else _independent(arrays.pass_side)
    below = arrays.fail_side if clustered else _independent(arrays.fail_side)
    upper = (upper_limit_of_difference if arrays.paired else upper_limit_of_mean)(above, pass_error)
    lower = (lower_limit_of_difference if arrays.paired else lower_limit_of_mean)(below, fail_error)
    return Limits(Fraction(lower), fail_error, Fraction(upper), pass_error, _TIE)


def exact_estimate(arrays: GateArrays) -> Fraction | None:
    """Return the unweighted mean over strata of what is not unjudged; None if a stratum has nothing else."""
    return _exact_mean(arrays.y_pass, arrays, arrays.judged)


def natural(spec: GateSpec, y: Fraction) -> Fraction:
    """Translate between the metric's own scale and the one on which larger is worse; its own inverse."""
    if spec.min is None:
        return y
    return -y if spec.metric is Metric.RECOVERY else 1 - y


def _independent(sample: Sample) -> Sample:
    return Sample(sample.y, sample.stratum, np.arange(sample.n, dtype=np.int64))


def _exact_mean(y: FloatArray, arrays: GateArrays, counted: BoolArray) -> Fraction | None:
    strata = int(arrays.stratum.max(initial=-1)) + 1
    n = np.bincount(arrays.stratum[counted], minlength=strata)
    total = np.bincount(arrays.stratum[counted], y[counted], minlength=strata)
    present = np.bincount(arrays.stratum, minlength=strata) > 0
    if not present.any() or not n[present].all():
        return None
    shares = [Fraction(int(t), int(k)) for t, k in zip(total[present], n[present], strict=True)]
    return sum(shares, Fraction(0)) / len(shares)
