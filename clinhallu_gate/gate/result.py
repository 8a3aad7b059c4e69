"""What a gate decided, with exactly the fields that ``decision.json`` holds for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.records import Record
from clinhallu_gate.vocabulary import Arm, Decision, Metric, Severity, Target

Bound: TypeAlias = Literal["max", "min", "max_drop"]


class GateResult(Record):
    """The outcome of one gate; estimate, interval and threshold are on the metric's own scale."""

    id: str
    metric: Metric
    scope: str
    arm: Arm
    severity: Severity
    target: Target
    threshold: Mapping[Bound, float]
    estimate: float | None
    """Unweighted mean over strata of what was judged or failed; None if there is none to report."""
    interval: tuple[float, float] | None
    """Lower and upper limit; the lower with everything unjudged counted down, the upper with it counted up."""
    interval_levels: tuple[float, float] | None
    """One-sided error of the lower limit, then of the upper one: alpha on the side that a PASS needs, alpha divided by
    the number of blocking gates on the side that a FAIL needs; zeros where a complete list leaves no sampling error."""
    n: int
    """Instances in the scope, failed and unjudged ones among them."""
    failed: int
    unjudged: int
    decision: Decision | None
    """None if the gate could not be completed: too much is unjudged."""
    reason: str

    @property
    def completed(self) -> bool:
        """Whether the evaluation delivered what the gate needs; if not, the run ends with 11."""
        return self.decision is not None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a gate reports beside its decision."""

    estimate: float | None = None
    interval: tuple[float, float] | None = None
    levels: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many instances stand behind a gate."""

    n: int = 0
    failed: int = 0
    unjudged: int = 0


def gate_result(
    spec: GateSpec,
    decision: Decision | None,
    reason: str,
    *,
    counts: Counts | None = None,
    measured: Measured | None = None,
) -> GateResult:
    """Return the result of a gate; by default one that counted and reports nothing."""
    counts, measured = counts or Counts(), measured or Measured()
    return GateResult(
        id=spec.id,
        metric=spec.metric,
        scope=spec.scope,
        arm=spec.arm,
        severity=spec.severity,
        target=spec.target,
        threshold=threshold_of(spec),
        estimate=measured.estimate,
        interval=measured.interval,
        interval_levels=measured.levels,
        n=counts.n,
        failed=counts.failed,
        unjudged=counts.unjudged,
        decision=decision,
        reason=reason,
    )


def threshold_of(spec: GateSpec) -> dict[Bound, float]:
    """Return the one bound that the gate has."""
    bounds: dict[Bound, float | None] = {"max": spec.max, "min": spec.min, "max_drop": spec.max_drop}
    return {name: value for name, value in bounds.items() if value is not None}
