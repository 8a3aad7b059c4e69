"""Several runs side by side, and whether their figures may be compared at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.records import Record
from clinhallu_gate.report.decision import FILE_NAME, DecisionDocument, load
from clinhallu_gate.report.figures import interval, measured, percent, plural, threshold
from clinhallu_gate.report.gates import decision_word
from clinhallu_gate.report.summary import escaped
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import STAGE_ARM, STAGE_METRIC, STAGE_NICKNAME, Arm, Metric, Severity

_NONE: Final = "-"
_DIGITS: Final = 12
"""Of a digest, as people see it."""
_ORACLE: Final = "oracle"
#: What people ask for first: the mean rates, by the arm in which each is read.
_HEADLINES: Final[Mapping[str, tuple[Metric, Arm]]] = {
    **{
        STAGE_NICKNAME[stage].removeprefix("the "): (metric, STAGE_ARM[stage]) for stage, metric in STAGE_METRIC.items()
    },
    "answers": (Metric.ANSWER_ACCURACY, Arm.BASELINE),
}


class Figure(Record):
    """A rate of a run, on its own scale."""

    estimate: float | None
    """None of a gate that was decided early: the mean at a stop is no estimate."""
    interval: tuple[float, float] | None
    text: str
    """The estimate, or the limits without one, as people read it."""
    n: int | None = None
    """Instances of a gate's figure, those without gold among them; None of a figure that no gate holds."""
    without_gold: int = 0
    """Instances without the gold that it takes to judge them: in the limits at worst, and in no estimate."""


class ComparedGate(Record):
    """What one run says of a gate."""

    decision: str
    """PASS, FAIL, INCONCLUSIVE, or why there is none."""
    severity: Severity
    figure: Figure | None
    allowed: str
    n: int
    of: int | None
    without_gold: int = 0
    """Of the ``n`` instances."""


class ComparedRun(Record):
    """One column."""

    run: str
    model: str
    model_sha256: str | None
    decision: str
    exit_status: int
    figures: Mapping[str, Figure | None]
    """Mean rates of camera, textbook, logic and answers."""
    gates: Mapping[str, ComparedGate]
    data: str
    protocol: str
    judge: str
    thresholds: str


class Comparison(Record):
    """Several runs, and what keeps them apart."""

    schema_version: int = 1
    comparable: bool
    """Whether all were asked the same, of the same data, and judged by the same judge."""
    differences: tuple[str, ...]
    """Why not, if not."""
    notes: tuple[str, ...]
    """What else a reader has to know."""
    runs: tuple[ComparedRun, ...]


def compare(folders: Sequence[Path]) -> Comparison:
    """Put runs side by side.

    Raises:
        BadInput: There are fewer than two, or one is not the folder of a finished run.
    """
    if len(folders) < 2:  # noqa: PLR2004 - one alone is nothing to compare
        raise BadInput("RUN: one run is nothing to compare. Name two or more.")
    found = [(str(folder), _decided(folder)) for folder in folders]
    differences = tuple(_differences(found))
    return Comparison(
        comparable=not differences,
        differences=differences,
        notes=tuple(_notes(found)),
        runs=tuple(_run(name, document) for name, document in found),
    )


def _decided(folder: Path) -> DecisionDocument:
    if not (folder / FILE_NAME).is_file():
        raise BadInput(f"{folder}: is not the folder of a finished run (it has no {FILE_NAME}).")
    return load(folder / FILE_NAME)


# --- one run ----------------------------------------------------------------------------------------------------------


def _run(name: str, document: DecisionDocument) -> ComparedRun:
    return ComparedRun(
        run=name,
        model=document.model,
        model_sha256=document.model_sha256,
        decision=str(document.decision or f"no decision ({document.exit_status})"),
        exit_status=document.exit_status,
        figures={word: _headline(document, *read) for word, read in _HEADLINES.items()},
        gates={gate.id: _gate(gate) for gate in document.gates},
        data=_data(document),
        protocol=_protocol(document),
        judge=_judge(document),
        thresholds=_named(document.thresholds.file, document.thresholds.sha256),
    )


def _gate(gate: GateResult) -> ComparedGate:
    return ComparedGate(
        decision=decision_word(gate),
        severity=gate.severity,
        figure=_figure(gate),
        allowed=threshold(gate),
        n=gate.n,
        of=gate.of,
        without_gold=gate.without_gold,
    )


def _figure(gate: GateResult) -> Figure | None:
    text = measured(gate) or interval(gate)
    if text is None:
        return None
    counts = {"n": gate.n, "without_gold": gate.without_gold}
    return Figure(estimate=gate.estimate, interval=gate.interval, text=text, **counts)


def _headline(document: DecisionDocument, metric: Metric, arm: Arm) -> Figure | None:
    """Return a mean rate: a gate's, else the strict scoring's of the same verdicts; none of a run without rates."""
    if not document.completed:
        return None
    for gate in document.gates:
        plain = gate.scope == "mean" and gate.tag is None and "max_drop" not in gate.threshold
        if plain and (gate.metric, gate.arm) == (metric, arm) and (figure := _figure(gate)):
            return figure
    rate = document.scorings.get("strict", {}).get(metric)
    if isinstance(rate, dict):
        rate = rate.get(arm)
    return Figure(estimate=rate, interval=None, text=percent(rate)) if isinstance(rate, float) else None


def _data(document: DecisionDocument) -> str:
    return ", ".join(f"{_named(one.name, one.sha256)} {plural(one.instances, 'instance')}" for one in document.datasets)


def _protocol(document: DecisionDocument) -> str:
    return _named(document.protocol.name, document.protocol.sha256)


def _judge(document: DecisionDocument) -> str:
    return _named(document.judge, document.judge_sha256) if document.judge_sha256 else document.judge


def _named(name: str, digest: str) -> str:
    return f"{name} ({digest[:_DIGITS]})"


# --- what keeps them apart --------------------------------------------------------------------------------------------

_Found = Sequence[tuple[str, DecisionDocument]]


def _differences(found: _Found) -> Iterator[str]:
    """Yield what makes figures of runs incomparable."""
    yield from _apart(found, "Data", _data, lambda one: [(data.sha256, data.instances) for data in one.datasets])
    yield from _apart(found, "Protocols", _protocol, lambda one: one.protocol.sha256)
    yield from _apart(found, "Judges", _judge, lambda one: (one.judge, one.judge_sha256))


def _notes(found: _Found) -> Iterator[str]:
    yield from _apart(
        found,
        "Thresholds",
        lambda one: _named(one.thresholds.file, one.thresholds.sha256),
        lambda one: one.thresholds.sha256,
        so="decisions were made by different policies",
    )
    yield from _apart(found, "Repeats", lambda one: str(one.repeats), lambda one: one.repeats)
    yield from _apart(found, "Labels", _labels, _labels, so="rates with labels by people are not judge-defined")
    for name, document in found:
        if not document.completed:
            yield f"{name} was not completed: it has no rates"
        elif any(gate.of is not None for gate in document.gates):
            yield f"{name} ended early: its gates have limits and no estimate"
        if document.gold is not None and document.gold.note:
            yield f"{name}: {document.gold.note}"
        if document.judge != _ORACLE and document.judge_sha256 is None:
            yield f"{name}: its judge {document.judge} has no digest, so whether another's is the same cannot be told"


def _labels(document: DecisionDocument) -> str:
    counts = {gate.adjusted.labels for gate in document.gates if gate.adjusted}
    return plural(max(counts), "label") if counts else "none"


def _apart(
    found: _Found,
    what: str,
    shown: Callable[[DecisionDocument], str],
    known_by: Callable[[DecisionDocument], object],
    *,
    so: str = "",
) -> Iterator[str]:
    """Yield which runs have what, if they do not all have the same."""
    groups: list[tuple[object, str, list[str]]] = []
    for name, document in found:
        key = known_by(document)
        group = next((one for one in groups if one[0] == key), None)
        if group is None:
            group = (key, shown(document), [])
            groups.append(group)
        group[2].append(name)
    if len(groups) > 1:
        said = "; ".join(f"{value}: {', '.join(names)}" for _, value, names in groups)
        yield f"{what} differ: {said}{f' ({so})' if so else ''}"


# --- for people and programs ------------------------------------------------------------------------------------------


def as_json(comparison: Comparison) -> str:
    """Return the comparison for programs."""
    return comparison.model_dump_json(indent=2)


def as_text(comparison: Comparison) -> str:
    """Return the comparison for a terminal."""
    rows = [[one_line(cell) for cell in row] for row in _rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(one_line(line, limit=2000) for line in _said(comparison))])


def as_markdown(comparison: Comparison) -> str:
    """Return the comparison as a table of Markdown; no name of a model or of data can become markup."""
    head, *rows = ([escaped(one_line(cell)) for cell in row] for row in _rows(comparison))
    table = [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]
    return "\n".join([*table, "", *(f"- {escaped(one_line(line, limit=2000))}" for line in _said(comparison))])


def _rows(comparison: Comparison) -> Iterator[list[str]]:
    runs = comparison.runs
    yield ["run", *(run.run for run in runs)]
    yield ["model", *(run.model for run in runs)]
    yield ["decision", *(run.decision for run in runs)]
    for word in _HEADLINES:
        yield [word, *(_headline_text(run.figures[word]) for run in runs)]
    for gate_id in dict.fromkeys(name for run in runs for name in run.gates):
        yield _gate_row(gate_id, [run.gates.get(gate_id) for run in runs])
    for what in ("data", "protocol", "judge", "thresholds"):
        yield [what, *(str(getattr(run, what)) for run in runs)]


def _headline_text(figure: Figure | None) -> str:
    if figure is None:
        return _NONE
    return f"{_figure_text(figure)}{_lacking(figure)}"


def _figure_text(figure: Figure) -> str:
    return f"within {figure.text}" if figure.estimate is None else figure.text


def _lacking(counted: Figure | ComparedGate) -> str:
    """Return how many lack gold, if any do."""
    return f" ({counted.without_gold:,} of {counted.n:,} without gold)" if counted.without_gold else ""


def _gate_row(gate_id: str, gates: Sequence[ComparedGate | None]) -> list[str]:
    """Return a gate's row; what it allows stands once, or in each cell if runs allow different things."""
    allowed = {gate.allowed for gate in gates if gate is not None}
    same = len(allowed) == 1
    label = f"{gate_id}, {allowed.pop()}" if same else gate_id
    return [label, *(_gate_text(gate, tell_allowed=not same) for gate in gates)]


def _gate_text(gate: ComparedGate | None, *, tell_allowed: bool) -> str:
    if gate is None:
        return _NONE
    word = gate.decision if gate.severity is Severity.BLOCKING else f"({gate.decision})"
    figure = f" {_figure_text(gate.figure)}" if gate.figure else ""
    seen = "" if gate.of is None else f" after {gate.n:,} of {gate.of:,}"
    return f"{word}{figure}{seen}{_lacking(gate)}{f', {gate.allowed}' if tell_allowed else ''}"


def _said(comparison: Comparison) -> Iterator[str]:
    if comparison.comparable:
        yield "Comparable: the same data, protocol and judge. A run with --baseline tells differences from chance."
    else:
        yield f"NOT COMPARABLE: {'. '.join(comparison.differences)}."
    yield from (f"{note}." for note in comparison.notes)
