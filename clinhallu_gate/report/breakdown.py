"""Where the model is good and bad: the four headline rates by dataset, stratum, question type and tag."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

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
    f"than {FEWEST_INSTANCES} instances or {FEWEST_CLUSTERS} images or patients, or an interval of {100 * WIDEST:.0f} "
    "points or more (after the presentation standards of the US National Center for Health Statistics)."
)
Groups: TypeAlias = Mapping[str, IntArray]
"""Positions of the instances of each group, by its name."""


@dataclass(frozen=True, slots=True)
class _Property:
    """Something by which instances are grouped."""

    title: str
    groups: Groups
    alike: bool = True
    """Whether all instances of a group count alike; those of a dataset do by stratum, as in its gates."""


def breakdown_view(figures: Figures, results: Results) -> BreakdownView | None:
    """Return the rates by group; None where nothing groups the instances, or no rate was asked to the end."""
    whole = _row(figures, "all instances", np.arange(len(results.instances)), alike=False)
    groupings = tuple(_grouping(figures, number, each) for number, each in enumerate(_telling(results)))
    if not groupings or not any(cell.span for each in groupings for row in (whole, *each.rows) for cell in row.cells):
        return None
    return BreakdownView(columns=tuple(_RATES), note=_NOTE, whole=whole, groupings=groupings)


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
    one_dataset = len({instance.dataset for instance in listed}) == 1
    yield _Property("dataset", _groups(listed, lambda instance: [instance.dataset]), alike=False)
    yield _Property("stratum", _groups(listed, lambda instance: [_stratum(instance, short=one_dataset)]))
    yield _Property("question type", _groups(listed, lambda instance: [instance.question_type.replace("_", " ")]))
    for key in dict.fromkeys(_key(tag) for instance in listed for tag in instance.tags):
        yield _Property(key.replace("_", " ") or "tag", _groups(listed, partial(_values, key)))


def _stratum(instance: Instance, *, short: bool) -> str:
    if short or instance.stratum == instance.dataset:
        return instance.stratum
    return f"{instance.dataset}: {instance.stratum}"


def _key(tag: str) -> str:
    """Return what a tag speaks of: ``modality`` of ``modality:ct``; nothing of a bare name."""
    key, colon, _ = tag.partition(":")
    return key if colon else ""


def _values(key: str, instance: Instance) -> list[str]:
    mine = [tag for tag in instance.tags if _key(tag) == key]
    return [tag.removeprefix(f"{key}:").replace("_", " ") for tag in mine] if key else mine


def _groups(instances: list[Instance], names: Callable[[Instance], list[str]]) -> Groups:
    found: dict[str, list[int]] = {}
    for place, instance in enumerate(instances):
        for name in dict.fromkeys(names(instance)):
            found.setdefault(name, []).append(place)
    return {name: np.array(members, dtype=np.int64) for name, members in found.items()}


# --- their rates --------------------------------------------------------------------------------------------------


def _grouping(figures: Figures, number: int, each: _Property) -> Grouping:
    largest = sorted(each.groups.items(), key=lambda group: -group[1].size)
    shown, rest = largest[:_MOST], largest[_MOST:]
    return Grouping(
        id=f"by-{number}",
        title=f"By {one_line(each.title, limit=60)}",
        rows=tuple(_row(figures, name, members, alike=each.alike) for name, members in shown),
        left_out=_left_out([members.size for _, members in rest]),
        long=len(shown) > _FOLDED,
    )


def _left_out(sizes: list[int]) -> str | None:
    if not sizes:
        return None
    return f"{plural(len(sizes), 'smaller group')} not shown, of at most {plural(sizes[0], 'instance')} each"


def _row(figures: Figures, name: str, members: IntArray, *, alike: bool) -> GroupRow:
    return GroupRow(
        name=one_line(name, limit=80),
        instances=members.size,
        cells=tuple(
            _cell(column, figures.of(metric, arm, members, alike=alike)) for column, (metric, arm) in _RATES.items()
        ),
    )


def _cell(column: str, figure: Figure | None) -> RateCell:
    if figure is None:
        return RateCell(column=column, text="not measured", interval=None, few=True, span=None)
    if figure.few or figure.estimate is None:
        return RateCell(
            column=column,
            text=f"too few: {plural(figure.n, 'instance')}" if figure.unjudged < figure.n else "unjudged",
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
