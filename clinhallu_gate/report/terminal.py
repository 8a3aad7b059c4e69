"""What pytest's summary prints of a run: verdict, failure budget, every gate, and what to run next."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final, Literal, TypeAlias

from clinhallu_gate.records import Record
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.model import GateView, ReportView, Tone
from clinhallu_gate.report.visible import one_line

Style: TypeAlias = Literal["", "bold", "green", "red", "yellow"]
_STYLE: Final[dict[Tone, Style]] = {"good": "green", "bad": "red", "unsure": "yellow", "void": "yellow"}
_TIED: Final = "\0%"
_LABEL: Final = 9
"""Width of the words at the left."""
_HEADER: Final = ("decision", "gate, advisory ones in ()", "in %", "interval", "allowed")
_SHORT: Final = {"a drop of at most": "drop", "a rise of at most": "rise", "at most": "max", "at least": "min"}
_BAR: Final = 20
"""Signs in the three bars of the failure budget together."""


class TerminalLine(Record):
    """One line and how it looks."""

    text: str
    style: Style = ""


def terminal_lines(view: ReportView, *, width: int, run_dir: str) -> list[TerminalLine]:
    """Return the summary for a terminal of ``width`` columns; ``run_dir`` as the reader would type it."""
    return [
        *_verdict(view, width),
        *_labelled("note", view.notes, width),
        *_budget(view, width),
        *_gates(view, width),
        *_labelled("repair", [view.recovery.line] if view.recovery and view.recovery.line else [], width),
        *(line for table in view.tables for line in _labelled(table.label, table.lines, width)),
        *_labelled("missing", _lacks(view), width, style="yellow"),
        *_labelled("report", [f"{one_line(run_dir)}/report.html"], None),
        *_next(view, width),
    ]


def _verdict(view: ReportView, width: int) -> Iterator[TerminalLine]:
    for alarm in view.alarms:
        for line in _broken(alarm, width):
            yield TerminalLine(text=line, style="yellow")
    yield TerminalLine(text=view.headline.word, style=_STYLE[view.headline.tone])
    for line in _broken(view.headline.sentence, width):
        yield TerminalLine(text=line, style="bold")


def _budget(view: ReportView, width: int) -> Iterator[TerminalLine]:
    if view.budget is None:
        return
    pieces = [
        f"{stage.nickname} {stage.share_text} {'#' * round(_BAR * stage.share)}".rstrip()
        for stage in view.budget.stages
        if stage.share is not None
    ]
    lines = ["   ".join(["failure budget", *(pieces or [view.budget.sentence])])]
    if len(lines[0]) > width:
        lines = ["failure budget", *(f"  {piece}" for piece in pieces)]
    yield from (TerminalLine(text=line, style="bold") for line in lines)


def _lacks(view: ReportView) -> list[str]:
    """Return what the instrument did not deliver; what the model did not is counted in its gates."""
    return [
        f"{plural(lack.count, 'verdict')}, {lack.reason.replace('_', ' ')}"
        + (f"; for example {lack.example}" if lack.example else "")
        for lack in view.completeness.lacks
        if lack.kind == "unjudged"
    ]


def _labelled(label: str, texts: Iterable[str], width: int | None, *, style: Style = "") -> Iterator[TerminalLine]:
    """Yield texts behind a label, the first line of each with it; without a width they are not broken."""
    for text in texts:
        lines = _broken(text, width - _LABEL) if width else [text]
        for place, line in enumerate(lines):
            yield TerminalLine(text=f"{'' if place else label:{_LABEL}}{line}", style=style)


def _broken(text: str, width: int) -> list[str]:
    """Break into lines, but never between a number and its percent sign."""
    lines = wrap(text.replace(" %", _TIED), width, break_on_hyphens=False)
    return [line.replace(_TIED, " %") for line in lines]


def _next(view: ReportView, width: int) -> Iterator[TerminalLine]:
    for step in view.next_steps:
        yield from _labelled("next", [step.text], width)
        if step.command:  # never broken, so that it can be copied
            yield TerminalLine(text=f"{'':{_LABEL}}{step.command}", style="bold")


# --- gates: a table where it fits, else two lines each ------------------------------------------------------------


def _gates(view: ReportView, width: int) -> Iterator[TerminalLine]:
    if not view.gates:
        return
    rows = [_HEADER, *(_cells(gate) for gate in view.gates)]
    if not any(gate.interval for gate in view.gates):
        rows = [row[:2] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = sum(widths) + 2 * (len(widths) - 1) <= width
    styles: list[Style] = ["", *(_gate_style(gate) for gate in view.gates)]
    for row, style in zip(rows, styles, strict=True):
        for text in [_aligned(row, widths)] if table else _stacked(row, widths[0]):
            yield TerminalLine(text=text.rstrip(), style=style)
    yield from _labelled("unjudged", _unjudged(view.gates), width, style="yellow")
    yield from _labelled("no gold", _without_gold(view.gates), width, style="yellow")
    yield from _labelled("rates", [view.judge_defined] if view.judge_defined else [], width)


def _gate_style(gate: GateView) -> Style:
    return _STYLE[gate.tone] if gate.blocking or gate.tone == "good" else "yellow"


def _cells(gate: GateView) -> tuple[str, ...]:
    """Return decision, id, estimate, interval, threshold; units stand in the header."""
    word = "n/a" if gate.word == "not applicable" else gate.word
    bound = gate.threshold
    for words, short in _SHORT.items():
        bound = bound.replace(words, short)
    figures = (gate.estimate or "-", (gate.interval or "-").replace(" to ", ".."), bound)
    return (word if gate.blocking else f"({word})", gate.id, *(_bare(figure) for figure in figures))


def _bare(text: str) -> str:
    return text.replace(" %", "").replace(" points", "")


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))


def _stacked(row: Sequence[str], indent: int) -> list[str]:
    decision, identity, *figures = row
    second = [f"{'':{indent}}  {'  '.join(figures)}"] if figures else []
    return [f"{decision:<{indent}}  {identity}", *second]


def _unjudged(gates: Iterable[GateView]) -> list[str]:
    return [f"{gate.unjudged} of {gate.n} in {gate.id}" for gate in gates if gate.unjudged]


def _without_gold(gates: Iterable[GateView]) -> list[str]:
    return [_counted_at_worst(gate) for gate in gates if gate.without_gold]


def _counted_at_worst(gate: GateView) -> str:
    others = "" if gate.estimate is None else "; the estimate is of the others"
    return f"{gate.without_gold} of {gate.n} in {gate.id}, counted at worst either way{others}"
