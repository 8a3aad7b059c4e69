"""The oracle: holds what a text claims about a phantom against the phantom's facts and the atlas.

What it cannot read is unjudged, never guessed; a claim that is false decides even where other sentences cannot be read.
Leaving something out is no hallucination: a stage is held to what it says.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import orjson

from clinhallu_gate.datasets.phantom.atlas import COUNT_WORDS, Attribute, Rule
from clinhallu_gate.datasets.phantom.generate import question_from_facts
from clinhallu_gate.datasets.phantom.questions import Domain, Question
from clinhallu_gate.datasets.phantom.study import Finding, Study
from clinhallu_gate.errors import BadInput
from clinhallu_gate.judge.claims import CONCLUSIONS, VALUE_TERMS, Sentence, Term, read, sentences
from clinhallu_gate.records import Instance, Judged, Unjudged, Verdict
from clinhallu_gate.vocabulary import Outcome, Stage, UnjudgedReason


@dataclass(frozen=True, slots=True)
class Phantom:
    """What the oracle knows of an instance."""

    study: Study
    question: Question


class _Unreadable(Exception):
    """A sentence that the oracle cannot read."""


class Oracle:
    """A judge for instances that carry their own facts."""

    async def stage(self, instance: Instance, stage: Stage, text: str) -> Verdict:
        """Say whether a stage's text is grounded."""
        return judge_stage(phantom_of(instance), stage, text)

    async def answer(self, instance: Instance, text: str) -> Verdict:
        """Say whether an answer is correct."""
        return judge_answer(phantom_of(instance).question, text)


def phantom_of(instance: Instance) -> Phantom:
    """Read the facts that an instance carries.

    Raises:
        BadInput: It carries none, or none of a phantom.
    """
    if instance.facts is None:
        raise BadInput(f"--judge: 'oracle' judges only data that carries its own facts; {instance.uid} carries none.")
    return _phantom(orjson.dumps(instance.facts, option=orjson.OPT_SORT_KEYS), instance.uid)


@lru_cache(maxsize=512)
def _phantom(facts: bytes, uid: str) -> Phantom:
    data = orjson.loads(facts)
    try:
        return Phantom(Study.from_facts(data["study"]), question_from_facts(data["question"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"--judge: the facts of {uid} are not a phantom's: {error!r}.") from None


# --- stages -------------------------------------------------------------------------------------------------------


def judge_stage(phantom: Phantom, stage: Stage, text: str) -> Verdict:
    """Judge the text of one stage: hallucinated if any claim is false, unjudged if a sentence cannot be read."""
    unread: list[str] = []
    for sentence in sentences(text):
        try:
            fault = _READERS[stage](phantom, sentence)
        except _Unreadable as error:
            unread.append(f"{error}: {sentence.text!r}")
            continue
        if fault:
            return Judged(Outcome.HALLUCINATED, f"{fault}: {sentence.text!r}")
    if unread or not text.strip():
        return Unjudged(UnjudgedReason.JUDGE_FAILED, f"the oracle cannot read {'; '.join(unread) or 'an empty text'}")
    return Judged(Outcome.GROUNDED, "every claim holds")


def _visual(phantom: Phantom, sentence: Sentence) -> str | None:
    """Return what is false about the image: every claim in the sentence is held against the facts."""
    claims = [claim for term, claim in _IMAGE_CLAIMS if sentence.has(term)]
    if not claims:
        raise _Unreadable("no claim about the image")
    return next(filter(None, (claim(phantom.study, sentence) for claim in claims)), None)


def _knowledge(phantom: Phantom, sentence: Sentence) -> str | None:
    if sentence.has(Term.RULE, Term.URGENT):
        return _rule_claim(sentence)
    return _visual(phantom, sentence)


def _reasoning(phantom: Phantom, sentence: Sentence) -> str | None:
    """Return what is false: of what stands before the conclusion, if that claims anything, or of the conclusion."""
    match = _CONCLUSION.search(sentence.text)
    if match is None:
        return _knowledge(phantom, sentence)
    before = read(sentence.text[: match.start()])
    fault = _knowledge(phantom, before) if before.has(Term.KIND, Term.RULE, Term.NORMAL, Term.MODALITY) else None
    return fault or _conclusion_claim(phantom.question, read(sentence.text[match.start() :]))


_CONCLUSION: Final = re.compile(r"\b(?:" + "|".join(CONCLUSIONS) + r")\b", re.IGNORECASE)
_READERS: Final[dict[Stage, Callable[[Phantom, Sentence], str | None]]] = {
    Stage.VISUAL_RECOGNITION: _visual,
    Stage.KNOWLEDGE_RECALL: _knowledge,
    Stage.REASONING_INTEGRATION: _reasoning,
}


# --- claims: what is false about one, or None ---------------------------------------------------------------------


def _modality_claim(study: Study, sentence: Sentence) -> str | None:
    if not sentence.values(Term.MODALITY) <= {study.atlas.modality}:
        return f"wrong modality, it is a {study.atlas.modality}"
    if not sentence.values(Term.FRAMES) <= {str(study.frames)}:
        return f"wrong number of frames, there are {study.frames}"
    return None


def _normality_claim(study: Study, sentence: Sentence) -> str | None:
    """Hold ``the study is normal``, ``no abnormality is seen`` and their opposites against the facts."""
    if len(sentence.values(Term.NORMAL)) > 1 or sentence.has(Term.KIND):
        raise _Unreadable("normal and abnormal in one sentence, or beside a finding")
    normal = ("normal" in sentence.values(Term.NORMAL)) != sentence.has(Term.NEGATION)
    if normal == (not study.findings):
        return None
    return "calls an abnormal study normal" if normal else "calls a normal study abnormal"


def _finding_claim(study: Study, sentence: Sentence) -> str | None:
    kinds = sorted(sentence.values(Term.KIND))
    if sentence.has(Term.NEGATION):
        return _absence_claim(study, kinds, sentence)
    invented = [kind for kind in kinds if study.finding(kind) is None]
    if invented:
        return f"invented finding, there is no {invented[0]}"
    if len(kinds) > 1 and sentence.has(Term.SIDE, Term.ZONE, Term.SIZE, Term.COUNT, Term.FRAME):
        raise _Unreadable("several findings in one sentence")
    return next(filter(None, (_attribute_fault(f, sentence) for f in study.findings if f.kind in kinds)), None)


def _absence_claim(study: Study, kinds: Sequence[str], sentence: Sentence) -> str | None:
    """Hold ``no nodule``, at most with a side, against the facts; what else a negation may mean is not guessed."""
    if len(kinds) > 1 or sentence.has(Term.ZONE, Term.SIZE, Term.COUNT, Term.FRAME):
        raise _Unreadable("a negation of more than a finding")
    finding = study.finding(kinds[0])
    if finding is None or (sentence.has(Term.SIDE) and finding.side not in sentence.values(Term.SIDE)):
        return None
    return f"missed finding, there is a {finding.kind}"


#: What a sentence about an image may claim, by the words that give the claim away.
_IMAGE_CLAIMS: Final[tuple[tuple[Term, Callable[[Study, Sentence], str | None]], ...]] = (
    (Term.MODALITY, _modality_claim),
    (Term.FRAMES, _modality_claim),
    (Term.KIND, _finding_claim),
    (Term.NORMAL, _normality_claim),
)


def _attribute_fault(finding: Finding, sentence: Sentence) -> str | None:
    count = COUNT_WORDS[finding.count - 1]
    claimed_counts = sentence.values(Term.COUNT) or (
        sentence.values(Term.ARTICLE) if finding.kind in sentence.text.lower().split() else frozenset()
    )
    checks: Iterable[tuple[str, frozenset[str], str]] = (
        ("side", sentence.values(Term.SIDE), finding.side),
        ("zone", sentence.values(Term.ZONE), finding.zone),
        ("size", sentence.values(Term.SIZE), finding.size),
        ("number", claimed_counts, count),
        ("frame", sentence.values(Term.FRAME), f"frame {finding.frame}"),
    )
    return next((f"wrong {name}, it is {true}" for name, claimed, true in checks if not claimed <= {true}), None)


def _rule_claim(sentence: Sentence) -> str | None:
    attribute = _attribute(sentence)
    kinds = sentence.values(Term.KIND)
    if len(kinds) != 1:
        raise _Unreadable("a rule about no kind, or several")
    if attribute is not Attribute.URGENCY and sentence.has(Term.NEGATION):
        raise _Unreadable("the negation of a rule")
    sizes = sentence.values(Term.SIZE)
    if attribute is Attribute.MANAGEMENT and len(sizes) != 1:
        raise _Unreadable("a rule of management without a size, or with several")
    rule = Rule(next(iter(kinds)), attribute, next(iter(sizes)) if len(sizes) == 1 else None)
    return None if _rule_value(sentence, attribute) == {rule.value} else f"wrong rule, the atlas says {rule.value!r}"


def _attribute(sentence: Sentence) -> Attribute:
    attributes = sentence.values(Term.RULE) or {Attribute.URGENCY}
    if len(attributes) != 1:
        raise _Unreadable("several rules in one sentence")
    return Attribute(next(iter(attributes)))


def _rule_value(sentence: Sentence, attribute: Attribute) -> frozenset[str]:
    """Return what the sentence says the rule's value is; a value of another kind of rule is one, and a wrong one."""
    if attribute is Attribute.URGENCY:
        return frozenset({"not urgent" if sentence.has(Term.NEGATION) else "urgent"})
    for term in (_RULE_TERM[attribute], Term.MATERIAL, Term.STEP, Term.LOOK):
        if sentence.has(term):
            return sentence.values(term)
    raise _Unreadable("a rule without a value of the atlas")


_RULE_TERM: Final = {
    Attribute.APPEARANCE: Term.LOOK,
    Attribute.COMPOSITION: Term.MATERIAL,
    Attribute.MANAGEMENT: Term.STEP,
}


def _conclusion_claim(question: Question, sentence: Sentence) -> str | None:
    letters = sentence.values(Term.OPTION)
    if letters and letters != {question.letter}:
        return f"non sequitur, {question.value!r} follows{f', option {question.letter}' if question.letter else ''}"
    said = _values(question.domain, sentence)
    return None if said == {question.value} else f"non sequitur, {question.value!r} follows"


def _values(domain: Domain, sentence: Sentence) -> frozenset[str]:
    """Return the values of ``domain`` that a sentence names, else those of any other domain."""
    if domain is Domain.YES_NO and sentence.has(Term.YES, Term.NEGATION):
        return sentence.values(Term.YES) | sentence.values(Term.NEGATION)
    for term in (*((Term(domain),) if domain is not Domain.YES_NO else ()), *VALUE_TERMS, Term.YES, Term.NEGATION):
        if sentence.has(term):
            return sentence.values(term)
    raise _Unreadable("no value that the atlas knows")


# --- answers ------------------------------------------------------------------------------------------------------

#: An option's letter as models write it: alone, in brackets, behind ``option`` or before a stop; never an article.
_LETTER: Final = re.compile(
    r"^\W*(?:the answer is\W*)?(?:(?:option|choice)\s*\W?([A-D])\b|([A-D])(?=\s*[.):,*\]]|\W*$))", re.IGNORECASE
)


def judge_answer(question: Question, text: str) -> Verdict:
    """Judge an answer: by its letter and its text for multiple choice, else by the value that it names."""
    match = _LETTER.match(text)
    rest = text[match.end() :].strip(" .):,*]\n") if match else text
    if match is not None:
        letter = (match.group(1) or match.group(2)).upper()
        if letter != question.letter:
            return Judged(Outcome.INCORRECT, f"option {letter}, the answer is {question.answer!r}")
        if not rest:
            return Judged(Outcome.CORRECT, "the right option")
    try:
        said = _values(question.domain, read(rest))
    except _Unreadable as error:
        return Unjudged(UnjudgedReason.JUDGE_FAILED, f"the oracle cannot read the answer {text!r}: {error}")
    if said == {question.value}:
        return Judged(Outcome.CORRECT, "the value that follows from the facts")
    return Judged(Outcome.INCORRECT, f"{', '.join(sorted(said))!r}, the answer is {question.answer!r}")
