"""Decide while the instances come in: tests by betting that hold at every n at once, and their confidence sequence.

Units (instances, or patients) come in a random order that was drawn before any was seen. A test is a gambler who bets
against "the mean is on the wrong side of the threshold" at fair odds; if that is true, the gambler's wealth is ever
multiplied by more than 1/alpha with probability alpha at most (Ville 1939), however often one looks.

Sources: Waudby-Smith and Ramdas, arXiv 2010.09686 (betting, also without replacement); Shekhar, Xu, Lipton, Liang and
Ramdas, arXiv 2305.06884 (weighted draws); Stark, arXiv 2201.02707 (certainty of a list's mean before its end).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np

from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray

#: Shares of the wealth that are bet; the wealth is the mean over these gamblers.
_BETS: Final = np.geomspace(0.03, 0.9, 8)
#: Sums of weights may lie this much beside what they are.
_TIE: Final = 1e-9
#: The last limits of a confidence sequence are found to this precision, those on the way (to be drawn) to that.
_FINE: Final = 1e-6
_COARSE: Final = 1e-3
#: Units whose gains are multiplied before a logarithm is taken.
_BLOCK: Final = 8


class Side(Enum):
    """What a test shows."""

    WITHIN = "within"
    """The mean is at most the threshold."""
    BEYOND = "beyond"
    """The mean is above the threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The first n units of the order with their values; every array has shape (n,).

    For a list, the mean is the sum of ``weight * y`` over all units of the list. For a population, a value enters as
    ``factor * y``, whose expectation given all before it is the mean.
    """

    y_within: FloatArray
    """Values in [0, 1], larger is worse; what is unjudged is as bad as it can be. For ``Side.WITHIN``."""
    y_beyond: FloatArray
    """The same with what is unjudged as good as it can be. For ``Side.BEYOND``."""
    weight: FloatArray
    """Share of the unit in the mean of the list; zeros for a population, which no list exhausts."""
    factor: FloatArray
    """1 for a list."""
    top: FloatArray
    """The largest value that ``factor * y`` could have had."""

    @classmethod
    def of_list(cls, y_within: FloatArray, y_beyond: FloatArray, weight: FloatArray) -> "Drawn":
        """Return units drawn without replacement from a list, with probability proportional to their weight."""
        ones = np.ones_like(weight)
        return cls(y_within, y_beyond, weight, ones, ones)

    @classmethod
    def of_population(
        cls, y_within: FloatArray, y_beyond: FloatArray, stratum: IntArray, sizes: Sequence[int]
    ) -> "Drawn":
        """Return units of patients like these, as far as every stratum still has one.

        Args:
            y_within: values for ``Side.WITHIN``, shape (n,).
            y_beyond: values for ``Side.BEYOND``.
            stratum: code of each unit's stratum, 0 to K-1.
            sizes: units of each stratum in the whole list, shape (K,).

        The order draws stratum s with probability p_s = (left of s / size of s) / (the same summed over strata). A
        value counts 1 / (K p_s) times, so its expectation is the unweighted mean over strata of the population.
        """
        size = np.asarray(sizes, dtype=np.float64)
        seen = np.cumsum(stratum[:, None] == np.arange(size.size), axis=0)
        before = np.vstack([np.zeros(size.size), seen[:-1]]) if stratum.size else np.zeros((0, size.size))
        left = (size - before) / size
        usable = int(np.argmin(np.append(np.all(left > _TIE, axis=1), False)))
        share = left[:usable] / left[:usable].sum(axis=1, keepdims=True)
        factors = 1.0 / (size.size * share)
        rows = np.arange(usable)
        return cls(
            y_within[:usable],
            y_beyond[:usable],
            np.zeros(usable),
            factors[rows, stratum[:usable]],
            factors.max(axis=1, initial=1.0),
        )

    @property
    def n(self) -> int:
        """Return the number of units."""
        return self.weight.size

    def first(self, n: int) -> "Drawn":
        """Return the first ``n`` units."""
        return Drawn(*(array[:n] for array in (self.y_within, self.y_beyond, self.weight, self.factor, self.top)))


class Crossing(NamedTuple):
    """When a test first showed something, and what."""

    n: int
    side: Side


class Limits(NamedTuple):
    """Both limits of a mean after n units; each holds at every n at once with its own error."""

    n: int
    lower: float
    upper: float


def order_of(units: Sequence[str], stratum: IntArray, seed: str) -> IntArray:
    """Return the positions of ``units`` in a random order that follows from the seed and their names alone.

    Each unit of a stratum of N among K has weight 1 / (K N) and is drawn without replacement with probability
    proportional to its weight among those left: the order of Exp(1) / weight (Efraimidis and Spirakis, Information
    Processing Letters 97 (2006) 181-185). So every prefix estimates the unweighted mean over strata, and within any
    choice of strata the order is one of the same kind. The exponentials come from SHA-256, equal on every machine.
    """
    count = np.bincount(stratum)[stratum] if len(units) else np.zeros(0)
    hashed = [int.from_bytes(sha256(f"{seed}/{unit}".encode()).digest()[:8]) for unit in units]
    uniform = (np.array(hashed, dtype=np.float64) + 0.5) / 2.0**64
    return np.argsort(-np.log(uniform) * count, kind="stable")


def crossing(drawn: Drawn, threshold: float, *, within_error: float, beyond_error: float) -> Crossing | None:
    """Return the first n at which the mean is shown to be on one side of ``threshold``; None if there is none yet.

    Args:
        drawn: what was seen.
        threshold: t, on the scale of y.
        within_error: probability, over all n, of ``Side.WITHIN`` although the mean is above t.
        beyond_error: probability, over all n, of ``Side.BEYOND`` although the mean is at most t.

    The first crossing does not depend on when one looked, so neither does the decision.
    """
    within = _first(_shown(drawn, threshold, Side.WITHIN, within_error))
    beyond = _first(_shown(drawn, threshold, Side.BEYOND, beyond_error))
    if within is None and beyond is None:
        return None
    if beyond is None or (within is not None and within <= beyond):
        return Crossing(within or 0, Side.WITHIN)
    return Crossing(beyond, Side.BEYOND)


def confidence_sequence(
    drawn: Drawn, at: Sequence[int], *, within_error: float, beyond_error: float
) -> tuple[Limits, ...]:
    """Return the limits after each n of ``at`` (rising): what the tests of all thresholds leave possible.

    The upper limit is the smallest threshold that the test at ``within_error`` shows to hold. What was shown once
    stays shown, so the limits only draw nearer.
    """
    found: list[Limits] = []
    lower, upper = 0.0, 1.0
    for n in at:
        seen = drawn.first(n)
        fine = _FINE if n == at[-1] else _COARSE
        upper = min(upper, _limit(seen, Side.WITHIN, within_error, fine))
        lower = max(lower, _limit(seen, Side.BEYOND, beyond_error, fine))
        found.append(Limits(n, lower, upper))
    return tuple(found)


def typical_n(rate: float, threshold: float, error: float, *, variance: float | None = None) -> int | None:
    """Return about how many draws show on which side of ``threshold`` the mean ``rate`` is; None if it is on it.

    (ln(1/error) + .8) / KL(rate || threshold), found by simulation, right within a tenth for draws of 0 and 1. Draws of
    another ``variance`` in [0, 1] need in proportion to it, but no fewer than the boldest gambler does.
    """
    p, t = np.clip([rate, threshold], _TIE, 1.0 - _TIE)
    growth = p * np.log(p / t) + (1.0 - p) * np.log((1.0 - p) / (1.0 - t))
    if growth < _TIE:
        return None
    if variance is not None:
        boldest = np.log1p(_BETS[-1] * ((t - p) / (1.0 - t) if p < t else (p - t) / t))
        growth = min(growth * p * (1.0 - p) / max(variance, _TIE), boldest)
    return int(np.ceil((-np.log(error) + 0.8) / growth))


def _limit(drawn: Drawn, side: Side, error: float, fine: float) -> float:
    """Return the threshold nearest to what was seen, of which the test of ``side`` still shows something.

    The wealth grows with the threshold for ``Side.WITHIN`` and falls for ``Side.BEYOND``, so halving finds it; the end
    at which it is shown is returned, so the limit is on the safe side by ``fine`` at most.
    """
    shown, open_ = (1.0, 0.0) if side is Side.WITHIN else (0.0, 1.0)
    while abs(shown - open_) > fine:
        middle = (shown + open_) / 2.0
        if _shown_at_end(drawn, middle, side, error):
            shown = middle
        else:
            open_ = middle
    return shown


def _shown(drawn: Drawn, threshold: float, side: Side, error: float) -> BoolArray:
    """Return after which units the test of ``side`` shows something; shape (n,)."""
    stakes = _stakes(drawn, threshold, side)
    logs = np.cumsum(np.log1p(_BETS[:, None] * stakes.gain), axis=1)
    shown: BoolArray = stakes.certain | (_log_mean(logs) >= -np.log(error))
    return shown


def _shown_at_end(drawn: Drawn, threshold: float, side: Side, error: float) -> bool:
    """Return the last of ``_shown``, or whether the mean was certain before."""
    if drawn.n == 0:
        return False
    stakes = _stakes(drawn, threshold, side)
    if stakes.certain.any():
        return True
    gain = np.pad(stakes.gain, (0, -drawn.n % _BLOCK)).reshape(-1, _BLOCK)
    with np.errstate(over="ignore"):  # a wealth beyond all numbers is one that shows it
        logs = np.log((1.0 + _BETS[:, None, None] * gain).prod(axis=2)).sum(axis=1)  # few logarithms: they cost most
    return bool(np.isposinf(logs).any() or _log_mean(logs) >= -np.log(error))


class _Stakes(NamedTuple):
    """What each unit does to the wealth; arrays (n,)."""

    gain: FloatArray
    """The gain on one unit of money, -1 at least."""
    certain: BoolArray
    """Whether the side is certain: what is left of a list cannot change it any more, or a threshold of 0 was passed."""


def _stakes(drawn: Drawn, threshold: float, side: Side) -> _Stakes:
    """Return the bets on ``side``; the mean of the next draw, if the mean of all is the threshold, is m."""
    y = drawn.factor * (drawn.y_within if side is Side.WITHIN else drawn.y_beyond)
    seen, left = np.cumsum(drawn.weight * y), 1.0 - np.cumsum(drawn.weight)
    owed = threshold - np.append(0.0, seen[:-1])  # what is left of the threshold before each unit
    room = 1.0 - np.append(0.0, np.cumsum(drawn.weight)[:-1])
    m = np.clip(owed / np.maximum(room, _TIE), 0.0, drawn.top)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gain = (m - y) / (drawn.top - m) if side is Side.WITHIN else (y - m) / m
    sure = np.logical_or.accumulate(np.isposinf(gain))  # what the other side calls impossible has happened
    gain = np.nan_to_num(np.maximum(gain, -1.0), nan=0.0, posinf=0.0)
    return _Stakes(gain, sure | _certain(threshold - seen, left, side))


def _certain(owed: FloatArray, left: FloatArray, side: Side) -> BoolArray:
    """Return after which units the mean is on ``side`` whatever follows; of a population all is left to follow."""
    return owed >= left - _TIE if side is Side.WITHIN else owed < -_TIE


def _log_mean(logs: FloatArray) -> FloatArray:
    """Return the logarithm of the mean wealth of the gamblers, who stand along axis 0."""
    most = logs.max(axis=0)
    mean: FloatArray = most + np.log(np.exp(logs - most).mean(axis=0))
    return mean


def _first(shown: BoolArray) -> int | None:
    """Return the number of units up to the first that is true."""
    return int(np.argmax(shown)) + 1 if shown.any() else None
