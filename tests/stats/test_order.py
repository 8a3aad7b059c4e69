"""The drawn order: what it follows from, what its beginnings estimate, and why it alone may be consumed."""

import heapq
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from clinhallu_gate.stats.sample import FloatArray, IntArray
from clinhallu_gate.stats.sequential import Drawn, Side, crossing, order_of

UNITS = [f"phantom/{i}" for i in range(8)]
STRATA = np.array([0, 0, 0, 1, 1, 1, 1, 1])
PINNED = [4, 7, 0, 3, 1, 2, 5, 6]


def test_a_short_example_is_the_same_on_every_machine() -> None:
    """The order follows from SHA-256 of seed and name, so it is pinned here."""
    assert order_of(UNITS, STRATA, "seed").tolist() == PINNED
    assert order_of(UNITS, STRATA, "seed").tolist() == PINNED
    assert order_of(UNITS, STRATA, "another").tolist() != PINNED
    assert order_of([], np.zeros(0, np.int64), "seed").tolist() == []


def test_it_follows_from_the_names_alone() -> None:
    """In whatever sequence the units are listed, they are visited in the same order."""
    shuffled = np.array([5, 0, 7, 2, 1, 6, 3, 4])
    names = [UNITS[i] for i in shuffled]
    visited = [names[i] for i in order_of(names, STRATA[shuffled], "seed")]
    assert visited == [UNITS[i] for i in order_of(UNITS, STRATA, "seed")]


def test_within_a_stratum_every_permutation_is_as_likely() -> None:
    """Restricted to a stratum of 3 beside one of 5, the 6 permutations come equally often (3,000 seeds, chi-square)."""
    orders = (order_of(UNITS, STRATA, str(i)) for i in range(3000))
    seen = Counter(tuple(order[order < 3].tolist()) for order in orders)
    assert len(seen) == 6
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_the_first_comes_from_each_stratum_as_often() -> None:
    """Strata of 3 and 5 come first equally often, and within one each unit does (3,000 seeds, chi-square)."""
    first = Counter(int(order_of(UNITS, STRATA, str(i))[0]) for i in range(3000))
    expected = [500.0] * 3 + [300.0] * 5
    assert chisquare([first[i] for i in range(8)], expected).pvalue > 0.001


def test_the_next_is_drawn_in_proportion_to_what_is_left() -> None:
    """After one of the stratum of 3, the next is of it with probability (2/3) / (2/3 + 1) (chi-square)."""
    orders = [order_of(UNITS, STRATA, str(i)) for i in range(6000)]
    second = [STRATA[order[1]] for order in orders if STRATA[order[0]] == 0]
    seen = np.bincount(second)
    assert chisquare(seen, len(second) * np.array([0.4, 0.6])).pvalue > 0.001


def test_every_prefix_is_unbiased_for_the_mean_over_strata() -> None:
    """At each place the weighted value has the mean over strata as its mean, within 4 standard errors (4,000 seeds)."""
    sizes = [4, 12, 7]
    stratum = np.repeat(np.arange(3), sizes)
    y = np.concatenate([[1.0, 1.0, 1.0, 0.0], [0.0] * 11 + [1.0], [1.0, 0.0] * 3 + [0.0]])
    truth = np.mean([0.75, 1 / 12, 3 / 7])
    names = [str(i) for i in range(23)]
    seen: list[FloatArray] = []
    for i in range(4000):
        order = order_of(names, stratum, str(i))
        drawn = Drawn.of_population(y[order], y[order], stratum[order], sizes)
        seen.append(drawn.factor * drawn.y_within)
    for place in range(8):
        values = [row[place] for row in seen if row.size > place]
        assert len(values) > 1000
        error = float(np.std(values)) / len(values) ** 0.5
        assert np.mean(values) == pytest.approx(truth, abs=4 * error)


# --- results in order of completion -----------------------------------------------------------------------------------

IN_FLIGHT, N, REPETITIONS = 64, 1000, 120
BAD = np.repeat([1.0, 0.0], [150, 850])


def completed(latency: FloatArray) -> IntArray:
    """Return the positions in order of completion; they are sent in their own order, 64 at a time."""
    running: list[tuple[float, int]] = []
    done, clock = [], 0.0
    for i, wait in enumerate(latency):
        if len(running) == IN_FLIGHT:
            clock, first = heapq.heappop(running)
            done.append(first)
        heapq.heappush(running, (clock + wait, i))
    return np.array([*done, *(i for _, i in sorted(running))])


def passes(y: FloatArray) -> bool:
    """Whether the beginning of a list of 1,000 shows a mean within just less than .15, which it is not."""
    drawn = Drawn.of_list(y, y, np.full(y.size, 1.0 / N))
    found = crossing(drawn, 0.15 - 1e-6, within_error=0.05, beyond_error=1e-300)
    return found is not None and found.side is Side.WITHIN


def test_only_the_contiguous_prefix_may_be_consumed() -> None:
    """Slow hallucinations make results in completion order pass falsely most of the time; the prefix does not."""
    as_they_came = in_order = 0
    for i in range(REPETITIONS):
        rng = np.random.default_rng((20260101, i))
        y = rng.permutation(BAD)
        done = completed(rng.uniform(0.5, 1.5, N) * np.where(y == 1.0, 3.0, 1.0))
        as_they_came += passes(y[done])
        looks = [np.flatnonzero(~np.isin(np.arange(N + 1), done[:k]))[0] for k in range(IN_FLIGHT, N, IN_FLIGHT)]
        in_order += any(passes(y[:look]) for look in looks)
    assert as_they_came / REPETITIONS > 0.5
    assert in_order / REPETITIONS <= 0.05 + 3 * (0.05 * 0.95 / REPETITIONS) ** 0.5
