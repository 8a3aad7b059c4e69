"""Tests by betting where nothing, or everything, is known: ends of lists, ties, single units, extreme thresholds."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clinhallu_gate.stats.sample import FloatArray
from clinhallu_gate.stats.sequential import Crossing, Drawn, Side, confidence_sequence, crossing

ALPHA = 0.05


def look(drawn: Drawn, threshold: float) -> Crossing | None:
    """Return the first crossing with both errors at alpha."""
    return crossing(drawn, threshold, within_error=ALPHA, beyond_error=ALPHA)


def listed(y: FloatArray) -> Drawn:
    """Return a list of one stratum."""
    return Drawn.of_list(y, y, np.full(y.size, 1.0 / max(y.size, 1)))


def population(y: FloatArray) -> Drawn:
    """Return patients like these, of one stratum."""
    return Drawn.of_population(y, y, np.zeros(y.size, np.int64), [y.size + 1])


@pytest.mark.parametrize("n", [3, 10, 60, 337, 7031])
@pytest.mark.parametrize("percent", [0, 5, 15, 30, 55, 100])
def test_a_census_is_exact(n: int, percent: int) -> None:
    """At the end of a list PASS is shown if its mean is at most t, FAIL if it is above, and at a tie it is PASS."""
    bad = n * percent // 100
    for events in {bad, min(bad + 1, n)}:
        drawn = listed(np.random.default_rng(n).permutation(np.repeat([1.0, 0.0], [events, n - events])))
        right = Side.WITHIN if Fraction(events, n) <= Fraction(percent, 100) else Side.BEYOND
        # Errors that no wealth overcomes leave certainty alone.
        found = crossing(drawn, percent / 100, within_error=1e-300, beyond_error=1e-300)
        assert found is not None
        assert found.side is right


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=40), st.integers(0, 100))
@example([(1, 0)] * 3 + [(0, 0)] * 7, 30)
def test_a_list_of_strata_ends_in_one_decision(rows: list[tuple[int, int]], percent: int) -> None:
    """At the end of a list exactly one side is certain: that of the exact mean over its strata."""
    y, codes = np.array(rows).T
    stratum = np.unique(codes, return_inverse=True)[1]
    sizes = np.bincount(stratum)
    drawn = Drawn.of_list(y.astype(float), y.astype(float), 1.0 / (sizes.size * sizes[stratum]))
    shares = [Fraction(int(y[stratum == s].sum()), int(sizes[s])) for s in range(sizes.size)]
    within = sum(shares) / len(shares) <= Fraction(percent, 100)
    only = {"within_error": 1e-300, "beyond_error": 1e-300}
    found = crossing(drawn, percent / 100, **only)
    assert found is not None
    assert (found.side is Side.WITHIN) == within


def test_certainty_comes_with_the_deciding_unit() -> None:
    """4 bad of 10 against .3 fail with the fourth; of 3 bad the tenth unit, or enough good ones, make it certain."""
    only = {"within_error": 1e-300, "beyond_error": 1e-300}
    assert crossing(listed(np.repeat([1.0, 0.0], [4, 6])), 0.3, **only) == Crossing(4, Side.BEYOND)
    assert crossing(listed(np.repeat([0.0, 1.0], [7, 3])), 0.3, **only) == Crossing(7, Side.WITHIN)
    assert crossing(listed(np.repeat([1.0, 0.0], [3, 7])), 0.3, **only) == Crossing(10, Side.WITHIN)


def test_what_is_unjudged_keeps_a_list_open() -> None:
    """A complete list whose threshold lies between the bounds of its unjudged values is decided on neither side."""
    most, least = np.repeat([1.0, 0.0], [4, 6]), np.repeat([1.0, 0.0], [2, 8])
    drawn = Drawn.of_list(most, least, np.full(10, 0.1))
    assert look(drawn, 0.3) is None
    found = look(drawn, 0.4)
    assert found is not None
    assert found.side is Side.WITHIN
    (limits,) = confidence_sequence(drawn, [10], within_error=ALPHA, beyond_error=ALPHA)
    assert (limits.lower, limits.upper) == pytest.approx((0.2, 0.4), abs=1e-5)


@pytest.mark.parametrize("make", [listed, population])
def test_nothing_seen_says_nothing(make: type[Drawn]) -> None:
    """With n = 0 there is no crossing, not even of 0 or 1, and the limits are 0 and 1."""
    nothing = make(np.zeros(0))  # type: ignore[call-arg] - one of the two builders above
    assert [look(nothing, t) for t in (0.0, 0.3, 1.0)] == [None] * 3
    assert confidence_sequence(nothing, [0], within_error=ALPHA, beyond_error=ALPHA) == ((0, 0.0, 1.0),)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_one_unit_is_no_certainty(value: float) -> None:
    """One of many units, whatever it is, decides nothing between 0 and 1, and leaves wide limits."""
    drawn = population(np.array([value]))
    assert [look(drawn, t) for t in (0.05, 0.5, 0.95)] == [None] * 3
    (limits,) = confidence_sequence(drawn, [1], within_error=ALPHA, beyond_error=ALPHA)
    assert limits.lower <= 0.06
    assert limits.upper >= 0.94


@pytest.mark.parametrize(("value", "side"), [(0.0, Side.WITHIN), (1.0, Side.BEYOND)])
def test_all_alike(value: float, side: Side) -> None:
    """Units that are all good (bad) decide against .3, a list sooner than a population, and never meet 0 (1)."""
    one = look(listed(np.full(100, value)), 0.3)
    other = look(population(np.full(100, value)), 0.3)
    assert one is not None
    assert other is not None
    assert one.side is other.side is side
    assert one.n <= other.n
    (limits,) = confidence_sequence(population(np.full(100, value)), [100], within_error=ALPHA, beyond_error=ALPHA)
    assert limits.lower < 1.0
    assert limits.upper > 0.0
    assert 0.02 < (limits.upper if value == 0.0 else 1.0 - limits.lower) < 0.1


def test_a_threshold_of_one_holds_for_whatever_comes() -> None:
    """No mean is above 1, so the first unit shows it, of any strata; a list or population that is all bad as well."""
    bad = np.ones(20)
    stratum = np.arange(20) % 2
    for drawn in (listed(bad), population(bad), Drawn.of_population(bad, bad, stratum, [30, 11])):
        assert look(drawn, 1.0) == Crossing(1, Side.WITHIN)


def test_a_threshold_of_zero_falls_with_the_first_event() -> None:
    """A mean of 0 means that nothing happens: one event disproves it, and no number of others proves it."""
    y = np.repeat([0.0, 1.0, 0.0], [6, 1, 500])
    for drawn in (listed(y), population(y), Drawn.of_population(y, y, np.arange(507) % 2, [300, 300])):
        assert look(drawn, 0.0) == Crossing(7, Side.BEYOND)
        assert look(drawn.first(6), 0.0) is None
    assert look(population(np.zeros(500)), 0.0) is None
    assert look(listed(np.zeros(500)), 0.0) == Crossing(500, Side.WITHIN)


def test_a_population_ends_where_a_stratum_does() -> None:
    """Once no patient of a stratum is left nothing more is said of the mean over strata, and nothing breaks."""
    y, stratum = np.zeros(40), np.array([0] + [1] * 39)
    assert Drawn.of_population(y, y, stratum, [1, 200]).n == 1
    assert Drawn.of_population(y, y, stratum, [2, 200]).n == 40
    assert Drawn.of_population(y, y, stratum[::-1].copy(), [1, 200]).n == 40
    drawn = Drawn.of_population(y, y, stratum, [2, 40])
    assert np.all(drawn.factor * y <= drawn.top)
    assert drawn.factor[0] == pytest.approx(1.0)


def test_the_weights_of_a_population_by_hand() -> None:
    """Strata of 2 and 4: after one of the first, p = (1/2)/(3/2) and (4/4)/(3/2), so values count 3/2 and 3/4 times."""
    y, stratum = np.ones(3), np.array([0, 1, 0])
    drawn = Drawn.of_population(y, y, stratum, [2, 4])
    assert drawn.factor == pytest.approx([1.0, 0.75, (0.5 + 0.75) / (2 * 0.5)])
    assert drawn.top == pytest.approx([1.0, 1.5, 1.25])


ROWS = st.lists(
    st.tuples(st.sampled_from([(0.0, 0.0), (1.0, 1.0), (0.25, 0.25), (0.0, 1.0)]), st.integers(0, 2)), max_size=30
)


@settings(max_examples=150, deadline=None)
@example([((1.0, 1.0), 0)], 0, "list", 1e-312)
@given(
    ROWS,
    st.integers(0, 3),
    st.sampled_from(["list", "population"]),
    st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)),
)
def test_any_input_has_honest_limits(
    rows: list[tuple[tuple[float, float], int]], more: int, kind: str, threshold: float
) -> None:
    """For any values, strata and thresholds there is no warning and no NaN, and limits never cross."""
    least = np.array([pair[0] for pair, _ in rows])
    most = np.array([pair[1] for pair, _ in rows])
    stratum = np.array([code for _, code in rows], dtype=np.int64)
    sizes = np.maximum(np.bincount(stratum, minlength=3) + more, 1)
    drawn = (
        Drawn.of_list(most, least, 1.0 / (3 * sizes[stratum]))
        if kind == "list"
        else Drawn.of_population(most, least, stratum, sizes.tolist())
    )
    look(drawn, threshold)
    at = sorted({0, drawn.n // 2, drawn.n})
    for limits in confidence_sequence(drawn, at, within_error=0.01, beyond_error=0.01):
        assert 0.0 <= limits.lower <= limits.upper + 2e-6 <= 1.0 + 2e-6
