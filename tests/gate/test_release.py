"""One decision and one exit status from many gates, and the failure budget."""

from collections.abc import Callable
from typing import Any

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate import GateResult, Release, failure_budget, release
from clinhallu_gate.gate.result import Measured, gate_result
from clinhallu_gate.vocabulary import Arm, Decision, Metric, Severity, Stage

Make = Callable[..., Any]
DECISIONS: dict[str, Decision | None] = {
    "P": Decision.PASS,
    "F": Decision.FAIL,
    "I": Decision.INCONCLUSIVE,
    "n": Decision.NOT_APPLICABLE,
    "0": None,
}


def gates(gate_spec: Make, blocking: str, advisory: str = "") -> list[tuple[GateSpec, GateResult | None]]:
    """Build one gate per sign; ``-`` is a gate that was not selected."""
    marked = [(sign, Severity.BLOCKING) for sign in blocking] + [(sign, Severity.ADVISORY) for sign in advisory]
    specs = [(sign, gate_spec(id=f"g{i}", max=0.3, severity=severity)) for i, (sign, severity) in enumerate(marked)]
    return [(spec, None if sign == "-" else gate_result(spec, DECISIONS[sign], "planted")) for sign, spec in specs]


def released(pairs: list[tuple[GateSpec, GateResult | None]]) -> Release:
    """Put the gates together."""
    return release([spec for spec, _ in pairs], [result for _, result in pairs if result])


@pytest.mark.parametrize(
    ("blocking", "advisory", "decision", "status"),
    [
        ("PP", "", Decision.PASS, 0),
        ("PPF", "", Decision.FAIL, 1),
        ("PPI", "", Decision.INCONCLUSIVE, 10),
        ("PIF", "", Decision.FAIL, 1),
        ("PF0", "", None, 11),
        ("P-0", "", None, 11),
        ("P-", "", None, 10),
        ("I-", "", None, 10),
        ("F-", "", None, 1),
        ("Pn", "", None, 10),
        ("Fn", "", Decision.FAIL, 1),
        ("In", "", None, 10),
        ("P", "FI0n-", Decision.PASS, 0),
        ("F", "P", Decision.FAIL, 1),
        ("", "P", None, 10),
        ("", "", None, 10),
    ],
)
def test_precedence(gate_spec: Make, blocking: str, advisory: str, decision: Decision | None, status: int) -> None:
    """Every blocking gate must pass; 11 comes before 1, 1 before 10; advisory gates never block."""
    found = released(gates(gate_spec, blocking, advisory))
    assert (found.decision, found.exit_status) == (decision, status)


def test_the_reason_names_the_gates(gate_spec: Make) -> None:
    """The sentence names what failed, what is open, what was left out, or how many passed."""
    assert released(gates(gate_spec, "PFF")).reason == "failed: g1, g2"
    assert released(gates(gate_spec, "P0")).reason == "could not be completed: g1"
    assert released(gates(gate_spec, "P-")).reason == "no release decision, not selected: g1"
    assert released(gates(gate_spec, "PI")).reason == "inconclusive: g1"
    assert released(gates(gate_spec, "PP", "F")).reason == "2 of 2 blocking gates passed"


def test_a_drop_without_baseline_is_waived(gate_spec: Make) -> None:
    """A regression gate that only decides if a baseline run is given does not stand in the way; a required one does."""
    passed = gates(gate_spec, "P")
    for policy, expected in (("if_given", 0), ("required", 10)):
        spec = gate_spec(Metric.ANSWER_ACCURACY, id="drop", max_drop=0.02, baseline=policy)
        waiting = (spec, gate_result(spec, Decision.NOT_APPLICABLE, "no baseline run"))
        assert released([*passed, waiting]).exit_status == expected
        assert released([waiting]).exit_status == 10


STAGE_GATES = {
    Metric.VISUAL_HALLUCINATION_RATE: Arm.BASELINE,
    Metric.KNOWLEDGE_HALLUCINATION_RATE: Arm.REPLACE_VR,
    Metric.REASONING_HALLUCINATION_RATE: Arm.REPLACE_VR_KR,
}


def rates(gate_spec: Make, *estimates: float | None, scope: str = "mean") -> list[GateResult]:
    """Build the results of the three stages' gates."""
    return [
        gate_result(
            gate_spec(metric, arm=arm, scope=scope, max=0.3), Decision.PASS, "", measured=Measured(estimate=estimate)
        )
        for (metric, arm), estimate in zip(STAGE_GATES.items(), estimates, strict=True)
    ]


def test_failure_budget(gate_spec: Make) -> None:
    """Each stage's share is its rate divided by the sum of the three."""
    budget = failure_budget(rates(gate_spec, 0.4, 0.1, 0.0))
    assert budget == pytest.approx(
        {Stage.VISUAL_RECOGNITION: 0.8, Stage.KNOWLEDGE_RECALL: 0.2, Stage.REASONING_INTEGRATION: 0.0}
    )


@pytest.mark.parametrize("estimates", [(0.0, 0.0, 0.0), (0.4, None, 0.1)])
def test_no_failure_budget(gate_spec: Make, estimates: tuple[float | None, ...]) -> None:
    """Without failures, or with a rate unknown, there is no budget to share."""
    assert failure_budget(rates(gate_spec, *estimates)) is None
    assert failure_budget(rates(gate_spec, 0.4, 0.1, 0.1)[:2]) is None
    assert failure_budget(rates(gate_spec, 0.4, 0.1, 0.1, scope="ct")) is None


def test_only_rates_enter_the_failure_budget(gate_spec: Make) -> None:
    """A rise against the release in use, or events among a few instances, are no rate of a stage."""
    alone = rates(gate_spec, 0.4, 0.1, 0.0)
    visual = Metric.VISUAL_HALLUCINATION_RATE
    beside = [
        gate_result(spec, Decision.PASS, "", measured=Measured(estimate=-0.2))
        for spec in (gate_spec(visual, max_drop=0.1), gate_spec(visual, tag="side", max_events=0))
    ]
    assert failure_budget([*alone, *beside]) == failure_budget(alone)
    assert failure_budget([*alone[1:], *beside]) is None
