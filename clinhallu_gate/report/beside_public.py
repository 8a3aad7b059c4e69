"""Local patients beside public data: the same model's rates on both, and whether they differ."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from clinhallu_gate.gate.estimate import Figure, Figures
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.records import Instance, Record
from clinhallu_gate.report.figures import between, percent, points, points_between
from clinhallu_gate.report.model import TableRow, TableView, Tone
from clinhallu_gate.report.names import METRIC_TITLE
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import Results
from clinhallu_gate.stats.independent import WithLimits, difference
from clinhallu_gate.vocabulary import STAGE_ARM, STAGE_METRIC, Arm, Metric, Unit

RATES: Final[Mapping[Metric, Arm]] = {
    **{STAGE_METRIC[stage]: arm for stage, arm in STAGE_ARM.items()},
    Metric.ANSWER_ACCURACY: Arm.BASELINE,
}
_DOES: Final = {
    Metric.VISUAL_HALLUCINATION_RATE: "reads images",
    Metric.KNOWLEDGE_HALLUCINATION_RATE: "recalls knowledge",
    Metric.REASONING_HALLUCINATION_RATE: "reasons",
    Metric.ANSWER_ACCURACY: "answers",
}
_INTERVALS: Final = (
    "Intervals are 95 % both ways, of patients or images like those, found as the gates' limits are; those of the "
    "difference come from them (MOVER), as the two samples are independent. Not adjusted for their number."
)
_WHY: Final = "A difference may lie in patients, scanners, questions, or in who wrote the gold: no gate decides by it."


class Rate(Record):
    """A rate of one of the two."""

    estimate: float | None
    """None where a stratum has no verdict."""
    low: float
    high: float
    n: int
    clusters: int
    few: bool
    """Whether too little is known for a rate."""


class Rates(Record):
    """The headline rates of some data."""

    name: str
    """Of the run or the data sets, for people."""
    rates: Mapping[Metric, Rate]
    """Those that were asked to the end."""


def rates_of(name: str, figures: Figures, members: Sequence[int] | None = None) -> Rates:
    """Return the headline rates of a run, or of the instances at some places of it."""
    places = None if members is None else np.array(members, np.int64)
    found = {metric: figures.of(metric, arm, places) for metric, arm in RATES.items()}
    return Rates(name=name, rates={metric: rate for metric, one in found.items() if (rate := _rate(one)) is not None})


def public_table(
    results: Results, public: Rates | None, *, unit: Unit, repeats: int, max_without_gold: float = 0.0
) -> TableView | None:
    """Return local rates beside public ones: those of another run, else of the run's own data without patients.

    None if there are not both.
    """
    listed = results.instances
    local = [place for place, instance in enumerate(listed) if instance.phi]
    others = [place for place, instance in enumerate(listed) if not instance.phi]
    if not local or (public is None and not others):
        return None
    frame = Frame.of(listed)
    figures = Figures(frame, results.bare_verdict, unit=unit, repeats=repeats, max_without_gold=max_without_gold)
    here = rates_of(_named(listed, local), figures, local)
    there = public or rates_of(_named(listed, others), figures, others)
    both = [metric for metric in RATES if metric in here.rates and metric in there.rates]
    if not both:
        return None
    return TableView(
        id="public",
        title="Here and on public data",
        sentence=f"{_sentence(here, there, both)} The same model, protocol and judge: {one_line(here.name)} beside "
        f"{one_line(there.name)}.",
        columns=("", "here", "public", "difference", "so"),
        rows=tuple(_row(metric, here.rates[metric], there.rates[metric]) for metric in both),
        notes=(_INTERVALS, _WHY),
        prose=("so",),
        label="public",
        lines=tuple(_line(metric, here.rates[metric], there.rates[metric]) for metric in both),
    )


def _rate(figure: Figure | None) -> Rate | None:
    if figure is None:
        return None
    return Rate(
        estimate=figure.estimate,
        low=figure.low,
        high=figure.high,
        n=figure.n,
        clusters=figure.clusters,
        few=figure.few,
    )


def _named(instances: Sequence[Instance], places: Sequence[int]) -> str:
    return ", ".join(dict.fromkeys(instances[place].dataset for place in places))


def _difference(here: Rate, there: Rate) -> WithLimits:
    """Return the difference; without an estimate of both, that of limits: as small and as large as it can be."""
    if here.estimate is None or there.estimate is None:
        low, high = here.low - there.high, here.high - there.low
        return WithLimits((low + high) / 2.0, low, high)
    return difference(WithLimits(here.estimate, here.low, here.high), WithLimits(there.estimate, there.low, there.high))


def _way(metric: Metric, here: Rate, there: Rate) -> str:
    """Return ``worse``, ``better``, or nothing where no difference is shown."""
    found = _difference(here, there)
    if found.low <= 0.0 <= found.high:
        return ""
    return "worse" if (found.low > 0.0) is (metric is not Metric.ANSWER_ACCURACY) else "better"


def _said(metric: Metric, way: str) -> str:
    return f"{_DOES[metric]} {way} here than on the public data" if way else "no difference is shown"


def _short(way: str) -> str:
    return f"{way} here" if way else "not shown"


def _sentence(here: Rates, there: Rates, both: Sequence[Metric]) -> str:
    ways = {metric: _way(metric, here.rates[metric], there.rates[metric]) for metric in both}
    said = [f"{_DOES[metric]} {way}" for metric, way in ways.items() if way]
    if not said:
        return "No rate is shown to differ from that on the public data."
    return f"Here the model {' and '.join(said)} than on the public data."


def _row(metric: Metric, here: Rate, there: Rate) -> TableRow:
    way = _way(metric, here, there)
    tone: Tone = "void" if not way else "bad" if way == "worse" else "good"
    found = _difference(here, there)
    apart = points_between(found.low, found.high)
    if not (here.few or there.few):
        apart = f"{points(found.estimate)} ({apart})"
    title = METRIC_TITLE[metric]
    return TableRow(cells=(f"{title[:1].upper()}{title[1:]}", _cell(here), _cell(there), apart, _short(way)), tone=tone)


def _cell(rate: Rate) -> str:
    interval = between(rate.low, rate.high)
    if rate.few or rate.estimate is None:
        return f"uncertain: {rate.clusters:,} patients or images, {interval}"
    return f"{percent(rate.estimate)} ({interval})"


def _line(metric: Metric, here: Rate, there: Rate) -> str:
    title, local, public, *_ = _row(metric, here, there).cells
    return f"{title.lower()}: {local}, public {public}: {_said(metric, _way(metric, here, there))}"
