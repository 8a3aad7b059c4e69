"""Ask the model all that a plan needs: the engine over its endpoints and the store, in one asyncio loop."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Final

from clinhallu_gate.engine.core import Engine
from clinhallu_gate.engine.endpoint import HttpEndpoint
from clinhallu_gate.engine.limiter import Limits
from clinhallu_gate.engine.window import each
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.events import Listener
from clinhallu_gate.hosting.host import ModelHost
from clinhallu_gate.judge.oracle import Oracle
from clinhallu_gate.pipeline.evaluate import Evaluator, work_of
from clinhallu_gate.pipeline.plan import Plan
from clinhallu_gate.pipeline.prepare import Prepared
from clinhallu_gate.ports import Endpoint
from clinhallu_gate.records import Call, Completion
from clinhallu_gate.results import Results
from clinhallu_gate.store.sqlite import SqliteStore

#: Instances in flight: enough to keep a server's batch full, few enough that an image's arms stay adjacent.
WINDOW: Final = 64


async def ask_all(plan: Plan, prepared: Prepared, results: Results, *, host: ModelHost | None, emit: Listener) -> None:
    """Put every reading of ``plan`` into ``results``.

    Raises:
        EvaluationFailed: The server died or cannot be used, or the store cannot be written.
    """
    async with AsyncExitStack() as stack:
        store = stack.enter_context(SqliteStore(prepared.store, fresh=prepared.options.fresh))
        endpoints = _endpoints(prepared, host)
        for endpoint in endpoints:
            stack.push_async_callback(endpoint.close)
        maximum = prepared.options.concurrency
        engine = Engine(
            endpoints,
            store,
            limits=Limits.up_to(maximum) if maximum else Limits(),
            emit=emit,
            alive=host.dead if host else lambda: None,
        )
        evaluator = Evaluator(
            protocol=prepared.protocol,
            engine=await stack.enter_async_context(engine),
            judge=Oracle(),
            identity=prepared.identity.digest,
            template_kwargs=prepared.entry.chat_template_kwargs,
            results=results,
        )
        await each(work_of(plan, results), lambda item: evaluator.instance(*item), window=WINDOW)


def _endpoints(prepared: Prepared, host: ModelHost | None) -> "list[HostedEndpoint] | list[HttpEndpoint]":
    name, timeout_s = prepared.identity.name, prepared.options.call_timeout_s
    if host is not None:
        return [HostedEndpoint(host, timeout_s=timeout_s)]
    key = prepared.options.api_key
    return [HttpEndpoint(url, name, timeout_s=timeout_s, api_key=key) for url in prepared.endpoints]


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

    async def close(self) -> None:
        """Close the connections; the server stays its host's to stop."""
        if self._ready is None:
            return
        self._ready.cancel()  # no effect once the server is up
        with suppress(asyncio.CancelledError, EvaluationFailed):
            await (await self._ready).close()
