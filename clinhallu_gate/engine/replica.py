"""One endpoint as the engine sees it: its limiter, whether it is given up, and which calls it gets."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from clinhallu_gate.engine.limiter import Limiter
from clinhallu_gate.ports import Endpoint

#: So many calls in a row must exhaust their attempts, with no success between them, until an endpoint is given up.
GIVE_UP_AFTER: Final = 24


class Replica:
    """An endpoint with its limiter and its circuit breaker."""

    __slots__ = ("_failed_in_a_row", "_last_error", "endpoint", "limiter")

    def __init__(self, endpoint: Endpoint, limiter: Limiter) -> None:
        self.endpoint = endpoint
        self.limiter = limiter
        self._failed_in_a_row = 0
        self._last_error = ""

    @property
    def given_up(self) -> bool:
        """Whether no further call is sent; a late success of one in flight takes it back."""
        return self._failed_in_a_row >= GIVE_UP_AFTER

    @property
    def why(self) -> str:
        """Say why the endpoint was given up."""
        return f"endpoint given up after {GIVE_UP_AFTER} calls in a row failed; the last: {self._last_error}"

    def succeeded(self, latency_s: float) -> None:
        """Take note of a finished reply."""
        self._failed_in_a_row = 0
        self.limiter.succeeded(latency_s)

    def failed(self, error: str) -> None:
        """Take note of a call whose attempts are all used up."""
        self._failed_in_a_row += 1
        self._last_error = error


def choose(replicas: Sequence[Replica], affinity: str) -> Replica | None:
    """Return the replica for ``affinity``, or None if all are given up.

    Rendezvous hashing: when a replica is given up only its own calls move, each to its second choice.
    """
    if len(replicas) == 1:
        return None if replicas[0].given_up else replicas[0]
    ranked = [(_weight(affinity, number), number) for number, replica in enumerate(replicas) if not replica.given_up]
    return replicas[max(ranked)[1]] if ranked else None


def _weight(affinity: str, number: int) -> bytes:
    return blake2b(f"{number}:{affinity}".encode(), digest_size=8).digest()
