"""A random sample for people to label: drawn by nobody's choice, and read back only as what it was drawn as."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from clinhallu_gate.judge.labels import LabelFile, SheetRow
from clinhallu_gate.judge.match import is_matched, match_answer
from clinhallu_gate.judge.review import (
    READINGS,
    NoSample,
    NotReviewable,
    ReviewSample,
    draw,
    review_samples,
    review_seed,
    reviewed,
    sought,
    token,
)
from clinhallu_gate.records import Failed, Instance, Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.results import BASELINE_ANSWER, RATE_READING, Results
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import FailReason, NotAskedReason, Outcome, QuestionType, Stage, UnjudgedReason

SEED = review_seed(["a" * 64], "m" * 64)
VISUAL, KNOWLEDGE = RATE_READING[Stage.VISUAL_RECOGNITION], RATE_READING[Stage.KNOWLEDGE_RECALL]
BAD, GOOD = Judged(Outcome.HALLUCINATED, "no such opacity"), Judged(Outcome.GROUNDED, "as the reference says")


def _instances(**sizes: int) -> list[Instance]:
    return [
        an_instance(id=f"{name}-{number}", stratum=name, cluster=f"{name}-{number // 2}")
        for name, size in sizes.items()
        for number in range(size)
    ]


def _results(n: int = 12, readings: Sequence[Reading] = (VISUAL, KNOWLEDGE)) -> Results:
    results = Results(_instances(sample=n))
    for number, found in enumerate(results.found.values()):
        for reading in readings:
            found.verdicts[reading] = GOOD if number % 3 else BAD
            found.texts[reading] = f"text {number} of {reading}"
    return results


def _set(results: Results, uid: str, reading: Reading, verdict: Verdict) -> None:
    results.found[uid].verdicts[reading] = verdict
    if not isinstance(verdict, Judged):
        results.found[uid].texts.pop(reading, None)


def _filled(results: Results, n: int, label: Mapping[str, Outcome] | None = None, seed: str = SEED) -> LabelFile:
    """Return the sheet as a reviewer leaves it: grounded, unless ``label`` says another thing of an instance."""
    uids = draw(results.instances, seed, n)
    parts = [part for reading in sought(results) for part in reviewed(results, uids, reading)]
    rows = [
        SheetRow(
            uid=part.uid,
            reading=part.reading,
            label=(label or {}).get(part.uid, Outcome.GROUNDED),
            text_sha256=part.text_sha256,
        )
        for part in parts
        if part.text is not None
    ]
    return LabelFile(labels=(), sample=token(seed, n, parts), rows=tuple(rows))


def _sample(review: ReviewSample | NoSample) -> ReviewSample:
    assert isinstance(review, ReviewSample), review.reason
    return review


def _reason(review: ReviewSample | NoSample) -> str:
    assert isinstance(review, NoSample)
    return review.reason


# --- which instances --------------------------------------------------------------------------------------------------


def test_strata_get_equal_shares_as_far_as_they_go() -> None:
    """What a small stratum lacks goes to the others."""
    instances = _instances(small=3, middle=20, large=50)
    strata = {instance.uid: instance.stratum for instance in instances}
    chosen = draw(instances, SEED, 23)
    assert Counter(strata[uid] for uid in chosen) == {"small": 3, "middle": 10, "large": 10}
    assert len(set(chosen)) == 23
    assert set(draw(instances, SEED, 73)) == set(strata)


@pytest.mark.parametrize("n", [1, 5, 17, 40])
def test_a_larger_sample_extends_a_smaller_one(n: int) -> None:
    """So that labels are never in vain."""
    instances = _instances(small=3, middle=20, large=50)
    assert set(draw(instances, SEED, n)) < set(draw(instances, SEED, n + 7))


def test_nobody_chooses_the_sample() -> None:
    """It follows from data and model; neither the order of the instances nor that of the data sets matters."""
    instances = _instances(one=30, two=30)
    assert draw(instances, SEED, 20) == draw(instances[::-1], SEED, 20)
    assert review_seed(["a", "b"], "m") == review_seed(["b", "a"], "m")
    assert len({review_seed(["a"], "m"), review_seed(["b"], "m"), review_seed(["a"], "n")}) == 3
    assert draw(instances, SEED, 20) != draw(instances, review_seed(["other"], "m"), 20)


def test_every_instance_of_a_stratum_is_as_likely() -> None:
    """Over 2,000 seeds each of 10 instances is in samples of 3 about .3 of the time (4 standard errors)."""
    instances = _instances(sample=10)
    count = Counter(uid for seed in range(2000) for uid in draw(instances, str(seed), 3))
    assert all(abs(share / 2000 - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5 for share in count.values())


# --- what there is to label -------------------------------------------------------------------------------------------


def test_what_the_model_did_not_deliver_needs_no_label() -> None:
    """It is bad, whoever judges."""
    results = _results()
    uid = results.instances[0].uid
    _set(results, uid, VISUAL, Failed(FailReason.STAGE_MISSING))
    (part,) = reviewed(results, [uid], VISUAL)
    assert (part.text, part.bad) == (None, True)


@pytest.mark.parametrize(("said", "bad"), [("No.", True), ("yes", False)])
def test_an_answer_that_was_matched_needs_no_label(said: str, *, bad: bool) -> None:
    """No judge was asked, so there is none to doubt."""
    results = _results(readings=[])
    verdict = match_answer(results.instances[0], said)
    assert verdict is not None
    assert is_matched(verdict)
    found = results.found[results.instances[0].uid]
    found.verdicts[BASELINE_ANSWER], found.texts[BASELINE_ANSWER] = verdict, said
    (part,) = reviewed(results, [results.instances[0].uid], BASELINE_ANSWER)
    assert (part.text, part.bad) == (None, bad)


def test_matched_verdicts_are_known_by_their_reasons() -> None:
    """Of every kind that ``match_answer`` gives, and of no judge's."""
    choice = an_instance(
        question_type=QuestionType.MULTIPLE_CHOICE, options=("A. one", "B. two"), answer="B. two", answer_letter="B"
    )
    free = an_instance(question_type=QuestionType.OPEN_ENDED, answer="the left lung")
    for instance, said in ((choice, "B"), (choice, "A. one"), (free, "The left lung."), (an_instance(), "no")):
        verdict = match_answer(instance, said)
        assert verdict is not None
        assert is_matched(verdict)
    assert not is_matched(Judged(Outcome.CORRECT, "the answer means the same"))
    assert not is_matched(Failed(FailReason.NO_ANSWER))


def test_without_gold_an_instance_is_left_out_of_a_reading() -> None:
    """Nobody could say what is right."""
    results = _results()
    _set(results, "sample/sample-0", KNOWLEDGE, NotAsked(NotAskedReason.NO_GOLD))
    assert reviewed(results, ["sample/sample-0"], KNOWLEDGE) == ()


def test_what_was_not_asked_cannot_be_reviewed() -> None:
    """Nor a verdict whose text was not kept."""
    results = _results()
    results.found["sample/sample-0"].verdicts.pop(VISUAL)
    results.found["sample/sample-1"].texts.pop(VISUAL)
    for uid, says in (("sample/sample-0", "was not asked"), ("sample/sample-1", "the text of")):
        with pytest.raises(NotReviewable, match=says):
            reviewed(results, [uid], VISUAL)


def test_readings_that_were_never_sought_are_no_part_of_it() -> None:
    """A run of some gates has a sheet for these."""
    assert sought(_results()) == (VISUAL, KNOWLEDGE)
    assert sought(_results(readings=READINGS)) == READINGS


# --- what the labels say ----------------------------------------------------------------------------------------------


def test_a_filled_sheet_is_a_sample() -> None:
    """With every sampled instance: labelled, known without, blank, or lost by the instrument."""
    results = _results()
    uids = draw(results.instances, SEED, 8)
    _set(results, uids[0], VISUAL, Failed(FailReason.TRUNCATED))
    _set(results, uids[1], VISUAL, Unjudged(UnjudgedReason.ENDPOINT_FAILED))
    results.found[uids[2]].verdicts[VISUAL] = Unjudged(UnjudgedReason.JUDGE_FAILED)
    labels = _filled(results, 8, {uids[2]: Outcome.HALLUCINATED})
    blank = [row.model_copy(update={"label": None}) if row.uid == uids[3] else row for row in labels.rows]
    found = review_samples(labels.model_copy(update={"rows": tuple(blank)}), results, SEED)
    visual = _sample(found[VISUAL])
    assert visual.bad == dict(zip(uids, [True, None, True, None, False, False, False, False], strict=True))
    assert (visual.labels, visual.known, visual.blank) == (5, 1, 2)
    assert _sample(found[KNOWLEDGE]).labels == 7


def test_a_sampled_instance_without_gold_is_named_apart() -> None:
    """It is in the sample, as gates that may lack gold count it, and on no sheet."""
    results = _results()
    uids = draw(results.instances, SEED, 8)
    _set(results, uids[4], KNOWLEDGE, NotAsked(NotAskedReason.NO_GOLD))
    found = review_samples(_filled(results, 8, {}), results, SEED)
    knowledge = _sample(found[KNOWLEDGE])
    assert knowledge.without_gold == (uids[4],)
    assert set(knowledge.bad) == set(uids) - {uids[4]}
    assert (knowledge.labels, knowledge.blank) == (7, 0)
    assert _sample(found[VISUAL]).without_gold == ()


def test_a_list_of_ones_own_is_no_sample() -> None:
    """Nothing says how its rows were chosen."""
    found = review_samples(LabelFile(labels=()), _results(), SEED)
    assert {"no column sample" in _reason(review) for review in found.values()} == {True}


def test_labels_of_other_texts_are_no_sample_of_this_run() -> None:
    """In the reading in which a text differs; the other one has its sample still."""
    results = _results()
    labels = _filled(results, 8)
    results.found[labels.rows[0].uid].texts[VISUAL] = "another text"
    found = review_samples(labels, results, SEED)
    assert _reason(found[VISUAL]).startswith("1 rows on baseline:visual_recognition were given to other texts")
    assert _sample(found[KNOWLEDGE]).labels == 8


def test_rows_that_are_missing_or_added_make_no_sample() -> None:
    """Whoever leaves rows out has chosen."""
    results = _results()
    labels = _filled(results, 8)
    fewer = review_samples(labels.model_copy(update={"rows": labels.rows[1:]}), results, SEED)
    assert "are missing from the sheet" in _reason(fewer[VISUAL])
    more = (*labels.rows, next(row for row in _filled(results, 12).rows if row not in labels.rows))
    added = review_samples(labels.model_copy(update={"rows": more}), results, SEED)
    assert "are in the sheet and not in the sample" in _reason(added[VISUAL])


def test_a_part_that_came_after_the_sheet_shows() -> None:
    """A trace that had failed and now is there has a row that the sheet lacks; the other way round, one too many."""
    results = _results()
    uid = draw(results.instances, SEED, 8)[0]
    whole = _filled(results, 8)
    _set(results, uid, VISUAL, Failed(FailReason.TRUNCATED))
    assert "not in the sample" in _reason(review_samples(whole, results, SEED)[VISUAL])
    _set(results, uid, VISUAL, Unjudged(UnjudgedReason.ENDPOINT_FAILED))
    lost = _filled(results, 8)
    _set(results, uid, VISUAL, Failed(FailReason.TRUNCATED))
    assert "is of other results" in _reason(review_samples(lost, results, SEED)[VISUAL])


@pytest.mark.parametrize("sample", ["", "8", "x-1", "0-1", "99-1", "²-1", "-8-1", "9" * 5000 + "-1"])
def test_a_sample_that_is_none(sample: str) -> None:
    """A column that was changed says so, and nothing else happens."""
    results = _results()
    labels = _filled(results, 8).model_copy(update={"sample": sample})
    assert all(isinstance(review, NoSample) for review in review_samples(labels, results, SEED).values())


def test_the_sheet_of_another_model_is_none() -> None:
    """Other instances would have been drawn."""
    results = _results()
    found = review_samples(_filled(results, 8, seed=review_seed(["a" * 64], "other")), results, SEED)
    assert all(isinstance(review, NoSample) for review in found.values())


def test_what_was_not_asked_since_is_no_sample() -> None:
    """The labels of an early-stopped run's missing parts are."""
    results = _results()
    labels = _filled(results, 8)
    results.found[labels.rows[0].uid].verdicts.pop(VISUAL)
    found = review_samples(labels, results, SEED)
    assert "was not asked, so there is no random sample" in _reason(found[VISUAL])
    assert isinstance(found[KNOWLEDGE], ReviewSample)
