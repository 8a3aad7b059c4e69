"""From how many patients like these on a gate passes."""

from dataclasses import replace

import numpy as np
import pytest

from clinhallu_gate.stats.enough import patients_without_any, patients_without_difference, worth
from clinhallu_gate.stats.planning import fixed_n_difference, never_event_n
from clinhallu_gate.stats.shown import Layout, largest_truth, limit_at_best


def ward(*patients: int, questions: int = 1) -> Layout:
    """Return a stratum for each number of patients, all with so many questions."""
    cluster = np.repeat(np.arange(sum(patients)), questions)
    stratum = np.repeat(np.arange(len(patients)), np.array(patients) * questions)
    return Layout.of(stratum, cluster, alike=False)


@pytest.mark.parametrize("strata", [(8, 1), (10, 2, 1), (5, 5)])
def test_so_many_without_a_bad_value_show_it_and_fewer_do_not(strata: tuple[int, ...]) -> None:
    """Held against the limit of samples whose strata are so many times as large: the first that shows 5 %."""
    needed = patients_without_any(ward(*strata), 0.05, 0.05)
    assert needed is not None
    times = -(-needed // sum(strata))
    limits = [limit_at_best(ward(*(n * many for n in strata)), 0.05) for many in (times - 1, times)]
    assert limits[1] <= 0.05 < limits[0]


def test_one_stratum_has_a_formula() -> None:
    """Whatever patients' questions are."""
    assert patients_without_any(ward(12, questions=3), 0.1, 0.05) == never_event_n(0.1, alpha=0.05) == 29
    assert patients_without_any(ward(12), 0.0, 0.05) is None


@pytest.mark.parametrize("strata", [(100,), (90, 10)])
def test_so_many_pairs_show_a_margin_where_nothing_changed(strata: tuple[int, ...]) -> None:
    """With strata of that share the largest truth is none; small strata cost far more than their patients."""
    needed = patients_without_difference(ward(*strata), 0.05, alpha=0.05, power=0.8, icc=0.3, discordance=0.12)
    assert needed is not None
    larger = ward(*(round(needed * n / 100) for n in strata))
    found = largest_truth(larger, 0.05, alpha=0.05, power=0.8, icc=0.3, discordance=0.12)
    assert found == pytest.approx(0.0, abs=0.004)


def test_one_stratum_of_pairs_needs_what_is_planned() -> None:
    """By the limit of the same decision, rounded up to two digits."""
    planned = fixed_n_difference(0.0, 0.05, 0.12, alpha=0.05, power=0.8)
    needed = patients_without_difference(ward(100), 0.05, alpha=0.05, power=0.8, icc=0.3, discordance=0.12)
    assert (planned, needed) == (312, 320)


def test_by_layout_large_patients_cost_more() -> None:
    """Ten patients with one question and one with five: five times the questions of patients with one are needed."""
    cluster = np.repeat(np.arange(11), [1] * 10 + [5])
    layout = replace(Layout.of(np.zeros(15, np.int64), cluster, alike=False), by_layout=True)
    needed = patients_without_any(layout, 0.05, 0.05)
    assert needed is not None
    assert limit_at_best(layout.like(needed), 0.05) <= 0.05 < limit_at_best(layout.like(needed - 1), 0.05)
    questions = 5 * np.log(0.05) / np.log(0.95)
    assert layout.like(needed - 1).n < questions <= layout.like(needed).n


def test_no_number_of_pairs_makes_up_for_a_margin_that_is_lost() -> None:
    """Six of 100 pairs that count as the worst leave nothing of five points."""
    for lost, there in ((6, False), (2, True)):
        layout = replace(ward(100), worst=np.arange(100) < lost, by_layout=True)
        found = patients_without_difference(layout, 0.05, alpha=0.05, power=0.8, icc=0.3, discordance=0.12)
        assert (found is not None) is there


def test_what_a_sample_is_worth_is_its_variance() -> None:
    """Independent values count; three of a patient at .3 are worth 1.9; of two strata the small one decides."""
    assert worth(ward(50), 0.3) == pytest.approx(50)
    assert worth(ward(50, questions=3), 0.3) == pytest.approx(150 / 1.6)
    assert worth(ward(90, 10), 0.3) == pytest.approx(4 / (1 / 90 + 1 / 10))
