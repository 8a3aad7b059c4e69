"""Evaluate: every instance of a plan becomes calls, traces, verdicts. The arms of an instance are asked together.

Traces and verdicts are two steps, so that a judge that needs the same GPU can come up when all traces are there.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern

from clinhallu_gate.address import address
from clinhallu_gate.events import InstanceBegan, Listener, ignore
from clinhallu_gate.pipeline.plan import traces_needed
from clinhallu_gate.ports import Asks, Judge
from clinhallu_gate.protocol.render import chat_request
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import (
    Call,
    CallFailure,
    ChatRequest,
    Completion,
    Failed,
    Instance,
    NotAsked,
    Reading,
    Trace,
    Unjudged,
    Verdict,
)
from clinhallu_gate.results import CallCost, Results, TraceOf, TraceRecord
from clinhallu_gate.trace import parse
from clinhallu_gate.tree.cot import API_FAILED, INVALID, failed_record, trace_record
from clinhallu_gate.vocabulary import ANSWER, Arm, FailReason, NotAskedReason, Stage, UnjudgedReason

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
    emit: Listener = ignore
    """Told of each instance that is asked."""
    _outcomes: dict[str, Mapping[TraceOf, ArmOutcome]] = field(default_factory=dict)
    """By instance, where its verdicts are sought later, until they are there."""

    @property
    def context(self) -> str:
        """What decides every reply of this run, apart from what is said: the model and the protocol."""
        return f"{self.identity}:{self.protocol.asking_sha256}"

    async def traces(self, instance: Instance, wanted: frozenset[Reading]) -> None:
        """Obtain the traces that the ``wanted`` readings of ``instance`` are read from, to be judged later."""
        self._outcomes[instance.uid] = self.results.shelved(await self._traces(instance, wanted))
        self.results.put_away(instance.uid)

    async def verdicts(self, instance: Instance, wanted: frozenset[Reading]) -> None:
        """Seek the ``wanted`` verdicts on the traces of ``instance`` and put them into the results."""
        await self._verdicts(instance, wanted, self._outcomes.pop(instance.uid))

    async def both(self, instance: Instance, wanted: frozenset[Reading]) -> None:
        """Obtain the traces of ``instance`` and seek the verdicts on them."""
        await self._verdicts(instance, wanted, await self._traces(instance, wanted))

    async def _traces(self, instance: Instance, wanted: frozenset[Reading]) -> dict[TraceOf, ArmOutcome]:
        self.emit(InstanceBegan(instance))
        tasks: dict[TraceOf, asyncio.Task[ArmOutcome]] = {}
        async with asyncio.TaskGroup() as group:
            for trace in traces_needed(self.protocol, wanted):
                waits_for = self.protocol.waits_for(trace.arm)
                upstream = tasks[TraceOf(waits_for, trace.repeat)] if waits_for else None
                tasks[trace] = group.create_task(self._arm(instance, trace, upstream))
        return {trace: task.result() for trace, task in tasks.items()}

    async def _verdicts(
        self, instance: Instance, wanted: frozenset[Reading], outcomes: Mapping[TraceOf, ArmOutcome]
    ) -> None:
        readings = sorted(wanted, key=str)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._verdict(instance, reading, outcomes[TraceOf(reading.arm, reading.repeat)]))
                for reading in readings
            ]
        found = self.results.found[instance.uid]
        new = {reading: task.result() for reading, task in zip(readings, tasks, strict=True)}
        found.verdicts = {**found.verdicts, **new}
        self.results.put_away(instance.uid)

    async def _arm(self, instance: Instance, trace: TraceOf, upstream: "asyncio.Task[ArmOutcome] | None") -> ArmOutcome:
        given = self._given(instance, trace.arm, await upstream if upstream else None)
        if not isinstance(given, dict):
            if not isinstance(given, NotAsked):
                status = INVALID if isinstance(given, Failed) else API_FAILED
                self._remember(instance, trace, failed_record({}, status=status))
            return given
        request = chat_request(self.protocol, instance, trace.arm, given, chat_template_kwargs=self.template_kwargs)
        drawn = await self._draw(instance, trace, given, request)
        if not isinstance(drawn, list):
            self._remember(instance, trace, failed_record(given))
            return Unjudged(UnjudgedReason.ENDPOINT_FAILED, drawn.detail)
        return self._keep(instance, trace, given, drawn)

    async def _draw(
        self, instance: Instance, trace: TraceOf, given: Mapping[Stage, str], request: ChatRequest
    ) -> list[Completion] | CallFailure:
        """Return the replies that were drawn: one, or as many as the protocol allows until a trace is whole."""
        drawn: list[Completion] = []
        while True:
            key = address(self.context, request, sample=trace.repeat * self.protocol.tries + len(drawn))
            label = f"{instance.uid} {trace.arm}{f' #{trace.repeat}' if trace.repeat else ''}"
            reply = await self.engine.ask(Call(key, label, instance.images[0].sha256, request))
            if not isinstance(reply, Completion):
                return reply
            drawn.append(reply)
            if len(drawn) == self.protocol.tries or self._record(trace.arm, given, drawn).valid:
                return drawn

    def _keep(self, instance: Instance, of: TraceOf, given: Mapping[Stage, str], drawn: Sequence[Completion]) -> Trace:
        """Put the last reply into the results, at the cost of all."""
        trace = parse(self.protocol, of.arm, drawn[-1])
        found = self.results.found[instance.uid]
        found.costs[of] = _cost(drawn)
        self._remember(instance, of, self._record(of.arm, given, drawn))
        for part, text in trace.parts.items():
            if isinstance(text, str):
                found.texts[Reading(of.arm, part, of.repeat)] = text
        return trace

    def _remember(self, instance: Instance, of: TraceOf, record: TraceRecord) -> None:
        """Keep what lies behind the texts, of the first trace of an arm: the benchmark's files hold one."""
        if of.repeat == 0:
            self.results.found[instance.uid].traces[of.arm] = record

    def _record(self, arm: Arm, given: Mapping[Stage, str], drawn: Sequence[Completion]) -> TraceRecord:
        """Return what was drawn, with what the benchmark's own rule says of it."""
        text = drawn[-1].text
        if self.protocol.given == "prefill" and given:
            text = f"{self.protocol.trace.headers[self.protocol.asked(arm)[0]]}\n{text}"
        return trace_record(
            text,
            given,
            finish_reason=drawn[-1].finish_reason,
            attempts=len(drawn),
            retry_limit=self.protocol.tries - 1,
        )

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


def _cost(drawn: Sequence[Completion]) -> CallCost:
    cached = [reply.cached_tokens for reply in drawn if reply.cached_tokens is not None]
    return CallCost(
        latency_s=sum(reply.latency_s for reply in drawn),
        prompt_tokens=sum(reply.prompt_tokens for reply in drawn),
        completion_tokens=sum(reply.completion_tokens for reply in drawn),
        cached_tokens=sum(cached) if cached else None,
    )


class Work:
    """Instances with what is sought of them, those of one cluster together; each instance is read at its turn.

    Args:
        wanted: Readings by uid.
        results: Has the instances.
    """

    def __init__(self, wanted: Mapping[str, frozenset[Reading]], results: Results) -> None:
        self._wanted = wanted
        self._by_uid = results.by_uid
        self._order = sorted(wanted, key=self._cluster)

    def _cluster(self, uid: str) -> tuple[str, str]:
        instance = self._by_uid[uid]
        return intern(instance.dataset), intern(instance.cluster)

    def __iter__(self) -> Iterator[tuple[Instance, frozenset[Reading]]]:
        return ((self._by_uid[uid], self._wanted[uid]) for uid in self._order)

    @property
    def judgements(self) -> int:
        """How many verdicts are sought."""
        return sum(map(len, self._wanted.values()))
