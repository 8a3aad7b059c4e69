"""A judge whose every verdict is known: the oracle's, turned over or withheld where a plan says so."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final

from replay import HEADERS, instances

from clinhallu_gate.judge.oracle import judge_answer, judge_stage, phantom_of
from clinhallu_gate.protocol.judging import judge_request, verdict_key
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.records import PARTS, Instance, Judged
from clinhallu_gate.testing import Request, ScriptedReply
from clinhallu_gate.vocabulary import ANSWER, Part, Stage

#: Stands for the candidate in the prompts by which an instance is known again.
_MARK: Final = "<candidate>"


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked."""

    instance: Instance
    part: Part
    candidate: str

    @property
    def bad(self) -> bool | None:
        """Whether the oracle calls the candidate hallucinated or incorrect; None if it cannot read it."""
        phantom = phantom_of(self.instance)
        if self.part == ANSWER:
            verdict = judge_answer(phantom.question, self.candidate)
        else:
            verdict = judge_stage(phantom, Stage(self.part), self.candidate)
        return verdict.bad if isinstance(verdict, Judged) else None


@dataclass(frozen=True)
class JudgeReplay:
    """A reply function for ``ScriptedServer``."""

    sensitivity: float = 1.0
    """Share of hallucinated stages that it calls so."""
    specificity: float = 1.0
    """Share of grounded stages that it calls so; answers are judged as they are."""
    spoil: Callable[[Question, str], str | None] | None = None
    """Turns some replies into others; None leaves a reply as it is."""

    def __call__(self, request: Request) -> ScriptedReply:
        """Return the verdict as JSON."""
        asked = read_question(request)
        bad = bool(asked.bad)
        if asked.part != ANSWER:
            right = self.sensitivity if bad else self.specificity
            bad = bad if _draw(request) < right else not bad
        said = bad if asked.part != ANSWER else not bad
        text = json.dumps({"reason": f"planted for {asked.instance.uid}", verdict_key(asked.part): said})
        return ScriptedReply((self.spoil and self.spoil(asked, text)) or text)


def _draw(request: Request) -> float:
    return int.from_bytes(sha256(b"judge:" + request.text.encode()).digest()[:8]) / 2**64


def read_question(request: Request) -> Question:
    """Find out what is asked. Raises ``KeyError`` for a prompt that is not about one of the instances."""
    system, said = request.messages[0]["content"], _said(request)
    part = next(part for part in PARTS if _system(part) == system)
    before, _, candidate = said.rpartition(f"{HEADERS[part]} (to be checked)\n")
    return Question(_known()[part, before], part, candidate)


def _said(request: Request) -> str:
    content = request.messages[1]["content"]
    return content if isinstance(content, str) else next(part["text"] for part in content if part["type"] == "text")


@cache
def _system(part: Part) -> str:
    return str(judge_request(load_protocol("standard"), instances()[0], part, _MARK).messages[0].content[0])


@cache
def _known() -> dict[tuple[Part, str], Instance]:
    """Return an instance for all that stands before a candidate; instances of equal prompts have equal truths."""
    found: dict[tuple[Part, str], Instance] = {}
    for instance in instances():
        for part in PARTS:
            text = str(judge_request(load_protocol("standard"), instance, part, _MARK).messages[1].content[-1])
            found[part, text.removesuffix(f"{HEADERS[part]} (to be checked)\n{_MARK}")] = instance
    return found
