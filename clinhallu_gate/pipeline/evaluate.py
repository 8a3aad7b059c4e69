"""Evaluate: every instance of a plan becomes calls, traces, verdicts. The arms of an instance are asked together."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol as Interface

from clinhallu_gate.address import address
from clinhallu_gate.pipeline.plan import Plan, arms_needed
from clinhallu_gate.protocol.render import chat_request
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import (
    Call,
    Completion,
    Failed,
    Instance,
    NotAsked,
    Reading,
    Reply,
    Trace,
    Unjudged,
    Verdict,
)
from clinhallu_gate.results import CallCost, Results
from clinhallu_gate.trace import parse
from clinhallu_gate.vocabulary import ANSWER, Arm, FailReason, NotAskedReason, Stage, UnjudgedReason


class Asks(Interface):
    """What evaluation needs of an engine."""

    async def ask(self, call: Call) -> Reply:
        """Return the finished reply, or why there is none."""


class Judge(Interface):
    """What says whether a part is right."""

    async def stage(self, instance: Instance, stage: Stage, text: str) -> Verdict:
        """Judge a stage's text."""

    async def answer(self, instance: Instance, text: str) -> Verdict:
        """Judge an answer."""


#: What an arm came to: its trace, or why no part of it has a text.
ArmOutcome = Trace | Failed | Unjudged | NotAsked


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates instances one by one; many may be in flight."""

    protocol: Protocol
    engine: Asks
    judge: Judge
    identity: str
    """Digest of the model's identity."""
    template_kwargs: Mapping[str, object]
    results: Results

    @property
    def context(self) -> str:
        """What decides every reply of this run, apart from what is said: the model and the protocol."""
        return f"{self.identity}:{self.protocol.sha256}"

    async def instance(self, instance: Instance, wanted: frozenset[Reading]) -> None:
        """Seek the ``wanted`` readings of ``instance`` and put them into the results."""
        tasks: dict[Arm, asyncio.Task[ArmOutcome]] = {}
        async with asyncio.TaskGroup() as group:
            for arm in arms_needed(self.protocol, wanted):
                waits_for = self.protocol.waits_for(arm)
                upstream = tasks[waits_for] if waits_for else None
                tasks[arm] = group.create_task(self._arm(instance, arm, upstream))
        found = self.results.found[instance.uid]
        for reading in sorted(wanted, key=str):
            found.verdicts[reading] = await self._verdict(instance, reading, tasks[reading.arm].result())

    async def _arm(self, instance: Instance, arm: Arm, upstream: "asyncio.Task[ArmOutcome] | None") -> ArmOutcome:
        given = self._given(instance, arm, await upstream if upstream else None)
        if not isinstance(given, dict):
            return given
        request = chat_request(self.protocol, instance, arm, given, chat_template_kwargs=self.template_kwargs)
        key = address(self.context, request)
        reply = await self.engine.ask(Call(key, f"{instance.uid} {arm}", instance.images[0].sha256, request))
        if not isinstance(reply, Completion):
            return Unjudged(UnjudgedReason.ENDPOINT_FAILED, reply.detail)
        return self._keep(instance, arm, reply)

    def _keep(self, instance: Instance, arm: Arm, reply: Completion) -> Trace:
        trace = parse(self.protocol, arm, reply)
        found = self.results.found[instance.uid]
        found.costs[arm] = CallCost(reply.latency_s, reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens)
        for part, text in trace.parts.items():
            if isinstance(text, str):
                found.texts[Reading(arm, part)] = text
        return trace

    def _given(
        self, instance: Instance, arm: Arm, upstream: ArmOutcome | None
    ) -> dict[Stage, str] | Failed | Unjudged | NotAsked:
        """Return the texts that the arm is given, or why it cannot be asked."""
        given: dict[Stage, str] = {}
        for stage, whose in self.protocol.arms[arm].items():
            text = instance.gold.text(stage) if whose == "gold" else None
            if whose != "gold":
                if not isinstance(upstream, Trace):
                    return upstream or Unjudged(UnjudgedReason.ENDPOINT_FAILED, "no trace to take the stage from")
                text = upstream.text(stage)
                if text is None:
                    return Failed(FailReason.UPSTREAM_FAILED, f"the {whose} trace has no {stage}")
            if text is None:
                return NotAsked(NotAskedReason.NO_GOLD, f"no gold {stage} to give")
            given[stage] = text
        return given

    async def _verdict(self, instance: Instance, reading: Reading, outcome: ArmOutcome) -> Verdict:
        if not isinstance(outcome, Trace):
            return outcome
        text = outcome.parts[reading.part]
        if isinstance(text, Failed):
            return text
        if reading.part == ANSWER:
            return await self.judge.answer(instance, text)
        stage = Stage(reading.part)
        if instance.gold.text(stage) is None:
            return NotAsked(NotAskedReason.NO_GOLD, f"no gold {stage} to judge by")
        return await self.judge.stage(instance, stage, text)


def work_of(plan: Plan, results: Results) -> list[tuple[Instance, frozenset[Reading]]]:
    """Return the plan's instances with their readings, instances of one cluster together."""
    chosen = [(results.by_uid[uid], readings) for uid, readings in plan.readings.items()]
    return sorted(chosen, key=lambda item: (item[0].dataset, item[0].cluster))
