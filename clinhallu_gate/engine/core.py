"""The engine: a call goes in, a finished reply or a typed failure comes out."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, Self

from clinhallu_gate.engine.clock import SystemClock
from clinhallu_gate.engine.limiter import Limiter, Limits
from clinhallu_gate.engine.replica import Replica, choose
from clinhallu_gate.engine.retry import RetryPolicy
from clinhallu_gate.errors import EvaluationFailed, RequestRefused
from clinhallu_gate.events import CallFailed, CallFinished, CallRetried, ConcurrencyChanged, Listener, ignore
from clinhallu_gate.ports import Clock, Endpoint, Store, TransportFault
from clinhallu_gate.records import Attempt, Call, CallFailure, Completion, Reply

#: A finished reply is durable after at most this long (seconds).
FLUSH_S: Final = 0.05
_OK: Final = 200
_FIRST_SERVER_ERROR: Final = 500
_OVERRUN: Final = frozenset({408, 429})


def _is_overrun(fault: TransportFault) -> bool:
    status = fault.status  # none at all: a timeout or a broken connection
    return status is None or status in _OVERRUN or status >= _FIRST_SERVER_ERROR


class Engine:
    """Asks model servers, through the store, from the running asyncio loop.

    Use as an async context manager, or call ``close`` at the end: both make every reply durable. The endpoints and the
    store stay their owner's to close.

    Args:
        endpoints: Replicas of one model. Calls of one ``affinity`` go to the same one until it is given up.
        store: Where finished replies are looked up and kept.
        clock: Time for backoff.
        retry: When to try again.
        limits: Bounds of the calls in flight, per replica.
        emit: Told of every event; must not raise.
        alive: Says why a hosted server is dead, or None while it lives. Asked when a server gives no answer.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        store: Store,
        *,
        clock: Clock | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        emit: Listener = ignore,
        alive: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._retry = retry or RetryPolicy()
        self._emit = emit
        self._alive = alive
        self._replicas = [self._replica(n, endpoint, limits or Limits()) for n, endpoint in enumerate(endpoints)]
        self._asked: dict[str, asyncio.Future[Reply]] = {}
        self._flushing: asyncio.TimerHandle | None = None
        self._store_fault: EvaluationFailed | None = None

    def _replica(self, number: int, endpoint: Endpoint, limits: Limits) -> Replica:
        return Replica(endpoint, Limiter(limits, lambda limit, why: self._emit(ConcurrencyChanged(number, limit, why))))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Make every reply durable. Raises ``EvaluationFailed`` if the store cannot be written."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._store.flush()

    async def ask(self, call: Call) -> Reply:
        """Return the reply to ``call``: from the store, from an identical call in flight, or from a server.

        Raises:
            EvaluationFailed: The server refused the request itself (4xx), the hosted server is dead, or the store
                cannot be written: nothing that a further call could mend.
        """
        if self._store_fault is not None:
            raise self._store_fault
        stored = self._store.get(call.key)
        if stored is not None:
            return self._tell(call, stored, from_store=True)
        twin = self._asked.get(call.key)
        return await (self._lead(call) if twin is None else self._follow(call, twin))

    async def _lead(self, call: Call) -> Reply:
        mine = self._asked[call.key] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._obtain(call)
        except asyncio.CancelledError:
            mine.cancel()
            raise
        except BaseException as error:
            mine.set_exception(error)
            mine.exception()  # so that asyncio does not complain where nobody follows
            raise
        finally:
            del self._asked[call.key]
        mine.set_result(reply)
        return self._tell(call, reply, from_store=False)

    async def _follow(self, call: Call, twin: asyncio.Future[Reply]) -> Reply:
        try:
            reply = await asyncio.shield(twin)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if twin.cancelled() and task is not None and not task.cancelling():
                return await self.ask(call)  # only the leader was cancelled
            raise
        return self._tell(call, reply, from_store=True)

    def _tell(self, call: Call, reply: Reply, *, from_store: bool) -> Reply:
        match reply:
            case Completion():
                tokens = reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens
                self._emit(CallFinished(call.label, from_store, *tokens, reply.latency_s))
            case CallFailure():
                self._emit(CallFailed(call.label, reply.detail, len(reply.attempts)))
        return reply

    async def _obtain(self, call: Call) -> Reply:
        attempts: list[Attempt] = []
        try:
            reply = await self._from_a_replica(call, attempts)
            if isinstance(reply, Completion) and (call.usable is None or call.usable(reply)):
                self._store.put(call, reply)
            return reply
        finally:
            if attempts:
                self._store.log(call, attempts)
                self._flush_soon()

    async def _from_a_replica(self, call: Call, attempts: list[Attempt]) -> Reply:
        while (replica := choose(self._replicas, call.affinity)) is not None:
            completion = await self._from(replica, call, attempts)
            if completion is not None:
                return completion
            if not replica.given_up:
                return CallFailure(f"{len(attempts)} attempts failed; the last: {attempts[-1].error}", tuple(attempts))
        return CallFailure(self._replicas[0].why, tuple(attempts))

    async def _from(self, replica: Replica, call: Call, attempts: list[Attempt]) -> Completion | None:
        """Try until there is a reply, the attempts are used up, or the replica is given up."""
        began_s: float | None = None
        for attempt in count(1):
            result = await self._attempt(replica, call, attempts, ahead=attempt > 1)
            if not isinstance(result, TransportFault):
                return result
            now_s = self._clock.monotonic()
            began_s = now_s - attempts[-1].latency_s if began_s is None else began_s
            wait_s = self._retry.wait_s(call, result, attempt=attempt, spent_s=now_s - began_s)
            if wait_s is None:
                replica.failed(result.error)
                break
            self._emit(CallRetried(call.label, attempt, result.error, result.status, wait_s))
            await self._clock.sleep(wait_s)
        return None

    async def _attempt(
        self, replica: Replica, call: Call, attempts: list[Attempt], *, ahead: bool
    ) -> Completion | TransportFault | None:
        """Send once, when it is the call's turn; None if the replica was given up meanwhile."""
        limiter = replica.limiter
        await limiter.acquire(ahead=ahead)
        try:
            if replica.given_up:
                return None
            epoch, sent_s = limiter.epoch, self._clock.monotonic()
            try:
                completion = await replica.endpoint.send(call)
            except TransportFault as fault:
                attempts.append(Attempt(fault.error, fault.status, self._clock.monotonic() - sent_s))
                self._heed(fault, call, limiter, epoch)
                return fault
            attempts.append(Attempt("", _OK, completion.latency_s))
            replica.succeeded(completion.latency_s)
            return completion
        finally:
            limiter.release()

    def _heed(self, fault: TransportFault, call: Call, limiter: Limiter, epoch: int) -> None:
        if not fault.retryable:
            raise RequestRefused(f"the request for {call.label} was refused", f": {fault.error}", status=fault.status)
        if fault.status is None and (why := self._alive()) is not None:
            raise EvaluationFailed("the model server died", f": {why}")
        if _is_overrun(fault):
            limiter.overrun(epoch)

    def _flush_soon(self) -> None:
        """One timer serves all replies that come before it fires."""
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        try:
            self._store.flush()
        except EvaluationFailed as fault:  # a timer has nobody to raise to: the next call raises it
            self._store_fault = fault
