"""Gold traces: the facts of a phantom put into words, in one of several ways each."""

import random
from collections.abc import Callable
from typing import Final

from clinhallu_gate.datasets.phantom.atlas import COUNT_WORDS, KIND, Attribute, Rule
from clinhallu_gate.datasets.phantom.questions import Domain, Needs, Question
from clinhallu_gate.datasets.phantom.study import Finding, Study
from clinhallu_gate.records import GoldTrace


def gold_trace(study: Study, question: Question, rng: random.Random) -> GoldTrace:
    """Write the three stages of ``question`` on ``study``."""
    return GoldTrace(
        visual_recognition=visual_text(study, rng),
        knowledge_recall=rule_text(question.rule, rng),
        reasoning_integration=reasoning_text(study, question, rng),
    )


def visual_text(study: Study, rng: random.Random) -> str:
    """Say what the images show."""
    return " ".join([_modality(study, rng), *(_finding(study, f, rng) for f in study.findings)]) + (
        "" if study.findings else " " + rng.choice(("No abnormality is seen.", "The study is normal."))
    )


def _modality(study: Study, rng: random.Random) -> str:
    name = study.atlas.modality
    if study.frames > 1:
        number = (*COUNT_WORDS, "four")[study.frames - 1]
        return rng.choice((f"These are {number} frames of an {name}.", f"The study holds {number} {name} images."))
    return rng.choice((f"This is a {name}.", f"The image is a {name}.", f"A {name} is shown."))


def _noun(finding: Finding, *, article: bool = True) -> str:
    """Return ``a large nodule`` or ``two large nodules``."""
    kind = KIND[finding.kind]
    if finding.count > 1:
        return f"{COUNT_WORDS[finding.count - 1]} {finding.size} {kind.plural}"
    return f"a {finding.size} {kind.name}" if article else f"{finding.size} {kind.name}"


def _finding(study: Study, finding: Finding, rng: random.Random) -> str:
    noun, region = _noun(finding), study.atlas.region
    verb = "are" if finding.count > 1 else "is"
    place = f"{finding.side} {finding.zone} {region}"
    text = rng.choice(
        (
            f"There {verb} {noun} in the {place}.",
            f"{noun} {verb} seen in the {finding.zone} {region} on the {finding.side}.",
            f"The {place} shows {noun}.",
            f"On the {finding.side}, in the {finding.zone} {region}, there {verb} {noun}.",
        )
    )
    if study.frames > 1:
        text = rng.choice((f"Frame {finding.frame}: {text}", f"{text[:-1]} of frame {finding.frame}."))
    return text[0].upper() + text[1:]


def rule_text(rule: Rule, rng: random.Random) -> str:
    """State a rule of the atlas, with what the atlas says."""
    return stated_rule(rule, rule.value, rng)


def stated_rule(rule: Rule, value: str, rng: random.Random) -> str:
    """State ``rule`` with ``value``, be it true or not."""
    return rng.choice(_RULES[rule.attribute](rule, value))


def _appearance(rule: Rule, value: str) -> tuple[str, ...]:
    kind = KIND[rule.kind]
    phrase = _capital(kind.phrase)
    return (f"{phrase} looks like a {value}.", f"{phrase} appears as a {value}.", f"{phrase} is seen as a {value}.")


def _composition(rule: Rule, value: str) -> tuple[str, ...]:
    kind = KIND[rule.kind]
    phrase = _capital(kind.phrase)
    several = _capital(kind.plural)
    return (f"{phrase} consists of {value}.", f"{phrase} is made of {value}.", f"{several} contain {value}.")


def _management(rule: Rule, value: str) -> tuple[str, ...]:
    noun = f"{rule.size} {rule.kind}"
    return (f"A {noun} calls for {value}.", f"The next step for a {noun} is {value}.", f"A {noun} requires {value}.")


def _urgency(rule: Rule, value: str) -> tuple[str, ...]:
    phrase = _capital(KIND[rule.kind].phrase)
    if value == "urgent":
        return (f"{phrase} is an emergency.", f"{phrase} needs urgent treatment.")
    return (f"{phrase} is not an emergency.", f"{phrase} does not need urgent treatment.")


_RULES: Final[dict[Attribute, Callable[[Rule, str], tuple[str, ...]]]] = {
    Attribute.APPEARANCE: _appearance,
    Attribute.COMPOSITION: _composition,
    Attribute.MANAGEMENT: _management,
    Attribute.URGENCY: _urgency,
}


def reasoning_text(study: Study, question: Question, rng: random.Random) -> str:
    """Lead from what is seen and what is known to the answer."""
    return stated_reasoning(study, question, question.value, question.letter, rng)


def stated_reasoning(study: Study, question: Question, value: str, letter: str | None, rng: random.Random) -> str:
    """Lead to ``value``, be it what follows or not."""
    steps = []
    if question.needs is not Needs.RULE:
        steps.append(_premise(study, question, rng))
    if question.needs is not Needs.IMAGE:
        steps.append(rule_text(question.rule, rng))
    return " ".join([*steps, _conclusion(value, letter, rng)])


def _conclusion(value: str, letter: str | None, rng: random.Random) -> str:
    stated = f"{value}, option {letter}" if letter else value
    return rng.choice((f"So the answer is {stated}.", f"Therefore the answer is {stated}.", f"This leads to {stated}."))


def _premise(study: Study, question: Question, rng: random.Random) -> str:
    finding = study.finding(question.kind)
    if finding is None:
        phrase = KIND[question.kind].phrase
        return rng.choice((f"No {question.kind} is seen.", f"The {study.atlas.modality} does not show {phrase}."))
    return _capital(rng.choice(_premises(study, question, finding)))


def _premises(study: Study, question: Question, finding: Finding) -> tuple[str, ...]:
    """Return the ways to say what the conclusion rests on."""
    verb = "are" if finding.count > 1 else "is"
    if question.domain is Domain.COUNT:
        return (f"{_noun(finding)} {verb} seen.", f"The study shows {_noun(finding)}.")
    noun = KIND[finding.kind].plural if finding.count > 1 else finding.kind
    if question.domain is Domain.SIDE or question.side:
        return (f"The {noun} {verb} on the {finding.side}.", f"The {finding.side} side shows the {noun}.")
    if question.domain is Domain.FRAME:
        return (f"The {noun} {verb} in frame {finding.frame}.", f"Frame {finding.frame} shows the {noun}.")
    if question.domain is Domain.ZONE:
        return (f"The {noun} {verb} in the {finding.zone} {study.atlas.region}.",)
    if question.family in {"size", "management_shown"}:
        return (f"The {noun} shown {verb} {finding.size}.",)
    return (f"The {study.atlas.modality} shows the {noun}.", f"The {noun} {verb} seen.")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
