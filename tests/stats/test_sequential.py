"""Tests by betting: how soon they decide, how often they err at the boundary, and their limits (seed 20260101)."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinhallu_gate.stats.planning import SEED, Truth, simulate_sequential
from clinhallu_gate.stats.sample import FloatArray
from clinhallu_gate.stats.sequential import (
    Crossing,
    Drawn,
    Side,
    confidence_sequence,
    crossing,
    order_of,
    typical_n,
)

ALPHA = 0.05
#: The error of a test that is not the one in question.
NEVER = 1e-300
REPETITIONS = 800
# Three standard errors of an error rate of .05 at this number of repetitions.
SLACK = 3 * (ALPHA * (1 - ALPHA) / REPETITIONS) ** 0.5
#: A mean of a list that lies above the threshold by no more than this is still above it.
JUST = 1e-6
Draw = Callable[[np.random.Generator, int], Drawn]


def listed(y: FloatArray, unjudged: float = 0.0) -> Drawn:
    """Return a list of one stratum in the order given; the first share of its bad (good) ones lacks a verdict."""
    hidden = round(unjudged * y.size)
    within, beyond = y.copy(), y.copy()
    within[np.flatnonzero(y == 0)[:hidden]] = 1.0
    beyond[np.flatnonzero(y == 1)[:hidden]] = 0.0
    return Drawn.of_list(within, beyond, np.full(y.size, 1.0 / y.size))


def with_share(n: int, share: float) -> FloatArray:
    """Return n values of which a share is bad."""
    return np.repeat([1.0, 0.0], [round(n * share), n - round(n * share)])


def errors(draw: Draw, truth: float, *, above: float) -> tuple[float, float]:
    """Return how often PASS is shown of a threshold ``above`` below the truth, and FAIL of one at it."""
    passed = failed = 0
    for i in range(REPETITIONS):
        drawn = draw(np.random.default_rng((SEED, i)), i)
        found = crossing(drawn, truth - above, within_error=ALPHA, beyond_error=NEVER)
        passed += found is not None and found.side is Side.WITHIN
        found = crossing(drawn, truth, within_error=NEVER, beyond_error=ALPHA)
        failed += found is not None and found.side is Side.BEYOND
    return passed / REPETITIONS, failed / REPETITIONS


@pytest.mark.parametrize(
    ("rate", "threshold", "mean"),
    [(0.305, 0.15, 52), (0.305, 0.25, 449), (0.511, 0.55, 1001), (0.659, 0.55, 156), (0.026, 0.05, 523)],
)
def test_mean_n_of_the_figures(rate: float, threshold: float, mean: int) -> None:
    """Mean n at N = 7,031 is that of shared/facts' prototype within 12 % (300 orders; standard error up to 5 %)."""
    times = simulate_sequential(
        Truth(rate, list_size=7031), threshold, within_error=ALPHA, beyond_error=ALPHA, maximum=7031, repetitions=300
    )
    assert np.mean(times.n[np.isfinite(times.n)]) == pytest.approx(mean, rel=0.12)
    assert times.wrong <= 0.05


@pytest.mark.parametrize(
    ("threshold", "rate", "variance", "mean"),
    [(0.15, 0.305, None, 52), (0.05, 0.026, None, 565), (0.51, 0.5, 0.03, 2197)],
)
def test_typical_n(threshold: float, rate: float, variance: float | None, mean: int) -> None:
    """The rule of thumb is right within 15 %, for differences too (D .02, discordance .12: variance .03 on 0 to 1)."""
    assert typical_n(rate, threshold, ALPHA, variance=variance) == pytest.approx(mean, rel=0.15)


def test_typical_n_at_the_edges() -> None:
    """Nothing decides a rate at its threshold; draws without variance still need what the boldest gambler needs."""
    assert typical_n(0.3, 0.3, ALPHA) is None
    assert typical_n(0.0, 0.0, ALPHA) is None
    still = np.full(400, 0.5)
    found = crossing(listed_population(still), 0.51, within_error=ALPHA, beyond_error=ALPHA)
    assert found is not None
    assert typical_n(0.5, 0.51, ALPHA, variance=0.0) == pytest.approx(found.n, rel=0.25)


def listed_population(y: FloatArray) -> Drawn:
    """Return patients like these of one stratum, of which more could come."""
    return Drawn.of_population(y, y, np.zeros(y.size, np.int64), [y.size + 1])


# --- errors at the boundary -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "rate", "unjudged"), [(400, 0.05, 0.0), (400, 0.25, 0.0), (400, 0.25, 0.03)])
def test_errors_of_a_list(n: int, rate: float, unjudged: float) -> None:
    """A shuffled list at its threshold: both errors stay within .05, and unjudged ones only lower them."""
    below, at = errors(lambda rng, _: listed(rng.permutation(with_share(n, rate)), unjudged), rate, above=JUST)
    assert max(below, at) <= ALPHA + SLACK
    assert min(below, at) > (0.0 if not unjudged else -1.0)


def by_order(sizes: Sequence[int], name: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted order of strata of these sizes, and the stratum of each place in it."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    order = order_of([str(i) for i in range(stratum.size)], stratum, f"{SEED}/{name}")
    return order, stratum[order]


@pytest.mark.parametrize("rates", [(0.6, 0.05, 0.05, 0.05), (0.0, 0.3, 0.2, 0.1)])
def test_errors_of_unequal_datasets_in_the_weighted_order(rates: tuple[float, ...]) -> None:
    """The mean over datasets of 20 / 160 / 140 / 95 instances, very unequal in their rates: both errors within .05."""
    sizes = np.array([20, 160, 140, 95])
    y = np.concatenate([with_share(n, rate) for n, rate in zip(sizes, rates, strict=True)])
    truth = float(np.mean([part.mean() for part in np.split(y, np.cumsum(sizes)[:-1])]))

    def draw(_: np.random.Generator, name: int) -> Drawn:
        order, stratum = by_order(sizes.tolist(), name)
        return Drawn.of_list(y[order], y[order], 1.0 / (4 * sizes[stratum]))

    assert max(errors(draw, truth, above=JUST)) <= ALPHA + SLACK


@pytest.mark.parametrize("rates", [(0.5, 0.05, 0.05), (0.02, 0.2, 0.35)])
def test_errors_of_a_population_of_unequal_strata(rates: tuple[float, ...]) -> None:
    """Patients of strata of 12 / 150 / 90: the weights of the order are undone, so both errors stay within .05."""
    sizes, truth = [12, 150, 90], float(np.mean(rates))

    def draw(rng: np.random.Generator, name: int) -> Drawn:
        _, stratum = by_order(sizes, name)
        y = (rng.random(stratum.size) < np.take(rates, stratum)).astype(float)
        return Drawn.of_population(y, y, stratum, sizes)

    below, at = errors(draw, truth, above=0.0)
    assert max(below, at) <= ALPHA + SLACK


def test_errors_of_paired_differences() -> None:
    """Pairs with .07 gained and .05 lost, brought to 0..1, with a margin of their true difference: within .05."""
    y = np.repeat([1.0, 0.0, 0.5], [28, 20, 352])
    below, at = errors(lambda rng, _: listed(rng.permutation(y)), float(y.mean()), above=JUST)
    assert max(below, at) <= ALPHA + SLACK


def test_a_confidence_sequence_holds_at_all_n_at_once() -> None:
    """At .025 a side the truth leaves the limits at any of 300 n in at most .05 of 400 populations.

    It leaves them where the test of the truth as threshold crosses (``test_limits_agree_with_the_crossing``).
    """
    left = 0
    for i in range(400):
        y = np.random.default_rng((SEED, i)).binomial(1, 0.3, 300).astype(float)
        left += crossing(listed_population(y), 0.3, within_error=0.025, beyond_error=0.025) is not None
    assert 0 < left / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_limits_only_draw_nearer() -> None:
    """What was shown once stays shown, and at the end of a list both limits are its mean."""
    y = np.random.default_rng(SEED).permutation(with_share(160, 0.3))
    at = [2, 5, *range(10, 161, 15), 160]
    found = confidence_sequence(listed(y), at, within_error=0.025, beyond_error=0.025)
    assert [one.n for one in found] == at
    assert all(a.lower <= b.lower and b.upper <= a.upper for a, b in pairwise(found))
    assert (found[-1].lower, found[-1].upper) == pytest.approx((0.3, 0.3), abs=2e-6)


# --- what always holds ------------------------------------------------------------------------------------------------

VALUES = st.lists(st.sampled_from([(0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0)]), min_size=1, max_size=60)
THRESHOLDS = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))


@st.composite
def any_drawn(draw: st.DrawFn) -> Drawn:
    """Draw a beginning of a list or of a population, of one to three strata, some values unjudged."""
    least, most = np.array(draw(VALUES)).T
    stratum = np.array(draw(st.lists(st.integers(0, 2), min_size=least.size, max_size=least.size)))
    more = draw(st.integers(0, 5))
    sizes = np.maximum(np.bincount(stratum, minlength=3) + more, 1)
    if draw(st.booleans()):
        return Drawn.of_population(most, least, stratum, sizes.tolist())
    return Drawn.of_list(most, least, 1.0 / (3 * sizes[stratum]))


@settings(max_examples=150, deadline=None)
@given(any_drawn(), THRESHOLDS, st.data())
def test_the_first_crossing_does_not_depend_on_looks(drawn: Drawn, threshold: float, data: st.DataObject) -> None:
    """Whoever looks after n units finds what the whole order shows, if it shows it within n, and else nothing."""

    def look(n: int) -> Crossing | None:
        return crossing(drawn.first(n), threshold, within_error=ALPHA, beyond_error=ALPHA)

    whole, n = look(drawn.n), data.draw(st.integers(0, drawn.n))
    assert look(n) == (whole if whole is not None and whole.n <= n else None)


@settings(max_examples=100, deadline=None)
@given(any_drawn(), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_limits_agree_with_the_crossing(drawn: Drawn, within_error: float, beyond_error: float) -> None:
    """At the crossing the last limit has just passed the threshold, and one unit before it had not."""
    for threshold in (0.2, 0.5, 0.8):
        errors = {"within_error": within_error, "beyond_error": beyond_error}
        found = crossing(drawn, threshold, **errors)
        if found is None:
            continue
        (before,) = confidence_sequence(drawn, [found.n - 1], **errors)
        (last,) = confidence_sequence(drawn, [found.n], **errors)
        if found.side is Side.WITHIN:
            assert last.upper - 2e-6 <= threshold <= before.upper + 1e-12
        else:
            assert before.lower - 1e-12 <= threshold <= last.lower + 2e-6
