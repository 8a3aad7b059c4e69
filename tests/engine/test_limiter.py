"""How the number of calls in flight adapts."""

import asyncio
from collections.abc import Callable

from clinhallu_gate.engine.limiter import Limiter, Limits


def saturated(limits: Limits, changes: list[int]) -> Limiter:
    limiter = Limiter(limits, lambda limit, _: changes.append(limit))
    limiter.in_flight = limiter.limit
    return limiter


def reply(limiter: Limiter, latency: Callable[[int], float], count: int) -> None:
    """Let ``count`` replies come while the limiter stays saturated; latency is a function of the limit."""
    for _ in range(count):
        limiter.succeeded(latency(limiter.limit))
        limiter.in_flight = limiter.limit


def test_it_grows_to_its_maximum_while_latency_holds() -> None:
    """A server whose latency does not rise is asked more and more, up to the maximum."""
    changes: list[int] = []
    reply(saturated(Limits(start=8, maximum=64), changes), lambda _: 0.5, 1000)
    assert changes == [12, 18, 27, 41, 62, 64]


def test_a_batching_server_is_filled_although_its_latency_rises() -> None:
    """Latency that rises slower than the limit still means more replies a second."""
    limiter = saturated(Limits(start=8, maximum=64), [])
    reply(limiter, lambda limit: 0.1 + 0.005 * limit, 1000)
    assert limiter.limit == 64


def test_it_stays_at_the_knee() -> None:
    """Beyond its capacity a server only queues: the limit returns to where the rate was as good."""
    changes: list[int] = []
    limiter = saturated(Limits(start=8, maximum=256), changes)
    seen = []
    for _ in range(4000):
        reply(limiter, lambda limit: max(1.0, limit / 27), 1)
        seen.append(limiter.limit)
    assert max(changes) == 41
    assert seen.count(27) > 0.7 * len(seen)


def test_without_demand_it_does_not_grow() -> None:
    """When fewer calls are in flight than may be, the limit is left alone."""
    changes: list[int] = []
    limiter = Limiter(Limits(start=8, maximum=64), lambda limit, _: changes.append(limit))
    limiter.in_flight = 3
    for _ in range(500):
        limiter.succeeded(0.5)
    assert changes == []


def test_calls_in_flight_together_shrink_it_once() -> None:
    """Thirty errors of one overrun are one overrun; the next ones count anew, down to the minimum."""
    changes: list[int] = []
    limiter = saturated(Limits(start=32, maximum=64, minimum=4), changes)
    epoch = limiter.epoch
    for _ in range(30):
        limiter.overrun(epoch)
    assert changes == [22]
    for _ in range(30):
        limiter.overrun(limiter.epoch)
    assert limiter.limit == 4


def test_it_grows_again_after_an_overrun() -> None:
    """What went over is tried again later."""
    limiter = saturated(Limits(start=32, maximum=32), [])
    limiter.overrun(limiter.epoch)
    assert limiter.limit == 22
    reply(limiter, lambda _: 0.5, 22 * 5)
    assert limiter.limit == 32


def test_turns_come_in_order_and_a_retry_first() -> None:
    """First come, first served; a call that must try again goes ahead of those that had no turn yet."""

    async def main() -> list[str]:
        limiter = Limiter(Limits(start=1, maximum=1, minimum=1), lambda *_: None)
        order: list[str] = []

        async def turn(name: str, *, ahead: bool = False) -> None:
            await limiter.acquire(ahead=ahead)
            order.append(name)
            limiter.release()

        await limiter.acquire()
        tasks = [asyncio.create_task(turn(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(turn("retry", ahead=True)))
        await asyncio.sleep(0)
        limiter.release()
        await asyncio.gather(*tasks)
        assert limiter.in_flight == 0
        return order

    assert asyncio.run(main()) == ["retry", "a", "b", "c"]


def test_a_cancelled_wait_loses_no_turn() -> None:
    """Cancelled before its turn, or in the moment of its turn: the next in line is served."""

    async def main() -> None:
        limiter = Limiter(Limits(start=1, maximum=1, minimum=1), lambda *_: None)
        await limiter.acquire()
        early, late, last = (asyncio.create_task(limiter.acquire()) for _ in range(3))
        await asyncio.sleep(0)
        early.cancel()
        await asyncio.sleep(0)
        limiter.release()  # hands the turn to `late` ...
        late.cancel()  # ... which is cancelled before it runs
        await asyncio.wait_for(last, 1)
        assert limiter.in_flight == 1

    asyncio.run(main())


def test_another_maximum_bounds_the_start() -> None:
    """``--concurrency 8`` starts with 8, and 500 starts as usual."""
    assert Limits.up_to(8) == Limits(start=8, maximum=8, minimum=4)
    assert Limits.up_to(1) == Limits(start=1, maximum=1, minimum=1)
    assert Limits.up_to(500).start == Limits().start
