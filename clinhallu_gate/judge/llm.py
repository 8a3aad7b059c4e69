"""A judge model: asked through an engine like the examined model, its reply read strictly or not at all."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clinhallu_gate.address import address
from clinhallu_gate.judge.match import match_answer
from clinhallu_gate.ports import Asks
from clinhallu_gate.protocol.judging import CORRECT, HALLUCINATED, judge_request, verdict_key
from clinhallu_gate.protocol.replies import read_answer, read_stage
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Call, ChatRequest, Completion, Instance, Judged, Unjudged, Verdict
from clinhallu_gate.vocabulary import ANSWER, Outcome, Part, Stage, UnjudgedReason

_THOUGHT: Final = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCE: Final = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_QUOTED: Final = 120
#: What a verdict's key means when it is false, and when it is true.
_MEANS: Final = {
    HALLUCINATED: (Outcome.GROUNDED, Outcome.HALLUCINATED),
    CORRECT: (Outcome.INCORRECT, Outcome.CORRECT),
}


@dataclass(frozen=True, slots=True)
class LlmJudge:
    """Judges stages and answers by asking a model; whatever it does not say clearly is unjudged.

    Equal questions have one content address, so the engine asks each only once.
    """

    protocol: Protocol
    engine: Asks
    identity: str
    """Digest of the judge model's identity."""
    template_kwargs: Mapping[str, object]

    async def stage(self, instance: Instance, stage: Stage, text: str) -> Verdict:
        """Say whether a stage's text is grounded."""
        return await self._ask(instance, stage, text)

    async def answer(self, instance: Instance, text: str) -> Verdict:
        """Say whether an answer is correct: exactly matched where the protocol allows that, else asked."""
        matched = match_answer(instance, text) if self.protocol.judge.match else None
        return matched or await self._ask(instance, ANSWER, text)

    async def again(self, instance: Instance, part: Part, text: str) -> Verdict:
        """Ask the same question once more, as if nobody had: how far the judge agrees with itself."""
        return await self._ask(instance, part, text, first_sample=self.protocol.judge.tries)

    async def _ask(self, instance: Instance, part: Part, text: str, *, first_sample: int = 0) -> Verdict:
        if part == Stage.VISUAL_RECOGNITION and not instance.images:
            return Unjudged(UnjudgedReason.JUDGE_FAILED, "there is no image to judge a description by")
        request = judge_request(self.protocol, instance, part, text, chat_template_kwargs=self.template_kwargs)
        verdict: Verdict = Unjudged(UnjudgedReason.JUDGE_FAILED, "not asked")
        for sample in range(self.protocol.judge.tries):
            reply = await self.engine.ask(self._call(instance, part, request, first_sample + sample))
            if not isinstance(reply, Completion):
                return Unjudged(UnjudgedReason.JUDGE_FAILED, reply.detail)
            verdict = self._read(part, reply)
            if isinstance(verdict, Judged):
                break
        return verdict

    def _call(self, instance: Instance, part: Part, request: ChatRequest, sample: int) -> Call:
        """Return the call; a reply that cannot be used is not kept, so that a rerun asks again."""
        return Call(
            key=address(f"{self.identity}:{self.protocol.judge_sha256}", request, sample=sample),
            label=f"judging {instance.uid} {part}",
            affinity=instance.images[0].sha256 if instance.images else instance.uid,
            request=request,
            usable=lambda reply: isinstance(self._read(part, reply), Judged),
        )

    def _read(self, part: Part, reply: Completion) -> Judged | Unjudged:
        return read_verdict(part, reply) if self.protocol.pack is None else read_as_benchmark(part, reply)


def read_as_benchmark(part: Part, reply: Completion) -> Judged | Unjudged:
    """Read a judge's reply as the benchmark's own code does."""
    mark = read_answer(reply.text) if part == ANSWER else read_stage(reply.text)
    if mark is None:
        return _unusable("the judge's reply cannot be used", reply.text)
    if_0, if_1 = _MEANS[verdict_key(part)]
    return Judged(if_1 if mark.value else if_0, " ".join(mark.reason.split()))


def read_verdict(part: Part, reply: Completion) -> Judged | Unjudged:
    """Read a judge's reply: a JSON object with a reason and a verdict that is true or false; other keys are ignored."""
    if reply.refused:
        return _unusable("the judge refused", reply.text)
    if reply.finish_reason == "length":
        return _unusable("the judge's reply was cut off", reply.text)
    text = _THOUGHT.sub("", reply.text)
    fenced = _FENCE.match(text)
    try:
        content = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError):
        return _unusable("the judge's reply is not JSON", reply.text)
    return _verdict(part, content, reply.text)


def _verdict(part: Part, content: Any, said: str) -> Judged | Unjudged:  # noqa: ANN401 - JSON of a model
    key = verdict_key(part)
    if not isinstance(content, dict) or not isinstance(content.get(key), bool):
        return _unusable(f"the judge's reply has no {key!r} that is true or false", said)
    if_false, if_true = _MEANS[key]
    reason = content.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        return _unusable("the judge's reply has no reason", said)
    return Judged(if_true if content[key] else if_false, " ".join(reason.split()))


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _unusable(why: str, said: str) -> Unjudged:
    return Unjudged(UnjudgedReason.JUDGE_FAILED, f"{why}: {' '.join(said.split())[:_QUOTED]!r}")
