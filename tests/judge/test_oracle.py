"""The oracle: gold is grounded, every planted error is found where it was planted, and nothing is guessed."""

import random
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinhallu_gate.datasets.phantom.atlas import Attribute, Rule
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.datasets.phantom.plant import ERROR_PART, Error, planted_text
from clinhallu_gate.datasets.phantom.questions import Domain, Needs, Question
from clinhallu_gate.datasets.phantom.study import Finding, Study
from clinhallu_gate.errors import BadInput
from clinhallu_gate.judge.oracle import Phantom, judge_answer, judge_stage, phantom_of
from clinhallu_gate.records import Instance, Judged, Unjudged, Verdict
from clinhallu_gate.vocabulary import ANSWER, Outcome, Part, QuestionType, Stage


@lru_cache(maxsize=64)
def _instances(seed: str) -> tuple[Instance, ...]:
    return phantom_instances(seed=seed, studies=2)


def _judge(phantom: Phantom, part: Part, text: str) -> Verdict:
    return judge_answer(phantom.question, text) if part == ANSWER else judge_stage(phantom, Stage(part), text)


def _gold(instance: Instance, part: Part) -> str:
    text = instance.answer if part == ANSWER else instance.gold.text(Stage(part))
    assert text is not None
    return text


@given(seed=st.integers(0, 10**9))
@settings(max_examples=25, deadline=None)
def test_gold_traces_give_no_hallucination(seed: int) -> None:
    """Every stage and answer of every gold trace is grounded and correct."""
    for instance in _instances(f"gold-{seed}"):
        for part in (*Stage, ANSWER):
            verdict = _judge(phantom_of(instance), part, _gold(instance, part))
            assert isinstance(verdict, Judged), (verdict, instance.question)
            assert not verdict.bad, (verdict, instance.question)


@given(seed=st.integers(0, 10**9), error=st.sampled_from(Error))
@settings(max_examples=60, deadline=None)
def test_every_planted_error_is_found_in_its_stage_and_in_no_other(seed: int, error: Error) -> None:
    """For every instance to which the error applies: its part is bad, the other parts of the trace are not."""
    for instance in _instances(f"plant-{seed % 40}"):
        phantom = phantom_of(instance)
        text = planted_text(error, phantom.study, phantom.question, random.Random(seed))
        if text is None:
            assert not phantom.study.findings, "only a study without findings has nothing to get wrong"
            continue
        for part in (*Stage, ANSWER):
            planted = part == ERROR_PART[error]
            verdict = _judge(phantom, part, text if planted else _gold(instance, part))
            assert isinstance(verdict, Judged), (verdict, text)
            assert verdict.bad == planted, (verdict, text, instance.facts)


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        (Stage.VISUAL_RECOGNITION, "Lorem ipsum dolor sit amet."),
        (Stage.KNOWLEDGE_RECALL, "It calls for something."),
        (Stage.REASONING_INTEGRATION, "Therefore it is what it is."),
    ],
)
def test_what_cannot_be_read_is_unjudged(stage: Stage, text: str) -> None:
    """The oracle does not guess."""
    phantom = phantom_of(_instances("unread")[0])
    assert isinstance(judge_stage(phantom, stage, text), Unjudged)


def test_a_false_claim_decides_even_beside_an_unreadable_sentence() -> None:
    """Nothing that stands beside a false claim can make it true."""
    phantom = phantom_of(_instances("beside")[0])
    other = next(k.name for k in phantom.study.atlas.kinds if phantom.study.finding(k.name) is None)
    verdict = judge_stage(phantom, Stage.VISUAL_RECOGNITION, f"Xyzzy plugh. There is a {other} on the left.")
    assert isinstance(verdict, Judged)
    assert verdict.outcome is Outcome.HALLUCINATED


def test_a_letter_and_a_text_that_disagree_are_incorrect() -> None:
    """An answer that names the right letter beside another option's text cannot be relied on."""
    instance = next(item for item in _instances("letter") if item.options)
    question = phantom_of(instance).question
    wrong = next(option for option in question.options if option[0] != question.letter)
    verdict = judge_answer(question, f"{question.letter}. {wrong[3:]}")
    assert isinstance(verdict, Judged)
    assert verdict.outcome is Outcome.INCORRECT
    assert judge_answer(question, f"{question.letter}") == judge_answer(question, f"({question.letter})")


PNEUMOTHORAX = Study("radiograph", 1, (Finding("pneumothorax", "left", "upper", "small"),))
NORMAL = Study("radiograph", 1, ())
SIDE = Question(
    "side", "Where is it?", QuestionType.OPEN_ENDED, Needs.IMAGE, Domain.SIDE, "left",
    Rule("pneumothorax", Attribute.APPEARANCE), "pneumothorax",
)  # fmt: skip
CHOICE = replace(SIDE, type=QuestionType.MULTIPLE_CHOICE, options=("A. right", "B. left"))


def _says(verdict: Verdict) -> str:
    return str(verdict.outcome) if isinstance(verdict, Judged) else verdict.kind


@pytest.mark.parametrize(
    ("study", "text", "says"),
    [
        (PNEUMOTHORAX, "The chest radiograph shows a small pneumothorax on the left.", "grounded"),
        (PNEUMOTHORAX, "The head CT shows a small pneumothorax on the left.", "hallucinated"),
        (PNEUMOTHORAX, "The study is not normal.", "grounded"),
        (PNEUMOTHORAX, "An abnormality is seen.", "grounded"),
        (NORMAL, "An abnormality is seen.", "hallucinated"),
        (NORMAL, "No abnormality is seen.", "grounded"),
        (PNEUMOTHORAX, "There is a pneumothorax on the left but no nodule.", "unjudged"),
        (PNEUMOTHORAX, "There is no pneumothorax in the middle zone.", "unjudged"),
        (PNEUMOTHORAX, "There is no large pneumothorax.", "unjudged"),
        (PNEUMOTHORAX, "There is no pneumothorax on the right.", "grounded"),
        (PNEUMOTHORAX, "There is no pneumothorax on the left.", "hallucinated"),
    ],
)
def test_claims_about_the_image(study: Study, text: str, says: str) -> None:
    """Every claim of a sentence counts; what a negation may mean is not guessed."""
    assert _says(judge_stage(Phantom(study, SIDE), Stage.VISUAL_RECOGNITION, text)) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A nodule consists of soft tissue.", "grounded"),
        ("A nodule does not consist of soft tissue.", "unjudged"),
        ("A nodule does not consist of air.", "unjudged"),
        ("A small or large nodule calls for biopsy.", "unjudged"),
        ("A nodule is not an emergency.", "grounded"),
    ],
)
def test_claims_about_rules(text: str, says: str) -> None:
    """The negation of a rule is not guessed, but for urgency, where it is the rule."""
    assert _says(judge_stage(Phantom(PNEUMOTHORAX, SIDE), Stage.KNOWLEDGE_RECALL, text)) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("The pneumothorax is on the left, therefore the answer is left.", "grounded"),
        ("The pneumothorax is on the right, therefore the answer is left.", "hallucinated"),
        ("The pneumothorax is on the left, therefore the answer is right.", "hallucinated"),
    ],
)
def test_a_premise_counts_beside_its_conclusion(text: str, says: str) -> None:
    """Both halves of a sentence are held against the facts."""
    assert _says(judge_stage(Phantom(PNEUMOTHORAX, SIDE), Stage.REASONING_INTEGRATION, text)) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *(
            (text, "correct")
            for text in ("B", "b", "(B)", "(B).", "B.", "Option B", "The answer is B.", "B) left", "left")
        ),
        *((text, "incorrect") for text in ("A", "option a", "A. left", "B. right", "right", "A nodule")),
        ("perhaps", "unjudged"),
    ],
)
def test_answers_to_a_choice_as_models_write_them(text: str, says: str) -> None:
    """By letter, by text or by both; an article is no letter."""
    assert _says(judge_answer(CHOICE, text)) == says


def test_a_letter_without_options_is_incorrect() -> None:
    """It names no value, and there is nothing that it could point at."""
    assert _says(judge_answer(SIDE, "A.")) == "incorrect"


def test_data_without_facts_is_refused() -> None:
    """The oracle says which instance it cannot judge."""
    instance = replace(_instances("facts")[0], facts=None)
    with pytest.raises(BadInput, match="carries none"):
        phantom_of(instance)
    with pytest.raises(BadInput, match="not a phantom's"):
        phantom_of(replace(instance, facts={"study": {}}))
