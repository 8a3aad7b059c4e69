"""The instances of a run: a line of each for the list, and all that a reader opens of one."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from clinhallu_gate.records import PARTS, Failed, Image, Instance, Judged, NotAsked, Reading, Verdict
from clinhallu_gate.report.model import (
    ArmTrace,
    Before,
    CaseRow,
    Cases,
    CaseView,
    OptionView,
    PartView,
    Picture,
    TextOf,
    Tone,
)
from clinhallu_gate.report.names import ARM_TITLE, FAILED_TITLE, part_title
from clinhallu_gate.report.tally import counts_against
from clinhallu_gate.report.visible import one_line, visible
from clinhallu_gate.results import HEADLINE_READINGS, NOT_SELECTED, Found, Results
from clinhallu_gate.vocabulary import ANSWER, Arm, Outcome, Stage

#: What a line of the list has a letter for: each stage where its rate is read, and the answer in every arm.
LISTED_READINGS: Final = (*HEADLINE_READINGS, *(Reading(arm, ANSWER) for arm in Arm if arm is not Arm.BASELINE))
#: The letters.
LETTER: Final[Mapping[str, str]] = {
    Outcome.GROUNDED: "g",
    Outcome.HALLUCINATED: "h",
    Outcome.CORRECT: "c",
    Outcome.INCORRECT: "i",
    "failed": "f",
    "unjudged": "u",
    "not_asked": "n",
}
_SEARCHED: Final = 600
"""Characters of a question that the list is searched by."""


class Draws(Protocol):
    """What has the pictures."""

    def of(self, image: Image) -> Picture:
        """Return the picture of an image."""


def cases(results: Results, pictures: Draws | None = None) -> Cases:
    """Return a line of every instance of which anything was asked, in the order of the data."""
    asked = [instance for instance in results.instances if was_asked(results.found[instance.uid])]
    names = _names(asked)
    rows = tuple(_row(results.found[each.uid], each, names[each.uid], pictures) for each in asked)
    return Cases(of=len(results.instances), rows=rows)


def case_views(results: Results, pictures: Draws | None = None) -> Iterator[CaseView]:
    """Yield what a reader opens of each of ``cases``, in the same order."""
    asked = [instance for instance in results.instances if was_asked(results.found[instance.uid])]
    names = _names(asked)
    for instance in asked:
        yield _case(results.found[instance.uid], instance, names[instance.uid], pictures)


def was_asked(found: Found) -> bool:
    """Whether anything was sought of an instance."""
    return any(not isinstance(verdict, NotAsked) for verdict in found.bare_verdicts.values())


def _names(instances: list[Instance]) -> dict[str, str]:
    """Return each instance's name as people see it; where two look alike, the second gets a number."""
    seen: Counter[str] = Counter()
    names = {}
    for instance in instances:
        shown = one_line(instance.uid)
        seen[shown] += 1
        names[instance.uid] = shown if seen[shown] == 1 else f"{shown} ({seen[shown]})"
    return names


# --- the list ---------------------------------------------------------------------------------------------------------


def _row(found: Found, instance: Instance, name: str, pictures: Draws | None) -> CaseRow:
    return CaseRow(
        uid=name,
        dataset=one_line(instance.dataset),
        stratum=one_line(instance.stratum),
        question_type=_type(instance),
        tags=tuple(map(one_line, instance.tags)),
        question=one_line(instance.question, limit=_SEARCHED),
        answer=one_line(instance.answer),
        verdicts=_letters(found.bare_verdict),
        before=_letters(found.baseline.get) if found.baseline else "",
        picture=pictures.of(instance.images[0]).name if pictures is not None and instance.images else None,
    )


def _letters(verdict_of: Callable[[Reading], Verdict | None]) -> str:
    verdicts = (verdict_of(reading) or NOT_SELECTED for reading in LISTED_READINGS)
    return "".join(LETTER[each.outcome if isinstance(each, Judged) else each.kind] for each in verdicts)


def _type(instance: Instance) -> str:
    return instance.question_type.replace("_", " ")


# --- one instance -----------------------------------------------------------------------------------------------------


def _case(found: Found, instance: Instance, name: str, pictures: Draws | None) -> CaseView:
    return CaseView(
        uid=name,
        stratum=one_line(instance.stratum),
        question=visible(instance.question),
        question_type=_type(instance),
        options=tuple(_option(instance, option) for option in instance.options),
        tags=tuple(map(one_line, instance.tags)),
        pictures=tuple(map(pictures.of, instance.images)) if pictures is not None else (),
        parts=tuple(_part(found, instance, reading) for reading in HEADLINE_READINGS),
        arms=tuple(_arm(found, arm) for arm in Arm if Reading(arm, ANSWER) in found.verdicts),
    )


def _option(instance: Instance, option: str) -> OptionView:
    lettered = instance.answer_letter is not None and option.startswith(f"{instance.answer_letter}.")
    return OptionView(text=one_line(option), gold=lettered or option == instance.answer)


def _part(found: Found, instance: Instance, reading: Reading) -> PartView:
    verdict = found.verdicts.get(reading, NOT_SELECTED)
    gold = (instance.answer or None) if reading.part == ANSWER else instance.gold.text(Stage(reading.part))
    return PartView(
        part=str(reading.part),
        title=part_title(reading.part),
        judged_in=ARM_TITLE[reading.arm],
        gold=_shown(gold),
        candidate=_shown(found.texts.get(reading)),
        word=_word(verdict),
        tone=_tone(verdict),
        reason=visible(_reason(verdict)),
        before=_before(found, reading),
    )


def _before(found: Found, reading: Reading) -> Before | None:
    verdict = found.baseline.get(reading)
    if verdict is None:
        return None
    return Before(text=_shown(found.baseline_texts.get(reading)), word=_word(verdict), tone=_tone(verdict))


def _arm(found: Found, arm: Arm) -> ArmTrace:
    verdict = found.verdicts[Reading(arm, ANSWER)]
    texts = ((part, found.texts.get(Reading(arm, part))) for part in PARTS)
    return ArmTrace(
        title=ARM_TITLE[arm],
        word=_word(verdict),
        tone=_tone(verdict),
        reason=visible(_reason(verdict)),
        texts=tuple(TextOf(title=part_title(part), text=visible(text)) for part, text in texts if text is not None),
    )


def _shown(text: str | None) -> str | None:
    return None if text is None else visible(text)


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
