"""The instances in which something counts against the model, each with image, gold and candidate."""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from clinhallu_gate.records import PARTS, Failed, Image, Instance, Judged, NotAsked, Reading, Verdict
from clinhallu_gate.report.images import Picture, picture
from clinhallu_gate.report.model import ArmAnswer, Cases, CaseView, OptionView, PartView, TextOf, Tone
from clinhallu_gate.report.names import ARM_TITLE, FAILED_TITLE, nickname, part_title
from clinhallu_gate.report.tally import counts_against
from clinhallu_gate.report.visible import one_line, visible
from clinhallu_gate.results import HEADLINE_READINGS, Results
from clinhallu_gate.vocabulary import ANSWER, Arm, Stage

LISTED: Final = 300
"""Instances that one page holds with their images."""
REPAIR: Final = "repair"
FAILED: Final = "failed"
MARKS: Final = (*(stage.value for stage in Stage), ANSWER, REPAIR, FAILED)
_Draw = Callable[[Image], Picture]


def cases(results: Results, *, limit: int = LISTED) -> Cases:
    """Return the instances with most against them first, else in the order of the data."""
    marked = [(instance, marks(results, instance)) for instance in results.instances]
    against = sorted((pair for pair in marked if pair[1]), key=lambda pair: -len(pair[1]))
    draw: _Draw = lru_cache(maxsize=256)(picture)  # several instances share a study
    listed = tuple(_case(results, instance, found, draw) for instance, found in against[:limit])
    counts = Counter(mark for case in listed for mark in case.marks)
    return Cases(
        total=len(against),
        not_listed=len(against) - len(listed),
        counts={mark: counts[mark] for mark in MARKS},
        listed=listed,
    )


def marks(results: Results, instance: Instance) -> tuple[str, ...]:
    """Return what an instance is listed for, of ``MARKS``; ``repair`` if only the answer of a repaired arm is bad."""
    verdicts = results.found[instance.uid].verdicts
    against = [reading for reading, verdict in verdicts.items() if counts_against(verdict)]
    found = {reading.part for reading in HEADLINE_READINGS if reading in against}
    named = [str(part) for part in PARTS if part in found] or ([REPAIR] if against else [])
    failed = any(isinstance(verdicts[reading], Failed) for reading in against)
    return (*named, FAILED) if failed else tuple(named)


def _case(results: Results, instance: Instance, found: tuple[str, ...], draw: _Draw) -> CaseView:
    return CaseView(
        uid=one_line(instance.uid),
        stratum=one_line(instance.stratum),
        question=visible(instance.question),
        question_type=instance.question_type.replace("_", " "),
        options=tuple(_option(instance, option) for option in instance.options),
        answer=visible(instance.answer),
        pictures=tuple(draw(image) for image in instance.images),
        marks=found,
        parts=tuple(_part(results, instance, reading) for reading in HEADLINE_READINGS),
        baseline=_baseline(results, instance),
        answers=_answers(results, instance),
    )


def _option(instance: Instance, option: str) -> OptionView:
    lettered = instance.answer_letter is not None and option.startswith(f"{instance.answer_letter}.")
    return OptionView(text=one_line(option), gold=lettered or option == instance.answer)


def _part(results: Results, instance: Instance, reading: Reading) -> PartView:
    verdict = results.verdict(instance.uid, reading)
    gold = instance.answer if reading.part == ANSWER else instance.gold.text(Stage(reading.part))
    text = results.text(instance.uid, reading.arm, reading.part)
    return PartView(
        part=str(reading.part),
        nickname="answer" if reading.part == ANSWER else nickname(Stage(reading.part)),
        title=part_title(reading.part),
        judged_in=ARM_TITLE[reading.arm],
        gold=None if gold is None else visible(gold),
        candidate=None if text is None else visible(text),
        word=_word(verdict),
        tone=_tone(verdict),
        reason=one_line(_reason(verdict)),
    )


def _word(verdict: Verdict) -> str:
    if isinstance(verdict, Judged):
        return verdict.outcome.value
    return {"failed": "not delivered", "unjudged": "unjudged", "not_asked": "not asked"}[verdict.kind]


def _tone(verdict: Verdict) -> Tone:
    if isinstance(verdict, Judged | Failed):
        return "bad" if counts_against(verdict) else "good"
    return "void" if isinstance(verdict, NotAsked) else "unsure"


def _reason(verdict: Verdict) -> str:
    if isinstance(verdict, Judged):
        return verdict.reason
    why = FAILED_TITLE[verdict.reason] if isinstance(verdict, Failed) else verdict.reason.value.replace("_", " ")
    return f"{why}: {verdict.detail}" if verdict.detail else why


def _baseline(results: Results, instance: Instance) -> tuple[TextOf, ...]:
    texts = ((part, results.text(instance.uid, Arm.BASELINE, part)) for part in PARTS)
    return tuple(TextOf(title=part_title(part), text=visible(text)) for part, text in texts if text is not None)


def _answers(results: Results, instance: Instance) -> tuple[ArmAnswer, ...]:
    verdicts = results.found[instance.uid].verdicts
    return tuple(_arm_answer(results, instance, arm) for arm in Arm if Reading(arm, ANSWER) in verdicts)


def _arm_answer(results: Results, instance: Instance, arm: Arm) -> ArmAnswer:
    verdict = results.verdict(instance.uid, Reading(arm, ANSWER))
    text = results.text(instance.uid, arm, ANSWER)
    return ArmAnswer(
        title=ARM_TITLE[arm],
        text=one_line(_reason(verdict) if text is None else text),
        word=_word(verdict),
        tone=_tone(verdict),
    )
