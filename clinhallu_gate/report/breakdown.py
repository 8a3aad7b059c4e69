"""Where the model is good and bad: the four headline rates by dataset, stratum, question type and tag."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import urlencode

import numpy as np

from clinhallu_gate.gate.estimate import FEWEST_CLUSTERS, FEWEST_INSTANCES, WIDEST, Figure, Figures
from clinhallu_gate.records import Instance
from clinhallu_gate.report.figures import between, percent, plural, roughly_between
from clinhallu_gate.report.model import BreakdownView, Grouping, GroupRow, RateCell, Span
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import Results
from clinhallu_gate.stats.sample import IntArray
from clinhallu_gate.vocabulary import STAGE_ARM, STAGE_METRIC, Arm, Metric

_RATES: Final = {
    **dict(zip(("Camera", "Textbook", "Logic"), ((STAGE_METRIC[s], arm) for s, arm in STAGE_ARM.items()), strict=True)),
    "Answers right": (Metric.ANSWER_ACCURACY, Arm.BASELINE),
}
_MOST: Final = 40
"""Groups of one property that a page shows, the largest."""
_FOLDED: Final = 20
"""More rows than these are folded at first."""
_NOTE: Final = (
    "Intervals: where the rate of patients like these may lie, 95 % both ways, found as the gates' limits are and not "
    "adjusted for their number; of so many groups some look bad by chance. A group is too small for a rate with fewer "
    f"than {FEWEST_INSTANCES} instances or {FEWEST_CLUSTERS} {{units}}, or an interval of {100 * WIDEST:.0f} "
    "points or more (after the presentation standards of the US National Center for Health Statistics)."
)
Value: TypeAlias = tuple[str, ...]
Groups: TypeAlias = Mapping[Value, IntArray]
"""Positions of the instances of each group, by the value that they share."""


@dataclass(frozen=True, slots=True)
class _Units:
    """What the size of a group is told in: of patients these, as one with many questions is one patient still."""

    name: str
    patients: bool

    def counted(self, figure: Figure) -> str:
        """Return how many there are."""
        return plural(figure.clusters, "patient") if self.patients else plural(figure.n, "instance")


@dataclass(frozen=True, slots=True)
class _Property:
    """Something by which instances are grouped."""

    title: str
    groups: Groups
    found_by: Value
    """The explorer's filters that a value is for."""
    shown: Callable[[Value], str] = "".join
    alike: bool = True
    """Whether all instances of a group count alike; those of a dataset do by stratum, as in its gates."""


def breakdown_view(figures: Figures, results: Results) -> BreakdownView | None:
    """Return the rates by group; None where nothing groups the instances, or no rate was asked to the end."""
    patients = all(instance.phi for instance in results.instances)
    units = _Units("patients" if patients else "images or patients", patients)
    whole = _row(figures, "all instances", np.arange(len(results.instances)), units, alike=False)
    every = (_grouping(figures, number, each, units) for number, each in enumerate(_telling(results)))
    groupings = tuple(grouping for grouping in every if grouping.rows)
    if not groupings or not any(cell.span for each in groupings for row in (whole, *each.rows) for cell in row.cells):
        return None
    return BreakdownView(columns=tuple(_RATES), note=_NOTE.format(units=units.name), whole=whole, groupings=groupings)


# --- groups -------------------------------------------------------------------------------------------------------


def _telling(results: Results) -> Iterator[_Property]:
    """Yield the properties that part the instances, each parting once: a modality may be the stratum."""
    seen = {frozenset([tuple(range(len(results.instances)))])}
    for each in _properties(results.instances):
        parting = frozenset(tuple(members.tolist()) for members in each.groups.values())
        if parting and parting not in seen:
            seen.add(parting)
            yield each


def _properties(instances: Iterable[Instance]) -> Iterator[_Property]:
    listed = list(instances)
    datasets = _groups(listed, lambda instance: [(instance.dataset,)])
    yield _Property("dataset", datasets, ("dataset",), alike=False)
    strata = _groups(listed, lambda instance: [(instance.dataset, instance.stratum)])
    yield _Property("stratum", strata, ("dataset", "stratum"), partial(_stratum, short=len(datasets) == 1))
    types = _groups(listed, lambda instance: [(instance.question_type.replace("_", " "),)])
    yield _Property("question type", types, ("type",))
    for key in dict.fromkeys(_key(tag) for instance in listed for tag in instance.tags):
        groups = _groups(listed, partial(_tags, key))
        yield _Property(key.replace("_", " ") or "tag", groups, ("tag",), partial(_told, key))


def _stratum(value: Value, *, short: bool) -> str:
    dataset, stratum = value
    return stratum if short or stratum == dataset else f"{dataset}: {stratum}"


def _key(tag: str) -> str:
    """Return what a tag speaks of: ``modality`` of ``modality:ct``; nothing of a bare name."""
    key, colon, _ = tag.partition(":")
    return key if colon else ""


def _tags(key: str, instance: Instance) -> list[Value]:
    return [(tag,) for tag in instance.tags if _key(tag) == key]


def _told(key: str, value: Value) -> str:
    """Return what a tag says: ``left lung`` of ``organ:left_lung``; a bare name as it is."""
    (tag,) = value
    return tag.removeprefix(f"{key}:").replace("_", " ") if key else tag


def _groups(instances: list[Instance], values: Callable[[Instance], list[Value]]) -> Groups:
    found: dict[Value, list[int]] = {}
    for place, instance in enumerate(instances):
        for value in dict.fromkeys(values(instance)):
            found.setdefault(value, []).append(place)
    return {value: np.array(members, dtype=np.int64) for value, members in found.items()}


# --- their rates --------------------------------------------------------------------------------------------------


def _grouping(figures: Figures, number: int, each: _Property, units: _Units) -> Grouping:
    largest = sorted(each.groups.items(), key=lambda group: -group[1].size)
    shown, rest = largest[:_MOST], largest[_MOST:]
    rows = (
        _row(figures, each.shown(value), members, units, alike=each.alike, found_by=_filters(each, value))
        for value, members in shown
    )
    return Grouping(
        id=f"by-{number}",
        title=f"By {one_line(each.title, limit=60)}",
        rows=tuple(row for row in rows if any(cell.span for cell in row.cells)),
        left_out=_left_out([members.size for _, members in rest]),
        long=len(shown) > _FOLDED,
    )


def _left_out(sizes: list[int]) -> str | None:
    if not sizes:
        return None
    return f"{plural(len(sizes), 'smaller group')} not shown, of at most {plural(sizes[0], 'instance')} each"


def _filters(each: _Property, value: Value) -> str:
    return urlencode(dict(zip(each.found_by, map(one_line, value), strict=True)))


def _row(figures: Figures, name: str, members: IntArray, units: _Units, *, alike: bool, found_by: str = "") -> GroupRow:
    return GroupRow(
        name=one_line(name, limit=80),
        instances=members.size,
        found_by=found_by,
        cells=tuple(
            _cell(column, figures.of(metric, arm, members, alike=alike), units)
            for column, (metric, arm) in _RATES.items()
        ),
    )


def _cell(column: str, figure: Figure | None, units: _Units) -> RateCell:
    if figure is None:
        return RateCell(column=column, text="not measured", interval=None, few=True, span=None)
    if figure.few or figure.estimate is None:
        return RateCell(
            column=column,
            text=f"uncertain: {units.counted(figure)}" if figure.known else _unknown(figure),
            interval=roughly_between(figure.low, figure.high),
            few=True,
            span=Span(estimate=None, low=figure.low, high=figure.high),
        )
    return RateCell(
        column=column,
        text=percent(figure.estimate),
        interval=between(figure.low, figure.high),
        few=False,
        span=Span(estimate=figure.estimate, low=figure.low, high=figure.high),
    )


def _unknown(figure: Figure) -> str:
    """Say why nothing is known of any instance."""
    return "unjudged" if figure.unjudged else "no gold"
