"""A judge model: what it is asked, what counts as its verdict, and that nothing else does."""

import asyncio
from dataclasses import replace

import pytest

from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.judge.llm import LlmJudge
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.records import ANSWER, Call, CallFailure, Completion, Instance, Judged, Reply, Unjudged, Verdict
from clinhallu_gate.vocabulary import Outcome, QuestionType, Stage, UnjudgedReason

INSTANCES = phantom_instances(studies=4)
OPEN = next(item for item in INSTANCES if item.question_type is QuestionType.OPEN_ENDED)
CHOICE = next(item for item in INSTANCES if item.question_type is QuestionType.MULTIPLE_CHOICE)


class Asked:
    """An engine that gives one reply and remembers the calls."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.calls: list[Call] = []

    async def ask(self, call: Call) -> Reply:
        """Remember the call."""
        self.calls.append(call)
        return self.reply


def said(text: str, finish_reason: str = "stop") -> Completion:
    """Return a finished reply."""
    return Completion(text, finish_reason, 1, 1, None, 0.1)


def judged(engine: Asked, instance: Instance = OPEN, part: str = Stage.KNOWLEDGE_RECALL) -> Verdict:
    """Return the verdict on a text."""
    judge = LlmJudge(load_protocol("standard"), engine, "identity", {"enable_thinking": False})
    if part == ANSWER:
        return asyncio.run(judge.answer(instance, "some text"))
    return asyncio.run(judge.stage(instance, Stage(part), "some text"))


@pytest.mark.parametrize(
    "text",
    ['{"reason": "it  is\\nso", "hallucinated": true}', '```json\n{"reason": "it is so", "hallucinated": true}\n```'],
)
def test_a_reply_is_read_with_its_reason(text: str) -> None:
    """The reason is kept, on one line; a fence around the JSON is no part of it."""
    assert judged(Asked(said(text))) == Judged(Outcome.HALLUCINATED, "it is so")


def test_thoughts_before_the_reply_are_not_read() -> None:
    """A thinking judge is read by what it says in the end."""
    text = '<think>{"reason": "x", "hallucinated": true}</think>\n{"reason": "fine", "hallucinated": false}'
    assert judged(Asked(said(text))) == Judged(Outcome.GROUNDED, "fine")


@pytest.mark.parametrize(("value", "outcome"), [("true", Outcome.CORRECT), ("false", Outcome.INCORRECT)])
def test_an_answer_has_its_own_verdict(value: str, outcome: Outcome) -> None:
    """An answer is correct or not, never hallucinated."""
    assert judged(Asked(said(f'{{"reason": "r", "correct": {value}}}')), part=ANSWER) == Judged(outcome, "r")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is hallucinated.",
        "{}",
        "[]",
        "null",
        '{"reason": "r"}',
        '{"reason": "r", "hallucinated": "true"}',
        '{"reason": "r", "hallucinated": 1}',
        '{"reason": "r", "hallucinated": 2}',
        '{"reason": "r", "hallucinated": null}',
        '{"reason": null, "hallucinated": true}',
        '{"reason": " ", "hallucinated": true}',
        '{"reason": "r", "hallucinated": true, "hallucinated": false}',
        '{"reason": "r", "correct": true}',
        '{"reason": "r", "hallucinated": true',
        '{"reason": "r", "hallucinated": true} or not',
    ],
)
def test_a_reply_that_cannot_be_used_is_unjudged_and_not_kept(text: str) -> None:
    """Prose, other values, half a reply: no verdict, and the store must not hold it as done."""
    engine = Asked(said(text))
    verdict = judged(engine)
    assert isinstance(verdict, Unjudged)
    assert verdict.reason is UnjudgedReason.JUDGE_FAILED
    (call,) = engine.calls
    assert call.usable is not None
    assert not call.usable(said(text))
    assert call.usable(said('{"reason": "r", "hallucinated": false}'))


def test_a_reply_that_was_cut_off_or_refused_is_unjudged() -> None:
    """Even if what is there could be read."""
    whole = '{"reason": "r", "hallucinated": false}'
    assert isinstance(judged(Asked(said(whole, "length"))), Unjudged)
    assert isinstance(judged(Asked(replace(said(whole), refused=True))), Unjudged)


def test_a_judge_that_cannot_be_reached_is_the_instruments_failure() -> None:
    """It moves no rate."""
    verdict = judged(Asked(CallFailure("8 attempts failed", ())))
    assert verdict == Unjudged(UnjudgedReason.JUDGE_FAILED, "8 attempts failed")


def test_equal_questions_have_one_address_and_others_do_not() -> None:
    """So the engine asks an equal question once, whoever asks."""
    engine = Asked(said('{"reason": "r", "hallucinated": false}'))
    judge = LlmJudge(load_protocol("standard"), engine, "identity", {})

    async def ask() -> None:
        await judge.stage(OPEN, Stage.VISUAL_RECOGNITION, "a nodule")
        await judge.stage(replace(OPEN, id="twin"), Stage.VISUAL_RECOGNITION, "a nodule")
        await judge.stage(OPEN, Stage.VISUAL_RECOGNITION, "a cyst")
        await judge.stage(OPEN, Stage.KNOWLEDGE_RECALL, "a nodule")

    asyncio.run(ask())
    keys = [call.key for call in engine.calls]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_what_is_matched_exactly_is_not_asked() -> None:
    """The right letter costs no call."""
    engine = Asked(said("{}"))
    judge = LlmJudge(load_protocol("standard"), engine, "identity", {})
    verdict = asyncio.run(judge.answer(CHOICE, f"Option {CHOICE.answer_letter}"))
    assert isinstance(verdict, Judged)
    assert not engine.calls


def test_only_the_judge_of_descriptions_sees_images_and_it_needs_them() -> None:
    """Text alone is never judged as if it had been seen."""
    engine = Asked(said('{"reason": "r", "hallucinated": false}'))
    for part in (*Stage, ANSWER):
        judged(engine, part=part)
    seen = [len(call.request.messages[1].content) - 1 for call in engine.calls]
    assert seen == [len(OPEN.images), 0, 0, 0]
    blind = replace(OPEN, images=())
    verdict = judged(engine, blind, Stage.VISUAL_RECOGNITION)
    assert verdict == Unjudged(UnjudgedReason.JUDGE_FAILED, "there is no image to judge a description by")
    assert len(engine.calls) == 4
