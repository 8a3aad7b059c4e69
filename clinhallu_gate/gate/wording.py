"""The plain sentence that says why a gate decided as it did."""

import math
from typing import Final

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.metrics import GateArrays
from clinhallu_gate.gate.result import Adjusted, Measured, threshold_of
from clinhallu_gate.vocabulary import METRIC_STAGE, Decision, Method, Target, Unit

# Below this many clusters the cluster-robust limits err too often: at a nominal .05, with 40 clusters of 8 and an
# intra-cluster correlation of .3, in .075 to .114 of simulated samples, by the way in which clusters correlate.
FEW_CLUSTERS = 50
_ROUNDING: Final = 1e-6
JUDGE_DEFINED: Final = "judge-defined: no labels by people stand behind it"


def explain(
    spec: GateSpec,
    arrays: GateArrays,
    decision: Decision,
    measured: Measured,
    *,
    further: int | None = None,
    judge_defined: bool = False,
    adjusted: Adjusted | None = None,
    of: int | None = None,
) -> str:
    """Return one sentence for people, without a full stop.

    Args:
        spec: the gate.
        arrays: what it was decided on.
        decision: what was decided.
        measured: estimate and limits.
        further: further instances that would likely decide it.
        judge_defined: whether only a judge model says so.
        adjusted: labels by people that it rests on.
        of: instances in the scope, where the gate was decided before all were asked.
    """
    parts = [wanted(spec)]
    if measured.method is Method.BETTING:
        parts.append(_on_the_way(spec, arrays, decision, measured, of))
    else:
        estimate = _estimate(arrays, measured, by_labels=adjusted is not None and adjusted.margins is None)
        what = plural_of(arrays.n, "instance") if adjusted is None or adjusted.margins else f"{adjusted.labels} labels"
        parts.append(f"{estimate}{_how_sure(spec, arrays, decision, measured, what)}")
    if arrays.unjudged:
        parts.append(f"{arrays.unjudged} unjudged are counted either way")
    if arrays.without_gold:
        parts.append(f"{arrays.without_gold} without gold are counted at worst either way")
    if _few_clusters(spec, arrays, measured):
        parts.append(f"with fewer than {FEW_CLUSTERS} independent clusters of like size the limits may be too narrow")
    if further is not None:
        parts.append(f"roughly {_more(arrays, further)} would likely decide it, if the rate stays")
    if judge_defined:
        parts.append(JUDGE_DEFINED)
    if adjusted is not None:
        parts.append(_by_labels(adjusted))
    return "; ".join(parts)


def explain_events(
    spec: GateSpec, arrays: GateArrays, decision: Decision, events: int, *, upper: float, alpha: float
) -> str:
    """Return the sentence of a gate that counts events."""
    parts = [wanted(spec), _events_seen(spec, arrays, events)]
    if decision is Decision.PASS:
        parts.append(f"at {100 * (1 - alpha):.4g} % confidence a rate of up to {_up(upper)} remains possible")
    if arrays.unjudged:
        parts.append(f"{arrays.unjudged} unjudged may each be one")
    if arrays.without_gold:
        parts.append(f"{arrays.without_gold} without gold may each be one")
    return "; ".join(parts)


def _estimate(arrays: GateArrays, measured: Measured, *, by_labels: bool) -> str:
    """Say what was measured, and on how many where some lack gold; labels are told of by their own number."""
    if measured.estimate is None:
        return "nothing could be measured"
    among = f" on {_known(arrays)} of {arrays.n}" if arrays.without_gold and not by_labels else ""
    return f"{measured.estimate:.3f} measured{among}"


def _events_seen(spec: GateSpec, arrays: GateArrays, events: int) -> str:
    """Say how many events there were among those that are known, as the table does."""
    known = _known(arrays)
    if events:
        return f"{events} of {known} instances tagged {spec.tag}"
    return f"none of {known} tagged {spec.tag}" if known else f"nothing known of {arrays.n} tagged {spec.tag}"


def _known(arrays: GateArrays) -> int:
    return arrays.n - arrays.unjudged - arrays.without_gold


def _more(arrays: GateArrays, further: int) -> str:
    """Return how many further instances that are; in patients, of as many instances as these have, if those count."""
    if arrays.unit is Unit.INSTANCE:
        return plural_of(rounded_up(further), "further instance")
    patients = int(np.unique(arrays.units).size)
    return plural_of(rounded_up(math.ceil(further * patients / arrays.n)), "further patient")


def _by_labels(adjusted: Adjusted) -> str:
    """Say what labels by people did."""
    if adjusted.margins is not None:
        within, beyond = adjusted.margins
        return (
            f"held against {within:.4f} for a PASS and {beyond:.4f} for a FAIL, as {adjusted.labels} labelled "
            "instances show how much of a difference the judge can see"
        )
    alone = (
        "the judge alone says nothing"
        if adjusted.judge_defined is None
        else f"the judge alone {adjusted.judge_defined:.3f}"
    )
    more = "" if adjusted.wanted is None else f"; roughly {rounded_up(adjusted.wanted):,} labels would likely decide it"
    return f"by {adjusted.labels} labelled instances; {alone}{more}"


def plural_of(count: int, noun: str) -> str:
    """Return ``1 instance``, ``2 instances``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def wanted(spec: GateSpec) -> str:
    """Return what the gate wants: ``at most 0.30 wanted``."""
    ((bound, value),) = threshold_of(spec).items()
    if bound == "max_events":
        return "no event wanted" if not value else f"at most {value:g} events wanted"
    worse = "rise" if spec.metric in METRIC_STAGE else "drop"
    words = {"max": "at most", "min": "at least", "max_drop": f"a {worse} of at most"}[bound]
    return f"{words} {value if round(value, 2) != value else f'{value:.2f}'} wanted"


def _on_the_way(spec: GateSpec, arrays: GateArrays, decision: Decision, measured: Measured, of: int | None) -> str:
    """Say what a test that looks at any time found; the mean at the stop is no estimate, so none is told."""
    if measured.interval is None or measured.levels is None:
        return "nothing could be measured"
    low, high = _down(measured.interval[0]), _up(measured.interval[1])
    seen = f"after {arrays.n:,} of {of:,} instances" if of else f"after all {arrays.n:,} instances"
    if decision is Decision.INCONCLUSIVE:
        return f"{seen} {low} to {high} are possible"
    return f"{seen} {_limit(spec, decision, measured, low, high)}"


def _how_sure(spec: GateSpec, arrays: GateArrays, decision: Decision, measured: Measured, what: str) -> str:
    if measured.interval is None or measured.levels is None:
        return ""
    low, high = _down(measured.interval[0]), _up(measured.interval[1])
    if measured.method is Method.COMPLETE_LIST:
        open_ = arrays.unjudged or arrays.without_gold
        return " on the complete list" + (f", {low} to {high} possible" if open_ else "")
    if decision is Decision.INCONCLUSIVE:
        return f", but {what} leave {low} to {high} possible"
    return f", and {_limit(spec, decision, measured, low, high)}"


def _limit(spec: GateSpec, decision: Decision, measured: Measured, low: str, high: str) -> str:
    """Return the limit that decided, with its confidence."""
    levels = measured.levels or (0.0, 0.0)
    passed = decision is Decision.PASS
    if passed == (spec.min is None):
        return f"at {_sure(levels[1])} confidence {'no more' if passed else 'less'} than {high}"
    return f"at {_sure(levels[0])} confidence {'no less' if passed else 'more'} than {low}"


def _sure(error: float) -> str:
    return f"{100 * (1 - error):.4g} %"


def _few_clusters(spec: GateSpec, arrays: GateArrays, measured: Measured) -> bool:
    """Whether the limits rest on a variance between few clusters; bets need none, nor do limits by layout."""
    if spec.target is not Target.POPULATION or measured.method in (Method.BETTING, Method.BY_LAYOUT):
        return False
    sizes = np.unique(arrays.cluster, return_counts=True)[1].astype(np.float64)
    alike = float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.size else 0.0
    return arrays.clustered and alike < FEW_CLUSTERS - _ROUNDING


def rounded_up(number: int) -> int:
    """Return the number rounded up to two digits."""
    step = int(10.0 ** max(len(str(number)) - 2, 0))
    return math.ceil(number / step) * step


def _down(value: float) -> str:
    return f"{math.floor(value * 1000 + 1e-9) / 1000:.3f}"


def _up(value: float) -> str:
    return f"{math.ceil(value * 1000 - 1e-9) / 1000:.3f}"
