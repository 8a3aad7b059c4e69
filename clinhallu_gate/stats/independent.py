"""The difference of two rates from independent samples, from the limits of each."""

import math
from typing import NamedTuple


class WithLimits(NamedTuple):
    """An estimate with its limits."""

    estimate: float
    low: float
    high: float


def difference(one: WithLimits, other: WithLimits) -> WithLimits:
    """Return one minus the other, with limits at the level of theirs.

    From the squares of the distances of both estimates to their limits (Newcombe, Statistics in Medicine 17 (1998)
    873-890, for Wilson's limits; MOVER for any: Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702), so
    clusters and strata are in it as they are in the limits. An estimate outside its limits (they count what is
    unjudged, it does not) is taken to lie at the nearer one.
    """
    a, b = _within(one), _within(other)
    d = a.estimate - b.estimate
    return WithLimits(
        estimate=one.estimate - other.estimate,
        low=max(-1.0, d - math.hypot(a.estimate - a.low, b.high - b.estimate)),
        high=min(1.0, d + math.hypot(a.high - a.estimate, b.estimate - b.low)),
    )


def _within(one: WithLimits) -> WithLimits:
    return one._replace(estimate=min(max(one.estimate, one.low), one.high))
