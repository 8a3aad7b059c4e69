"""Working on many items with a bounded number in flight."""

import asyncio
from collections.abc import Iterator

import pytest

from clinhallu_gate.engine import each


def test_the_window_is_kept_and_items_are_drawn_lazily() -> None:
    """Never more than the window in flight, in order of start, and never an item drawn before it can start."""
    started: list[int] = []
    in_flight, drawn, most, ahead = 0, 0, 0, 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for n in range(100):
            drawn += 1
            yield n

    async def work(n: int) -> None:
        nonlocal in_flight, most, ahead
        started.append(n)
        in_flight += 1
        most, ahead = max(most, in_flight), max(ahead, drawn - len(started))
        await asyncio.sleep(0)
        in_flight -= 1

    asyncio.run(each(items(), work, window=7))
    assert started == list(range(100))
    assert (most, ahead) == (7, 0)


def test_the_first_exception_cancels_the_rest() -> None:
    """It is raised as it is, no further item is begun, and work in flight is cancelled."""
    begun: list[int] = []
    cancelled: list[int] = []

    async def work(n: int) -> None:
        begun.append(n)
        if n == 3:
            raise ValueError("item 3")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(n)
            raise

    with pytest.raises(ValueError, match="item 3"):
        asyncio.run(each(range(100), work, window=4))
    assert begun == [0, 1, 2, 3]
    assert sorted(cancelled) == [0, 1, 2]


def test_an_exception_of_the_iterator_is_raised() -> None:
    """A generator that fails ends the work as well."""

    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    async def work(_: int) -> None:
        await asyncio.sleep(0)

    with pytest.raises(LookupError, match="no more"):
        asyncio.run(each(items(), work, window=2))


def test_cancelling_it_cancels_the_work() -> None:
    """From outside it behaves as one task."""
    ended: list[int] = []

    async def work(n: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(n)

    async def main() -> None:
        task = asyncio.create_task(each(range(9), work, window=3))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    assert sorted(ended) == [0, 1, 2]


def test_nothing_to_do_is_done_at_once() -> None:
    """An empty plan ends."""

    async def work(_: int) -> None:
        raise AssertionError

    asyncio.run(each([], work, window=3))
