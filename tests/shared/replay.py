"""A model whose every word is known: it replays gold traces, with errors and faults where a plan puts them."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from typing import Final

from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.datasets.phantom.plant import ERROR_PART, Error, planted_text
from clinhallu_gate.judge.oracle import phantom_of
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.records import Instance
from clinhallu_gate.testing import Request, ScriptedReply
from clinhallu_gate.vocabulary import ANSWER, Arm, Part, Stage

#: Both packaged protocols write a trace alike.
HEADERS: Final = load_protocol("standard").trace.headers
#: What the model writes first in an arm; the arms of one such stage get the same reply.
FIRST: Final = {
    Arm.BASELINE: Stage.VISUAL_RECOGNITION,
    Arm.REPLACE_VR: Stage.KNOWLEDGE_RECALL,
    Arm.REPLACE_KR: Stage.REASONING_INTEGRATION,
    Arm.REPLACE_VR_KR: Stage.REASONING_INTEGRATION,
}


class ContentFault(StrEnum):
    """A whole reply that is not a whole trace."""

    EMPTY = "empty"
    NO_HEADERS = "no_headers"
    NO_ANSWER = "no_answer"
    EMPTY_STAGE = "empty_stage"
    CUT_OFF = "cut_off"
    REFUSAL = "refusal"
    REFUSAL_IN_WORDS = "refusal_in_words"
    UNREADABLE = "unreadable"
    """A trace whose first stage the oracle cannot read: nobody's hallucination."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, read from the prompt alone."""

    instance: Instance
    first: Stage
    """The first stage that the model is to write itself."""
    sees_gold: bool
    """The gold description of the images is among what was given."""
    prefilled: bool


@dataclass(frozen=True)
class GoldReplay:
    """A reply function for ``ScriptedServer``.

    A planted wrong answer is wrong in every arm, unless the instance's visual stage has a planted error too and the
    prompt repairs it: then the answer was wrong because of what the model saw.
    """

    errors: Mapping[str, Mapping[Part, Error]] = field(default_factory=dict)
    """By uid and part."""
    faults: Mapping[tuple[str, Stage], ContentFault] = field(default_factory=dict)
    """By uid and the first stage asked for."""

    def __call__(self, request: Request) -> ScriptedReply:
        """Return the trace that the request asks for."""
        asked = read(request)
        fault = self.faults.get((asked.instance.uid, asked.first))
        stages = list(Stage)[list(Stage).index(asked.first) :]
        texts = [(stage, self.text(asked.instance, stage)) for stage in stages]
        return _written(texts, self.answer(asked), prefilled=asked.prefilled, fault=fault)

    def text(self, instance: Instance, part: Part) -> str:
        """Return what the model writes for ``part``, whatever was given."""
        error = self.errors.get(instance.uid, {}).get(part)
        if error is None:
            return instance.answer if part == ANSWER else str(instance.gold.text(Stage(part)))
        wrong = planted(instance, error)
        assert wrong is not None
        return wrong

    def answer(self, asked: Asked) -> str:
        """Return the answer."""
        repaired = asked.sees_gold and Stage.VISUAL_RECOGNITION in self.errors.get(asked.instance.uid, {})
        return asked.instance.answer if repaired else self.text(asked.instance, ANSWER)


def planted(instance: Instance, error: Error) -> str | None:
    """Return the text with ``error`` in it, the same at each call; None where there is nothing to get wrong."""
    phantom = phantom_of(instance)
    return planted_text(error, phantom.study, phantom.question, random.Random(f"{instance.uid}:{error}"))


def errors_at(shares: Mapping[Part, float], seed: int = 0) -> dict[str, dict[Part, Error]]:
    """Plant an error in exactly this share of each stratum's instances, for each part."""
    plan: dict[str, dict[Part, Error]] = {}
    for part, share in shares.items():
        for stratum, members in by_stratum().items():
            wanted = share * len(members)
            assert wanted == int(wanted), f"{share} of {len(members)} is not a number of instances"
            drawn = random.Random(f"{seed}:{part}:{stratum}").sample(members, int(wanted))
            for number, instance in enumerate(drawn):
                plan.setdefault(instance.uid, {})[part] = _error(instance, part, number)
    return plan


def _error(instance: Instance, part: Part, number: int) -> Error:
    """Take the kinds of the part in turn; an invented finding is possible in every study."""
    kinds = [error for error, of in ERROR_PART.items() if of == part]
    kind = kinds[number % len(kinds)]
    return kind if planted(instance, kind) is not None else kinds[-1]


@cache
def instances() -> tuple[Instance, ...]:
    """Return the default evaluation set."""
    return phantom_instances()


def by_stratum() -> dict[str, list[Instance]]:
    """Return the instances of each stratum."""
    found: dict[str, list[Instance]] = {}
    for instance in instances():
        found.setdefault(instance.stratum, []).append(instance)
    return found


# --- reading a request -----------------------------------------------------------------------------------------------


def read(request: Request) -> Asked:
    """Find out what is asked. Raises ``KeyError`` for a prompt that is not about one of the instances."""
    said = next(part["text"] for part in request.messages[1]["content"] if part["type"] == "text")
    question, *lines = said.removeprefix("Question: ").splitlines()
    options = tuple(line for line in lines if line[:3] in ("A. ", "B. ", "C. ", "D. "))
    instance = _known()[question, options, request.image_digests]
    given = said if request.prefill is None else request.prefill
    header = given.rstrip(".").rpartition("[")[2]
    first = next(stage for stage in Stage if HEADERS[stage] == f"[{header}")
    gold = f"{HEADERS[Stage.VISUAL_RECOGNITION]}\n{instance.gold.visual_recognition}\n"
    return Asked(instance, first, gold in given, request.prefill is not None)


@cache
def _known() -> dict[tuple[str, tuple[str, ...], tuple[str, ...]], Instance]:
    return {(i.question, i.options, tuple(image.sha256 for image in i.images)): i for i in instances()}


# --- writing a reply -------------------------------------------------------------------------------------------------


def _written(
    texts: Iterable[tuple[Stage, str]], answer: str, *, prefilled: bool, fault: ContentFault | None
) -> ScriptedReply:
    trace = Written(list(texts), answer, prefilled)
    return ScriptedReply(trace.text) if fault is None else _SPOILT[fault](trace)


@dataclass(frozen=True)
class Written:
    """A trace as the model writes it; after a prefill, without the first header."""

    stages: list[tuple[Stage, str]]
    answer: str
    prefilled: bool

    @cached_property
    def text(self) -> str:
        """Return all of it."""
        return f"{self.body}{HEADERS[ANSWER]} {self.answer}"

    @property
    def body(self) -> str:
        """Return it without its answer."""
        text = "".join(f"{HEADERS[stage]}\n{text}\n\n" for stage, text in self.stages)
        return text.removeprefix(HEADERS[self.stages[0][0]]) if self.prefilled else text

    def with_first(self, text: str) -> "Written":
        """Return it with another first stage."""
        return Written([(self.stages[0][0], text), *self.stages[1:]], self.answer, self.prefilled)

    def cut_off(self) -> ScriptedReply:
        """Return it cut off within the first stage."""
        first = self.stages[0][1]
        return ScriptedReply(self.text[: self.text.index(first) + len(first) // 2], "length")


_SPOILT: Final[Mapping[ContentFault, Callable[[Written], ScriptedReply]]] = {
    ContentFault.EMPTY: lambda _: ScriptedReply(None),
    ContentFault.NO_HEADERS: lambda trace: ScriptedReply(" ".join(text for _, text in trace.stages)),
    ContentFault.NO_ANSWER: lambda trace: ScriptedReply(trace.body),
    ContentFault.EMPTY_STAGE: lambda trace: ScriptedReply(trace.with_first("").text),
    ContentFault.CUT_OFF: Written.cut_off,
    ContentFault.REFUSAL: lambda _: ScriptedReply(None, refusal="I cannot help with that."),
    ContentFault.REFUSAL_IN_WORDS: lambda _: ScriptedReply("I'm sorry, but I can't interpret medical images."),
    ContentFault.UNREADABLE: lambda trace: ScriptedReply(trace.with_first("Colourless green ideas sleep.").text),
}
