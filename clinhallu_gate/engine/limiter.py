"""How many calls one server has in flight: grows while that brings more replies, shrinks when the server is overrun."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

GROWTH: Final = 1.5
SHRINKAGE: Final = 0.7
#: At least this share of a growth must show in the replies per second, or latency only rose with the limit.
WORTH: Final = 0.1
#: Rounds to stay after a growth that brought nothing, and after an overrun.
STAY_AT_KNEE: Final = 8
STAY_AFTER_OVERRUN: Final = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the calls in flight per replica; ``--concurrency`` sets ``maximum``."""

    start: int = 32
    maximum: int = 256
    minimum: int = 4

    @classmethod
    def up_to(cls, maximum: int) -> "Limits":
        """Return the default limits with another maximum, and nothing above it."""
        return cls(start=min(cls().start, maximum), maximum=maximum, minimum=min(cls().minimum, maximum))


class _Before(NamedTuple):
    """What the last growth has to be better than."""

    limit: int
    rate: float

    def worth(self, limit: int) -> float:
        """Return the rate from which on ``limit`` is worth its growth."""
        return self.rate * (1 + WORTH * (limit / self.limit - 1))


class Limiter:
    """A first-come first-served semaphore whose limit adapts.

    A *round* is as many replies as the limit allows in flight. By Little's law a server that answers ``limit`` calls
    in ``latency`` seconds gives ``limit / latency`` replies a second. After each round the limit grows by half, as
    long as the last growth raised that rate; when it did not, latency has merely grown with the limit (the calls
    queue in the server), and the limit goes back. The measure is a rate, not a latency, because a batching server's
    latency rises slowly long before its capacity is reached.
    """

    __slots__ = (
        "_before",
        "_changed",
        "_count",
        "_limits",
        "_stay",
        "_sum_s",
        "_waiting",
        "epoch",
        "in_flight",
        "limit",
    )

    def __init__(self, limits: Limits, changed: Callable[[int, str], None]) -> None:
        self._limits = limits
        self._changed = changed
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._before: _Before | None = None
        self._stay = 0
        self._count = 0
        self._sum_s = 0.0
        self.limit = min(limits.start, limits.maximum)
        self.in_flight = 0
        self.epoch = 0
        """Counts the overruns, so that the calls that were in flight together shrink the limit once."""

    async def acquire(self, *, ahead: bool = False) -> None:
        """Wait for a turn; ``ahead`` of all others for a call that had its turn and must try again."""
        if self.in_flight < self.limit and (ahead or not self._waiting):
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        if ahead:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        await self._wait(turn)

    async def _wait(self, turn: asyncio.Future[None]) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the turn came in the same moment: pass it on
                self.release()
            raise

    def release(self) -> None:
        """End a turn."""
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def succeeded(self, latency_s: float) -> None:
        """Take note of a reply (before its release)."""
        self._count += 1
        if self._count <= 0:  # it was sent under another limit
            return
        self._sum_s += latency_s
        if self._count >= self.limit:
            self._end_round()

    def overrun(self, epoch: int) -> None:
        """Shrink after a 429, a 5xx, a timeout or a broken connection of a call that was sent in ``epoch``."""
        if epoch != self.epoch:
            return
        self.epoch += 1
        self._before = None
        self._stay = STAY_AFTER_OVERRUN
        self._set(max(self._limits.minimum, int(self.limit * SHRINKAGE)), "the server is overrun")

    def _end_round(self) -> None:
        rate = self._count / max(self._sum_s, 1e-9) * self.limit
        before, self._before = self._before, None
        saturated = self.in_flight >= self.limit
        self._count, self._sum_s = 0, 0.0
        if not saturated:  # the limit is not what bounds the run, so nothing can be learnt about it
            return
        if before is not None and rate < before.worth(self.limit):
            self._stay = STAY_AT_KNEE
            self._set(before.limit, "more in flight only raised the latency")
        elif self._stay:
            self._stay -= 1
        elif self.limit < self._limits.maximum:
            self._before = _Before(self.limit, rate)
            self._set(min(self._limits.maximum, ceil(self.limit * GROWTH)), "latency holds")

    def _set(self, limit: int, reason: str) -> None:
        self._count, self._sum_s = -self.in_flight, 0.0
        if limit == self.limit:
            return
        self.limit = limit
        self._changed(limit, reason)
        self._wake()
