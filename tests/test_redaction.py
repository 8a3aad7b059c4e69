"""Results without words: what is left of verdicts, traces and instances, and that figures follow from it as well."""

from clinhallu_gate.records import Failed, Image, Judged, NotAsked, Reading, Unjudged
from clinhallu_gate.redaction import redacted
from clinhallu_gate.results import CallCost, PaperMark, Results, Retest, TraceOf, TraceRecord
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import (
    ANSWER,
    Arm,
    FailReason,
    NotAskedReason,
    Outcome,
    QuestionType,
    Stage,
    UnjudgedReason,
)

WORDS = "Jane Doe"
VR, KR, RI = (Reading(Arm.BASELINE, stage) for stage in Stage)
LAST = Reading(Arm.BASELINE, ANSWER)


def _results() -> Results:
    """Return results with a text in every place that may hold one."""
    instance = an_instance(
        question=WORDS,
        question_type=QuestionType.MULTIPLE_CHOICE,
        options=(f"A. {WORDS}", "B. x"),
        answer=f"A. {WORDS}",
        answer_letter="A",
        images=(Image.from_bytes(WORDS.encode()),),
        facts={"who": WORDS},
        tags=("modality:ct",),
    )
    results = Results([instance])
    found = results.found[instance.uid]
    found.verdicts = {
        VR: Judged(Outcome.HALLUCINATED, WORDS),
        KR: Failed(FailReason.TRUNCATED, WORDS),
        RI: Unjudged(UnjudgedReason.ENDPOINT_FAILED, WORDS),
        LAST: NotAsked(NotAskedReason.EARLY_STOP, "not needed"),
    }
    found.baseline = {VR: Judged(Outcome.GROUNDED, WORDS)}
    found.texts = {VR: WORDS}
    found.costs = {TraceOf(Arm.BASELINE): CallCost(1.5, 2, 3, None)}
    found.traces = {
        Arm.BASELINE: TraceRecord(
            WORDS, {Stage.VISUAL_RECOGNITION: WORDS}, "stop", 1, 0, valid=True, why=WORDS, status=None
        )
    }
    found.paper = {VR: PaperMark(1, WORDS)}
    found.no_row = {KR}
    found.extra = {Arm.BASELINE: {"trace": {"who": WORDS}}}
    results.retest = Retest(3, 2, 1)
    return results


def test_no_word_is_left() -> None:
    """Neither in the instance nor in anything that was found of it."""
    results = redacted(_results())
    assert WORDS not in repr((results.instances, results.found))
    (instance,) = results.instances
    assert (instance.images, instance.facts, instance.gold.visual_recognition) == ((), None, None)


def test_outcomes_counts_and_costs_are_left() -> None:
    """All that figures are made of, and the names."""
    before, after = _results(), redacted(_results())
    (instance,) = after.instances
    assert (instance.uid, instance.cluster, instance.tags) == ("sample/1", "image-1", ("modality:ct",))
    one, other = before.found[instance.uid], after.found[instance.uid]
    assert other.verdicts == {
        VR: Judged(Outcome.HALLUCINATED, ""),
        KR: Failed(FailReason.TRUNCATED),
        RI: Unjudged(UnjudgedReason.ENDPOINT_FAILED),
        LAST: one.verdicts[LAST],
    }
    assert (other.costs, other.no_row, after.retest) == (one.costs, one.no_row, before.retest)
    assert (other.paper[VR].value, other.traces[Arm.BASELINE].valid) == (1, True)
    assert other.baseline == {VR: Judged(Outcome.GROUNDED, "")}


def test_what_was_found_stays_as_it_is() -> None:
    """The results themselves are kept with all their texts."""
    results = _results()
    redacted(results)
    assert results.text("sample/1", Arm.BASELINE, Stage.VISUAL_RECOGNITION) == WORDS
    assert results.instances[0].question == WORDS


def test_a_patients_instance_shows_its_name_alone() -> None:
    """Pytest prints what a failed test was given."""
    assert repr(an_instance(phi=True, question=WORDS)) == "Instance(uid='sample/1', phi=True)"
    assert WORDS in repr(an_instance(question=WORDS))
