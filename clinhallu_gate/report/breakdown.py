"""The tables behind the gates: what each repair is worth, and rates by stratum."""

from fractions import Fraction

from clinhallu_gate.records import Instance, NotAsked, Reading, Unjudged
from clinhallu_gate.report.decision import DecisionDocument
from clinhallu_gate.report.figures import percent, points
from clinhallu_gate.report.gates import decision_word
from clinhallu_gate.report.model import (
    ArmView,
    StrataView,
    StratumView,
)
from clinhallu_gate.report.names import ARM_TITLE
from clinhallu_gate.report.tally import counts_against, mean, strata, tally
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import BASELINE_ANSWER, HEADLINE_READINGS, Results
from clinhallu_gate.vocabulary import ANSWER, Arm, Metric

_NONE = "-"


# --- recovery -----------------------------------------------------------------------------------------------------


def arm_views(results: Results, document: DecisionDocument) -> tuple[ArmView, ...]:
    """Return each arm of which every answer was sought: accuracy, and what it gains over the model alone."""
    found = [_arm_view(results, arm, _recovery_word(document, arm)) for arm in Arm]
    return tuple(view for view in found if view is not None)


def _arm_view(results: Results, arm: Arm, word: str) -> ArmView | None:
    tallies = [tally(results, Reading(arm, ANSWER), instances) for instances in strata(results).values()]
    bad = mean(each.bad_rate for each in tallies)
    if bad is None:
        return None
    alone = arm is Arm.BASELINE
    changes = [_changes(results, arm, instances) for instances in strata(results).values()]
    gain = mean(Fraction(sum(change), len(change)) if change else None for change in changes)
    return ArmView(
        arm=arm.value,
        title=ARM_TITLE[arm],
        accuracy=percent(1 - bad),
        accuracy_number=float(1 - bad),
        n=sum(each.known for each in tallies),
        recovery=_NONE if alone or gain is None else points(gain),
        repaired=None if alone else sum(change.count(1) for change in changes),
        broken=None if alone else sum(change.count(-1) for change in changes),
        gate=word,
    )


def _changes(results: Results, arm: Arm, instances: list[Instance]) -> list[int]:
    """Return 1 for each answer that the repair put right, -1 for each it broke, 0 for the others that are known."""
    pairs = [
        (results.verdict(instance.uid, BASELINE_ANSWER), results.verdict(instance.uid, Reading(arm, ANSWER)))
        for instance in instances
    ]
    known = [pair for pair in pairs if not any(isinstance(verdict, Unjudged | NotAsked) for verdict in pair)]
    return [counts_against(before) - counts_against(after) for before, after in known]


def _recovery_word(document: DecisionDocument, arm: Arm) -> str:
    wanted = (Metric.RECOVERY, arm, "mean")
    gates = (gate for gate in document.gates if (gate.metric, gate.arm, gate.scope) == wanted)
    return next((decision_word(gate) for gate in gates), _NONE)


# --- strata -------------------------------------------------------------------------------------------------------


def strata_view(results: Results) -> StrataView | None:
    """Return the four headline rates by stratum; None where there is only one, or none was asked to the end."""
    parts = strata(results)
    if len(parts) <= 1:
        return None
    datasets = {dataset for dataset, _ in parts}
    rows = tuple(
        StratumView(
            name=one_line(stratum if len(datasets) == 1 or stratum == dataset else f"{dataset}: {stratum}"),
            instances=len(instances),
            rates=tuple(_rate(results, reading, instances) for reading in HEADLINE_READINGS),
        )
        for (dataset, stratum), instances in parts.items()
    )
    if all(rate == _NONE for row in rows for rate in row.rates):
        return None
    return StrataView(columns=("Camera", "Textbook", "Logic", "Answer accuracy"), rows=rows)


def _rate(results: Results, reading: Reading, instances: list[Instance]) -> str:
    counted = tally(results, reading, instances)
    if counted.bad_rate is None:
        return _NONE
    rate = 1 - counted.bad_rate if reading.part == ANSWER else counted.bad_rate
    return f"{percent(rate)} of {counted.known}"
