"""What a gate decided, with exactly the fields that ``decision.json`` holds for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import Field

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.records import Record
from clinhallu_gate.vocabulary import Arm, Decision, Method, Metric, Severity, Target, Unit

Bound: TypeAlias = Literal["max", "min", "max_drop", "max_events"]


class SequencePoint(Record):
    """The confidence sequence of a gate after n units, on the metric's own scale."""

    n: int
    lower: float
    upper: float


class Flips(Record):
    """A paired gate instance by instance: what changed against the release in use."""

    worse: int
    """Good there and bad here."""
    better: int
    """Bad there and good here."""
    p_worse: float | None
    """Exact one-sided McNemar: how likely so many worse ones were if worse and better were equally likely. It only
    shows that something got worse, and decides nothing; None where pairs are not independent, and after an early
    stop."""
    regressed: bool
    """Whether the lower limit of the drop is above 0: worse, whatever the margin."""


class Adjusted(Record):
    """A rate that rests on labels by people, of a random subset of the run."""

    labels: int
    weight: float
    """What the judge's verdicts count beside the labels (lambda of PPI++); 0 for the labels alone."""
    judge_defined: float | None
    """The rate by the judge's verdicts alone; of a paired gate, whose difference stays the judge's, None."""
    wanted: int | None = None
    """Labels that would likely decide an open gate, if the rate stays; None where it is decided, or none would."""
    margins: tuple[float, float] | None = None
    """Of a paired gate: the margins that a PASS and a FAIL were held against, shrunken to what the judge can see."""


def _is_none(count: int) -> bool:
    return count == 0


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
    """Lower and upper limit; the lower with all that is unjudged or lacks gold counted down, the upper with it up."""
    interval_levels: tuple[float, float] | None
    """One-sided error of the lower limit, then of the upper one: alpha on the side that a PASS needs, alpha divided by
    the number of blocking gates on the side that a FAIL needs; zeros where a complete list leaves no sampling error."""
    n: int
    """Instances that the decision rests on, failed, unjudged ones and those without gold among them."""
    failed: int
    unjudged: int
    decision: Decision | None
    """None if the gate could not be completed: too much is unjudged."""
    reason: str
    tag: str | None = None
    """Only instances with this tag are counted."""
    unit: Unit = Unit.INSTANCE
    method: Method | None = None
    """How the limits were found; None without limits."""
    of: int | None = None
    """Instances in the scope of a gate that was decided before all were asked; None if all were."""
    further: int | None = None
    """Further instances that would likely (4 times in 5) decide an open gate, if the rate stays; None if it is decided,
    or if no number below a million would."""
    judge_defined: bool = False
    """Whether the rate is what a judge model says, held against no labels by people."""
    confidence_sequence: tuple[SequencePoint, ...] = ()
    """Of a gate that may be decided at any n."""
    flips: Flips | None = None
    adjusted: Adjusted | None = None
    without_gold: int = Field(0, exclude_if=_is_none)
    """Instances without the gold that it takes to judge them (``max_without_gold``); left out of ``decision.json``
    where there are none."""

    @property
    def completed(self) -> bool:
        """Whether the evaluation delivered what the gate needs; if not, the run ends with 11."""
        return self.decision is not None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a gate reports beside its decision, on the metric's own scale."""

    estimate: float | None = None
    interval: tuple[float, float] | None = None
    levels: tuple[float, float] | None = None
    method: Method | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many instances stand behind a gate."""

    n: int = 0
    failed: int = 0
    unjudged: int = 0
    without_gold: int = 0


def gate_result(
    spec: GateSpec,
    decision: Decision | None,
    reason: str,
    *,
    counts: Counts | None = None,
    measured: Measured | None = None,
    **more: Any,  # noqa: ANN401 - further fields of the record, which checks them
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
        without_gold=counts.without_gold,
        decision=decision,
        reason=reason,
        tag=spec.tag,
        unit=spec.unit,
        method=measured.method,
        **more,
    )


def threshold_of(spec: GateSpec) -> dict[Bound, float]:
    """Return the one bound that the gate has."""
    bounds: dict[Bound, float | None] = {
        "max": spec.max,
        "min": spec.min,
        "max_drop": spec.max_drop,
        "max_events": spec.max_events,
    }
    return {name: value for name, value in bounds.items() if value is not None}
