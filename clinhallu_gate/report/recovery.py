"""What each repair is worth: accuracy in every arm, what it gains over the model alone, and that in a sentence."""

from dataclasses import dataclass
from typing import Final

from clinhallu_gate.gate.estimate import Figure, Figures
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.report.decision import DecisionDocument
from clinhallu_gate.report.figures import between, outwards, percent, points, points_between
from clinhallu_gate.report.gates import decision_word
from clinhallu_gate.report.model import ArmView, RecoveryView, Span
from clinhallu_gate.report.names import ARM_TITLE
from clinhallu_gate.vocabulary import Arm, Method, Metric

_NONE: Final = "-"
_GIVEN: Final = {
    Arm.REPLACE_VR: "with the gold reading of the image",
    Arm.REPLACE_KR: "with the gold knowledge",
    Arm.REPLACE_VR_KR: "with both",
}
_SHORT: Final = {Arm.REPLACE_VR: "image", Arm.REPLACE_KR: "knowledge", Arm.REPLACE_VR_KR: "both"}
_PROMISE: Final = "estimates under gold text, not a promise"
_NOTE: Final = (
    "No camera and no textbook that is made better reads like gold text. The knowledge is given beside the model's own "
    "reading of the image. Intervals say where the value for patients like these may lie: those of gates are the "
    "gates' own, the others 95 % both ways, found in the same way and not adjusted for their number."
)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A figure as it is shown: its gate's, where a gate holds it."""

    estimate: float
    low: float
    high: float

    @property
    def span(self) -> Span:
        return Span(estimate=self.estimate, low=self.low, high=self.high)


def recovery_view(figures: Figures, document: DecisionDocument) -> RecoveryView | None:
    """Return the arms of which every answer was sought; None if there is none."""
    arms = [view for arm in Arm if (view := _arm_view(figures, document, arm)) is not None]
    if not arms:
        return None
    repaired = [arm for arm in arms if arm.recovery_span is not None]
    said = [f"{_GIVEN[Arm(arm.arm)]} {_worth(arm, leading=arm is repaired[0])}" for arm in repaired]
    shorts = ", ".join(f"{_SHORT[Arm(arm.arm)]} {_short(arm)}" for arm in repaired)
    return RecoveryView(
        sentence=_capital(f"{'; '.join(said)}: {_PROMISE}.") if said else "",
        line=f"{shorts} points under gold text" if shorts else "",
        note=_NOTE,
        arms=tuple(arms),
    )


def _arm_view(figures: Figures, document: DecisionDocument, arm: Arm) -> ArmView | None:
    found = figures.of(Metric.ANSWER_ACCURACY, arm)
    accuracy = _measured(found, _gate(document, Metric.ANSWER_ACCURACY, arm))
    if found is None or accuracy is None:
        return None
    pairs = None if arm is Arm.BASELINE else figures.of(Metric.RECOVERY, arm)
    gate = _gate(document, Metric.RECOVERY, arm)
    gain = _measured(pairs, gate)
    return ArmView(
        arm=arm.value,
        title=ARM_TITLE[arm],
        accuracy=percent(accuracy.estimate),
        accuracy_interval=between(accuracy.low, accuracy.high),
        accuracy_span=accuracy.span,
        n=found.known,
        recovery=_NONE if gain is None else points(gain.estimate),
        recovery_interval=None if gain is None else points_between(gain.low, gain.high),
        recovery_span=None if gain is None else gain.span,
        repaired=None if pairs is None else pairs.better,
        broken=None if pairs is None else pairs.worse,
        gate=_NONE if gate is None else decision_word(gate),
    )


def _gate(document: DecisionDocument, metric: Metric, arm: Arm) -> GateResult | None:
    """Return the gate that holds the figure over everything, if there is one."""
    wanted = (metric, arm, "mean", None)
    gates = (gate for gate in document.gates if (gate.metric, gate.arm, gate.scope, gate.tag) == wanted)
    return next((gate for gate in gates if gate.threshold.keys() & {"min", "max"}), None)


def _measured(found: Figure | None, gate: GateResult | None) -> _Measured | None:
    """Return the gate's figure; on a complete list, which is only compared, with the limits for patients like these."""
    if found is None or found.estimate is None:
        return None
    if gate is None or gate.estimate is None or gate.interval is None or gate.method is Method.COMPLETE_LIST:
        return _Measured(found.estimate, found.low, found.high)
    return _Measured(gate.estimate, *gate.interval)


# --- in words -----------------------------------------------------------------------------------------------------


def _worth(arm: ArmView, *, leading: bool) -> str:
    """Return ``the model answered 21.0 points better (14.2 to 28.1)``, or that it may be chance."""
    span = arm.recovery_span
    assert span is not None  # noqa: S101 - only such arms are told of
    who = "the model answered " if leading else ""
    low, high = outwards(span.low, span.high)
    if span.low > 0:
        return f"{who}{_size(span)} points better ({low:.1f} to {high:.1f})"
    if span.high < 0:
        return f"{who}{_size(span)} points worse ({-high:.1f} to {-low:.1f})"
    changed = "the model's answers changed by " if leading else ""
    return f"{changed}{arm.recovery} ({low:+.1f} to {high:+.1f}), which may be chance"


def _size(span: Span) -> str:
    return points(abs(span.estimate or 0.0)).removeprefix("+").removesuffix(" points")


def _short(arm: ArmView) -> str:
    span = arm.recovery_span
    assert span is not None  # noqa: S101 - only such arms are told of
    low, high = outwards(span.low, span.high)
    return f"{arm.recovery.removesuffix(' points')} ({low:+.1f}..{high:+.1f})"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
