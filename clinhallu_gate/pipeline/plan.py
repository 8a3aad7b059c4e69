"""What the selected tests need: which readings of which instances."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.metrics import readings
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Reading
from clinhallu_gate.vocabulary import Arm


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
        return sum(len(arms_needed(protocol, wanted)) for wanted in self.readings.values())


def make_plan(protocol: Protocol, frame: Frame, gates: Sequence[GateSpec], wanted: Iterable[Wanted]) -> Plan:
    """Return what ``gates`` need: all instances of their scopes; without gates, what the instance tests want.

    So selecting a few instance tests is cheap, and a gate is never computed from a part.

    Raises:
        BadInput: A part that the protocol does not ask of its arm.
    """
    wanted = list(wanted)
    asked = {reading for gate in gates for reading in readings(gate)} | {item.reading for item in wanted}
    for reading in sorted(asked, key=str):
        if reading.arm not in protocol.arms or reading.part not in protocol.asked(reading.arm):
            raise BadInput(f"--protocol: {protocol.name!r} asks for no {reading.part} in arm {reading.arm}.")
    needs: dict[str, set[Reading]] = {uid: set() for uid in frame.uids}
    for gate in gates:
        for place in frame.members(gate.scope):
            needs[frame.uids[place]].update(readings(gate))
    if not gates:
        for item in wanted:
            needs[item.uid].add(item.reading)
    return Plan({uid: frozenset(readings) for uid, readings in needs.items() if readings})


def arms_needed(protocol: Protocol, wanted: Iterable[Reading]) -> list[Arm]:
    """Return the arms to be asked for ``wanted``, an arm after the one that it waits for."""
    arms = {reading.arm for reading in wanted}
    upstream = {waits for arm in arms if (waits := protocol.waits_for(arm)) is not None}
    return [arm for arm in protocol.arms if arm in arms | upstream]
