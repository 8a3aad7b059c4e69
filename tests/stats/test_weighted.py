"""Patients who count alike though they have different numbers of instances, and patients who lie in several strata."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.stats import (
    Sample,
    clopper_pearson_lower,
    clopper_pearson_upper,
    lower_limit_of_mean,
    upper_limit_of_difference,
    upper_limit_of_mean,
)
from clinhallu_gate.stats.effective import effective_size, hidden_rise
from clinhallu_gate.stats.moments import strata_moments
from clinhallu_gate.stats.sample import FloatArray, IntArray

ALPHA, SEED, REPETITIONS = 0.05, 20260101, 1200
SLACK = 3 * (ALPHA * (1 - ALPHA) / REPETITIONS) ** 0.5


def of_patients(y: FloatArray, patient: IntArray) -> Sample:
    """Return values of one stratum that each count one over the number of their patient's."""
    return Sample(y, np.zeros(y.size, np.int64), patient, 1.0 / np.bincount(patient)[patient])


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=2, max_size=20))
def test_the_mean_is_that_of_patient_means(patients: list[list[int]]) -> None:
    """The weighted mean is the mean of the patients' means, and its variance that of these means."""
    y = np.concatenate(patients).astype(float)
    patient = np.repeat(np.arange(len(patients)), [len(each) for each in patients])
    moments = strata_moments(of_patients(y, patient), span=1.0)
    means = [np.mean(each) for each in patients]
    assert moments.grand_mean == pytest.approx(np.mean(means))
    assert moments.variance_of_mean[0] == pytest.approx(np.var(means, ddof=1) / len(means), abs=1e-15)


@pytest.mark.parametrize("weight", [1.0, 0.1, 1 / 3, 7.0])
@pytest.mark.parametrize("events", [0, 1, 13, 99, 100])
def test_equal_weights_of_single_values_are_clopper_pearson(weight: float, events: int) -> None:
    """Clusters of one that count alike give Clopper-Pearson's limits, whatever the weight is."""
    y = (np.arange(100) < events).astype(float)
    sample = Sample(y, np.zeros(100, np.int64), np.arange(100), np.full(100, weight))
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_upper(events, 100, ALPHA), abs=1e-12)
    assert lower_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_lower(events, 100, ALPHA), abs=1e-12)


def test_patients_who_agree_with_themselves_are_single_values() -> None:
    """Patients of 1 to 7 instances that all agree give about the limits of as many single values."""
    patient = np.repeat(np.arange(60), 1 + np.arange(60) % 7)
    sample = of_patients((patient < 12).astype(float), patient)
    assert upper_limit_of_mean(sample, ALPHA) == pytest.approx(clopper_pearson_upper(12, 60, ALPHA), abs=0.02)


def errors(draw: Callable[[np.random.Generator], Sample], truth: float) -> tuple[float, float]:
    """Return how often the upper limit lies below the truth, and how often the lower one lies above it."""
    rng = np.random.default_rng(SEED)
    samples = [draw(rng) for _ in range(REPETITIONS)]
    below = np.mean([upper_limit_of_mean(sample, ALPHA) < truth for sample in samples])
    return float(below), float(np.mean([lower_limit_of_mean(sample, ALPHA) > truth for sample in samples]))


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_coverage_for_patients_of_unequal_size(rate: float) -> None:
    """100 patients of 1 to 12 instances, ICC .3: both errors of the mean over patients stay near .05."""
    patient = np.repeat(np.arange(100), np.resize([1, 2, 12, 3, 1, 5], 100))

    def draw(rng: np.random.Generator) -> Sample:
        share = rng.beta(rate * 7 / 3, (1 - rate) * 7 / 3, 100)  # ICC = 1 / (1 + 7/3)
        return of_patients((rng.random(patient.size) < share[patient]).astype(float), patient)

    assert max(errors(draw, rate)) <= ALPHA + SLACK


IN_BOTH = np.tile(np.arange(100), 2)
TWO = np.repeat([0, 1], 100)


def both(rate: float) -> Callable[[np.random.Generator], Sample]:
    """Draw 100 patients with one value in each of two strata, the same in both."""
    return lambda rng: Sample(np.tile(rng.random(100) < rate, 2).astype(float), TWO, IN_BOTH)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_coverage_for_patients_in_two_strata(rate: float) -> None:
    """Patients who lie in both strata count once: both errors stay near .05, also where no event is likely."""
    assert max(errors(both(rate), rate)) <= ALPHA + SLACK


def test_without_the_covariance_coverage_fails() -> None:
    """The same patients under two names, which hides that they are the same, err more than twice as often."""

    def draw(rng: np.random.Generator) -> Sample:
        sample = both(0.3)(rng)
        return Sample(sample.y, sample.stratum, np.arange(200))

    assert min(errors(draw, 0.3)) > 2 * ALPHA


def test_covariance_by_hand() -> None:
    """Two strata of two patients with means 1/2: equal values have Var(mean) = (v + v + 2 cov) / 4, opposite ones v."""
    same = strata_moments(Sample(np.array([1.0, 0, 1, 0]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])), span=1.0)
    assert same.variance_of_mean.tolist() == [0.25, 0.25]
    assert same.covariance == pytest.approx(2 * 2 * 0.25**2)
    assert same.variance_of_grand_mean == pytest.approx((0.25 + 0.25 + 0.25) / 4)
    other = strata_moments(Sample(np.array([1.0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])), span=1.0)
    assert other.covariance == pytest.approx(-0.25)
    assert other.variance_of_grand_mean == pytest.approx(0.5 / 4)


def test_silent_patients_in_two_strata_count_once() -> None:
    """Without an event, 100 patients in two strata are worth 100, not 200; of rates and of differences."""
    silent = strata_moments(Sample(np.zeros(200), TWO, IN_BOTH), span=1.0)
    assert silent.units.tolist() == [50, 50]
    assert effective_size(silent, ALPHA) == pytest.approx(100)
    assert hidden_rise(silent, ALPHA) == pytest.approx(1 - ALPHA ** (1 / 100))
    assert upper_limit_of_mean(Sample(np.zeros(200), TWO, IN_BOTH), ALPHA) == pytest.approx(1 - ALPHA ** (1 / 100))
    apart = upper_limit_of_difference(Sample(np.zeros(200), TWO, np.arange(200)), ALPHA)
    assert upper_limit_of_difference(Sample(np.zeros(200), TWO, IN_BOTH), ALPHA) > 1.5 * apart


def test_only_silent_strata_share_patients() -> None:
    """A patient in a silent and in another stratum counts once in the silent one."""
    y = np.concatenate([np.zeros(100), np.arange(100) % 2])
    assert strata_moments(Sample(y, TWO, IN_BOTH), span=1.0).units.tolist() == [100, 100]
