"""The view-model: snapshots, and its figures against the gates and the plan."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planted_run import (
    ALONE,
    BLOCKED,
    OPEN,
    PLANS,
    VISUAL,
    Plan,
    PlantedRun,
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
from clinhallu_gate.report.cases import case_views
from clinhallu_gate.report.gates import gate_view
from clinhallu_gate.report.html import render_html
from clinhallu_gate.report.model import CaseRow
from clinhallu_gate.report.pictures import Pictures
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import ANSWER, Arm, Decision, Detail, NotAskedReason, Unit


def normalised(content: Any) -> Any:  # noqa: ANN401 - JSON
    """Drop the last digits: they depend on the libraries' versions."""
    if isinstance(content, dict):
        return {key: normalised(value) for key, value in content.items()}
    if isinstance(content, list):
        return [normalised(value) for value in content]
    return round(content, 6) if isinstance(content, float) else content


def listed(run: PlantedRun) -> tuple[CaseRow, ...]:
    """Return the lines of the list of instances."""
    assert run.view.cases is not None
    return run.view.cases.rows


@pytest.mark.parametrize("name", PLANS)
def test_the_view_is_as_it_was(name: str, snapshot: SnapshotAssertion) -> None:
    """All that a reader of such a run sees."""
    view = run_named(name).view.model_dump(mode="json")
    if view["cases"]:
        view["cases"]["rows"] = view["cases"]["rows"][:2]
    if view["breakdown"]:  # one grouping shows how all of them look
        view["breakdown"]["groupings"] = view["breakdown"]["groupings"][:1]
    assert normalised(view) == snapshot


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
def test_the_budget_draws_each_rate_against_its_threshold(name: str) -> None:
    """As its gate has it."""
    run = run_named(name)
    assert run.view.budget
    for stage, gate in zip(run.view.budget.stages, run.view.gates, strict=False):
        assert stage.plotted == gate.plotted
        assert stage.plotted
        assert (stage.rate, stage.interval, stage.threshold) == (gate.estimate, gate.interval, gate.threshold)


def test_the_header_names_the_release_in_use_or_that_there_is_none() -> None:
    """The folder of its run."""
    run = run_named("pass")
    held = run.decision.model_copy(update={"baseline": "reports/in-use/20260101-000000"})
    told = report_view(held, run.results, run.context).against
    assert told == "against the release in use, reports/in-use/20260101-000000"
    assert run.view.against == "no release to compare with"


def test_what_was_not_sought_and_why_it_is_missing_stand_in_words() -> None:
    """For a reader who has not read the code."""
    run = planted_run(OPEN)
    for found in list(run.results.found.values())[:3]:
        found.verdicts[Reading(Arm.BASELINE, ANSWER)] = NotAsked(NotAskedReason.EARLY_STOP)
    told = run.view.completeness
    assert told.not_asked == ("3 verdicts not sought: the gates were decided before their turn",)
    assert [lack.why for lack in told.lacks] == ["the server did not answer"]
    assert "1 unjudged, as the judge or a server gave nothing that can be used" in told.sentence
    assert "none unjudged" in run_named("pass").view.completeness.sentence


def test_every_instance_is_listed_with_what_was_planted_in_it() -> None:
    """A line has a letter for each verdict, and what is opened says the same."""
    run = run_named("fail")
    rows, views = listed(run), tuple(case_views(run.results))
    assert [row.uid for row in rows] == [view.uid for view in views] == [each.uid for each in run.results.instances]
    assert sum(row.verdicts[0] in "hf" for row in rows) == BLOCKED.bad[VISUAL]
    assert sum("f" in row.verdicts for row in rows) == BLOCKED.failed
    for row, view in zip(rows, views, strict=True):
        words = {"g": "grounded", "h": "hallucinated", "c": "correct", "i": "incorrect", "f": "not delivered"}
        assert [part.word for part in view.parts] == [words[letter] for letter in row.verdicts[:4]]
        assert [arm.word for arm in view.arms] == [words[letter] for letter in row.verdicts[3:]]
        assert not row.before
        assert all(part.before is None for part in view.parts)


def test_the_release_in_use_stands_beside() -> None:
    """Its verdict and its words, of each stage and the answer."""
    run, before = planted_run(BLOCKED), planted_run(PLANS["pass"])
    for uid, found in run.results.found.items():
        found.baseline = dict(before.results.found[uid].verdicts)
        found.baseline_texts = {VISUAL: f"{uid} as it was"}
    assert all(set(row.before) <= set("ghci") for row in listed(run))
    assert sum(row.before[0] == "h" for row in listed(run)) == PLANS["pass"].bad[VISUAL]
    for view in case_views(run.results):
        visual, *others = (part.before for part in view.parts)
        assert visual is not None
        assert visual.text == f"{view.uid} as it was"
        assert all(other is not None and other.text is None for other in others)


def test_instances_of_which_nothing_was_asked_are_counted_alone() -> None:
    """After an early stop, or of a selection."""
    run = planted_run(Plan())
    for found in list(run.results.found.values())[10:]:
        found.verdicts = dict.fromkeys(found.verdicts, NotAsked(NotAskedReason.EARLY_STOP))
    cases = run.view.cases
    assert cases is not None
    assert (len(cases.rows), cases.of) == (10, len(run.results.instances))
    assert len(tuple(case_views(run.results))) == 10


def test_names_that_look_alike_are_told_apart() -> None:
    """What is cut off or hidden may be all in which two ids differ; each can be opened."""
    run = planted_run(Plan(studies=1))
    same = [replace(each, id="x" * 400 + str(n)) for n, each in enumerate(run.results.instances)]
    results = Results(same)
    for old, new in zip(run.results.instances, same, strict=True):
        results.found[new.uid] = run.results.found[old.uid]
    names = [view.uid for view in case_views(results)]
    assert len(set(names)) == len(names)
    assert names == [row.uid for row in listed(PlantedRun(run.decision, results, run.context))]


def test_what_was_not_asked_is_no_error() -> None:
    """An instance that was not selected, or has no gold trace, is listed as such, and no rate is made of a part."""
    run = planted_run(Plan())
    for found in list(run.results.found.values())[:3]:
        found.verdicts[Reading(Arm.BASELINE, ANSWER)] = NotAsked(NotAskedReason.NOT_SELECTED)
        found.verdicts[VISUAL] = NotAsked(NotAskedReason.NO_GOLD)
    view = run.view
    assert [row.verdicts[0] + row.verdicts[3] for row in listed(run)][:4] == ["nn", "nn", "nn", "gc"]
    assert view.breakdown
    camera = [row.cells[0].text for row in view.breakdown.groupings[0].rows]
    assert camera[:2] == ["not measured", "uncertain: 24 instances"]
    assert view.recovery
    assert Arm.BASELINE not in [arm.arm for arm in view.recovery.arms]


def test_an_image_that_cannot_be_read_is_said_to_be(tmp_path: Path) -> None:
    """A missing file does not end the report, and does not pass silently."""
    run = planted_run(Plan(bad={ALONE: 1}, studies=1))
    broken = tuple(
        replace(instance, images=(Image(sha256="0" * 64), Image.from_bytes(b"no image")))
        for instance in run.results.instances
    )
    results = Results(broken)
    results.found = run.results.found
    pictures = Pictures(tmp_path)
    assert {tuple(picture.trouble for picture in case.pictures) for case in case_views(results, pictures)} == {
        (
            "the image cannot be shown (FileNotFoundError)",
            "the image cannot be shown (UnidentifiedImageError)",
        )
    }
    pictures.close()
    assert not list(tmp_path.iterdir())


def test_patient_data_is_announced() -> None:
    """Whoever holds the page knows what it holds."""
    run = run_named("pass")
    results = Results([replace(instance, phi=True) for instance in run.results.instances])
    assert report_view(run.decision, results, run.context).patient_data
    assert not run.view.patient_data


def test_redacted_results_are_not_announced_as_patient_data() -> None:
    """The page holds none then; instances are listed with their verdicts and without a text."""
    run = run_named("fail")
    results = Results([replace(instance, phi=True) for instance in run.results.instances])
    results.found = run.results.found
    view = report_view(run.decision, redacted(results), run.context.model_copy(update={"detail": Detail.REDACTED}))
    assert not view.patient_data
    assert view.cases is not None
    assert [row.verdicts for row in view.cases.rows] == [row.verdicts for row in listed(run)]
    assert not any(row.question or row.answer or row.picture for row in view.cases.rows)
    for case in case_views(redacted(results)):
        assert (case.question, case.options, case.pictures) == ("", (), ())
        assert not any(part.gold or part.candidate for part in case.parts)
        assert not any(arm.texts for arm in case.arms)
    assert (view.gates, view.budget) == (run.view.gates, run.view.budget)
    told = [
        [cell.span for grouping in shown.breakdown.groupings for row in grouping.rows for cell in row.cells]
        for shown in (view, run.view)
        if shown.breakdown is not None
    ]
    assert len(told) == 2
    assert told[0] == told[1]


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


def test_patients_are_advised_where_patients_count() -> None:
    """Their number stands with each gate; one in instances would be read as one of patients."""
    run = run_named("inconclusive")
    (gate,) = [gate for gate in run.decision.gates[:4] if gate.decision is Decision.INCONCLUSIVE]
    told = gate.model_copy(update={"estimate": 0.3, "further": 441, "unit": Unit.PATIENT})
    changed = run.decision.model_copy(update={"gates": (told,)})
    text = report_view(changed, run.results, run.context).next_steps[0].text
    assert text.startswith("Evaluate more patients (--data, or no --limit): each gate says")
    assert "450" not in text


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


def test_a_run_that_was_not_completed_is_gone_on_with_where_its_replies_lie() -> None:
    """A run whose replies lie beside its folder finds them in that folder alone."""
    run = not_started()
    resumed = run.context.model_copy(update={"resumed": "pytest suites/ --model m --run-dir reports/m/1"})
    (step,) = report_view(run.decision, run.results, resumed).next_steps
    assert step.text.startswith("Run it again in its own folder: every finished call is kept")
    assert step.command == "pytest suites/ --model m --run-dir reports/m/1"


@pytest.mark.parametrize("recorded", [True, False])
def test_after_a_patient_was_found_the_same_is_not_run_again(*, recorded: bool) -> None:
    """It would find the same: what is named has to be mended first."""
    run = not_started()
    found = run.context.model_copy(update={"found": True, "recorded": recorded})
    (step,) = report_view(run.decision, run.results, found).next_steps
    assert step.text.startswith("The same run would find the same. See what is named")
    assert "Run the same command again" not in step.text
    assert step.command == run.context.command
