"""What changed against the release in use, instance by instance."""

from typing import Final

from clinhallu_gate.records import Failed, Judged, Reading, Verdict
from clinhallu_gate.report.decision import DecisionDocument
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.model import TableRow, TableView, Tone
from clinhallu_gate.report.names import part_title
from clinhallu_gate.report.tally import counts_against
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import HEADLINE_READINGS, Results

#: Instances that a page names in each direction, by reading; ``results.parquet`` holds all.
_NAMED: Final = 50


def flips_table(document: DecisionDocument, results: Results, *, named: bool = True) -> TableView | None:
    """Return how many instances got worse and better, by stage, and which; None without a baseline run."""
    if document.baseline is None or not document.completed:
        return None
    rows, lines = [], []
    for place, reading in enumerate(HEADLINE_READINGS):
        worse, better = flipped(results, reading, worse=True), flipped(results, reading, worse=False)
        if not _compared(results, reading):
            continue
        title = part_title(reading.part)
        rows += [
            _row(title, place, worse, bad=True, named=named),
            _row(title, place, better, bad=False, named=named),
        ]
        lines.append(f"{title.lower()}: {len(worse)} worse, {len(better)} better")
    if not rows:
        return None
    return TableView(
        id="flips",
        title="What changed against the release in use",
        sentence=f"{one_line(document.baseline)}, instance by instance. A flip is shown; the paired gates decide.",
        columns=("", "instances", "which") if named else ("", "instances"),
        rows=tuple(rows),
        notes=_notes(document),
        prose=("which",) if named else (),
        label="flips",
        lines=tuple(lines),
    )


def flipped(results: Results, reading: Reading, *, worse: bool) -> list[str]:
    """Return the instances that are bad now and were not (``worse``), or the other way round."""
    found = []
    for uid, each in results.found.items():
        now, before = each.bare_verdict(reading), each.baseline.get(reading)
        if _known(now) and _known(before):
            is_bad, was_bad = counts_against(now), counts_against(before)  # type: ignore[arg-type]  # both are known
            if is_bad != was_bad and is_bad == worse:
                found.append(uid)
    return found


def _compared(results: Results, reading: Reading) -> bool:
    return any(
        _known(each.baseline.get(reading)) and _known(each.bare_verdict(reading)) for each in results.found.values()
    )


def _known(verdict: Verdict | None) -> bool:
    return isinstance(verdict, Judged | Failed)


def _row(title: str, place: int, uids: list[str], *, bad: bool, named: bool) -> TableRow:
    way = "worse" if bad else "better"
    name, tone = f"{title}: {way}", _tone(uids, bad=bad)
    if not named:
        return TableRow(cells=(name, str(len(uids))), tone=tone)
    more = len(uids) - _NAMED
    which = ", ".join(one_line(uid) for uid in uids[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    found_by = f"part={place}&flip={way}" if uids else ""
    return TableRow(cells=(name, str(len(uids)), which), tone=tone, found_by=found_by)


def _tone(uids: list[str], *, bad: bool) -> Tone:
    return ("bad" if bad else "good") if uids else "void"


def _notes(document: DecisionDocument) -> tuple[str, ...]:
    """Say what McNemar's test shows of each paired gate: that something got worse, never that nothing did."""
    notes = []
    for gate in document.gates:
        if gate.flips is None:
            continue
        said = "a regression was seen" if gate.flips.regressed else "no regression was shown, which is no proof of none"
        p = " (no p-value: pairs that share images, of several traces or of a part are not independent)"
        if gate.flips.p_worse is not None:
            p = f" (exact one-sided McNemar p = {gate.flips.p_worse:.3g})"
        pairs = f"{plural(gate.flips.worse, 'pair')} worse, {gate.flips.better} better"
        notes.append(f"{one_line(gate.id)}: {pairs}: {said}{p}; the gate decides by its margin")
    return tuple(notes)
