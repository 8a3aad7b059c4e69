"""The plain sentence that says why a gate decided as it did."""

import math

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.metrics import GateArrays
from clinhallu_gate.gate.result import Measured, threshold_of
from clinhallu_gate.vocabulary import Decision, Target

# Below this many clusters the cluster-robust limits err too often: at a nominal .05, with 40 clusters of 8 and an
# intra-cluster correlation of .3, in .075 to .114 of simulated samples, by the way in which clusters correlate.
FEW_CLUSTERS = 50


def explain(spec: GateSpec, arrays: GateArrays, decision: Decision, measured: Measured) -> str:
    """Return one sentence for people, without a full stop."""
    estimate = "nothing could be measured" if measured.estimate is None else f"{measured.estimate:.3f} measured"
    parts = [wanted(spec), f"{estimate}{_how_sure(spec, arrays, decision, measured)}"]
    if arrays.unjudged:
        parts.append(f"{arrays.unjudged} unjudged are counted either way")
    if _few_clusters(spec, arrays):
        parts.append(f"with fewer than {FEW_CLUSTERS} independent clusters the limits may be somewhat too narrow")
    return "; ".join(parts)


def wanted(spec: GateSpec) -> str:
    """Return what the gate wants: ``at most 0.30 wanted``."""
    ((bound, value),) = threshold_of(spec).items()
    words = {"max": "at most", "min": "at least", "max_drop": "a drop of at most"}[bound]
    return f"{words} {value if round(value, 2) != value else f'{value:.2f}'} wanted"


def _how_sure(spec: GateSpec, arrays: GateArrays, decision: Decision, measured: Measured) -> str:
    if measured.interval is None or measured.levels is None:
        return ""
    low, high = _down(measured.interval[0]), _up(measured.interval[1])
    if spec.target is Target.BENCHMARK and not any(measured.levels):
        return " on the complete list" + (f", {low} to {high} possible" if arrays.unjudged else "")
    if decision is Decision.INCONCLUSIVE:
        return f", but {arrays.n} instances leave {low} to {high} possible"
    passed = decision is Decision.PASS
    if passed == (spec.min is None):
        error, limit = measured.levels[1], f"{'no more' if passed else 'less'} than {high}"
    else:
        error, limit = measured.levels[0], f"{'no less' if passed else 'more'} than {low}"
    return f", and at {100 * (1 - error):.4g} % confidence {limit}"


def _few_clusters(spec: GateSpec, arrays: GateArrays) -> bool:
    clusters = np.unique(arrays.cluster).size
    return spec.target is Target.POPULATION and clusters < min(FEW_CLUSTERS, arrays.n)


def _down(value: float) -> str:
    return f"{math.floor(value * 1000 + 1e-9) / 1000:.3f}"


def _up(value: float) -> str:
    return f"{math.ceil(value * 1000 - 1e-9) / 1000:.3f}"
