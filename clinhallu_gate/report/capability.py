"""What a run's patients can show, in words: before anything is asked, in the report and in the summary."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from clinhallu_gate.config.thresholds import MEAN
from clinhallu_gate.planning.certify import Capability, Shown
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.model import TableRow, TableView
from clinhallu_gate.report.names import METRIC_TITLE
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import METRIC_STAGE, Metric

#: Limits on fewer patients err too often (docs/statistics.md).
FEW: Final = 50
_COLUMNS: Final = ("Gate", "to be shown", "can be", "patients")


def capability_table(found: Capability) -> TableView:
    """Return the section of the report."""
    return TableView(
        id="capability",
        title="What this number of patients can show",
        sentence=f"{_units(found)}. A gate passes with a chance of {found.power * 100:.0f} % if the truth is as good "
        "as stands here, or better; if it is worse, more patients are needed, and not another try.",
        columns=_COLUMNS,
        rows=tuple(
            TableRow(
                cells=(_title(each), claim(each), can_be(each), f"{each.patients:,}"),
                tone="unsure" if each.says in ("too_few", "no_gold") else "void",
            )
            for each in found.gates
        ),
        notes=tuple(_notes(found)),
        prose=("to be shown", "can be"),
        label="patients",
        lines=(),
    )


def capability_lines(found: Capability, *, width: int = 120) -> list[str]:
    """Return the same for a terminal: a line for the numbers, one for each gate (two if it is narrow), then notes."""
    names, claims = [one_line(each.gate) for each in found.gates], [claim(each) for each in found.gates]
    first, second = (max(map(len, column), default=0) for column in (names, claims))
    lines = [f"{_units(found)} can show (power {found.power * 100:.0f} %):"]
    for name, wanted, each in zip(names, claims, found.gates, strict=True):
        row = f"  {name:<{first}}  {wanted:<{second}}  {can_be(each)}"
        lines += [row] if len(row) <= width else [f"  {name}  {wanted}", f"      {can_be(each)}"]
    notes = (wrap(note, width - 2, break_on_hyphens=False) for note in _notes(found))
    return [*lines, *(f"  {line}" for note in notes for line in note)]


def _title(shown: Shown) -> str:
    """Return the gate's name for people: the metric, and its scope where that is not the mean."""
    title = METRIC_TITLE[shown.metric]
    scope = shown.gate.partition("[")[2].removesuffix("]")
    return one_line(f"{title[:1].upper()}{title[1:]}{'' if scope == MEAN else f': {scope}'}")


def claim(shown: Shown) -> str:
    """Return what the gate wants to see: ``at most 30 %``, ``a drop of at most 2 points``."""
    if shown.bound == "max_events":
        return "no event" if not shown.threshold else f"at most {plural(int(shown.threshold), 'event')}"
    if shown.bound == "max_drop":
        return f"a {_worse(shown)} of at most {_points(shown.threshold)}"
    amount = f"{shown.threshold * 100:+.4g} points" if shown.metric is Metric.RECOVERY else _percent(shown.threshold)
    return f"at {'most' if shown.bound == 'max' else 'least'} {amount}"


def can_be(shown: Shown) -> str:
    """Return on which condition it can be shown, or why it cannot."""
    counted = shown.without_gold and shown.says != "no_gold"
    return f"{_can_be(shown)}; {shown.without_gold:,} without gold counted as bad" if counted else _can_be(shown)


def _can_be(shown: Shown) -> str:
    match shown.says:
        case "no_gold":
            among = f"{shown.without_gold:,} of {plural(shown.instances, 'instance')} have no gold text for it"
            return f"not at all: {among}, {_too_little_gold(shown)}"
        case "list":
            return "only of this very list: the gate compares, and says nothing of other patients"
        case "events":
            seen = "no event" if not shown.threshold else f"{int(shown.threshold)} events"
            return f"{seen} in {plural(shown.patients, 'patient')} shows at most {_percent_up(shown.limit or 0.0)}"
        case "too_few":
            return _too_few(shown)
        case "truth":
            return _if_the_truth(shown)


def _too_little_gold(shown: Shown) -> str:
    """Say why so many are too many: of events each may be one, whatever the policy lets lack."""
    return "and each may be an event" if shown.bound == "max_events" else "more than max_without_gold allows"


def _if_the_truth(shown: Shown) -> str:
    truth = shown.truth or 0.0
    if shown.bound != "max_drop":
        amount = f"{truth * 100:+.3g} points" if shown.metric is Metric.RECOVERY else _percent(truth)
        return f"if the truth is {amount} or {'less' if shown.bound == 'max' else 'more'}"
    if truth >= 0.0:
        return f"if the true {_worse(shown)} is {_points(truth)} or less"
    better = "falls" if shown.metric in METRIC_STAGE else "rises"
    more = f"; if nothing changed, with some {plural(shown.needed, 'patient')}" if shown.needed is not None else ""
    return f"only if it truly {better} by {_points(-truth)} or more{more}"


def _too_few(shown: Shown) -> str:
    """Say that not even a faultless model would pass, and what would do."""
    begin = f"not at all with {plural(shown.patients, 'patient')}"
    if shown.bound == "max_drop" or shown.metric is Metric.RECOVERY or shown.limit is None:
        return f"{begin}, however good the model is"
    best = _percent_up(shown.limit) if shown.bound == "max" else f"{_percent_down(shown.limit)}"
    faultless = f"a faultless model shows at {'most' if shown.bound == 'max' else 'least'} {best}"
    more = "" if shown.needed is None else f", and passes from some {plural(shown.needed, 'patient')} on"
    return f"{begin}: {faultless}{more}"


def _units(found: Capability) -> str:
    return f"{plural(found.patients, 'patient')}, {plural(found.instances, 'question')}"


def _notes(found: Capability) -> Iterator[str]:
    assumed = f"a patient's questions are taken to correlate by {found.icc:g}" if _clustered(found) else ""
    pairs = any(each.bound == "max_drop" or each.metric is Metric.RECOVERY for each in found.gates)
    more = any(each.metric is Metric.RECOVERY and abs(each.truth or 0.0) > found.discordance for each in found.gates)
    share = f"{'at least ' if more else ''}{_percent(found.discordance)} of the pairs"
    differ = f"{share} to differ" if pairs else ""
    said = " and ".join(each for each in (assumed, differ) if each)
    if said and not assumed:
        said = f"{share} are taken to differ"
    begin = f"Each gate by itself, one-sided error {_percent(found.alpha)}"
    yield f"{begin}{f'; {said}' if said else ''}. That all pass is less likely than each."
    if found.patients < FEW:
        yield f"Limits on fewer than {FEW} patients err more often than they say."
    listed = sum(each.says == "list" for each in found.gates)
    if listed:
        gates = "1 gate speaks" if listed == 1 else f"{listed} gates speak"
        yield f"target: benchmark: {gates} of this very list, not of patients like these. Take target: population."
    if found.by_bets:
        yield "Of all instances; gates that are decided early, by bets, need more (clinhallu-gate plan)."


def _clustered(found: Capability) -> bool:
    return found.patients < found.instances


def _worse(shown: Shown) -> str:
    return "rise" if shown.metric in METRIC_STAGE else "drop"


def _percent(value: float) -> str:
    return f"{value * 100:.3g} %"


def _percent_up(value: float) -> str:
    """Return a limit that nothing smaller can be shown, rounded up: ``3.6 %``."""
    return f"{-(-value * 1000 // 1) / 10:.1f} %"


def _percent_down(value: float) -> str:
    return f"{value * 1000 // 1 / 10:.1f} %"


def _points(value: float) -> str:
    return f"{value * 100:.3g} points"
