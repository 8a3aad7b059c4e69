"""``summary.md``: the run in a screenful of Markdown, fit for a build server's page."""

import re
from collections.abc import Iterator
from typing import Final

from clinhallu_gate.report.model import GateView, ReportView

FILE_NAME: Final = "summary.md"
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|~&#@$])")
_LINK: Final = re.compile(r"(?i)(?<=:)/(?=/)|(?<=www)\.")
"""What makes a bare address a link."""
_MOST_GATES: Final = 100
"""Rows of the table; a build server takes 1 MiB at most."""


def summary_markdown(view: ReportView) -> str:
    """Return the summary; no text of a model or of data can become markup."""
    parts = (_head, _budget, _gates, _capability, _recovery, _tables, _lacks, _foot)
    return "\n".join(line for part in parts for line in part(view)) + "\n"


def escaped(text: str) -> str:
    r"""Return ``text`` as Markdown that shows it, on one line.

    >>> escaped("a|b <c>")
    'a\\|b \\<c\\>'
    """
    return _LINK.sub(lambda match: f"\\{match.group()}", _MARKUP.sub(r"\\\1", " ".join(text.split())))


def code(text: str) -> str:
    """Return ``text`` as a code span that fits into a table."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    room = " " if "`" in text else ""
    return f"{fence}{room}{' '.join(text.split())}{room}{fence}".replace("|", "\\|")


def _head(view: ReportView) -> Iterator[str]:
    yield f"## {view.headline.word}: {escaped(view.model)}"
    yield ""
    for alarm in view.alarms:
        yield f"> **{escaped(alarm)}**"
        yield ""
    yield escaped(view.headline.sentence)
    yield ""
    about = (view.data, f"judge {view.judge}", f"protocol {view.protocol}", view.against)
    yield "; ".join(escaped(each) for each in about)
    yield ""
    for note in view.notes:
        yield f"> {escaped(note)}"
        yield ""


def _budget(view: ReportView) -> Iterator[str]:
    if view.budget is None:
        return
    yield f"**Failure budget.** {escaped(view.budget.sentence)}"
    yield ""
    for stage in view.budget.stages:
        rate = "not measured" if stage.rate is None else f"{stage.rate}, {stage.threshold} allowed"
        share = f", {stage.share_text} of the budget" if stage.share_text else ""
        yield f"- the {stage.nickname} ({stage.title.lower()}): {rate}{share}"
    yield ""


def _gates(view: ReportView) -> Iterator[str]:
    if not view.gates:
        return
    measured = any(gate.interval for gate in view.gates)
    columns = "estimate | interval | allowed | n" if measured else "n | unjudged"
    yield f"| gate | decision | {columns} |"
    yield "|---|---|--:|:-:|---|--:|" if measured else "|---|---|--:|--:|"
    for gate in view.gates[:_MOST_GATES]:
        yield _row(gate, measured=measured)
    yield ""
    if len(view.gates) > _MOST_GATES:
        yield f"{len(view.gates) - _MOST_GATES} more gates are in the report."
        yield ""
    if any(gate.without_gold and gate.estimate for gate in view.gates):
        yield "Estimates are of the instances that are known; intervals count those without gold at worst either way."
        yield ""
    if view.judge_defined:
        yield escaped(view.judge_defined)
        yield ""


def _row(gate: GateView, *, measured: bool) -> str:
    word = gate.word if gate.blocking else f"{gate.word} (advisory)"
    if not measured:
        return f"| {code(gate.id)} | {word} | {gate.n} | {gate.unjudged} |"
    figures = f"{gate.estimate or '-'} | {gate.interval or '-'} | {gate.threshold}"
    lacks = {"unjudged": gate.unjudged, "without gold": gate.without_gold}
    named = ", ".join(f"{count} {what}" for what, count in lacks.items() if count)
    return f"| {code(gate.id)} | {word} | {figures} | {gate.seen or gate.n}{f' ({named})' if named else ''} |"


def _capability(view: ReportView) -> Iterator[str]:
    table = view.capability
    if table is None:
        return
    yield f"**{escaped(table.title)}.** {escaped(table.sentence)}"
    yield ""
    for row in table.rows[:_MOST_GATES]:
        gate, wanted, can_be, *_ = row.cells
        yield f"- {escaped(f'{gate}, {wanted}: {can_be}')}"
    yield ""
    for note in table.notes:
        yield escaped(note)
        yield ""


def _recovery(view: ReportView) -> Iterator[str]:
    if view.recovery is not None and view.recovery.sentence:
        yield f"**Repairs.** {escaped(view.recovery.sentence)}"
        yield ""


def _tables(view: ReportView) -> Iterator[str]:
    """Yield what was found beside the gates, as the terminal says it; the report has the tables."""
    for table in view.tables:
        yield from (f"- {table.label}: {escaped(line)}" for line in table.lines)
    if view.tables:
        yield ""


def _lacks(view: ReportView) -> Iterator[str]:
    lacks = [lack for lack in view.completeness.lacks if lack.kind == "unjudged"]
    for lack in lacks:
        example = f", for example {escaped(lack.example)}" if lack.example else ""
        yield f"- unjudged, {escaped(lack.reason)}: {lack.count}{example}"
    if lacks:
        yield ""


def _foot(view: ReportView) -> Iterator[str]:
    yield "**Next**"
    yield ""
    for step in view.next_steps:
        yield f"- {escaped(step.text)}{f' {code(step.command)}' if step.command else ''}"
    yield ""
    yield f"Report: {code(view.run_dir + '/report.html')}; again: {code(view.command)}"
