"""What is said where gold is lacking, and what to do next: gold, where nothing else decides."""

from collections.abc import Mapping
from typing import Final

import pytest
from planted_run import run_named

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate import Frame, Rules, decide
from clinhallu_gate.gate.metrics import gate_arrays
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.records import Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.report.advice import next_steps
from clinhallu_gate.report.figures import measured
from clinhallu_gate.report.gates import budget_view, judge_defined
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import (
    Arm,
    Decision,
    Metric,
    NotAskedReason,
    Outcome,
    Severity,
    Stage,
    Target,
    UnjudgedReason,
)

VISUAL: Final = Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION)
SIGNS: Final[Mapping[str, Verdict]] = {
    ".": Judged(Outcome.GROUNDED, ""),
    "x": Judged(Outcome.HALLUCINATED, ""),
    "u": Unjudged(UnjudgedReason.ENDPOINT_FAILED, ""),
    "g": NotAsked(NotAskedReason.NO_GOLD),
}


def decided(signs: str, labels: str = "", **fields: object) -> GateResult:
    """Decide a gate on the visual rate: a sign for each verdict, and for each label of people, ``-`` where none is."""
    instances = [an_instance(id=str(place), cluster=str(place), tags=("never",)) for place in range(len(signs))]
    frame = Frame.of(instances)
    verdicts = dict(zip(frame.uids, (SIGNS[sign] for sign in signs), strict=True))
    told = {"x": True, ".": False, "b": None}
    drawn = {uid: told[sign] for uid, sign in zip(frame.uids, labels, strict=False) if sign != "-"}
    spec = GateSpec.model_validate(
        {
            "id": "visual_hallucination_rate[mean]",
            "metric": Metric.VISUAL_HALLUCINATION_RATE,
            "scope": "mean",
            "arm": Arm.BASELINE,
            "severity": Severity.BLOCKING,
            "target": Target.POPULATION,
            "max_unjudged": 1.0,
            "max_without_gold": 1.0,
            **fields,
        }
    )
    reviews = {VISUAL: drawn} if drawn else None
    arrays = gate_arrays(spec, frame, lambda uid, _: verdicts[uid], reviews=reviews)
    return decide(spec, arrays, Rules(alpha=0.05, blocking_gates=1))


def advice(*gates: GateResult) -> list[str]:
    """Return the steps after a run with these gates."""
    assert {gate.decision for gate in gates} == {Decision.INCONCLUSIVE}
    run = run_named("pass")
    document = run.decision.model_copy(update={"gates": gates, "decision": Decision.INCONCLUSIVE, "exit_status": 10})
    return [step.text for step in next_steps(document, run.context)]


@pytest.mark.parametrize(
    ("signs", "fields"),
    [
        ("g" * 24, {"max": 0.3}),
        ("g" * 20 + "." * 4, {"max": 0.3}),
        ("g" * 20 + "x" * 4, {"max": 0.9}),
        ("g" * 2 + "." * 22, {"max_events": 0, "tag": "never"}),
    ],
)
def test_gold_is_asked_for_where_it_alone_decides(signs: str, fields: Mapping[str, object]) -> None:
    """No estimate is called near that is none, or far away: it is gold that is lacking."""
    (step,) = advice(decided(signs, **fields))
    assert step == (
        f"Get the gold of {signs.count('g')} instances: while it is lacking, no number of further instances would "
        f"likely decide the visual hallucination rate{' among never' if 'tag' in fields else ''}."
    )


def test_gold_is_asked_for_beside_what_else_decides() -> None:
    """Each gate gets the step that helps it."""
    first, second = advice(decided("g" * 24, max=0.3), decided("." * 20 + "x" * 2, max=0.2))
    assert first.startswith("Get the gold of 24 instances: ")
    assert second.startswith("Evaluate more instances (--data, or no --limit): ")


def test_more_instances_decide_where_little_gold_is_lacking() -> None:
    """Two of 24 at worst are 8.3 %, which is within 20 %."""
    gate = decided("gg" + "." * 22, max=0.2)
    assert gate.further is not None
    (step,) = advice(gate)
    assert step.startswith("Evaluate more instances")


def test_a_rate_at_its_threshold_is_said_to_be_near() -> None:
    """Gold of one instance would hardly decide it, and may tip it."""
    (step,) = advice(decided("g" + "x" * 6 + "." * 14, max=0.3))
    assert "so near its threshold that thousands may not decide." in step
    assert step.endswith(" The gold that lacks could tip it.")


@pytest.mark.parametrize("fields", [{"max_events": 0, "tag": "never"}, {"max": 0.05, "target": Target.BENCHMARK}])
def test_missing_verdicts_alone_leave_open_what_was_asked_whole(fields: Mapping[str, object]) -> None:
    """Where no gold is lacking, and no estimate is near its threshold either."""
    (step,) = advice(decided("uu" + "." * 22, **fields))
    assert step.startswith("Only missing verdicts leave the visual hallucination rate")
    assert step.endswith(" open: the same command asks for them again.")


def test_missing_verdicts_are_named_beside_gold() -> None:
    """Both keep the gate open."""
    (step,) = advice(decided("g" * 20 + "uu..", max=0.3))
    assert step.endswith(" Missing verdicts count as well: the same command asks for them again.")


@pytest.mark.parametrize(
    ("signs", "labels", "most", "begins"),
    [
        ("gg" + "." * 22, "bb" + "." * 22, 0.2, "All that can be labelled was drawn for labels already: get the gold"),
        ("gg" + "." * 22, "bb" + "." * 22, 0.05, "Get the gold of 2 instances: while it is lacking, no number of furt"),
        ("gg" + "." * 22, "b" + "-" * 3 + "." * 20, 0.2, "Label more of the run's texts"),
        ("." * 24, "bbbb" + "." * 20, 0.2, "All texts that there are were drawn for labels: fill in those that were"),
    ],
)
def test_a_larger_sheet_is_no_advice_where_all_is_labelled(signs: str, labels: str, most: float, begins: str) -> None:
    """Then gold is, if any is lacking; else what was left blank."""
    gate = decided(signs, labels, max=most)
    assert gate.estimate == 0.0  # of what is known, where nobody found anything
    (step,) = advice(gate)
    assert step.startswith(begins)


def test_a_reason_says_on_how_many_a_rate_was_measured() -> None:
    """It is no rate of all, and where all gold is there nothing is added."""
    assert "; 0.200 measured on 20 of 24, and at " in decided("gggg" + "x" * 4 + "." * 16, max=0.9).reason
    assert "; 0.200 measured, and at " in decided("x" * 4 + "." * 16, max=0.9).reason


@pytest.mark.parametrize(
    ("signs", "table", "reason"),
    [
        ("gg" + "." * 22, "0 of 22", "none of 22 tagged never; 2 without gold may each be one"),
        ("ggx" + "." * 21, "1 of 22", "1 of 22 instances tagged never; 2 without gold may each be one"),
        (
            "ggu" + "." * 21,
            "0 of 21",
            "none of 21 tagged never; 1 unjudged may each be one; 2 without gold may each be",
        ),
        ("g" * 24, None, "nothing known of 24 tagged never; 24 without gold may each be one"),
    ],
)
def test_events_are_counted_among_the_same_in_table_and_reason(signs: str, table: str | None, reason: str) -> None:
    """Among those that are known."""
    gate = decided(signs, max_events=0, tag="never")
    assert measured(gate) == table
    assert reason in gate.reason


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        ("." * 90, "No stage hallucinated."),
        ("g" * 5 + "." * 85, "No stage is known to have hallucinated: of 90 instances 5 have no gold."),
        ("ggu" + "." * 87, "No stage is known to have hallucinated: of 90 instances 3 have no gold or verdict."),
    ],
)
def test_nobody_can_say_that_no_stage_hallucinated_where_gold_is_lacking(signs: str, said: str) -> None:
    """The failure budget says of how many that is unknown."""
    visual = decided(signs, max=0.5)
    others = [
        decided("." * 90, max=0.5).model_copy(update={"metric": metric})
        for metric in (Metric.KNOWLEDGE_HALLUCINATION_RATE, Metric.REASONING_HALLUCINATION_RATE)
    ]
    document = run_named("pass").decision.model_copy(update={"gates": (visual, *others), "failure_budget": None})
    view = budget_view(document)
    assert view is not None
    assert view.sentence == said


def test_a_gate_without_labels_is_named_beside_those_that_have_them() -> None:
    """Of the others it would be false that no labels stand behind them."""
    labelled = decided("." * 24, "." * 24, max=0.5)
    alone = decided("." * 24, max=0.5).model_copy(update={"judge_defined": True, "id": "recovery-replace_vr[mean]"})
    run = run_named("pass")
    documents = [
        run.decision.model_copy(update={"gates": gates}) for gates in ((labelled, alone), (alone,), (labelled,))
    ]
    named, every, none = (judge_defined(document, run.context) for document in documents)
    by = f"what {run.context.judge} says with no labels by people behind it"
    assert named == f"Judge-defined, as {by}: recovery-replace_vr[mean]."
    assert every is not None
    assert every.startswith(f"Rates are judge-defined: they are what {run.context.judge} says, and no labels by ")
    assert none is None
    four = run.decision.model_copy(update={"gates": (labelled, *[alone] * 4)})
    assert (judge_defined(four, run.context) or "").endswith("recovery-replace_vr[mean] and 1 more.")
