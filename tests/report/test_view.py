"""The view-model: snapshots, and its figures against the gates and the plan."""

import re
from typing import Any

import pytest
from planted_run import (
    ALONE,
    BLOCKED,
    OPEN,
    PLANS,
    VISUAL,
    Plan,
    a_context,
    not_started,
    planted_run,
    run_named,
    with_text,
)
from syrupy.assertion import SnapshotAssertion

from clinhallu_gate.records import Image, NotAsked, Reading
from clinhallu_gate.redaction import redacted
from clinhallu_gate.report import report_view
from clinhallu_gate.report.figures import points
from clinhallu_gate.report.gates import gate_view
from clinhallu_gate.report.html import render_html
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import ANSWER, Arm, Decision, Detail, Metric, NotAskedReason


def normalised(content: Any) -> Any:  # noqa: ANN401 - JSON
    """Drop the encoded pixels: they depend on the image library's version."""
    if isinstance(content, dict):
        return {key: normalised(value) for key, value in content.items()}
    if isinstance(content, list):
        return [normalised(value) for value in content]
    return re.sub(r"(?<=base64,).+", "...", content) if isinstance(content, str) else content


@pytest.mark.parametrize("name", PLANS)
def test_the_view_is_as_it_was(name: str, snapshot: SnapshotAssertion) -> None:
    """All that a reader of such a run sees."""
    run = run_named(name)
    view = report_view(run.decision, run.results, run.context, limit=2)
    assert normalised(view.model_dump(mode="json")) == snapshot


def test_headlines(snapshot: SnapshotAssertion) -> None:
    """Each end of a run has its word and its sentence."""
    run = run_named("pass")
    none = run.decision.model_copy(update={"decision": None, "exit_status": 10})
    partly = a_context((), 96, not_selected=("answer_accuracy[mean]",))
    advised = run.decision.gates[-1].model_copy(update={"decision": Decision.FAIL})
    views = {
        **{name: run_named(name).view for name in PLANS},
        "dead": not_started().view,
        "partly": report_view(none, run.results, partly),
        "partly, failed": report_view(
            none.model_copy(update={"gates": run_named("fail").decision.gates}), run.results, partly
        ),
        "exploratory": report_view(none.model_copy(update={"exit_status": 0}), run.results, run.context),
        "advisory": report_view(
            run.decision.model_copy(update={"gates": (*run.decision.gates[:-1], advised)}), run.results, run.context
        ),
    }
    assert {name: f"{view.headline.word}: {view.headline.sentence}" for name, view in views.items()} == snapshot


@pytest.mark.parametrize("name", ["pass", "fail", "inconclusive"])
def test_recovery_is_what_its_gate_measured(name: str) -> None:
    """The table and the gates count alike."""
    run = run_named(name)
    table = {arm.arm: arm for arm in run.view.arms}
    for gate in run.decision.gates:
        if gate.metric is Metric.RECOVERY and gate.estimate is not None:
            assert table[gate.arm].recovery == points(gate.estimate)
            repaired, broken = table[gate.arm].repaired, table[gate.arm].broken
            assert repaired is not None
            assert broken is not None
            assert points((repaired - broken) / gate.n) == points(gate.estimate)


def test_every_planted_fault_is_listed_once_where_it_was_planted() -> None:
    """The list holds exactly the instances with something against them, and what it is."""
    cases = run_named("fail").view.cases
    assert cases.counts["visual_recognition"] == BLOCKED.bad[VISUAL]
    assert cases.counts["failed"] == BLOCKED.failed
    assert cases.not_listed == 0
    assert len({case.uid for case in cases.listed}) == cases.total
    worst = [len(case.marks) for case in cases.listed]
    assert worst == sorted(worst, reverse=True)
    for case in cases.listed:
        bad = {part.part for part in case.parts if part.tone == "bad"}
        assert bad == set(case.marks) - {"failed", "repair"}
        assert all(picture.url and picture.url.startswith("data:image/") for picture in case.pictures)


def test_at_most_so_many_instances_are_listed_and_the_rest_is_counted() -> None:
    """What is left out is said."""
    run = run_named("fail")
    cases = report_view(run.decision, run.results, run.context, limit=5).cases
    assert (len(cases.listed), cases.not_listed) == (5, cases.total - 5)


def test_what_was_not_asked_is_no_error() -> None:
    """An instance that was not selected, or has no gold trace, is not listed, and no rate is made of a part."""
    run = planted_run(Plan())
    for found in list(run.results.found.values())[:3]:
        found.verdicts[Reading(Arm.BASELINE, ANSWER)] = NotAsked(NotAskedReason.NOT_SELECTED)
        found.verdicts[VISUAL] = NotAsked(NotAskedReason.NO_GOLD)
    view = run.view
    assert view.cases.total == 0
    assert view.strata is not None
    assert [row.rates[0] for row in view.strata.rows][:2] == ["-", "0.0 % of 24"]
    assert Arm.BASELINE not in [arm.arm for arm in view.arms]


def test_an_image_that_cannot_be_read_is_said_to_be() -> None:
    """A missing file does not end the report, and does not pass silently."""
    run = planted_run(Plan(bad={ALONE: 1}, studies=1))
    broken = tuple(
        instance.model_copy(update={"images": (Image(sha256="0" * 64), Image.from_bytes(b"no image"))})
        for instance in run.results.instances
    )
    results = Results(broken)
    results.found = run.results.found
    (case,) = report_view(run.decision, results, run.context).cases.listed
    assert [picture.trouble for picture in case.pictures] == [
        "the image cannot be shown (FileNotFoundError)",
        "the image cannot be shown (UnidentifiedImageError)",
    ]


def test_patient_data_is_announced() -> None:
    """Whoever holds the page knows what it holds."""
    run = run_named("pass")
    results = Results([instance.model_copy(update={"phi": True}) for instance in run.results.instances])
    assert report_view(run.decision, results, run.context).patient_data
    assert not run.view.patient_data


def test_redacted_results_are_not_announced_as_patient_data() -> None:
    """The page holds none then; instances are listed with their verdicts and without a text."""
    run = run_named("fail")
    results = Results([instance.model_copy(update={"phi": True}) for instance in run.results.instances])
    results.found = run.results.found
    view = report_view(run.decision, redacted(results), run.context.model_copy(update={"detail": Detail.REDACTED}))
    assert not view.patient_data
    assert view.cases.total == run.view.cases.total
    assert all(not (case.question or case.pictures or case.baseline) for case in view.cases.listed)
    assert (view.gates, view.budget, view.strata) == (run.view.gates, run.view.budget, run.view.strata)


@pytest.mark.parametrize("name", ["fail", "not_completed"])
def test_a_summary_names_no_instance(name: str) -> None:
    """Gates, rates and tables are the same; where instances were listed, they are counted."""
    run = run_named(name)
    view = report_view(run.decision, redacted(run.results), run.context.model_copy(update={"detail": Detail.SUMMARY}))
    assert view.gates == run.view.gates
    assert [table.lines for table in view.tables] == [table.lines for table in run.view.tables]
    page = render_html(view).decode()
    assert not [uid for uid in run.results.by_uid if uid in page]


def test_more_instances_are_advised_only_where_they_could_help() -> None:
    """Near the threshold thousands may not do; beyond it they would show a failure."""
    run = run_named("inconclusive")
    (gate,) = [gate for gate in run.decision.gates[:4] if gate.decision is Decision.INCONCLUSIVE]

    def advice(estimate: float, further: int | None) -> str:
        gates = (gate.model_copy(update={"estimate": estimate, "further": further}),)
        changed = run.decision.model_copy(update={"gates": gates})
        return report_view(changed, run.results, run.context).next_steps[0].text

    assert "450 more likely decide it" in advice(0.3, 441)
    assert "thousands may not decide" in advice(0.3999, None)
    assert "rather show a failure" in advice(0.42, 12)


def test_a_failed_gate_leads_to_its_suite() -> None:
    """The command lists what stands behind the rate, with all other options as they were."""
    run = run_named("fail")
    context = run.context.model_copy(update={"command": "pytest 'suites/' -n 2 --model 'my model'"})
    (step,) = report_view(run.decision, run.results, context).next_steps
    assert step.command == "pytest suites/test_visual_recognition.py -n 2 --model 'my model' -rx"
    elsewhere = run.context.model_copy(update={"command": "make gate"})
    assert report_view(run.decision, run.results, elsewhere).next_steps[0].command == "make gate -rx"


def test_hidden_characters_are_shown_everywhere() -> None:
    """Neither controls nor bidirectional marks reach any text of the view."""
    text = with_text("\x1b[31mred\u202eleft\u2066\x00").view.model_dump_json()
    assert not re.search("[\u202e\u2066\x00\x1b]|\\\\u00(?:1b|00)(?![\\w\\[])", text.replace("\\\\u", "shown:"))
    assert "shown:001b" in text.replace("\\\\u", "shown:")


def test_limits_are_rounded_outwards() -> None:
    """A limit beside the threshold never looks as if it were on it."""
    run = run_named("pass")
    gate = run.decision.gates[0].model_copy(update={"interval": (0.29996, 0.30004)})
    assert gate_view(gate, run.context).interval == "29.9 % to 30.1 %"


def test_the_plan_is_what_the_gates_counted() -> None:
    """The builders of these tests plant what they say."""
    gates = run_named("inconclusive").decision.gates
    assert (gates[0].unjudged, gates[0].n) == (OPEN.unjudged[VISUAL], 96)
