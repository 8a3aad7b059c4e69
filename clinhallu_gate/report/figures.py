"""Numbers as people read them. Limits are rounded outwards, so that a limit never looks better than it is."""

import math
from fractions import Fraction

from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.vocabulary import METRIC_STAGE, Metric

_SLACK = 1e-9
"""What binary fractions may add to a figure that is exact in decimal."""


def percent(value: float | Fraction) -> str:
    """Return ``41.2 %``."""
    return f"{_tidy(100 * float(value)):.1f} %"


def lower_limit(value: float) -> str:
    """Return a lower limit as ``41.2 %``, rounded down."""
    return f"{outwards(value, value)[0]:.1f} %"


def share(value: float) -> str:
    """Return ``62 %``."""
    return f"{100 * value:.0f} %"


def points(value: float | Fraction) -> str:
    """Return a difference of two rates: ``+3.4 points``."""
    return f"{_tidy(100 * float(value)):+.1f} points"


def measured(gate: GateResult) -> str | None:
    """Return the gate's estimate with its unit, or None."""
    if gate.estimate is None:
        return None
    if "max_events" in gate.threshold:
        return _events(gate)
    return points(gate.estimate) if is_difference(gate) else percent(gate.estimate)


def _events(gate: GateResult) -> str:
    """Return how many of the instances that are known had an event: ``1 of 40``."""
    known = gate.n - gate.unjudged - gate.without_gold
    share = 1.0 - (gate.estimate or 0.0) if gate.metric is Metric.ANSWER_ACCURACY else gate.estimate or 0.0
    return f"{round(share * known)} of {known}"


def interval(gate: GateResult) -> str | None:
    """Return the gate's limits: ``34.1 % to 47.0 %``, or None."""
    if (
        gate.interval is None or "max_events" in gate.threshold
    ):  # of events the reason tells which rate remains possible
        return None
    if gate.interval[0] == gate.interval[1]:  # a complete list
        return points(gate.interval[0]) if is_difference(gate) else percent(gate.interval[0])
    return (points_between if is_difference(gate) else between)(*gate.interval)


def between(low: float, high: float) -> str:
    """Return limits of a rate: ``34.1 % to 47.0 %``."""
    first, last = outwards(low, high)
    return f"{first:.1f} % to {last:.1f} %"


def points_between(low: float, high: float) -> str:
    """Return limits of a difference: ``-1.6 to +22.1 points``."""
    first, last = outwards(low, high)
    return f"{first:+.1f} to {last:+.1f} points"


def roughly_between(low: float, high: float) -> str:
    """Return limits of a rate of which little is known: ``0 to 60 %``."""
    return f"{math.floor(100 * low + _SLACK)} to {math.ceil(100 * high - _SLACK)} %"


def threshold(gate: GateResult) -> str:
    """Return what the gate allows: ``at most 30 %``."""
    ((bound, value),) = gate.threshold.items()
    if bound == "max_events":
        return "no event" if not value else f"at most {plural(int(value), 'event')}"
    words = {"max": "at most", "min": "at least", "max_drop": f"a {worse(gate.metric)} of at most"}[bound]
    if bound == "max_drop":
        return f"{words} {100 * value:.4g} points"
    if is_difference(gate):
        return f"{words} {f'{100 * value:+.4g}' if value else '0'} points"
    return f"{words} {100 * value:.4g} %"


def worse(metric: Metric) -> str:
    """Return what it is called if the metric gets worse: accuracy drops, a hallucination rate rises."""
    return "rise" if metric in METRIC_STAGE else "drop"


def demand(gate: GateResult) -> str:
    """Return the same to stand in a sentence: ``at most 30 % allowed``, ``at least 75 % required``."""
    return f"{threshold(gate)} {'required' if 'min' in gate.threshold else 'allowed'}"


def confidence(gate: GateResult) -> str | None:
    """Return how sure the two limits are, each by itself."""
    if gate.interval_levels is None:
        return None
    lower, upper = (f"{100 * (1 - error):.4g} %" for error in gate.interval_levels)
    if not any(gate.interval_levels):
        return "complete list, no sampling error"
    return f"{lower} below, {upper} above"


def is_difference(gate: GateResult) -> bool:
    """Whether the gate's figures are differences of rates."""
    return gate.metric is Metric.RECOVERY or "max_drop" in gate.threshold


def outwards(low: float, high: float) -> tuple[float, float]:
    """Return both limits in percent with one decimal, the lower rounded down and the upper up."""
    return _tidy(math.floor(1000 * low + _SLACK) / 10), _tidy(math.ceil(1000 * high - _SLACK) / 10)


def plural(count: int, noun: str) -> str:
    """Return ``1 instance``, ``2 instances``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _tidy(value: float) -> float:
    """Return ``value`` without a negative zero after rounding to one decimal."""
    return 0.0 if abs(value) < 0.05 else value  # noqa: PLR2004 - half of the last decimal
