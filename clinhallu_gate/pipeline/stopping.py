"""Early stopping: which instances are asked next, in the drawn order, and when every gate is decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clinhallu_gate.gate.metrics import readings
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.gate.watch import Watch
from clinhallu_gate.pipeline.plan import repeated
from clinhallu_gate.records import NotAsked, Reading
from clinhallu_gate.results import Results
from clinhallu_gate.stats.sample import BoolArray, IntArray
from clinhallu_gate.vocabulary import NotAskedReason

NOT_NEEDED = NotAsked(
    NotAskedReason.EARLY_STOP,
    "not needed: before its turn every gate that it tells of, or every blocking gate, was decided",
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Instances that are asked together."""

    wanted: dict[str, frozenset[Reading]]
    """Readings to be sought, by uid, in the order of the visit."""
    end: int
    """Once they have their verdicts, so have the first ``end`` places of the order, as far as open gates need them."""


@dataclass(slots=True)
class Stopping:
    """The gates of a run, watched while its instances are visited in the drawn order."""

    watches: tuple[Watch, ...]
    order: IntArray
    uids: tuple[str, ...]
    repeats: int
    _next: int = 0
    _wants: list[BoolArray] = field(init=False)
    """Of each gate: which places of the order it speaks of."""
    _until: list[int] = field(init=False)
    """Of each gate: the first place that it speaks of and that was not asked, as no blocking gate needed it."""

    def __post_init__(self) -> None:
        self._wants = [_mask(watch.places, self.order.size) for watch in self.watches]
        self._until = [self.order.size] * len(self.watches)

    def chunk(self, size: int) -> Chunk | None:
        """Return the next ``size`` instances that an open gate needs, with what open gates need; None at the end.

        An advisory gate takes part in instances that an open blocking gate needs, up to the first that none does: it
        holds up the end of no run that has blocking gates. What is wanted follows from what was decided so far and from
        nothing else, so a repeated run asks the same.
        """
        open_ = [i for i, watch in enumerate(self.watches) if watch.result is None]
        wanted: dict[str, frozenset[Reading]] = {}
        while self._next < self.order.size and len(wanted) < size:
            mine = [i for i in open_ if self._wants[i][self._next] and self._until[i] > self._next]
            if any(self.watches[i].spec.blocking or self._all_advise for i in mine):
                every = {reading for i in mine for reading in readings(self.watches[i].spec)}
                wanted[self.uids[self.order[self._next]]] = repeated(every, self.repeats)
            else:
                self._until = [self._next if i in mine else until for i, until in enumerate(self._until)]
            self._next += 1
        return Chunk(wanted, self._next) if wanted else None

    @property
    def _all_advise(self) -> bool:
        return not any(watch.spec.blocking for watch in self.watches)

    def look(self, chunk: Chunk) -> None:
        """Let the gates see the verdicts of ``chunk``; those of all chunks before it are there."""
        for watch, until in zip(self.watches, self._until, strict=True):
            watch.look(min(chunk.end, until))

    @property
    def open(self) -> int:
        """How many gates are not decided yet."""
        return sum(watch.result is None for watch in self.watches)

    def settle(self) -> tuple[GateResult, ...]:
        """Return what the gates came to at the end of the evaluation."""
        return tuple(watch.settle() for watch in self.watches)

    @property
    def planned(self) -> int:
        """How many instances the gates speak of."""
        return int(np.count_nonzero(np.any(self._wants, axis=0)))

    def note_skipped(self, results: Results, planned: Mapping[str, frozenset[Reading]]) -> int:
        """Put the reason into the place of every verdict that was not needed; return how many that are."""
        verdicts = 0
        for uid, wanted in planned.items():
            found = results.found[uid].verdicts
            lacking = [reading for reading in sorted(wanted, key=str) if reading not in found]
            verdicts += len(lacking)
            found.update(dict.fromkeys(lacking, NOT_NEEDED))
        return verdicts


def asked_of(results: Results) -> int:
    """Return of how many instances anything was asked."""
    sought = (found.bare_verdicts.values() for found in results.found.values())
    return sum(any(verdict is not NOT_NEEDED for verdict in verdicts) for verdicts in sought)


def sizes_in_turn(instances: int) -> Sequence[int]:
    """Return the chunks of a run in which model and judge take turns: few looks, as each costs two server starts."""
    eighth = max(-(-instances // 8), 1)
    return (eighth, eighth, 2 * eighth, 4 * eighth)


def _mask(places: IntArray, size: int) -> BoolArray:
    mask = np.zeros(size, dtype=np.bool_)
    mask[places] = True
    return mask
