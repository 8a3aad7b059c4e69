"""What the selected tests need: which readings of which instances."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.metrics import members_of, readings
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Reading
from clinhallu_gate.results import TraceOf


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instance test: a reading of an instance."""

    uid: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Plan:
    """Readings to be sought, by instance, in order of the data."""

    readings: Mapping[str, frozenset[Reading]]

    def traces(self, protocol: Protocol) -> int:
        """Return how many traces these readings need."""
        return sum(len(traces_needed(protocol, wanted)) for wanted in self.readings.values())


def make_plan(
    protocol: Protocol, frame: Frame, gates: Sequence[GateSpec], wanted: Iterable[Wanted], *, repeats: int = 1
) -> Plan:
    """Return what ``gates`` need: all instances of their scopes, ``repeats`` times; else what instance tests want.

    So selecting a few instance tests is cheap, and a gate is never computed from a part.

    Raises:
        BadInput: A part that the protocol does not ask of its arm.
    """
    wanted = list(wanted)
    asked = {reading for gate in gates for reading in readings(gate)} | {item.reading for item in wanted}
    for reading in sorted(asked, key=str):
        if reading.arm not in protocol.arms or reading.part not in protocol.asked(reading.arm):
            raise BadInput(f"--protocol: {protocol.name!r} asks for no {reading.part} in arm {reading.arm}.")
    needs: dict[str, frozenset[Reading]] = dict.fromkeys(frame.uids, frozenset())
    joined = cache(frozenset[Reading].union)  # most instances need the same: there is one set of it
    for gate in gates:
        every = repeated(readings(gate), repeats)
        for place in members_of(gate, frame):
            uid = frame.uids[place]
            needs[uid] = joined(needs[uid], every)
    if not gates:
        for item in wanted:
            needs[item.uid] = joined(needs[item.uid], frozenset({item.reading}))
    return Plan({uid: readings for uid, readings in needs.items() if readings})


def repeated(wanted: Iterable[Reading], repeats: int) -> frozenset[Reading]:
    """Return the readings of all traces of which ``wanted`` names the first."""
    return frozenset(replace(reading, repeat=k) for reading in wanted for k in range(repeats))


def traces_needed(protocol: Protocol, wanted: Iterable[Reading]) -> list[TraceOf]:
    """Return the traces to be asked for ``wanted``, each after the one that it waits for."""
    traces = {TraceOf(reading.arm, reading.repeat) for reading in wanted}
    upstream = {TraceOf(waits, k) for arm, k in traces if (waits := protocol.waits_for(arm)) is not None}
    repeats = sorted({trace.repeat for trace in traces})
    ordered = [TraceOf(arm, repeat) for repeat in repeats for arm in protocol.arms]
    return [trace for trace in ordered if trace in traces | upstream]
