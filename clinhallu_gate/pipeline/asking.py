"""Ask the model and the judge all that a plan needs: engines over endpoints and store, in one asyncio loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from itertools import repeat
from pathlib import Path
from typing import Final

from clinhallu_gate.engine.core import Engine
from clinhallu_gate.engine.endpoint import HttpEndpoint
from clinhallu_gate.engine.limiter import Limits
from clinhallu_gate.engine.window import each
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.events import GatesDecided, Listener, PhaseBegan
from clinhallu_gate.hosting.host import ModelHost
from clinhallu_gate.judge.examination import Examination
from clinhallu_gate.judge.llm import LlmJudge
from clinhallu_gate.judge.oracle import Oracle
from clinhallu_gate.pipeline.asked import Asked
from clinhallu_gate.pipeline.evaluate import Evaluator, Work
from clinhallu_gate.pipeline.examining import demand_fit, examine_judge
from clinhallu_gate.pipeline.hosts import Hosts, Listeners
from clinhallu_gate.pipeline.plan import Plan
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.recorded import NoJudge, Recorded
from clinhallu_gate.pipeline.retest import retest_judge
from clinhallu_gate.pipeline.stopping import Chunk, Stopping, sizes_in_turn
from clinhallu_gate.ports import Endpoint, Judge
from clinhallu_gate.records import Call, Completion, Instance, Reading
from clinhallu_gate.results import Results
from clinhallu_gate.store.sqlite import SqliteStore

#: Instances in flight: enough to keep a server's batch full, few enough that an image's arms stay adjacent.
WINDOW: Final = 64
#: Instances between two looks, where evaluation may end early: two such chunks are in flight, so the server never waits
#: for a look, and no more than these two are asked in vain.
CHUNK: Final = WINDOW // 2


class Asking:
    """One evaluation: what it needs is opened when it begins and closed at its end."""

    def __init__(
        self,
        plan: Plan,
        prepared: Prepared,
        results: Results,
        *,
        hosts: Hosts,
        tell: Listeners,
        stopping: Stopping | None = None,
    ) -> None:
        self._plan = plan
        self._stopping = stopping
        self._prepared = prepared
        self._hosts = hosts
        self._tell = tell
        self._results = results
        self._stores: dict[Path, SqliteStore] = {}
        self._hosted: dict[ModelHost, list[HostedEndpoint]] = {}
        self._stack = AsyncExitStack()

    async def run(self, examined: Callable[[Examination], None], *, examine: bool) -> None:
        """Put every reading of the plan into the results.

        Args:
            examined: Told of the judge's examination, as soon as there is one.
            examine: Whether the judge has to show that it may judge, before any of its verdicts counts.

        Raises:
            EvaluationFailed: A server died or cannot be used, the judge is unfit, or the store cannot be written.
        """
        async with self._stack:
            recorded = self._prepared.recorded
            if recorded is not None:
                await self._judge_what_is_open(recorded, await self._judge(), examined, examine=examine)
            else:
                await self._ask_model(await self._judge(), examined, examine=examine)
            await self._step_down(self._hosts.judge)

    async def _ask_model(self, judge: Judge, examined: Callable[[Examination], None], *, examine: bool) -> None:
        evaluator = Evaluator(
            protocol=self._prepared.protocol,
            engine=await self._engine(self._prepared.model, self._hosts.model, self._tell.model),
            judge=judge,
            identity=self._prepared.identity.digest,
            template_kwargs=self._prepared.entry.chat_template_kwargs,
            results=self._results,
            emit=self._tell.model,
        )
        if self._in_turn:
            await self._take_turns(evaluator, lambda: self._examine(judge, examined, wanted=examine))
        else:
            await self._examine(judge, examined, wanted=examine)
            await self._side_by_side(evaluator)
        if self._prepared.options.repeats > 1 and isinstance(judge, LlmJudge):
            self._results.retest = await retest_judge(judge, self._results, seed=self._prepared.order_seed)

    async def _take_turns(self, evaluator: Evaluator, examine: Callable[[], Awaitable[None]]) -> None:
        """Have the model write all traces of a chunk before the judge comes up; without early stopping there is one."""
        sizes = sizes_in_turn(len(self._plan.readings)) if self._stopping else (len(self._plan.readings),)
        for number, chunk in enumerate(self._chunks(sizes)):
            if number:
                await self._step_down(self._hosts.judge)
            work = Work(chunk.wanted, self._results)
            await self._each("traces", Plan(chunk.wanted).traces(self._prepared.protocol), work, evaluator.traces)
            await self._step_down(self._hosts.model)
            if not number:
                await examine()
            await self._each("judgements", work.judgements, work, evaluator.verdicts)
            self._look(chunk)

    async def _side_by_side(self, evaluator: Evaluator) -> None:
        """Have traces judged as they come; the gates look at a chunk while the next one is in flight."""
        work = Work(self._plan.readings, self._results)
        name, total = "traces", self._plan.traces(self._prepared.protocol)
        if self._prepared.judge_model is not None:
            name, total = "traces and judgements", total + work.judgements
        if self._stopping is None:
            await self._each(name, total, work, evaluator.both)
            return
        self._tell.model(PhaseBegan(name, total))
        async with asyncio.TaskGroup() as group:
            before: tuple[Chunk, asyncio.Task[None]] | None = None
            for chunk in self._chunks(repeat(CHUNK)):
                work = Work(chunk.wanted, self._results)
                task = group.create_task(each(work, lambda item: evaluator.both(*item), window=CHUNK))
                if before is not None:
                    await before[1]
                    self._look(before[0])
                before = chunk, task
            if before is not None:
                await before[1]
                self._look(before[0])

    def _chunks(self, sizes: Iterable[int]) -> Iterator[Chunk]:
        """Yield what is asked together: what open gates need, or without early stopping all of the plan."""
        if self._stopping is None:
            yield Chunk(dict(self._plan.readings), 0)
            return
        for size in sizes:
            chunk = self._stopping.chunk(size)
            if chunk is None:
                return
            yield chunk

    def _look(self, chunk: Chunk) -> None:
        if self._stopping is not None:
            self._stopping.look(chunk)
            gates = len(self._stopping.watches)
            self._tell.model(GatesDecided(gates - self._stopping.open, gates))

    async def _judge_what_is_open(
        self, recorded: Recorded, judge: Judge, examined: Callable[[Examination], None], *, examine: bool
    ) -> None:
        """Have a judge say what the result tree does not; one that is not asked need not show anything."""
        opened = {uid: wanted & recorded.open_of(uid) for uid, wanted in self._plan.readings.items()}
        work = Work({uid: wanted for uid, wanted in opened.items() if wanted}, self._results)
        await self._examine(judge, examined, wanted=examine and not isinstance(judge, NoJudge))
        await self._each("judgements", work.judgements, work, lambda *item: recorded.judge_open(judge, *item))

    @property
    def _in_turn(self) -> bool:
        """Whether model and judge are hosted here and must not be up at the same time."""
        both = self._hosts.model is not None and self._hosts.judge is not None
        return both and not self._prepared.options.judge_beside

    async def _each(
        self, name: str, total: int, work: Work, do: Callable[[Instance, frozenset[Reading]], Awaitable[None]]
    ) -> None:
        self._tell.model(PhaseBegan(name, total))
        await each(work, lambda item: do(*item), window=WINDOW)

    async def _step_down(self, host: ModelHost | None) -> None:
        """End the server of ``host``, so that its memory is free; the next call to it starts another."""
        if host is not None:
            for endpoint in self._hosted.get(host, ()):
                await endpoint.forget()
            await asyncio.to_thread(host.release)

    async def _examine(self, judge: Judge, examined: Callable[[Examination], None], *, wanted: bool) -> None:
        if not wanted:
            return
        examination = await examine_judge(self._prepared, judge, tell=self._tell.judge)
        examined(examination)
        demand_fit(self._prepared.judge, examination)

    async def _judge(self) -> Judge:
        asked = self._prepared.judge_model
        if asked is None:
            return Oracle() if self._prepared.by_oracle else NoJudge()
        return LlmJudge(
            protocol=self._prepared.protocol,
            engine=await self._engine(asked, self._hosts.judge, self._tell.judge),
            identity=asked.identity.digest,
            template_kwargs=asked.entry.chat_template_kwargs,
        )

    async def _engine(self, asked: Asked, host: ModelHost | None, emit: Listener) -> Engine:
        """Return an engine for ``asked``, open until the end of the evaluation."""
        options = self._prepared.options
        endpoints = endpoints_of(asked, host, timeout_s=options.call_timeout_s)
        for endpoint in endpoints:
            self._stack.push_async_callback(endpoint.close)
            if host is not None and isinstance(endpoint, HostedEndpoint):
                self._hosted.setdefault(host, []).append(endpoint)
        engine = Engine(
            endpoints,
            self._store(self._prepared.store_of(asked)),
            limits=Limits.up_to(options.concurrency) if options.concurrency else Limits(),
            emit=emit,
            alive=host.dead if host else lambda: None,
        )
        return await self._stack.enter_async_context(engine)

    def _store(self, path: Path) -> SqliteStore:
        """Return the store at ``path``; model and judge share one if it is the same file."""
        if path not in self._stores:
            store = SqliteStore(path, fresh=self._prepared.options.fresh)
            self._stores[path] = self._stack.enter_context(store)
        return self._stores[path]


def endpoints_of(
    asked: Asked, host: ModelHost | None, *, timeout_s: float
) -> "list[HostedEndpoint] | list[HttpEndpoint]":
    """Return what a model is asked through: the server of ``host``, or the addresses that it was named by."""
    if host is not None:
        return [HostedEndpoint(host, timeout_s=timeout_s)]
    name, key, api = asked.identity.name, asked.api_key, asked.api
    return [HttpEndpoint(url, name, timeout_s=timeout_s, api_key=key, api=api) for url in asked.endpoints]


class HostedEndpoint(Endpoint):
    """The endpoint of a hosted model: the first call brings the server up, a run from the store never does."""

    def __init__(self, host: ModelHost, *, timeout_s: float) -> None:
        self._host = host
        self._timeout_s = timeout_s
        self._ready: asyncio.Future[HttpEndpoint] | None = None

    async def send(self, call: Call) -> Completion:
        """Try once, after the server is up."""
        if self._ready is None:
            self._ready = asyncio.ensure_future(self._start())
        endpoint = self._ready.result() if self._ready.done() else await asyncio.shield(self._ready)
        return await endpoint.send(call)

    async def _start(self) -> HttpEndpoint:
        try:
            server = await asyncio.to_thread(self._host.server)
        except asyncio.CancelledError:
            self._host.stop()  # or the thread would wait on, and the loop for the thread
            raise
        return HttpEndpoint(server.base_url, server.model, timeout_s=self._timeout_s)

    async def forget(self) -> None:
        """Close the connections to a server that is to end; the next call waits for another."""
        await self.close()
        self._ready = None

    async def close(self) -> None:
        """Close the connections; the server stays its host's to stop."""
        if self._ready is None:
            return
        self._ready.cancel()  # no effect once the server is up
        with suppress(asyncio.CancelledError, EvaluationFailed):
            await (await self._ready).close()
