"""What the engine tells while it works; progress bar, log and report listen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from clinhallu_gate.records import Instance


@dataclass(frozen=True, slots=True)
class InstanceBegan:
    """An instance is asked."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A call has its reply."""

    label: str
    from_store: bool
    """The server was not asked for this one: the reply was there, or an identical call in flight brought it."""
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    latency_s: float
    """Of the request that brought the reply, even if that was in an earlier run."""


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call could not be had, after all its attempts."""

    label: str
    detail: str
    attempts: int


@dataclass(frozen=True, slots=True)
class CallRetried:
    """An attempt failed and another follows."""

    label: str
    attempt: int
    """Which attempt failed; the first is 1."""
    error: str
    status: int | None
    wait_s: float


@dataclass(frozen=True, slots=True)
class ConcurrencyChanged:
    """A replica may now have another number of calls in flight."""

    replica: int
    """Position in the engine's list of endpoints."""
    limit: int
    reason: str


@dataclass(frozen=True, slots=True)
class PhaseBegan:
    """Calls of one kind follow."""

    name: str
    """Of what is obtained, in the plural: ``traces``."""
    total: int
    """How many of them, at most."""


@dataclass(frozen=True, slots=True)
class GatesDecided:
    """The gates looked at what is finished, in a run that ends when all are decided."""

    decided: int
    gates: int


Event: TypeAlias = (
    PhaseBegan | GatesDecided | InstanceBegan | CallFinished | CallFailed | CallRetried | ConcurrencyChanged
)
Listener: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
