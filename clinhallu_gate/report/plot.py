"""Where the marks of the plots stand, in percent of the width, so that they fit a phone and a board room."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from clinhallu_gate.records import Record
from clinhallu_gate.report.model import BudgetView, Family, GateView, Plotted, RecoveryView, Span

_TITLE: Final[dict[Family, str]] = {
    "hallucination": "Hallucination rates",
    "accuracy": "Answer accuracy",
    "regression": "Against the release in use",
    "difference": "What a repair is worth",
}
_HINT: Final[dict[Family, str]] = {
    "hallucination": "lower is better",
    "accuracy": "higher is better",
    "regression": "drop in points; lower is better",
    "difference": "accuracy in points, against the model alone",
}
_POINTS: Final[frozenset[Family]] = frozenset({"regression", "difference"})
"""Families of differences: in points, with 0 in the middle of the axis."""
_LABELLED: Final = 14
"""Percent of the width from which on a slice has room for its label."""
_WIDE: Final = 32
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Distances of ticks; the axis has as many as ``_TICKS`` of the smallest that suffices."""
_TICKS: Final = 5
_FRAME: Final = (560.0, 120.0)
"""Width and height of a confidence sequence, in units of its drawing."""
_ROOM: Final = 1.05
"""The axis ends a little beyond the outermost mark."""


class Tick(Record):
    """A mark on an axis."""

    x: str
    label: str
    anchor: str


class Curve(Record):
    """A confidence sequence over n, in a frame of ``_FRAME``: a band between the limits, and the threshold."""

    band: str
    """Corners of the band, as SVG wants them."""
    threshold: str
    """Height of the threshold's line."""
    threshold_label: str
    ends: tuple[Tick, ...]
    """First and last n."""
    levels: tuple[Tick, ...]
    """Lowest and highest value; ``x`` is a height here."""


class Marks(Record):
    """A figure with its limits on an axis; places are percentages of the width, as text with one form for one value."""

    estimate: str | None
    low: str
    high: str
    threshold: str | None = None
    zone: str | None = None
    """Where the allowed zone begins."""
    zone_width: str | None = None


class Row(Record):
    """One gate."""

    gate: GateView
    marks: Marks | None = None
    curve: Curve | None = None


class Forest(Record):
    """The gates of one family on one axis."""

    title: str
    hint: str
    unit: str
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]


class Slice(Record):
    """A stage in the failure-budget bar."""

    stage: str
    x: str
    width: str
    middle: str
    label: str
    wide: bool
    """Whether the label fits on a phone, too."""


class Axis(Record):
    """A scale in the unit of the gates."""

    low: float
    high: float
    step: float
    signed: bool = False
    """Whether its values are differences."""

    def at(self, value: float) -> float:
        """Return the place of ``value`` in percent, kept on the axis."""
        return min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0)

    def place(self, value: float) -> str:
        """Return the same as a page writes it."""
        return _place(self.at(value))

    def marks(self, span: Span) -> Marks:
        """Return where a figure stands; with the allowed zone where it is a gate's."""
        found = Marks(
            estimate=None if span.within is None else self.place(span.within),
            low=self.place(span.low),
            high=self.place(span.high),
        )
        if not isinstance(span, Plotted):
            return found
        threshold = self.at(span.threshold)
        start, end = (0.0, threshold) if span.allowed == "below" else (threshold, 100.0)
        zone = {"threshold": _place(threshold), "zone": _place(start), "zone_width": _place(end - start)}
        return found.model_copy(update=zone)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Return its ticks, both ends among them."""
        count = round((self.high - self.low) / self.step)
        return tuple(_tick(self, self.low + place * self.step) for place in range(count + 1))


#: Of rates, from nothing to everything.
SHARE: Final = Axis(low=0.0, high=1.0, step=0.2)


def budget_axis(budget: BudgetView) -> Axis:
    """Return the one axis of the three rates."""
    return _axis("hallucination", [stage.plotted for stage in budget.stages if stage.plotted is not None]) or SHARE


def gain_axis(recovery: RecoveryView) -> Axis | None:
    """Return the axis of what repairs are worth; None where that is not known."""
    return _axis("difference", [arm.recovery_span for arm in recovery.arms if arm.recovery_span is not None])


def forests(gates: Iterable[GateView]) -> tuple[Forest, ...]:
    """Return the gates by family, in the order of the families' first gates."""
    families: dict[Family, list[GateView]] = {}
    for gate in gates:
        families.setdefault(gate.family, []).append(gate)
    return tuple(_forest(family, members) for family, members in families.items())


def slices(budget: BudgetView) -> tuple[Slice, ...]:
    """Return the bar of the failure budget; empty if there are no shares."""
    found: list[Slice] = []
    start = 0.0
    for stage in budget.stages:
        if stage.share:
            width = 100 * stage.share
            found.append(
                Slice(
                    stage=stage.stage,
                    x=_place(start),
                    width=_place(width),
                    middle=_place(start + width / 2),
                    label=f"{stage.nickname} {stage.share_text}" if width >= _LABELLED else "",
                    wide=width >= _WIDE,
                )
            )
            start += width
    return tuple(found)


def _forest(family: Family, gates: Sequence[GateView]) -> Forest:
    axis = _axis(family, [gate.plotted for gate in gates if gate.plotted is not None])
    return Forest(
        title=_TITLE[family],
        hint=_HINT[family],
        unit="points" if family in _POINTS else "%",
        rows=tuple(_row(gate, axis) for gate in gates),
        ticks=() if axis is None else axis.ticks,
    )


def _axis(family: Family, plotted: Sequence[Span]) -> Axis | None:
    if not plotted:
        return None
    if family == "accuracy":
        return SHARE
    thresholds = [each.threshold for each in plotted if isinstance(each, Plotted)]
    outermost = max(abs(value) for each in plotted for value in (each.low, each.high, *thresholds)) * _ROOM
    step = next((step for step in _STEPS if outermost <= _TICKS * step), _STEPS[-1])
    high = max(math.ceil(outermost / step - 1e-9), 1) * step
    if family in _POINTS:
        return Axis(low=-high, high=high, step=high, signed=True)
    return Axis(low=0.0, high=min(high, 1.0), step=step)


def _row(gate: GateView, axis: Axis | None) -> Row:
    plotted = gate.plotted
    if axis is None or plotted is None:
        return Row(gate=gate)
    return Row(gate=gate, marks=axis.marks(plotted), curve=_curve(gate, plotted))


def _curve(gate: GateView, plotted: Plotted) -> Curve | None:
    """Return how the limits drew nearer, units from left to right on a logarithmic scale."""
    if len(gate.sequence) < 2:  # noqa: PLR2004 - a line needs two points
        return None
    width, height = _FRAME
    first, last = math.log(gate.sequence[0].n), math.log(gate.sequence[-1].n)
    low = min(plotted.threshold, *(point.lower for point in gate.sequence))
    high = max(plotted.threshold, *(point.upper for point in gate.sequence))

    def across(n: int) -> float:
        return width * (math.log(n) - first) / (last - first)

    def up(value: float) -> float:
        return height * (high - value) / (high - low)

    there = [f"{_place(across(p.n))},{_place(up(p.upper))}" for p in gate.sequence]
    back = [f"{_place(across(p.n))},{_place(up(p.lower))}" for p in reversed(gate.sequence)]
    return Curve(
        band=" ".join([*there, *back]),
        threshold=_place(up(plotted.threshold)),
        threshold_label=gate.threshold,
        ends=(
            Tick(x="0", label=f"n = {gate.sequence[0].n:,} {gate.drawn}", anchor="start"),
            Tick(x=_place(width), label=f"{gate.sequence[-1].n:,}", anchor="end"),
        ),
        levels=(
            Tick(x="0", label=_level(gate.family, high), anchor="end"),
            Tick(x=_place(height), label=_level(gate.family, low), anchor="end"),
        ),
    )


def _level(family: Family, value: float) -> str:
    return f"{100 * value:+.0f}" if family in _POINTS else f"{100 * value:.0f} %"


def _tick(axis: Axis, value: float) -> Tick:
    place = axis.at(value)
    signed = axis.signed and round(100 * value)
    label = f"{100 * value:+.0f}" if signed else f"{abs(100 * value):.0f}"
    anchor = "start" if place < 1 else "end" if place > 99 else "middle"  # noqa: PLR2004 - the ends of the axis
    return Tick(x=_place(place), label=label, anchor=anchor)


def _place(percentage: float) -> str:
    return f"{percentage:.2f}"
