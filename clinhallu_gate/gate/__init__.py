"""From verdicts to decisions: arrays per gate, limits against thresholds, and the release."""

from clinhallu_gate.gate.decide import Rules, count_blocking, decide, decide_all
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.metrics import GateArrays, NotApplicable, VerdictOf, gate_arrays, readings
from clinhallu_gate.gate.release import Release, failure_budget, release
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.gate.watch import Watch

__all__ = [
    "Frame",
    "GateArrays",
    "GateResult",
    "NotApplicable",
    "Release",
    "Rules",
    "VerdictOf",
    "Watch",
    "count_blocking",
    "decide",
    "decide_all",
    "failure_budget",
    "gate_arrays",
    "readings",
    "release",
]
