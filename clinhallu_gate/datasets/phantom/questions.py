"""Questions on a phantom study: what is asked, what it needs, and the answer that follows from the facts."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from clinhallu_gate.datasets.phantom.atlas import COUNT_WORDS, SIDES, SIZES, STEPS, Attribute, Kind, Rule
from clinhallu_gate.datasets.phantom.study import Finding, Study
from clinhallu_gate.vocabulary import QuestionType


class Domain(StrEnum):
    """What an answer is one of."""

    YES_NO = "yes_no"
    SIDE = "side"
    ZONE = "zone"
    COUNT = "count"
    FRAME = "frame"
    KIND = "kind"
    MATERIAL = "material"
    STEP = "step"


class Needs(StrEnum):
    """What a question cannot be answered without."""

    IMAGE = "image"
    RULE = "rule"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the rule that its knowledge stage recalls, and the answer that follows."""

    family: str
    text: str
    type: QuestionType
    needs: Needs
    domain: Domain
    value: str
    """The answer's value in its domain, such as ``left`` or ``frame 2``."""
    rule: Rule
    kind: str
    """The kind of finding that the question is about."""
    side: str | None = None
    options: tuple[str, ...] = ()

    @property
    def letter(self) -> str | None:
        """Return the letter of the right option, for multiple choice."""
        return next((option[0] for option in self.options if option[3:] == self.value), None)

    @property
    def answer(self) -> str:
        """Return the gold answer as the benchmark writes it: ``"B. text"`` for multiple choice."""
        return f"{self.letter}. {self.value}" if self.letter else self.value


Family = Callable[[Study, random.Random], Question | None]


def random_question(study: Study, rng: random.Random, *, needs: Needs) -> Question:
    """Draw a question on ``study`` that needs ``needs``; falls back on what the study allows."""
    families = list(FAMILIES[needs])
    rng.shuffle(families)
    for family in families:
        question = family(study, rng)
        if question is not None:
            return question
    return _presence(study, rng)


def _pick(rng: random.Random, *texts: str) -> str:
    return rng.choice(texts)


def _options(values: list[str], rng: random.Random) -> tuple[str, ...]:
    rng.shuffle(values)
    return tuple(f"{letter}. {value}" for letter, value in zip("ABCD", values, strict=False))


def _any_finding(study: Study, rng: random.Random) -> Finding | None:
    return rng.choice(study.findings) if study.findings else None


def _only_finding(study: Study) -> Finding | None:
    return study.findings[0] if len(study.findings) == 1 else None


def _name(study: Study, kind: str) -> str:
    """Return ``nodule`` or ``nodules`` as the study's number of them wants it."""
    finding = study.finding(kind)
    return study.atlas.kind(kind).plural if finding and finding.count > 1 else kind


# --- the image alone ----------------------------------------------------------------------------------------------


def _presence(study: Study, rng: random.Random) -> Question:
    shown = {finding.kind for finding in study.findings}
    present = bool(shown) and rng.random() < 0.5  # noqa: PLR2004 - a fair coin
    kind = rng.choice([kind for kind in study.atlas.kinds if (kind.name in shown) == present])
    where = study.atlas.modality
    text = _pick(rng, f"Is there {kind.phrase} in this {where}?", f"Does the {where} show {kind.phrase}?")
    return _yes_no("presence", text, Needs.IMAGE, kind.name, yes=present)


def _side_presence(study: Study, rng: random.Random) -> Question | None:
    finding = _any_finding(study, rng)
    if finding is None:
        return None
    side = rng.choice(SIDES)
    kind = study.atlas.kind(finding.kind)
    text = _pick(rng, f"Is there {kind.phrase} on the {side}?", f"Does the {side} side show {kind.phrase}?")
    return _yes_no("side_presence", text, Needs.IMAGE, kind.name, yes=finding.side == side, side=side)


def _size(study: Study, rng: random.Random) -> Question | None:
    finding = _any_finding(study, rng)
    if finding is None:
        return None
    name = _name(study, finding.kind)
    verb = "Are" if finding.count > 1 else "Is"
    return _yes_no("size", f"{verb} the {name} large?", Needs.IMAGE, finding.kind, yes=finding.size == "large")


def _side(study: Study, rng: random.Random) -> Question | None:
    finding = _any_finding(study, rng)
    if finding is None:
        return None
    name = _name(study, finding.kind)
    text = _pick(rng, f"On which side of the {study.atlas.modality}: {name}?", f"Left or right: where is the {name}?")
    return _look("side", text, Domain.SIDE, finding.side, finding.kind)


def _zone(study: Study, rng: random.Random) -> Question | None:
    finding = _any_finding(study, rng)
    if finding is None:
        return None
    text = f"In which part of the {study.atlas.modality} is the {_name(study, finding.kind)} seen?"
    options = _options(list(study.atlas.zones), rng)
    return _look("zone", text, Domain.ZONE, finding.zone, finding.kind, options=options)


def _count(study: Study, rng: random.Random) -> Question | None:
    finding = next((f for f in study.findings if study.atlas.kind(f.kind).countable), None)
    if finding is None:
        return None
    plural = study.atlas.kind(finding.kind).plural
    text = _pick(rng, f"How many {plural} are there?", f"What is the number of {plural}?")
    value = COUNT_WORDS[finding.count - 1]
    return _look("count", text, Domain.COUNT, value, finding.kind)


def _frame(study: Study, rng: random.Random) -> Question | None:
    finding = _any_finding(study, rng)
    if finding is None or study.frames == 1:
        return None
    name = _name(study, finding.kind)
    text = _pick(rng, f"Which frame shows the {name}?", f"In which frame can the {name} be seen?")
    return _look("frame", text, Domain.FRAME, f"frame {finding.frame}", finding.kind)


def _which(study: Study, rng: random.Random) -> Question | None:
    finding = _only_finding(study)
    if finding is None:
        return None
    text = _pick(rng, f"Which finding does the {study.atlas.modality} show?", "What abnormality is seen?")
    options = _options([kind.name for kind in study.atlas.kinds], rng)
    return _look("which", text, Domain.KIND, finding.kind, finding.kind, options=options)


# --- a rule alone -------------------------------------------------------------------------------------------------


def _any_kind(study: Study, rng: random.Random) -> Kind:
    return rng.choice(study.atlas.kinds)


def _composition_rule(study: Study, rng: random.Random) -> Question:
    kind = _any_kind(study, rng)
    text = _pick(rng, f"What does {kind.phrase} consist of?", f"Of what is {kind.phrase} made?")
    return _material("composition_rule", text, Needs.RULE, kind)


def _management_rule(study: Study, rng: random.Random) -> Question:
    kind, size = _any_kind(study, rng), rng.choice(SIZES)
    text = _pick(rng, f"What does a {size} {kind.name} call for?", f"What is the next step for a {size} {kind.name}?")
    return _step("management_rule", text, Needs.RULE, kind, size, rng=rng)


def _urgency_rule(study: Study, rng: random.Random) -> Question:
    kind = _any_kind(study, rng)
    text = _pick(rng, f"Is {kind.phrase} an emergency?", f"Does {kind.phrase} need urgent treatment?")
    rule = Rule(kind.name, Attribute.URGENCY)
    return _yes_no("urgency_rule", text, Needs.RULE, kind.name, yes=kind.urgent, rule=rule)


# --- both ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pointed:
    """A finding, and words that point at it alone without naming it."""

    kind: Kind
    size: str
    words: str


def _pointed(study: Study, rng: random.Random) -> _Pointed | None:
    finding = _any_finding(study, rng)
    if finding is None:
        return None
    alone = sum(other.side == finding.side for other in study.findings) == 1
    if len(study.findings) > 1 and not alone:
        return None
    words = "shown" if len(study.findings) == 1 else f"on the {finding.side}"
    return _Pointed(study.atlas.kind(finding.kind), finding.size, words)


def _composition_shown(study: Study, rng: random.Random) -> Question | None:
    it = _pointed(study, rng)
    if it is None:
        return None
    text = _pick(rng, f"What does the abnormality {it.words} consist of?", f"Of what is the finding {it.words} made?")
    return _material("composition_shown", text, Needs.BOTH, it.kind)


def _management_shown(study: Study, rng: random.Random) -> Question | None:
    it = _pointed(study, rng)
    if it is None:
        return None
    text = _pick(
        rng, f"What is the next step for the finding {it.words}?", f"What does the abnormality {it.words} call for?"
    )
    return _step("management_shown", text, Needs.BOTH, it.kind, it.size, rng=rng)


def _urgency_shown(study: Study, rng: random.Random) -> Question | None:
    it = _pointed(study, rng)
    if it is None:
        return None
    text = _pick(
        rng, f"Does the finding {it.words} need urgent treatment?", f"Is the abnormality {it.words} an emergency?"
    )
    rule = Rule(it.kind.name, Attribute.URGENCY)
    return _yes_no("urgency_shown", text, Needs.BOTH, it.kind.name, yes=it.kind.urgent, rule=rule)


# --- builders -----------------------------------------------------------------------------------------------------


def _yes_no(
    family: str, text: str, needs: Needs, kind: str, *, yes: bool, rule: Rule | None = None, side: str | None = None
) -> Question:
    rule = rule or Rule(kind, Attribute.APPEARANCE)
    value = "yes" if yes else "no"
    return Question(family, text, QuestionType.YES_NO, needs, Domain.YES_NO, value, rule, kind, side=side)


def _look(family: str, text: str, domain: Domain, value: str, kind: str, *, options: tuple[str, ...] = ()) -> Question:
    rule = Rule(kind, Attribute.APPEARANCE)
    type_ = QuestionType.MULTIPLE_CHOICE if options else QuestionType.OPEN_ENDED
    return Question(family, text, type_, Needs.IMAGE, domain, value, rule, kind, options=options)


def _material(family: str, text: str, needs: Needs, kind: Kind) -> Question:
    rule = Rule(kind.name, Attribute.COMPOSITION)
    return Question(family, text, QuestionType.OPEN_ENDED, needs, Domain.MATERIAL, kind.material, rule, kind.name)


def _step(family: str, text: str, needs: Needs, kind: Kind, size: str, *, rng: random.Random) -> Question:
    value = kind.step(size)
    others = rng.sample([step for step in STEPS if step != value], 3)
    options = _options([value, *others], rng)
    rule = Rule(kind.name, Attribute.MANAGEMENT, size)
    type_ = QuestionType.MULTIPLE_CHOICE
    return Question(family, text, type_, needs, Domain.STEP, value, rule, kind.name, options=options)


FAMILIES: Final[dict[Needs, tuple[Family, ...]]] = {
    Needs.IMAGE: (_presence, _side_presence, _size, _side, _zone, _count, _frame, _which),
    Needs.RULE: (_composition_rule, _management_rule, _urgency_rule),
    Needs.BOTH: (_composition_shown, _management_shown, _urgency_shown),
}
