"""Gold that nobody signed is said before any figure; what could not be gated for want of gold is said at all."""

from dataclasses import replace
from pathlib import Path

import pytest
from planted_run import run_named

from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.records import GoldTrace
from clinhallu_gate.report.compare import compare
from clinhallu_gate.report.decision import load
from clinhallu_gate.report.gold import UNSIGNED, GoldCounts, unsigned_note, without_gold
from clinhallu_gate.report.html import render_html
from clinhallu_gate.report.model_card import model_card
from clinhallu_gate.report.summary import summary_markdown
from clinhallu_gate.report.terminal import terminal_lines
from clinhallu_gate.report.view import report_view
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import Arm, Decision, Metric, Stage

ARMS = load_protocol("standard").arms
ALARM = f"{UNSIGNED}: {unsigned_note(12, 84)}"


def test_the_alarm_stands_before_any_figure() -> None:
    """In the page, in the summary and in the terminal."""
    run = run_named("pass")
    view = report_view(run.decision, run.results, run.context.model_copy(update={"alarms": (ALARM,)}))
    assert view.alarms == (ALARM,)
    page = render_html(view).decode()
    assert page.index("12 of 84 instances have gold that nobody signed") < page.index("<h1>")
    summary = summary_markdown(view)
    assert summary.index("12 of 84 instances have gold") < summary.index("may be released")
    first = terminal_lines(view, width=120, run_dir="run")[0]
    assert first.text.startswith("UNSIGNED GOLD: 12 of 84 instances have gold that nobody signed")
    assert first.style == "yellow"


def test_signed_gold_raises_no_alarm() -> None:
    """There is nothing to say."""
    assert unsigned_note(0, 84) == ""


def _of_unsigned_gold(folder: Path) -> Path:
    """Write a run that rests on drafts."""
    counts = GoldCounts(instances=84, supplied=0, signed=72, unsigned=12, absent=0, reviewers=1)
    gold = counts.model_copy(update={"note": unsigned_note(12, 84)})
    folder.mkdir()
    (folder / "decision.json").write_bytes(run_named("pass").decision.model_copy(update={"gold": gold}).to_json())
    (folder / "manifest.json").write_text("{}")
    return folder


def test_drafts_are_no_figures_to_publish(tmp_path: Path) -> None:
    """No model card is made of them."""
    with pytest.raises(BadInput, match=r"12 of 84 instances have gold that nobody signed.*Have the gold signed first"):
        model_card(_of_unsigned_gold(tmp_path / "run"))


def test_runs_side_by_side_say_whose_rest_on_drafts(tmp_path: Path) -> None:
    """By name."""
    one, two = _of_unsigned_gold(tmp_path / "one"), tmp_path / "two"
    two.mkdir()
    (two / "decision.json").write_bytes(run_named("pass").decision.to_json())
    (note,) = [note for note in compare([one, two]).notes if "nobody signed" in note]
    assert note.startswith(f"{one}: 12 of 84")


def a_gate(metric: Metric, arm: Arm, decision: Decision) -> GateResult:
    """Return a gate that was decided so."""
    plain = run_named("pass").decision.gates[0]
    return plain.model_copy(update={"metric": metric, "arm": arm, "decision": decision})


@pytest.mark.parametrize(
    ("metric", "arm", "lacks", "said"),
    [
        (
            Metric.VISUAL_HALLUCINATION_RATE,
            Arm.BASELINE,
            "visual_recognition",
            "H^V: 1 of 3 instances have no gold for ",
        ),
        (
            Metric.KNOWLEDGE_HALLUCINATION_RATE,
            Arm.REPLACE_VR,
            "visual_recognition",
            "H^K: 1 of 3 instances have no gold",
        ),
        (Metric.REASONING_HALLUCINATION_RATE, Arm.REPLACE_VR_KR, "knowledge_recall", "H^R: 1 of 3 instances have no "),
        (Metric.RECOVERY, Arm.REPLACE_VR, "visual_recognition", "answers with the image read for it: 1 of 3 instances"),
    ],
)
def test_what_lacks_gold_is_counted(metric: Metric, arm: Arm, lacks: str, said: str) -> None:
    """By the figure that needs it, whatever the model made of it."""
    whole = an_instance().gold
    part = GoldTrace(**{stage.value: None if stage == lacks else whole.text(stage) for stage in Stage})
    instances = [an_instance(id="1"), an_instance(id="2", gold=part), an_instance(id="3")]
    (line,) = without_gold(instances, [a_gate(metric, arm, Decision.NOT_APPLICABLE)] * 2, ARMS)
    assert line.startswith(f"not gated, {said}")
    assert line.endswith(f"for {lacks.replace('_', ' ')}")
    assert without_gold(instances, [a_gate(metric, arm, Decision.PASS)], ARMS) == ()


def test_what_is_counted_at_worst_is_said() -> None:
    """By the figure, where the policy allows so many; in the card, the table and the terminal by the gate."""
    whole = an_instance().gold
    part = GoldTrace(
        **{stage.value: None if stage is Stage.VISUAL_RECOGNITION else whole.text(stage) for stage in Stage}
    )
    instances = [an_instance(id="1"), an_instance(id="2", gold=part)]
    gate = a_gate(Metric.VISUAL_HALLUCINATION_RATE, Arm.BASELINE, Decision.PASS)
    counted = gate.model_copy(update={"without_gold": 3})
    (line,) = without_gold(instances, [counted], ARMS)
    assert line == "counted at worst, H^V: 1 of 2 instances have no gold for visual recognition"
    run = run_named("pass")
    gates = tuple(counted if each.id == gate.id else each for each in run.decision.gates)
    view = report_view(run.decision.model_copy(update={"gates": gates}), run.results, run.context)
    assert ", 3 without gold; interval" in render_html(view).decode()
    assert f"| {gate.n} (3 without gold) |" in summary_markdown(view)
    told = [line.text for line in terminal_lines(view, width=120, run_dir="run")]
    assert (
        f"no gold  3 of {gate.n} in {gate.id}, counted at worst either way; the estimate is of the others"
        in " ".join(told)
    )
    assert "Estimates are of the instances that are known; intervals count those" in summary_markdown(view)
    plain = report_view(run.decision, run.results, run.context)
    assert "without gold" not in render_html(plain).decode() + summary_markdown(plain)


def test_an_older_decision_is_read(tmp_path: Path) -> None:
    """It has no count of instances without gold, as none has where nothing lacks; one that has is read as it is."""
    decision = run_named("pass").decision
    (tmp_path / "old.json").write_bytes(decision.to_json())
    assert b"without_gold" not in decision.to_json()
    assert load(tmp_path / "old.json") == decision
    gates = tuple(gate.model_copy(update={"without_gold": 2}) for gate in decision.gates)
    newer = decision.model_copy(update={"gates": gates})
    (tmp_path / "new.json").write_bytes(newer.to_json())
    assert load(tmp_path / "new.json") == newer


def test_a_gate_without_a_baseline_is_no_want_of_gold() -> None:
    """Where all gold is there, it is said nothing of it."""
    gate = a_gate(Metric.ANSWER_ACCURACY, Arm.BASELINE, Decision.NOT_APPLICABLE)
    assert without_gold([an_instance()], [gate], ARMS) == ()


def test_what_is_not_gated_is_no_more_than_a_stratum() -> None:
    """Its own line names it and counts in it; the mean, in which it is counted at worst, has another count."""
    whole = an_instance().gold
    bare = replace(whole, visual_recognition=None)
    lacking = [an_instance(id=f"ct-{place}", stratum="ct", gold=bare if place < 3 else whole) for place in range(45)]
    instances = [*lacking, *(an_instance(id=f"mr-{place}", stratum="mr") for place in range(45))]
    counted = a_gate(Metric.VISUAL_HALLUCINATION_RATE, Arm.BASELINE, Decision.PASS)
    counted = counted.model_copy(update={"scope": "mean", "without_gold": 3})
    ct = counted.model_copy(update={"scope": "ct", "decision": Decision.NOT_APPLICABLE, "without_gold": 0})
    mr = counted.model_copy(update={"scope": "mr", "without_gold": 0})
    assert without_gold(instances, [counted, ct, mr], ARMS) == (
        "not gated, H^V[ct]: 3 of 45 instances have no gold for visual recognition",
        "counted at worst, H^V: 3 of 90 instances have no gold for visual recognition",
    )
    drop = counted.model_copy(
        update={"decision": Decision.NOT_APPLICABLE, "without_gold": 0, "threshold": {"max_drop": 0.1}}
    )
    drop = drop.model_copy(update={"reason": "no baseline run was given to compare with"})
    assert without_gold(instances, [drop], ARMS) == ()
    both = [gate.model_copy(update={"decision": Decision.NOT_APPLICABLE, "without_gold": 0}) for gate in (counted, ct)]
    assert without_gold(instances, both, ARMS) == (
        "not gated, H^V: 3 of 90 instances have no gold for visual recognition",
    )
