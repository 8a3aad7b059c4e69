"""Where the marks of a forest plot stand, in percent of the width, so that it fits a phone and a board room."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from clinhallu_gate.records import Record
from clinhallu_gate.report.model import BudgetView, Family, GateView, Plotted

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


class Row(Record):
    """One gate; places are percentages of the width, as text with one form for one value."""

    gate: GateView
    estimate: str | None = None
    low: str | None = None
    high: str | None = None
    threshold: str | None = None
    zone: str | None = None
    """Where the allowed zone begins."""
    zone_width: str | None = None
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

    def at(self, value: float) -> float:
        """Return the place of ``value`` in percent, kept on the axis."""
        return min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0)


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
        ticks=() if axis is None else _ticks(family, axis),
    )


def _axis(family: Family, plotted: Sequence[Plotted]) -> Axis | None:
    if not plotted:
        return None
    if family == "accuracy":
        return Axis(low=0.0, high=1.0, step=0.2)
    outermost = max(abs(value) for p in plotted for value in (p.low, p.high, p.threshold)) * _ROOM
    step = next((step for step in _STEPS if outermost <= _TICKS * step), _STEPS[-1])
    high = max(math.ceil(outermost / step - 1e-9), 1) * step
    if family in _POINTS:
        return Axis(low=-high, high=high, step=high)
    return Axis(low=0.0, high=min(high, 1.0), step=step)


def _row(gate: GateView, axis: Axis | None) -> Row:
    plotted = gate.plotted
    if axis is None or plotted is None:
        return Row(gate=gate)
    low, high, threshold = (axis.at(value) for value in (plotted.low, plotted.high, plotted.threshold))
    start, end = (0.0, threshold) if plotted.allowed == "below" else (threshold, 100.0)
    return Row(
        gate=gate,
        estimate=None if plotted.estimate is None else _place(axis.at(plotted.estimate)),
        low=_place(low),
        high=_place(high),
        threshold=_place(threshold),
        zone=_place(start),
        zone_width=_place(end - start),
        curve=_curve(gate, plotted),
    )


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


def _ticks(family: Family, axis: Axis) -> tuple[Tick, ...]:
    count = round((axis.high - axis.low) / axis.step)
    return tuple(_tick(family, axis, axis.low + place * axis.step) for place in range(count + 1))


def _tick(family: Family, axis: Axis, value: float) -> Tick:
    place = axis.at(value)
    signed = family in _POINTS and round(100 * value)
    label = f"{100 * value:+.0f}" if signed else f"{abs(100 * value):.0f}"
    anchor = "start" if place < 1 else "end" if place > 99 else "middle"  # noqa: PLR2004 - the ends of the axis
    return Tick(x=_place(place), label=label, anchor=anchor)


def _place(percentage: float) -> str:
    return f"{percentage:.2f}"
