"""Whose word the gold of a run is, and what the want of it did to gates."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from clinhallu_gate.config.thresholds import MEAN
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.metrics import NO_BASELINE, members_of
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.keeping import selected
from clinhallu_gate.records import Instance, Reading, Record
from clinhallu_gate.report.names import ARM_TITLE, STAGE_TITLE
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import ANSWER, METRIC_STAGE, Arm, Decision, Stage

Arms: TypeAlias = Mapping[Arm, Mapping[Stage, str]]

#: What a rate is called where there is little room.
_SYMBOL: Final = {
    Stage.VISUAL_RECOGNITION: "H^V",
    Stage.KNOWLEDGE_RECALL: "H^K",
    Stage.REASONING_INTEGRATION: "H^R",
}
UNSIGNED: Final = "UNSIGNED GOLD"


class GoldCounts(Record):
    """Of how many instances the gold is whose word; who they are by name, only the site may know."""

    instances: int
    supplied: int
    """The data's own."""
    signed: int
    """Approved by a person, for this very content."""
    unsigned: int
    """A model's drafts, taken with ``--allow-unsigned-gold``."""
    absent: int
    """Without gold for a stage at least."""
    reviewers: int
    """People who signed."""
    note: str = ""
    """What has to be said wherever a figure of the run is; empty if all gold is somebody's."""


def unsigned_note(unsigned: int, instances: int) -> str:
    """Return what has to be said of gold that nobody signed; empty if there is none."""
    if not unsigned:
        return ""
    return (
        f"{unsigned:,} of {instances:,} instances have gold that nobody signed: a model drafted it, and no rate that "
        "rests on it is more than a draft (--allow-unsigned-gold)"
    )


def without_gold(instances: Sequence[Instance], gates: Sequence[GateResult], arms: Arms) -> tuple[str, ...]:
    """Say of which figures instances lack the gold that they need, how many do, and what that did to their gates.

    ``not gated`` where a gate is not applicable, ``counted at worst`` where the thresholds file allows so many.

    Args:
        instances: Those of the run, with their gold.
        gates: As they were decided.
        arms: What each arm of the protocol is given, and whose.
    """
    frame = Frame.of(instances)
    told = {
        "not gated": [gate for gate in gates if _is_not_gated(gate)],
        "counted at worst": [gate for gate in gates if gate.without_gold],
    }
    return tuple(f"{begin}, {line}" for begin, those in told.items() for line in _lines(those, instances, frame, arms))


def _is_not_gated(gate: GateResult) -> bool:
    return gate.decision is Decision.NOT_APPLICABLE and gate.reason != NO_BASELINE


def _lines(gates: Sequence[GateResult], instances: Sequence[Instance], frame: Frame, arms: Arms) -> Iterator[str]:
    """Yield a line for each figure and scope; that of everything stands for its parts."""
    scopes: dict[Reading, dict[tuple[str, str | None], GateResult]] = {}
    for gate in gates:
        reading = Reading(gate.arm, METRIC_STAGE.get(gate.metric, ANSWER))
        scopes.setdefault(reading, {}).setdefault((gate.scope, gate.tag), gate)
    for reading, found in scopes.items():
        whole = found.get((MEAN, None))
        for gate in [whole] if whole else found.values():
            members = selected(instances, members_of(gate, frame).tolist())
            yield from _lacking(members, reading, arms[reading.arm], _where(gate))


def _where(gate: GateResult) -> str:
    """Return what a figure is of, where it is not of everything: ``[ct]``."""
    parts = ([] if gate.scope == MEAN else [gate.scope]) + ([] if gate.tag is None else [gate.tag])
    return f"[{', '.join(one_line(part) for part in parts)}]" if parts else ""


def _lacking(instances: Sequence[Instance], reading: Reading, given: Mapping[Stage, str], where: str) -> Iterator[str]:
    needs = [stage for stage in Stage if stage == reading.part or given.get(stage) == "gold"]
    lacking = [stage for stage in needs if any(each.gold.text(stage) is None for each in instances)]
    without = sum(any(each.gold.text(stage) is None for stage in needs) for each in instances)
    if lacking:
        part = reading.part
        what = _SYMBOL[Stage(part)] if part != ANSWER else f"answers {ARM_TITLE[reading.arm]}"
        stages = " or ".join(STAGE_TITLE[stage].lower() for stage in lacking)
        yield f"{what}{where}: {without:,} of {len(instances):,} instances have no gold for {stages}"
