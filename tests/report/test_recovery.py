"""What each repair is worth: figures by hand, the gates' own where there are gates, and the sentence."""

import pytest
from planted_run import (
    ALONE,
    WITH_BOTH,
    WITH_IMAGE,
    WITH_KNOWLEDGE,
    Plan,
    PlantedRun,
    not_started,
    planted_run,
    run_named,
)

from clinhallu_gate.gate.estimate import Figures
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.records import NotAsked
from clinhallu_gate.report import render_html, summary_markdown, terminal_lines
from clinhallu_gate.report.figures import points, points_between
from clinhallu_gate.report.model import ArmView, RecoveryView
from clinhallu_gate.report.plot import gain_axis
from clinhallu_gate.report.recovery import recovery_view
from clinhallu_gate.vocabulary import Arm, Method, Metric, NotAskedReason, Unit

SHARED = Plan(bad={ALONE: 24, WITH_IMAGE: 6, WITH_KNOWLEDGE: 24, WITH_BOTH: 36})
"""Of 96: the image puts 18 right, the knowledge nothing, and both together break 12."""


def recovery(run: PlantedRun) -> RecoveryView:
    """Return the section, which is there."""
    figures = Figures(Frame.of(run.results.instances), run.results.verdict, unit=Unit.INSTANCE)
    found = recovery_view(figures, run.decision)
    assert found
    return found


def arm_of(run: PlantedRun, arm: Arm) -> ArmView:
    """Return one arm."""
    return next(view for view in recovery(run).arms if view.arm == arm)


def text(run: PlantedRun) -> str:
    """Return all that people are shown of a run."""
    view = run.view
    lines = terminal_lines(view, width=80, run_dir="run")
    return "\n".join([render_html(view).decode(), summary_markdown(view), *(line.text for line in lines)])


def test_accuracy_and_gains_are_those_that_were_planted() -> None:
    """In every arm, with what was put right and what was broken."""
    run = planted_run(SHARED)
    told = {arm.arm: (arm.accuracy, arm.recovery, arm.repaired, arm.broken) for arm in recovery(run).arms}
    assert told == {
        "baseline": ("75.0 %", "-", None, None),
        "replace_vr": ("93.8 %", "+18.8 points", 18, 0),
        "replace_kr": ("75.0 %", "+0.0 points", 0, 0),
        "replace_vr_kr": ("62.5 %", "-12.5 points", 0, 12),
    }


@pytest.mark.parametrize("name", ["pass", "fail", "inconclusive"])
def test_a_figure_that_a_gate_holds_is_the_gates(name: str) -> None:
    """With its limits, and its decision beside it."""
    run = run_named(name)
    gates = [gate for gate in run.decision.gates if gate.metric is Metric.RECOVERY]
    assert len(gates) == 2
    for gate in gates:
        assert gate.interval
        assert gate.estimate is not None
        arm = arm_of(run, gate.arm)
        assert (arm.recovery, arm.recovery_interval) == (points(gate.estimate), points_between(*gate.interval))
        assert arm.gate == gate.decision
        assert arm.repaired is not None
        assert arm.broken is not None
        assert points((arm.repaired - arm.broken) / gate.n) == arm.recovery


def test_a_figure_without_a_gate_has_limits_of_95_per_cent() -> None:
    """No gate holds the repair of both stages."""
    run = planted_run(SHARED)
    figures = Figures(Frame.of(run.results.instances), run.results.verdict, unit=Unit.INSTANCE)
    found, arm = figures.of(Metric.RECOVERY, Arm.REPLACE_VR_KR), arm_of(run, Arm.REPLACE_VR_KR)
    assert found
    assert arm.gate == "-"
    assert arm.recovery_interval == points_between(found.low, found.high)


def test_a_complete_list_still_tells_of_patients_like_these() -> None:
    """Its gate only compares, so it has no interval to lend."""
    run = planted_run(SHARED)
    sampled = arm_of(run, Arm.REPLACE_VR_KR)
    listed = tuple(
        gate.model_copy(update={"method": Method.COMPLETE_LIST, "interval": (gate.estimate, gate.estimate)})
        for gate in run.decision.gates
    )
    compared = PlantedRun(run.decision.model_copy(update={"gates": listed}), run.results, run.context)
    arm = arm_of(compared, Arm.REPLACE_VR)
    assert arm.recovery_span
    assert arm.recovery_span.low < 0.1875 < arm.recovery_span.high
    assert arm_of(compared, Arm.REPLACE_VR_KR) == sampled


def test_the_sentence_says_better_worse_or_that_it_may_be_chance() -> None:
    """And that it is an estimate under gold text."""
    run = planted_run(SHARED)
    sentence = recovery(run).sentence
    image, knowledge, both = sentence.split("; ")
    assert image.startswith("With the gold reading of the image the model answered 18.8 points better (")
    assert knowledge.startswith("with the gold knowledge +0.0 points (")
    assert knowledge.endswith("), which may be chance")
    assert both.startswith("with both 12.5 points worse (")
    assert both.endswith("): estimates under gold text, not a promise.")
    low, high = (float(limit) for limit in both.partition("(")[2].partition(")")[0].split(" to "))
    assert 0 < low < 12.5 < high


def test_a_sentence_that_opens_with_chance_has_a_verb() -> None:
    """Where nothing was gained by the image."""
    run = planted_run(Plan(bad={ALONE: 10, WITH_IMAGE: 10}))
    assert recovery(run).sentence.startswith(
        "With the gold reading of the image the model's answers changed by +0.0 points ("
    )


def test_page_summary_and_terminal_tell_it() -> None:
    """The sentence where there is room, else a line."""
    run = planted_run(SHARED)
    told = text(run)
    assert f"**Repairs.** {recovery(run).sentence}" in told.replace("\\", "")
    assert told.count("What each repair is worth") == 1
    assert "\nrepair   image +18.8 (+" in told


def test_a_run_that_ended_early_shows_no_recovery() -> None:
    """The mean at a stop is no estimate: neither section nor sentence nor line, of no arm."""
    run = planted_run(SHARED)
    for found in list(run.results.found.values())[60:]:
        for reading in (ALONE, WITH_IMAGE, WITH_KNOWLEDGE, WITH_BOTH):
            found.verdicts[reading] = NotAsked(NotAskedReason.EARLY_STOP)
    assert run.view.recovery is None
    told = text(run)
    for word in ("What each repair is worth", "Repairs.", "repair   ", "points better"):
        assert word not in told


def test_an_arm_that_was_asked_in_part_is_left_out() -> None:
    """The others stay."""
    run = planted_run(SHARED)
    first = next(iter(run.results.found.values()))
    first.verdicts[WITH_IMAGE] = NotAsked(NotAskedReason.NOT_SELECTED)
    assert [arm.arm for arm in recovery(run).arms] == ["baseline", "replace_kr", "replace_vr_kr"]


def test_without_the_model_alone_nothing_is_gained() -> None:
    """Accuracy is shown, a difference is not."""
    run = planted_run(SHARED)
    first = next(iter(run.results.found.values()))
    first.verdicts[ALONE] = NotAsked(NotAskedReason.NOT_SELECTED)
    found = recovery(run)
    assert (found.sentence, found.line) == ("", "")
    assert {arm.recovery for arm in found.arms} == {"-"}
    assert gain_axis(found) is None
    assert "Gained against" not in text(run)


def test_a_run_that_was_not_completed_shows_none() -> None:
    """No rate of such a run is a result."""
    assert [run.view.recovery for run in (run_named("not_completed"), not_started())] == [None, None]
