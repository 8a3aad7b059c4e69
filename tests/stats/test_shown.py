"""Which truth a given sample suffices for."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from clinhallu_gate.stats.exact import clopper_pearson_upper
from clinhallu_gate.stats.planning import fixed_n_difference
from clinhallu_gate.stats.shown import Layout, largest_truth, limit_at_best


def alone(n: int) -> Layout:
    """Return independent values in one stratum."""
    return Layout.of(np.zeros(n, np.int64), np.arange(n), alike=False)


@pytest.mark.parametrize("n", [90, 212, 633])
@pytest.mark.parametrize("threshold", [0.30, 0.10, 0.05])
def test_the_chance_at_the_truth_is_the_power(threshold: float, n: int) -> None:
    """By the exact binomial distribution it is .8; the simulation has a standard error of .02, rounding down adds."""
    found = largest_truth(alone(n), threshold, alpha=0.05, power=0.8, icc=0.3)
    assert found is not None
    most = max(k for k in range(n) if clopper_pearson_upper(k, n, 0.05) <= threshold)
    assert 0.75 < binom.cdf(most, n, found) < 0.90
    assert binom.cdf(most, n, found + 0.01) < 0.83


def test_what_counts_as_the_worst_is_in_every_sample() -> None:
    """Six of 300 are bad whatever is true, by the exact binomial distribution of the others the chance is .8."""
    layout = replace(alone(300), worst=np.arange(300) < 6)
    found = largest_truth(layout, 0.1, alpha=0.05, power=0.8, icc=0.3)
    assert found is not None
    most = max(k for k in range(300) if clopper_pearson_upper(k, 300, 0.05) <= 0.1)
    assert 0.75 < binom.cdf(most - 6, 294, found) < 0.90
    assert limit_at_best(layout, 0.05) == pytest.approx(clopper_pearson_upper(6, 300, 0.05))
    assert layout.lost == pytest.approx(0.02)
    assert layout.like(600).lost == pytest.approx(0.02)


def test_by_layout_patients_count_for_their_questions() -> None:
    """240 values of 60 patients that no correlation ties show what 60 do, where limits rest on the layout."""
    clustered = Layout.of(np.zeros(240, np.int64), np.arange(240) // 4, alike=False)
    assert limit_at_best(replace(clustered, by_layout=True), 0.05) == pytest.approx(1 - 0.05 ** (1 / 60))
    found = [
        largest_truth(each, 0.3, alpha=0.05, power=0.8, icc=0.0)
        for each in (clustered, replace(clustered, by_layout=True))
    ]
    assert found[0] is not None
    assert found[1] is not None
    assert found[1] < found[0]


def test_so_it_is_for_pairs() -> None:
    """Without a true difference the planned number of pairs shows the margin."""
    n = fixed_n_difference(0.0, 0.05, 0.12, alpha=0.05, power=0.8)
    assert n is not None
    found = largest_truth(alone(n), 0.05, alpha=0.05, power=0.8, icc=0.3, discordance=0.12)
    assert found == pytest.approx(0.0, abs=0.004)


def test_clusters_cost() -> None:
    """The same number of values from fewer patients shows less, and the more alike these are the less."""
    size = np.zeros(240, np.int64)
    few = Layout.of(size, np.arange(240) // 4, alike=False)
    found = [
        largest_truth(layout, 0.3, alpha=0.05, power=0.8, icc=icc)
        for layout, icc in ((alone(240), 0.3), (few, 0.1), (few, 0.5))
    ]
    values = [value for value in found if value is not None]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_too_few_show_nothing() -> None:
    """Ten values without a single bad one leave 26 % possible, so no truth shows 20 %."""
    assert largest_truth(alone(10), 0.2, alpha=0.05, power=0.8, icc=0.0) is None
    assert limit_at_best(alone(10), 0.05) == pytest.approx(1 - 0.05 ** (1 / 10))
    assert largest_truth(alone(10), 0.27, alpha=0.05, power=0.8, icc=0.0) is not None


def test_the_same_sample_says_the_same() -> None:
    """The seed is fixed, so a run and its repetition agree."""
    found = {largest_truth(alone(150), 0.3, alpha=0.05, power=0.8, icc=0.3) for _ in range(2)}
    assert len(found) == 1


def test_patients_may_count_alike() -> None:
    """With a weight of 1 / m for each of a patient's m values; codes of clusters may have gaps."""
    layout = Layout.of(np.zeros(5, np.int64), np.array([7, 7, 3, 3, 3]), alike=True)
    assert layout.clusters == 2
    assert layout.weight is not None
    assert layout.weight.tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])


def test_more_clusters_like_these_keep_strata_sizes_and_weights() -> None:
    """A layout of twice as many is the same one twice, and each beginning has a share of all strata."""
    layout = Layout.of(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 1, 2, 3]), alike=True)
    twice = layout.like(8)
    assert (twice.n, twice.clusters) == (10, 8)
    assert np.bincount(twice.stratum).tolist() == [8, 2]
    assert sorted(np.bincount(twice.cluster)) == [1, 1, 1, 1, 1, 1, 2, 2]
    assert twice.weight is not None
    assert np.bincount(twice.cluster, twice.weight).tolist() == [1.0] * 8
    assert set(layout.like(3).stratum) == {0, 1}


def test_a_truth_may_lie_beyond_the_pairs_that_are_said_to_differ() -> None:
    """Then as many differ as it takes: a recovery of 20 points is shown by one of a little more."""
    found = largest_truth(alone(2000), -0.2, alpha=0.05, power=0.8, icc=0.3, discordance=0.12, best=-1.0)
    assert found is not None
    assert -0.24 < found < -0.21
    assert largest_truth(alone(2000), -0.2, alpha=0.05, power=0.8, icc=0.3, discordance=0.12) is None
