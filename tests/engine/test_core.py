"""The engine on fake endpoints: store, deduplication, retries, affinity, circuit breaker, fatal errors."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from clinhallu_gate.engine import Engine, Limits, RetryPolicy, each
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.events import CallFailed, CallFinished, CallRetried, ConcurrencyChanged, Event
from clinhallu_gate.ports import TransportFault
from clinhallu_gate.records import Call, CallFailure, Completion, Reply
from clinhallu_gate.testing import FakeClock, FakeEndpoint, MemoryStore, a_call, a_completion

T = TypeVar("T")
BROKEN = TransportFault("HTTP 500: broken", status=500)
REFUSED = TransportFault("ClientOSError: connection refused")


def echo(call: Call, _: int) -> Completion:
    return a_completion(f"reply to {call.key}")


def failing(fault: TransportFault, *, attempts: int) -> Callable[[Call, int], Completion | Exception]:
    """Fail the first ``attempts`` attempts of each call."""
    return lambda call, attempt: fault if attempt <= attempts else echo(call, attempt)


class Bench:
    """An engine on fakes, with all that it told."""

    def __init__(self, *endpoints: FakeEndpoint, store: MemoryStore | None = None, **options: Any) -> None:  # noqa: ANN401 - any option of Engine
        self.endpoints = endpoints
        self.store = store or MemoryStore()
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.engine = Engine(endpoints, self.store, clock=self.clock, emit=self.events.append, **options)

    def told(self, kind: type) -> list[Any]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def ask(self, calls: Sequence[Call]) -> list[Reply]:
        """Ask all calls at once."""

        async def main() -> list[Reply]:
            async with self.engine:
                return await asyncio.gather(*(self.engine.ask(call) for call in calls))

        return run(main())


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 20))


def calls(count: int) -> list[Call]:
    return [a_call(key=str(n), label=f"sample/{n} baseline", affinity=f"image-{n}") for n in range(count)]


def test_a_finished_reply_is_kept_and_not_asked_again() -> None:
    """The second run of the same call costs nothing, and says so."""
    first = Bench(FakeEndpoint(echo))
    again = Bench(FakeEndpoint(echo), store=first.store)
    assert first.ask(calls(3)) == again.ask(calls(3))
    assert [len(bench.endpoints[0].sent) for bench in (first, again)] == [3, 0]
    assert [event.from_store for event in first.told(CallFinished)] == [False] * 3
    assert [event.from_store for event in again.told(CallFinished)] == [True] * 3


def test_closing_makes_replies_durable() -> None:
    """The store is flushed at the end, and soon after a reply without it."""

    async def main(bench: Bench) -> int:
        await bench.engine.ask(a_call())
        await asyncio.sleep(0.1)  # the flush timer is the loop's own
        return bench.store.flushes

    bench = Bench(FakeEndpoint(echo))
    assert run(main(bench)) == 1
    bench.engine.close()
    assert bench.store.flushes == 2


def test_identical_calls_in_flight_are_asked_once() -> None:
    """Ten tasks that want the same reply share one request."""
    bench = Bench(FakeEndpoint(echo))
    replies = bench.ask([a_call(key="same")] * 10)
    assert len(set(replies)) == 1
    assert len(bench.endpoints[0].sent) == 1
    assert sorted(event.from_store for event in bench.told(CallFinished)) == [False] + [True] * 9


def test_followers_share_a_failure() -> None:
    """A call that could not be had is a failure for all who wanted it, and is never stored as done."""
    bench = Bench(FakeEndpoint(failing(BROKEN, attempts=99)), retry=RetryPolicy(attempts=2))
    replies = bench.ask([a_call(key="same")] * 3)
    assert all(isinstance(reply, CallFailure) for reply in replies)
    assert len(bench.told(CallFailed)) == 3
    assert bench.store.replies == {}


def test_a_follower_outlives_its_cancelled_leader() -> None:
    """When the task that asks is cancelled, another that waits for the same reply asks itself."""

    async def main() -> Reply:
        bench = Bench(FakeEndpoint(echo))
        leader = asyncio.create_task(bench.engine.ask(a_call(key="same")))
        follower = asyncio.create_task(bench.engine.ask(a_call(key="same")))
        await asyncio.sleep(0)
        leader.cancel()
        return await follower

    assert isinstance(run(main()), Completion)


def test_faults_are_retried_and_every_attempt_is_logged() -> None:
    """Two faults, then the reply: three attempts in the log, two retries told, one reply kept."""
    bench = Bench(FakeEndpoint(failing(BROKEN, attempts=2)))
    (reply,) = bench.ask(calls(1))
    assert isinstance(reply, Completion)
    assert [attempt.error for attempt in bench.store.attempts["0"]] == ["HTTP 500: broken"] * 2 + [""]
    assert [(event.attempt, event.status) for event in bench.told(CallRetried)] == [(1, 500), (2, 500)]
    assert bench.clock.sleeps == [event.wait_s for event in bench.told(CallRetried)]


def test_retry_after_is_honoured() -> None:
    """A server that asks for 90 seconds is left alone for 90 seconds."""
    bench = Bench(FakeEndpoint(failing(TransportFault("HTTP 429", status=429, retry_after_s=90.0), attempts=1)))
    bench.ask(calls(1))
    assert bench.clock.sleeps == [90.0]


def test_a_call_ends_after_its_attempts() -> None:
    """A failure says how often it was tried and what came last, with every attempt."""
    bench = Bench(FakeEndpoint(failing(BROKEN, attempts=99)), retry=RetryPolicy(attempts=3))
    (reply,) = bench.ask(calls(1))
    assert isinstance(reply, CallFailure)
    assert reply.detail == "3 attempts failed; the last: HTTP 500: broken"
    assert len(reply.attempts) == 3


def test_a_refused_request_ends_the_run() -> None:
    """A 400 is a fault of ours: it is not tried again, it is logged, and everything ends."""
    refused = TransportFault("HTTP 400: prompt too long", status=400, retryable=False)
    bench = Bench(FakeEndpoint(failing(refused, attempts=99)))
    with pytest.raises(EvaluationFailed, match="sample/0 baseline was refused: HTTP 400: prompt too long"):
        bench.ask(calls(1))
    assert len(bench.endpoints[0].sent) == 1
    assert bench.store.attempts["0"][0].status == 400


def test_a_dead_hosted_server_ends_the_run_at_once() -> None:
    """When the server gives no answer and its owner says that it died, nothing is tried again."""
    bench = Bench(FakeEndpoint(failing(REFUSED, attempts=99)), alive=lambda: "killed by signal 9")
    with pytest.raises(EvaluationFailed, match="the model server died: killed by signal 9"):
        bench.ask(calls(1))
    assert len(bench.endpoints[0].sent) == 1


def test_a_living_server_that_errs_is_not_dead() -> None:
    """A server that answers, if only with errors, is not asked about its life."""
    bench = Bench(FakeEndpoint(failing(BROKEN, attempts=1)), alive=lambda: "must not be asked")
    assert isinstance(bench.ask(calls(1))[0], Completion)


def test_a_store_that_cannot_be_written_ends_the_run() -> None:
    """A flush that fails in the background is raised by the next call."""

    class Full(MemoryStore):
        def flush(self) -> None:
            raise EvaluationFailed("store.sqlite: cannot be written: disk full")

    async def main() -> None:
        bench = Bench(FakeEndpoint(echo), store=Full())
        await bench.engine.ask(a_call(key="1"))
        await asyncio.sleep(0.1)  # the flush timer is the loop's own
        await bench.engine.ask(a_call(key="2"))

    with pytest.raises(EvaluationFailed, match="disk full"):
        run(main())


def test_an_images_calls_go_to_one_replica() -> None:
    """Calls of one image share a replica, and the images spread over all of them."""
    bench = Bench(*(FakeEndpoint(echo) for _ in range(3)))
    bench.ask([a_call(key=f"{n}-{arm}", affinity=f"image-{n}") for n in range(60) for arm in range(4)])
    seen = [{call.affinity for call in endpoint.sent} for endpoint in bench.endpoints]
    assert sum(map(len, seen)) == 60
    assert min(map(len, seen)) > 10


def test_a_dead_replicas_calls_move_on_and_the_others_stay() -> None:
    """Only the calls of a replica that is given up go elsewhere; at most those that gave it up are lost."""
    dead = FakeEndpoint(failing(REFUSED, attempts=99))
    bench = Bench(dead, FakeEndpoint(echo), FakeEndpoint(echo), retry=RetryPolicy(attempts=2))
    before = Bench(*(FakeEndpoint(echo) for _ in range(3)))
    before.ask(calls(300))
    replies = bench.ask(calls(300))
    assert sum(isinstance(reply, CallFailure) for reply in replies) == 23
    for then, now in zip(before.endpoints[1:], bench.endpoints[1:], strict=True):
        assert {call.key for call in then.sent} <= {call.key for call in now.sent}


def test_a_dead_endpoint_costs_little() -> None:
    """After 24 calls in a row whose attempts are used up the rest fail at once, saying why."""
    bench = Bench(
        FakeEndpoint(failing(REFUSED, attempts=99)), retry=RetryPolicy(attempts=3), limits=Limits(start=8, maximum=8)
    )
    replies = bench.ask(calls(500))
    assert all(isinstance(reply, CallFailure) for reply in replies)
    assert len(bench.endpoints[0].sent) <= 24 * 3 + 8
    assert replies[-1] == CallFailure(
        "endpoint given up after 24 calls in a row failed; the last: ClientOSError: connection refused", ()
    )
    assert bench.clock.now < 60


def test_single_bad_calls_do_not_give_an_endpoint_up() -> None:
    """Failures with successes between them are failures of those calls only."""
    bench = Bench(
        FakeEndpoint(lambda call, attempt: BROKEN if int(call.key) % 5 == 0 else echo(call, attempt)),
        retry=RetryPolicy(attempts=2),
        limits=Limits(start=4, maximum=4),
    )
    replies = bench.ask(calls(400))
    assert sum(isinstance(reply, CallFailure) for reply in replies) == 80


def test_overload_shrinks_the_limit_and_is_told() -> None:
    """A server that answers 429 is asked less at once."""
    busy = TransportFault("HTTP 429", status=429)
    bench = Bench(FakeEndpoint(failing(busy, attempts=1)), limits=Limits(start=32, maximum=32))
    bench.ask(calls(100))
    changes = bench.told(ConcurrencyChanged)
    assert changes[0] == ConcurrencyChanged(0, 22, "the server is overrun")
    assert bench.endpoints[0].max_in_flight == 32


def test_a_broken_body_is_no_overload() -> None:
    """A reply that cannot be read is asked again, at the same pace."""
    bench = Bench(FakeEndpoint(failing(TransportFault("not a chat completion", status=200), attempts=1)))
    bench.ask(calls(20))
    assert bench.told(ConcurrencyChanged) == []


def test_never_more_in_flight_than_the_maximum() -> None:
    """``--concurrency 5`` means five, however many tasks ask."""
    bench = Bench(FakeEndpoint(echo), limits=Limits.up_to(5))
    bench.ask(calls(200))
    assert bench.endpoints[0].max_in_flight == 5


def test_arms_of_an_instance_are_sent_adjacent() -> None:
    """Instances in a window, arms in order: what shares a prefix goes out together."""

    async def main(bench: Bench) -> list[str]:
        async def instance(n: int) -> None:
            await asyncio.gather(*(bench.engine.ask(a_call(key=f"{n}-{arm}")) for arm in range(4)))

        await each(range(20), instance, window=8)
        return [call.key.partition("-")[0] for call in bench.endpoints[0].sent]

    sent = run(main(Bench(FakeEndpoint(echo), limits=Limits(start=6, maximum=6))))
    assert sent == [str(n) for n in range(20) for _ in range(4)]


def test_a_mistake_in_an_endpoint_is_not_hidden() -> None:
    """What is neither a reply nor a fault is raised as it is, for followers too."""
    bench = Bench(FakeEndpoint(lambda *_: ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        bench.ask([a_call(key="same")] * 2)
