"""Plant a known error in a gold trace: what proves that a judge finds it, in the stage where it stands."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from clinhallu_gate.datasets.phantom.atlas import KIND, LOOKS, MATERIALS, SIDES, STEPS, Attribute, Rule
from clinhallu_gate.datasets.phantom.questions import Domain, Question
from clinhallu_gate.datasets.phantom.study import Finding, Study, random_finding
from clinhallu_gate.datasets.phantom.wording import stated_reasoning, stated_rule, visual_text
from clinhallu_gate.vocabulary import ANSWER, Part, Stage


class Error(StrEnum):
    """A kind of error that stands in one part of a trace."""

    WRONG_SIDE = "wrong_side"
    WRONG_FINDING = "wrong_finding"
    INVENTED_FINDING = "invented_finding"
    WRONG_RULE = "wrong_rule"
    NON_SEQUITUR = "non_sequitur"
    WRONG_ANSWER = "wrong_answer"


ERROR_PART: Final[dict[Error, Part]] = {
    Error.WRONG_SIDE: Stage.VISUAL_RECOGNITION,
    Error.WRONG_FINDING: Stage.VISUAL_RECOGNITION,
    Error.INVENTED_FINDING: Stage.VISUAL_RECOGNITION,
    Error.WRONG_RULE: Stage.KNOWLEDGE_RECALL,
    Error.NON_SEQUITUR: Stage.REASONING_INTEGRATION,
    Error.WRONG_ANSWER: ANSWER,
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A value that does not follow, and its option letter."""

    value: str
    letter: str | None

    @property
    def answer(self) -> str:
        """Return it as an answer is written."""
        return f"{self.letter}. {self.value}" if self.letter else self.value


def planted_text(error: Error, study: Study, question: Question, rng: random.Random) -> str | None:
    """Return the text of ``error``'s part with the error in it; None where the study has nothing to get wrong."""
    return _PLANT[error](study, question, rng)


def _wrong_side(study: Study, _question: Question, rng: random.Random) -> str | None:
    if not study.findings:
        return None
    victim = rng.choice(study.findings)
    other = next(side for side in SIDES if side != victim.side)
    return visual_text(_with(study, victim, replace(victim, side=other)), rng)


def _wrong_finding(study: Study, _question: Question, rng: random.Random) -> str | None:
    if not study.findings:
        return None
    victim = rng.choice(study.findings)
    return visual_text(_with(study, victim, replace(victim, kind=_absent_kind(study, rng), count=1)), rng)


def _invented_finding(study: Study, _question: Question, rng: random.Random) -> str:
    kind = KIND[_absent_kind(study, rng)]
    extra = random_finding(kind, study.frames, rng, taken=[])
    return visual_text(replace(study, findings=(*study.findings, extra)), rng)


def _absent_kind(study: Study, rng: random.Random) -> str:
    return rng.choice([kind.name for kind in study.atlas.kinds if study.finding(kind.name) is None])


def _with(study: Study, old: Finding, new: Finding) -> Study:
    return replace(study, findings=tuple(new if finding is old else finding for finding in study.findings))


def _wrong_rule(_study: Study, question: Question, rng: random.Random) -> str:
    return stated_rule(question.rule, rng.choice(_other_values(question.rule)), rng)


def _other_values(rule: Rule) -> list[str]:
    values = {
        Attribute.APPEARANCE: LOOKS,
        Attribute.COMPOSITION: MATERIALS,
        Attribute.MANAGEMENT: STEPS,
        Attribute.URGENCY: ("urgent", "not urgent"),
    }[rule.attribute]
    return [value for value in values if value != rule.value]


def _non_sequitur(study: Study, question: Question, rng: random.Random) -> str:
    wrong = wrong_value(study, question, rng)
    return stated_reasoning(study, question, wrong.value, wrong.letter, rng)


def _wrong_answer(study: Study, question: Question, rng: random.Random) -> str:
    return wrong_value(study, question, rng).answer


def wrong_value(study: Study, question: Question, rng: random.Random) -> Wrong:
    """Return an answer of the right form that is wrong."""
    if question.options:
        option = rng.choice([option for option in question.options if option[0] != question.letter])
        return Wrong(option[3:], option[0])
    domains: dict[Domain, tuple[str, ...]] = {
        Domain.YES_NO: ("yes", "no"),
        Domain.SIDE: SIDES,
        Domain.COUNT: ("one", "two", "three"),
        Domain.FRAME: tuple(f"frame {number + 1}" for number in range(study.frames)),
        Domain.MATERIAL: MATERIALS,
    }
    return Wrong(rng.choice([value for value in domains[question.domain] if value != question.value]), None)


_PLANT: Final[dict[Error, Callable[[Study, Question, random.Random], str | None]]] = {
    Error.WRONG_SIDE: _wrong_side,
    Error.WRONG_FINDING: _wrong_finding,
    Error.INVENTED_FINDING: _invented_finding,
    Error.WRONG_RULE: _wrong_rule,
    Error.NON_SEQUITUR: _non_sequitur,
    Error.WRONG_ANSWER: _wrong_answer,
}
