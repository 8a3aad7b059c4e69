"""Work on many items with a bounded number in flight."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[object]], *, window: int) -> None:
    """Run ``work(item)`` for every item, at most ``window`` at once, started in the order of ``items``.

    ``items`` is consumed lazily: an item is drawn when its work can start, so a generator of any length costs no
    memory. The first exception cancels the rest and is raised as it is.

    Until the end, the garbage collector leaves alone what is there now: looking at the data of some thousand items
    again and again would take a tenth of the processor time.
    """
    todo = iter(items)

    async def worker() -> None:
        for item in todo:
            await work(item)

    gc.freeze()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(window):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    finally:
        gc.unfreeze()
