"""How many instances a decision will likely need, at fixed n and while they come in.

Everything is on the scale on which larger is worse, with the truth one expects in place of data. The decisions are
those of the gate: Clopper-Pearson and Tango limits, and the tests by betting of ``sequential``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import bdtr, nbdtrik, ndtri

from clinhallu_gate.stats.paired import tango_upper
from clinhallu_gate.stats.sample import FloatArray, IntArray
from clinhallu_gate.stats.sequential import Crossing, Drawn, Side, crossing

#: Beyond this many instances nothing is planned.
MOST: Final = 1_000_000
#: Seed of the simulations; the repetitions have the seeds (SEED, 0), (SEED, 1), ...
SEED: Final = 20260101
#: Repetitions by default: a 90th percentile is then off by some 3 %.
REPETITIONS: Final = 500
#: Units that a simulation looks at first; then twice as many, and so on. No decision depends on it.
_LOOK: Final = 128
#: Means of lists may lie this much beside what they are.
_TIE: Final = 1e-9


def fixed_n_rate(expect: float, threshold: float, *, alpha: float, power: float) -> int | None:
    """Return the number of independent instances from which on a rate is decided with probability ``power``.

    Decided means PASS (the upper Clopper-Pearson limit at ``alpha`` is at most the threshold) if the truth ``expect``
    is below the threshold, FAIL (the lower limit is above it) if it is above. The power is a saw-tooth in n, since
    counts are whole: the returned n is the one after which it never falls below ``power`` again, up to a quarter more
    than the first n that has it. None if ``expect`` is the threshold or more than ``MOST`` would be needed.
    """
    if expect == threshold:
        return None
    if threshold >= 1.0:
        return 1  # it holds whatever comes
    if expect > threshold:  # FAIL is the PASS of the complement
        expect, threshold = 1.0 - expect, 1.0 - threshold
    teeth = _Teeth(expect, threshold, alpha)
    low, high = -1, math.ceil(threshold * MOST)  # the power on tooth ``low`` falls too low, on ``high`` it does not
    if teeth.worst(np.array([high]))[0] < power:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if teeth.worst(np.array([middle]))[0] < power else (low, middle)
    # Teeth end at whole numbers, so their powers rise in ripples; these reach over some t / |t - expect| teeth.
    ahead = high + np.arange(64 + math.ceil(4.0 * threshold / (threshold - expect)))
    below = np.flatnonzero(teeth.worst(ahead) < power)
    first_good = high if below.size == 0 else int(ahead[below[-1]]) + 1
    n = int(teeth.start(np.array([first_good]))[0])
    return n if n <= MOST else None


def fixed_n_difference(expect: float, margin: float, discordance: float, *, alpha: float, power: float) -> int | None:
    """Return the number of independent pairs with which a paired difference is likely decided against ``margin``.

    Decided means that Tango's upper limit at ``alpha`` is at most the margin if ``expect`` is below it (not inferior),
    or that the lower limit is above it if ``expect`` is. The mean of d is taken to be normal around ``expect`` with
    variance (discordance - expect^2) / n; at its quantile of ``power`` the limit itself is evaluated. Simulated powers
    lie within .02 of ``power`` (tests/stats/test_planning.py). None if ``expect`` is the margin or more than ``MOST``
    pairs would be needed.

    Args:
        expect: expected mean of d = y_new - y_old.
        margin: the threshold.
        discordance: share of pairs that differ, not less than ``expect`` is away from 0.
        alpha: one-sided error.
        power: wanted probability of the decision.
    """
    if discordance < abs(expect):
        raise ValueError(f"{discordance} of the pairs differ, too few for a difference of {expect}")
    if expect == margin:
        return None
    if expect > margin:  # FAIL is the PASS of the difference the other way
        expect, margin = -expect, -margin
    spread = float(ndtri(power)) * math.sqrt(discordance - expect**2)

    def decided(n: int) -> bool:
        mean = max(-1.0, min(1.0, expect + spread / math.sqrt(n)))
        differing = max(discordance, abs(mean))
        return tango_upper(n * (differing + mean) / 2.0, n * (differing - mean) / 2.0, n, alpha) <= margin

    return _smallest(decided)


def never_event_n(rate: float, *, alpha: float) -> int | None:
    """Return the number of instances without a single event that shows an event's rate to be at most ``rate``.

    (1 - rate)^n <= alpha, so n = ceil(ln alpha / ln(1 - rate)): 59 for .05, 299 for .01, 2,995 for .001 at alpha .05.
    None for a rate of 0, which no number shows.
    """
    if rate <= 0.0:
        return None
    return 1 if rate >= 1.0 else math.ceil(math.log(alpha) / math.log1p(-rate))


def design_effect(cluster_size: float, icc: float) -> float:
    """Return how many instances in clusters of m are worth one: 1 + (m - 1) ICC (Kish, Survey Sampling, 1965)."""
    return 1.0 + (cluster_size - 1.0) * icc


@dataclass(frozen=True, slots=True)
class Truth:
    """What is simulated: the expected mean, and how the units make it up."""

    expect: float
    """Mean of y; with a discordance, mean of d = y_new - y_old."""
    discordance: float | None = None
    """Share of pairs that differ; None for a rate."""
    list_size: int | None = None
    """Instances of the finite list that is asked in random order; None for patients like these."""
    cluster_size: int = 1
    """Instances of each patient; of a list the single instance is drawn, so it has no meaning there."""
    icc: float = 0.0
    """Intra-cluster correlation: patients' probabilities follow a beta (for pairs, Dirichlet) distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class StoppingTimes:
    """When simulated tests decided."""

    n: FloatArray
    """Units (patients, or instances of a list) up to the right decision, rising; infinite where it did not come."""
    maximum: int
    """Units that could have been seen."""
    wrong: float
    """Share of tests that decided against the truth."""
    undecided: float
    """Share of tests that showed nothing up to the maximum."""

    def quantile(self, share: float) -> int | None:
        """Return the units within which ``share`` of the tests decide; None if fewer decide up to the maximum."""
        at = self.n[max(math.ceil(share * self.n.size), 1) - 1]
        return int(at) if math.isfinite(at) else None

    def decided(self, n: FloatArray) -> FloatArray:
        """Return the share of tests that have decided after ``n`` units."""
        share: FloatArray = np.searchsorted(self.n, n, side="right") / self.n.size
        return share

    @property
    def median(self) -> int | None:
        """Return the units within which half of the tests decide."""
        return self.quantile(0.5)


def true_mean(truth: Truth) -> float:
    """Return the mean that is simulated: of a list, that of whole numbers of instances."""
    if truth.list_size is None:
        return truth.expect
    mean = float(_list_of(truth, truth.list_size).mean())
    return mean if truth.discordance is None else 2.0 * mean - 1.0


def simulate_sequential(
    truth: Truth,
    threshold: float,
    *,
    within_error: float,
    beyond_error: float,
    maximum: int,
    repetitions: int = REPETITIONS,
    seed: int = SEED,
) -> StoppingTimes:
    """Return when the test by betting decides, by simulation.

    Args:
        truth: what is drawn. A list of N holds the whole number of bad instances nearest to N times the expected rate.
        threshold: t, or the margin of a difference.
        within_error: error of PASS.
        beyond_error: error of FAIL.
        maximum: units after which a test is given up; a list has no more than it has.
        repetitions: simulated tests.
        seed: seed of the draws.
    """
    maximum = maximum if truth.list_size is None else min(maximum, truth.list_size)
    line = threshold if truth.discordance is None else (1.0 + threshold) / 2.0
    right = Side.WITHIN if true_mean(truth) <= threshold + _TIE else Side.BEYOND
    found = [
        _decision(_draws(truth, maximum, np.random.default_rng((seed, i))), maximum, line, within_error, beyond_error)
        for i in range(repetitions)
    ]
    return StoppingTimes(
        n=np.sort([math.inf if it is None or it.side is not right else it.n for it in found]),
        maximum=maximum,
        wrong=sum(it is not None and it.side is not right for it in found) / repetitions,
        undecided=sum(it is None for it in found) / repetitions,
    )


@dataclass(frozen=True, slots=True)
class _Teeth:
    """The saw-tooth of the power: on tooth k, up to k events allow a PASS; there the power falls as n grows."""

    expect: float
    threshold: float
    alpha: float

    def start(self, k: IntArray) -> IntArray:
        """Return the smallest n at which k events are few enough: P(X <= k | n, threshold) <= alpha."""
        others = nbdtrik(1.0 - self.alpha, k + 1.0, self.threshold)  # before event k + 1, at that probability
        first: IntArray = np.ceil(others).astype(np.int64) + k + 1
        return first

    def worst(self, k: IntArray) -> FloatArray:
        """Return the power at the end of tooth k."""
        power: FloatArray = bdtr(k.astype(np.float64), self.start(k + 1) - 1, self.expect)
        return power


def _smallest(holds: Callable[[int], bool]) -> int | None:
    """Return the smallest n up to ``MOST`` for which ``holds``, which is false below it and true above."""
    low, high = 0, 1
    while not holds(high):
        if high >= MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _decision(
    draw: Callable[[int], Drawn], maximum: int, threshold: float, within_error: float, beyond_error: float
) -> Crossing | None:
    """Return the first crossing, drawing no more units than it takes, or up to twice as many."""
    n = 0
    while n < maximum:
        n = min(max(2 * n, _LOOK), maximum)
        found = crossing(draw(n), threshold, within_error=within_error, beyond_error=beyond_error)
        if found is not None:
            return found
    return None


def _draws(truth: Truth, maximum: int, rng: np.random.Generator) -> Callable[[int], Drawn]:
    """Return what gives the first n units of one random order."""
    if truth.list_size is not None:
        y = rng.permutation(_list_of(truth, truth.list_size))
        whole = Drawn.of_list(y, y, np.full(y.size, 1.0 / y.size))
        return whole.first
    y = np.empty(0)

    def first(n: int) -> Drawn:
        nonlocal y
        y = np.append(y, _patients(truth, n - y.size, rng))
        return Drawn.of_population(y, y, np.zeros(n, np.int64), [maximum + 1])

    return first


def _list_of(truth: Truth, size: int) -> FloatArray:
    """Return the values of a list, in [0, 1]."""
    if truth.discordance is None:
        return np.repeat([1.0, 0.0], [bad := round(size * truth.expect), size - bad])
    gains, losses = (round(size * (truth.discordance + sign * truth.expect) / 2.0) for sign in (1, -1))
    return np.repeat([1.0, 0.0, 0.5], [gains, losses, size - gains - losses])


def _patients(truth: Truth, number: int, rng: np.random.Generator) -> FloatArray:
    """Return means of patients, in [0, 1]; of pairs (d + 1) / 2."""
    m, up = truth.cluster_size, truth.expect
    if truth.discordance is None:
        return rng.binomial(m, shares(up, 1.0, truth.icc, number, rng)) / m
    up, down = (truth.discordance + truth.expect) / 2.0, (truth.discordance - truth.expect) / 2.0
    gains = rng.binomial(m, shares(up, 1.0, truth.icc, number, rng))
    losses = rng.binomial(m - gains, shares(down, 1.0 - up, truth.icc, number, rng))
    return ((gains - losses) / m + 1.0) / 2.0


def shares(part: float, whole: float, icc: float, number: int, rng: np.random.Generator) -> FloatArray:
    """Return each patient's probability of a part of ``whole``: a stick broken by Beta(part c, (whole - part) c).

    c = 1 / ICC - 1 is the concentration of the Dirichlet distribution whose stick it is.
    """
    mean = 0.0 if whole <= 0.0 else min(max(part / whole, 0.0), 1.0)
    if icc <= 0.0 or mean in (0.0, 1.0):
        return np.full(number, mean)
    if icc >= 1.0:
        return (rng.random(number) < mean).astype(np.float64)
    concentration = 1.0 / icc - 1.0
    return rng.beta(part * concentration, (whole - part) * concentration, number)
