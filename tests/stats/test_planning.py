"""How many instances a decision will need: figures, brute force, simulation (seed 20260101)."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import bdtr
from scipy.stats import binom

from clinhallu_gate.stats import clopper_pearson_upper, lower_limit_of_mean, tango_lower, tango_upper
from clinhallu_gate.stats.planning import (
    SEED,
    Truth,
    design_effect,
    fixed_n_difference,
    fixed_n_rate,
    never_event_n,
    simulate_sequential,
)
from clinhallu_gate.stats.sample import FloatArray, Sample
from clinhallu_gate.stats.sequential import Drawn, crossing

ALPHA = 0.05


def power_of_pass(n: np.ndarray, expect: float, threshold: float) -> FloatArray:
    """Return the power of Clopper-Pearson's PASS from binomial tails, without the module under test."""
    most = binom.ppf(ALPHA, n, threshold)
    most = np.where(binom.cdf(most, n, threshold) <= ALPHA, most, most - 1)
    return np.where(most >= 0, binom.cdf(most, n, expect), 0.0)


FIGURES = [
    (0.50, 0.55, (633, 869), (647, 888)),
    (0.45, 0.55, (154, 220), (168, 226)),
    (0.20, 0.25, (446, 612), (463, 634)),
    (0.10, 0.15, (281, 386), (304, 408)),
    (0.02, 0.05, (266, 341), (286, 361)),
]


@pytest.mark.parametrize(("expect", "threshold", "spot_checked", "kept"), FIGURES)
def test_figures(expect: float, threshold: float, spot_checked: tuple[int, int], kept: tuple[int, int]) -> None:
    """The figures of other planners depend on what they do about the saw-tooth; ours is the n that keeps its power.

    The first column is the first n at which n, n + 10 and n + 20 have the power: a spot check, which teeth may miss.
    """
    power = power_of_pass(np.arange(1, 3001), expect, threshold)
    for wanted, checked, ours in zip((0.8, 0.9), spot_checked, kept, strict=True):
        three = np.min([power[:-20], power[10:-10], power[20:]], axis=0)
        assert 1 + int(np.argmax(three >= wanted)) == checked
        assert 1 + int(np.argmax(power >= wanted)) <= checked <= ours
        assert fixed_n_rate(expect, threshold, alpha=ALPHA, power=wanted) == ours


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 0.9), st.floats(0.08, 0.5), st.floats(0.5, 0.97))
@example(0.0, 0.05, 0.9)
@example(0.9, 0.1, 0.8)
def test_power_is_kept_from_there_on(expect: float, gap: float, power: float) -> None:
    """Below the threshold: one instance less lacks the power, and no larger number does."""
    threshold = min(expect + gap, 0.999)
    n = fixed_n_rate(expect, threshold, alpha=ALPHA, power=power)
    assert n is not None
    found = power_of_pass(np.arange(1, 3 * n + 200), expect, threshold)
    assert n == 1 or found[n - 2] < power + 1e-9
    assert found[n - 1 :].min() >= power - 1e-9


@pytest.mark.parametrize(("expect", "threshold"), [(0.6, 0.55), (0.1, 0.02), (0.2, 0.0)])
def test_power_of_a_fail(expect: float, threshold: float) -> None:
    """Above the threshold the shipped lower limit exceeds it with the wanted power."""
    n = fixed_n_rate(expect, threshold, alpha=ALPHA, power=0.8)
    assert n is not None

    def power(size: int) -> float:
        limits = (lower_limit_of_mean(Sample.of([1] * k + [0] * (size - k)), ALPHA) for k in range(size + 1))
        fewest = next(k for k, limit in enumerate(limits) if limit > threshold)
        return float(binom.sf(fewest - 1, size, expect))

    assert power(n) >= 0.8 > power(n - 1)


@settings(max_examples=40)
@given(st.integers(0, 200), st.floats(0.001, 0.999), st.floats(0.001, 0.2))
def test_decision_rule_is_the_shipped_one(k: int, threshold: float, alpha: float) -> None:
    """An upper limit within the threshold and a binomial tail within alpha are the same."""
    n = k + 1 + int(k / threshold)
    limit, tail = clopper_pearson_upper(k, n, alpha), bdtr(float(k), n, threshold)
    assert (limit <= threshold) == (tail <= alpha) or math.isclose(limit, threshold, rel_tol=1e-9)


def test_what_cannot_be_planned() -> None:
    """The threshold itself, and differences too small for a million, have no number; what always holds needs one."""
    assert fixed_n_rate(0.3, 0.3, alpha=ALPHA, power=0.8) is None
    assert fixed_n_rate(0.3, 0.3001, alpha=ALPHA, power=0.8) is None
    assert fixed_n_rate(0.3, 1.0, alpha=ALPHA, power=0.8) == 1
    assert fixed_n_difference(0.02, 0.02, 0.1, alpha=ALPHA, power=0.8) is None
    assert fixed_n_difference(0.0, 0.0001, 0.1, alpha=ALPHA, power=0.8) is None
    with pytest.raises(ValueError, match="too few for a difference"):
        fixed_n_difference(0.2, 0.3, 0.1, alpha=ALPHA, power=0.8)


@pytest.mark.parametrize(
    ("expect", "margin", "discordance", "power"),
    [(0, 0.02, 0.12, 0.9), (-0.01, 0.03, 0.2, 0.8), (0.05, 0.02, 0.12, 0.8)],
)
def test_power_of_a_difference(expect: float, margin: float, discordance: float, power: float) -> None:
    """Simulated with Tango's limits as shipped (4,000 samples), the power is the wanted one within .02."""
    n = fixed_n_difference(expect, margin, discordance, alpha=ALPHA, power=power)
    assert n is not None
    gain, loss = (discordance + expect) / 2, (discordance - expect) / 2
    counts = np.random.default_rng(SEED).multinomial(n, [gain, loss, 1 - discordance], 4000)
    if expect < margin:
        decided = np.mean([tango_upper(b, c, n, ALPHA) <= margin for b, c, _ in counts])
    else:
        decided = np.mean([tango_lower(b, c, n, ALPHA) > margin for b, c, _ in counts])
    assert decided == pytest.approx(power, abs=0.02)


def test_never_events() -> None:
    """So many without an event; one fewer shows less, and a rate of 0 is never shown."""
    assert [never_event_n(rate, alpha=ALPHA) for rate in (0.05, 0.01, 0.001)] == [59, 299, 2995]
    assert (never_event_n(0.0, alpha=ALPHA), never_event_n(1.0, alpha=ALPHA)) == (None, 1)
    assert fixed_n_rate(0.0, 0.01, alpha=ALPHA, power=0.99) == 299
    assert clopper_pearson_upper(0, 299, ALPHA) <= 0.01 < clopper_pearson_upper(0, 298, ALPHA)


def test_design_effect() -> None:
    """Clusters of one, or without correlation, cost nothing; clusters that agree entirely count once."""
    assert (design_effect(1, 0.3), design_effect(8, 0.0), design_effect(8, 1.0)) == (1.0, 1.0, 8.0)
    assert design_effect(3, 0.1) == pytest.approx(1.2)


simulated = partial(simulate_sequential, within_error=ALPHA, beyond_error=ALPHA, repetitions=200)


def test_stopping_times_of_a_list() -> None:
    """A list of 7,031 with .659 against .55 fails after some 150 instances; nothing is left open at its end."""
    times = simulated(Truth(0.659, list_size=7031), 0.55, maximum=10**6)
    assert (times.maximum, times.undecided) == (7031, 0.0)
    assert np.mean(times.n[np.isfinite(times.n)]) == pytest.approx(156, rel=0.15)
    assert times.median is not None
    assert times.quantile(0.9) == times.n[179]
    assert times.median < times.quantile(0.9)  # type: ignore[operator] - None would fail too


def test_stopping_times_are_reproducible() -> None:
    """The same seed gives the same times; another gives others."""
    ask = partial(simulated, Truth(0.1, list_size=500), 0.2, maximum=500)
    assert np.array_equal(ask().n, ask().n)
    assert not np.array_equal(ask().n, ask(seed=1).n)


def test_no_more_is_drawn_than_looked_at() -> None:
    """A stopping time is that of the whole order, though it is drawn piece by piece."""
    times = simulated(Truth(0.2, list_size=2000), 0.25, maximum=2000, repetitions=20)
    whole = []
    for i in range(20):
        y = np.random.default_rng((SEED, i)).permutation(np.repeat([1.0, 0.0], [400, 1600]))
        drawn = Drawn.of_list(y, y, np.full(2000, 1 / 2000))
        found = crossing(drawn, 0.25, within_error=ALPHA, beyond_error=ALPHA)
        whole.append(math.inf if found is None or found.side.value == "beyond" else found.n)
    assert times.n.tolist() == sorted(whole)


def test_patients() -> None:
    """Patients of 4 who agree entirely are worth one instance each; without correlation they are worth nearly four."""
    alone = simulated(Truth(0.1), 0.25, maximum=4000)
    same = simulated(Truth(0.1, cluster_size=4, icc=1.0), 0.25, maximum=4000)
    free = simulated(Truth(0.1, cluster_size=4), 0.25, maximum=4000)
    assert same.median == pytest.approx(alone.median, rel=0.25)
    assert 4 * free.median < 2 * alone.median + 40  # type: ignore[operator] - None would fail too


def test_pairs() -> None:
    """Pairs without a true difference are shown not to lose .02; a discordance of nothing decides soonest."""
    quiet = simulated(Truth(0.0, 0.0), 0.02, maximum=20000)
    usual = simulated(Truth(0.0, 0.12, list_size=7031), 0.02, maximum=7031)
    worse = simulated(Truth(0.1, 0.12, cluster_size=2, icc=0.2), 0.02, maximum=20000)
    assert np.ptp(quiet.n) == 0
    assert np.mean(usual.n[np.isfinite(usual.n)]) == pytest.approx(1674, rel=0.15)
    assert worse.wrong + worse.undecided < 0.05


def test_what_is_not_decided() -> None:
    """Too few units leave tests open, and the quantile has no number."""
    times = simulated(Truth(0.28), 0.30, maximum=300)
    assert times.undecided > 0.7
    assert times.median is None
    assert times.decided(np.array([0.0, 300.0])) == pytest.approx([0.0, 1 - times.undecided - times.wrong])
