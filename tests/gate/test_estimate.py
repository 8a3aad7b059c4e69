"""Figures that no gate holds: the gates' limits at 2.5 % on each side, and when a rate is none."""

from collections.abc import Callable
from typing import Any

import pytest

from clinhallu_gate.gate import Frame
from clinhallu_gate.gate.estimate import Figure, Figures
from clinhallu_gate.records import NotAsked, Reading, Verdict
from clinhallu_gate.stats import Sample, clopper_pearson_lower, clopper_pearson_upper, tango_lower, tango_upper
from clinhallu_gate.stats.means import upper_limit_of_mean
from clinhallu_gate.vocabulary import ANSWER, Arm, Metric, NotAskedReason, Stage, Unit

VISUAL = Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION)
ALONE, REPAIRED = (Reading(arm, ANSWER) for arm in (Arm.BASELINE, Arm.REPLACE_VR))
RATE = Metric.VISUAL_HALLUCINATION_RATE
Make = Callable[..., Any]


def figures(planted: Any, *, unit: Unit = Unit.INSTANCE) -> Figures:  # noqa: ANN401 - of conftest.py
    """Return the figures of planted verdicts."""
    return Figures(planted.frame, planted.verdict_of, unit=unit)


def test_a_rate_of_independent_instances_has_clopper_and_pearsons_limits(plant: Make) -> None:
    """12 of 60 by hand."""
    found = figures(plant({VISUAL: "x" * 12 + "." * 48})).of(RATE, Arm.BASELINE)
    assert found
    assert (found.estimate, found.n, found.clusters) == (0.2, 60, 60)
    assert found.low == pytest.approx(clopper_pearson_lower(12, 60, 0.025))
    assert found.high == pytest.approx(clopper_pearson_upper(12, 60, 0.025))


def test_accuracy_is_on_its_own_scale(plant: Make) -> None:
    """What is failed is wrong; 12 of 60 wrong are 80 % right."""
    found = figures(plant({ALONE: "x" * 10 + "ff" + "." * 48})).of(Metric.ANSWER_ACCURACY, Arm.BASELINE)
    assert found
    assert found.estimate == 0.8
    assert found.low == pytest.approx(clopper_pearson_lower(48, 60, 0.025))


def test_recovery_is_the_paired_difference_with_tangos_limits(plant: Make) -> None:
    """9 put right, 2 broken, of 50."""
    before, after = "x" * 9 + "." * 41, "." * 9 + "xx" + "." * 39
    found = figures(plant({ALONE: before, REPAIRED: after})).of(Metric.RECOVERY, Arm.REPLACE_VR)
    assert found
    assert (found.better, found.worse) == (9, 2)
    assert found.estimate == pytest.approx(0.14)
    assert found.low == pytest.approx(tango_lower(9, 2, 50, 0.025))
    assert found.high == pytest.approx(tango_upper(9, 2, 50, 0.025))


def test_instances_that_share_an_image_count_by_image(plant: Make) -> None:
    """The limits are those of the clustered sample, and wider than those of independent instances."""
    signs, clusters = ("xxx" + "." * 9) * 10, [f"image-{i // 3}" for i in range(120)]
    found = figures(plant({VISUAL: signs}, clusters=clusters)).of(RATE, Arm.BASELINE)
    assert found
    assert found.clusters == 40
    sample = Sample.of([sign == "x" for sign in signs], cluster=[i // 3 for i in range(120)])
    assert found.high == pytest.approx(upper_limit_of_mean(sample, 0.025))
    assert found.high > clopper_pearson_upper(30, 120, 0.025) + 0.03


def test_the_mean_over_strata_is_unweighted_unless_instances_count_alike(plant: Make) -> None:
    """10 of 10 and 0 of 30: a half, or a quarter."""
    planted = plant({VISUAL: "x" * 10 + "." * 30}, strata=["ct"] * 10 + ["mr"] * 30)
    mean, alike = (figures(planted).of(RATE, Arm.BASELINE, alike=alike) for alike in (False, True))
    assert mean
    assert alike
    assert (mean.estimate, alike.estimate) == (0.5, 0.25)


def test_what_is_unjudged_widens_both_ways(plant: Make) -> None:
    """And is in no estimate."""
    found = figures(plant({VISUAL: "x" * 12 + "." * 44 + "uuuu"})).of(RATE, Arm.BASELINE)
    assert found
    assert (found.estimate, found.unjudged) == (pytest.approx(12 / 56), 4)
    assert found.low == pytest.approx(clopper_pearson_lower(12, 60, 0.025))
    assert found.high == pytest.approx(clopper_pearson_upper(16, 60, 0.025))


def test_patients_count_alike_where_gates_count_them_so(plant: Make) -> None:
    """One patient with 9 bad of 9, 9 patients with one good each."""
    clusters = ["many"] * 9 + [f"single-{i}" for i in range(9)]
    planted = plant({VISUAL: "x" * 9 + "." * 9}, clusters=clusters)
    found = figures(planted, unit=Unit.PATIENT).of(RATE, Arm.BASELINE)
    assert found
    assert found.estimate == pytest.approx(0.1)


@pytest.mark.parametrize("sign", ["s", "g"])
def test_a_part_gives_no_figure(plant: Make, sign: str) -> None:
    """Not where one was not selected, or has no gold trace."""
    assert figures(plant({VISUAL: "." * 59 + sign})).of(RATE, Arm.BASELINE) is None


def test_a_run_that_ended_early_gives_no_figure_of_any_group(plant: Make) -> None:
    """Not even of one that happened to be asked whole: it was looked at until it looked good."""
    planted = plant({VISUAL: "." * 60, ALONE: "." * 60})
    last, asked = planted.frame.uids[-1], planted.verdict_of

    def verdict_of(uid: str, reading: Reading) -> Verdict:
        skipped = uid == last and reading == VISUAL
        return NotAsked(NotAskedReason.EARLY_STOP) if skipped else asked(uid, reading)

    planted.verdict_of = verdict_of
    members = planted.frame.members("mean")[:40]
    assert figures(planted).of(RATE, Arm.BASELINE, members) is None
    assert figures(planted).of(Metric.ANSWER_ACCURACY, Arm.BASELINE, members)


def test_an_empty_run_has_no_figure() -> None:
    """Nothing is not perfection."""
    nobody = Figures(Frame.of([]), lambda *_: NotAsked(NotAskedReason.NO_GOLD), unit=Unit.INSTANCE)
    assert nobody.of(RATE, Arm.BASELINE) is None


@pytest.mark.parametrize(
    ("few", "changed"),
    [
        (False, {}),
        (True, {"n": 29}),
        (True, {"clusters": 9}),
        (True, {"high": 0.41}),
        (False, {"high": 0.399}),
        (True, {"estimate": None}),
    ],
)
def test_when_a_group_is_too_small_for_a_rate(*, few: bool, changed: dict[str, float | None]) -> None:
    """Under 30 instances, under 10 clusters, an interval of 30 points, or nothing judged in a stratum."""
    plain = {"estimate": 0.2, "low": 0.1, "high": 0.3, "n": 30, "clusters": 10, "unjudged": 0, "worse": 0, "better": 0}
    assert Figure(**{**plain, **changed}).few is few  # type: ignore[arg-type]
