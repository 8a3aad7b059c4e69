"""A plan as a picture: the chance of a decision over the number of instances."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from clinhallu_gate.errors import BadInput
from clinhallu_gate.planning.answer import Plan, fixed_row, share_decided
from clinhallu_gate.planning.question import Question
from clinhallu_gate.planning.wording import claim, clusters, condition, decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS: Final = (".svg", ".png")
_FIXED: Final = "#0072B2"
_SEQUENTIAL: Final = "#B34700"
_GREY: Final = "#555555"
#: Beyond this share of the width a number stands left of its mark.
_LATE: Final = 0.85
_POWERS: Final = np.concatenate([np.arange(0.02, 0.98, 0.02), [0.98, 0.985, 0.99, 0.995, 0.998, 0.999, 0.9999]])


def demand_kind(path: Path) -> None:
    """Raise ``BadInput`` if the name of the file does not say a kind of picture that can be drawn."""
    if path.suffix.lower() not in KINDS:
        raise BadInput(f"--plot: {path} is not a picture that can be drawn. Valid: {', '.join(KINDS)}.")


def draw(plan: Plan, path: Path) -> None:
    """Write the picture; the same plan gives the same bytes. Raises ``BadInput`` if the file cannot be written."""
    demand_kind(path)
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only pictures need it
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    with mpl.rc_context({"svg.hashsalt": "clinhallu-gate", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(7.5, 4.6), layout="constrained")
        _fill(figure.add_subplot(), plan)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as error:
            raise BadInput(f"--plot: {path} cannot be written: {error.strerror}.") from error


def _fill(axes: "Axes", plan: Plan) -> None:
    question = plan.question
    end = _end(plan)
    _fixed(axes, plan, end)
    _sequential(axes, plan, end)
    if end == 0.0:
        axes.text(0.5, 0.5, "no number of instances will do", ha="center", transform=axes.transAxes)
        axes.set_xticks([])
    axes.axhline(question.power, color=_GREY, linewidth=0.8, linestyle=":")
    axes.annotate(
        f"power {question.power:g}", (1, question.power), xycoords=("axes fraction", "data"), xytext=(4, 0),
        textcoords="offset points", va="center", fontsize=9, color=_GREY,
    )  # fmt: skip
    axes.set(
        xlim=(0, end or 1.0),
        ylim=(0, 1.03),
        xlabel=_units(question),
        ylabel=f"chance of the decision ({decision(question)})",
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"To show that {claim(question)}, {condition(question)}"
    axes.set_title(textwrap.fill(title, 80), loc="left", fontsize=11)


def _units(question: Question) -> str:
    if question.list_size is not None:
        return f"instances of the list of {question.list_size:,}"
    return f"instances ({clusters(question)})" if question.cluster_size > 1 else "instances"


def _fixed(axes: "Axes", plan: Plan, end: float) -> None:
    rows = [fixed_row(plan.question, float(power)) for power in _POWERS]
    points = [(row.needed.instances, row.power) for row in rows if row.needed is not None and not row.whole_list]
    x, y = [0.0, *(n for n, _ in points)], [0.0, *(power for _, power in points)]
    if plan.question.list_size is not None:  # all of it leaves nothing to chance
        x, y = [*x, plan.question.list_size, plan.question.list_size], [*y, y[-1], 1.0]
    axes.plot(x, y, color=_FIXED, linewidth=2, label="fixed n: all are asked, then decided")
    _mark(axes, plan, end, sequential=False)


def _sequential(axes: "Axes", plan: Plan, end: float) -> None:
    if plan.times is None:
        return
    x = np.linspace(0, plan.question.list_size or end, 600)
    axes.plot(
        x, share_decided(plan, x), color=_SEQUENTIAL, linewidth=2, linestyle=(0, (5, 2)),
        label="one by one: stopped when decided (simulated)",
    )  # fmt: skip
    _mark(axes, plan, end, sequential=True)


def _mark(axes: "Axes", plan: Plan, end: float, *, sequential: bool) -> None:
    """Mark where the asked power is reached."""
    power = plan.question.power
    needed = plan.row(power, sequential=sequential).needed
    if needed is None or needed.instances > end:
        return
    colour, shape = (_SEQUENTIAL, "s") if sequential else (_FIXED, "o")
    left = not sequential or needed.instances > _LATE * end  # so that the two do not overlap, nor leave the picture
    axes.plot([needed.instances], [power], shape, color=colour, markersize=7, zorder=5)
    axes.annotate(
        f"{needed.instances:,}", (needed.instances, power), xytext=(-6 if left else 6, -14 if sequential else 6),
        textcoords="offset points", ha="right" if left else "left", color=colour, fontweight="bold",
    )  # fmt: skip


def _end(plan: Plan) -> float:
    """Return where the picture ends: a little beyond what nearly every run needs; 0 if there is nothing to show."""
    question = plan.question
    if question.list_size is not None:
        ends = [float(question.list_size)]
    else:
        fixed = [fixed_row(question, power).needed for power in (0.99, question.power)]
        ends = [float(it.instances) for it in fixed if it is not None][:1]
        late = None if plan.times is None else plan.times.quantile(max(0.97, question.power))
        if late is not None:
            ends.append(float(late * question.cluster_size))
    return 1.04 * max(ends, default=0.0)
