"""How many further instances would likely decide a gate that is open."""

import math
from typing import Final

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.limits import Limits, bound
from clinhallu_gate.gate.metrics import GateArrays
from clinhallu_gate.stats.effective import effective_size
from clinhallu_gate.stats.moments import strata_moments
from clinhallu_gate.stats.planning import MOST, fixed_n_difference, fixed_n_rate
from clinhallu_gate.stats.sequential import typical_n
from clinhallu_gate.vocabulary import Method

#: How likely the further instances decide it, if the rate stays what it is.
POWER: Final = 0.8


def further_instances(spec: GateSpec, arrays: GateArrays, limits: Limits) -> int | None:
    """Return how many instances beyond those that were asked likely decide the gate, if the rate stays.

    What is unjudged is counted as it is bounded: as bad where a PASS is in reach, as good where a FAIL is. Clusters and
    strata count by the present design effect. None if the data have none to tell: on a complete list only verdicts are
    missing, and a rate at its threshold is decided by no number.
    """
    if limits.method is Method.COMPLETE_LIST:
        return None
    threshold = float(bound(spec))
    within = float(arrays.pass_side.y.mean()) < threshold
    sample, error = (arrays.pass_side, limits.upper_error) if within else (arrays.fail_side, limits.lower_error)
    moments = strata_moments(sample, span=2.0 if arrays.paired else 1.0)
    if limits.method is Method.BETTING:
        scaled = [(y + 1.0) / 2.0 if arrays.paired else y for y in (moments.grand_mean, threshold)]
        needed = typical_n(scaled[0], scaled[1], error)
    elif arrays.paired:
        discordance = float(moments.mean_square.mean())
        needed = fixed_n_difference(moments.grand_mean, threshold, discordance, alpha=error, power=POWER)
    else:
        needed = fixed_n_rate(moments.grand_mean, threshold, alpha=error, power=POWER)
    if needed is None:
        return None
    effect = 1.0 if limits.method is Method.BETTING else sample.n / effective_size(moments, error)
    further = max(math.ceil(needed * effect / arrays.repeats) - arrays.n, 1)
    return further if further < MOST else None
