"""What a thresholds file may say: its keys, their types, and which of them fit together."""

from enum import StrEnum
from typing import Annotated, Literal, NoReturn, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from clinhallu_gate.records import Record
from clinhallu_gate.vocabulary import METRIC_STAGE, STAGE_ARM, Arm, Metric, Severity, Target, Unit

MEAN = "mean"
"""The scope of a gate on the unweighted mean over strata."""
EACH = "each"
"""Stands for every stratum of the data, each a gate of its own."""

BOUNDS = ("max", "min", "max_drop", "max_events")
"""The keys of which a gate has exactly one."""

_REPLACED = tuple(arm for arm in Arm if arm is not Arm.BASELINE)


class BaselinePolicy(StrEnum):
    """What a regression gate does without a baseline run."""

    IF_GIVEN = "if_given"
    REQUIRED = "required"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Signed = Annotated[float, Field(strict=True, ge=-1, le=1, allow_inf_nan=False)]
Scopes = Annotated[tuple[Annotated[str, Field(strict=True, min_length=1)], ...], BeforeValidator(_listed)]


class GateEntry(Record):
    """One entry of the file; several scopes make several gates."""

    metric: Metric
    arm: Arm | None = None
    """Only for answer_accuracy (default: baseline) and recovery (required): each rate has its own arm."""
    scope: Annotated[Scopes, Field(min_length=1)] = (MEAN,)
    """``mean``, ``each``, or names of strata or datasets."""
    max: Signed | None = None
    min: Signed | None = None
    max_drop: Share | None = None
    """How much worse the metric may be than in the baseline run (non-inferiority margin): accuracy lost, or
    hallucinations gained."""
    max_events: Annotated[int, Field(strict=True, ge=0)] | None = None
    """How many instances with ``tag`` may be hallucinated, or answered wrongly; 0 makes a never-event of it."""
    tag: Annotated[str, Field(strict=True, min_length=1)] | None = None
    """With ``max_events``: the tag of the instances that are counted."""
    baseline: BaselinePolicy = BaselinePolicy.IF_GIVEN
    severity: Severity = Severity.BLOCKING
    target: Target | None = None
    """Overrides the file's target."""
    rationale: Annotated[str, Field(strict=True)] = ""

    @model_validator(mode="after")
    def _is_one_gate(self) -> Self:
        bounds = [name for name in BOUNDS if getattr(self, name) is not None]
        if len(bounds) != 1:
            found = " and ".join(bounds) if bounds else "none of them"
            _refuse("", f"exactly one of max, min, max_drop and max_events is wanted, found {found}")
        if "baseline" in self.model_fields_set and self.max_drop is None:
            _refuse("baseline", "has a meaning only beside max_drop")
        if (self.tag is None) != (self.max_events is None):
            _refuse("tag", "tag and max_events need each other: which instances are counted, and how many may be bad")
        self._check_bound(bounds[0])
        self._check_arm()
        return self

    def _check_bound(self, bound: str) -> None:
        valid = _VALID.get(self.metric, ("max", "max_drop", "max_events"))
        if bound not in valid:
            _refuse(bound, f"does not fit {self.metric}. Valid: {', '.join(valid)}")
        if self.metric is not Metric.RECOVERY and getattr(self, bound) < 0:
            _refuse(bound, f"{getattr(self, bound)!r} is not between 0 and 1")

    def _check_arm(self) -> None:
        if self.metric is Metric.RECOVERY and self.arm not in _REPLACED:
            _refuse("arm", f"recovery needs the arm that it speaks of. Valid: {', '.join(_REPLACED)}")
        if self.metric in METRIC_STAGE and self.arm not in (None, self.read_from):
            _refuse("arm", f"{self.metric} is read from {self.read_from}, not from {self.arm}. Leave the key out")

    @property
    def read_from(self) -> Arm:
        """Return the arm whose verdicts the metric is read from."""
        if self.metric in METRIC_STAGE:
            return STAGE_ARM[METRIC_STAGE[self.metric]]
        return self.arm or Arm.BASELINE

    @property
    def stem(self) -> str:
        """Return the gate's id without its scope."""
        parts: list[str] = [self.metric]
        if self.read_from is not Arm.BASELINE and self.metric not in METRIC_STAGE:
            parts.append(self.read_from)
        if self.max_drop is not None:
            parts.append("drop")
        if self.tag is not None:
            parts.append(f"events-{self.tag}")
        return "-".join(parts)


_VALID: dict[Metric, tuple[str, ...]] = {
    Metric.ANSWER_ACCURACY: ("min", "max_drop", "max_events"),
    Metric.RECOVERY: ("min", "max"),
}


class JudgeMinima(Record):
    """What a judge has to show in its examination before any of its verdicts counts."""

    probes: Annotated[int, Field(strict=True, ge=1)] = 120
    """Stages with one broken fact, per stage; as many that are only reworded."""
    min_sensitivity: Share = 0.70
    """Lower limit of the share of broken stages that it calls hallucinated, in each stage."""
    min_specificity: Share = 0.70
    """Lower limit of the share of reworded stages that it calls grounded, in each stage."""


class ThresholdsFile(Record):
    """What the file says."""

    schema_version: Literal[1]
    alpha: Annotated[float, Field(strict=True, gt=0, lt=0.5)] = 0.05
    """One-sided error of a PASS; a FAIL names its gate at alpha divided by the number of blocking gates."""
    target: Target = Target.POPULATION
    max_unjudged: Share = 0.02
    """Largest share of instances without a verdict, per gate; with more the run is not completed."""
    max_without_gold: Share = 0.0
    """Largest share of instances without the gold that a gate needs; with more it is not applicable. Not beside
    ``early_stop``: the order of the visit follows from the data, so leaving out a row's gold would draw another one."""
    early_stop: Annotated[bool, Field(strict=True)] = False
    """Whether evaluation ends when every blocking gate is decided."""
    unit: Unit = Unit.INSTANCE
    """What counts alike: every instance, or every patient (the mean over patients)."""
    judge: JudgeMinima = JudgeMinima()
    gates: Annotated[tuple[GateEntry, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_an_order_that_no_gold_moves(self) -> Self:
        if self.early_stop and self.max_without_gold > 0:
            _refuse(
                "max_without_gold",
                f"{self.max_without_gold:g} does not go with early_stop: true, since rows would be visited in another "
                "order, and may be decided otherwise, if one row's gold were left out. Take out early_stop to let gold "
                "lack, or max_without_gold to end early",
            )
        return self


def _refuse(key: str, message: str) -> NoReturn:
    raise PydanticCustomError("gate", "{message}", {"key": key, "message": message})
