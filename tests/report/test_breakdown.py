"""Rates by group: who is in which, how sure they are, and that a small group never has one."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from planted_run import (
    ALONE,
    KNOWLEDGE,
    REASONING,
    VISUAL,
    Plan,
    PlantedRun,
    not_started,
    planted_run,
    run_named,
)

from clinhallu_gate.gate.estimate import Figures
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.records import Instance, NotAsked, Unjudged
from clinhallu_gate.report import render_html
from clinhallu_gate.report.breakdown import breakdown_view
from clinhallu_gate.report.model import BreakdownView, Grouping
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import NotAskedReason, Unit, UnjudgedReason

LARGE = Plan(bad={VISUAL: 130, KNOWLEDGE: 40, REASONING: 60, ALONE: 190}, studies=40)
RATE = re.compile(r"\d\.\d\s?%")


def breakdown(run: PlantedRun) -> BreakdownView:
    """Return the section, which is there."""
    figures = Figures(Frame.of(run.results.instances), run.results.verdict, unit=Unit.INSTANCE)
    found = breakdown_view(figures, run.results)
    assert found
    return found


def by(run: PlantedRun, title: str) -> Grouping:
    """Return one grouping."""
    return next(grouping for grouping in breakdown(run).groupings if grouping.title == title)


def tagged(run: PlantedRun, **tags: tuple[int, ...]) -> PlantedRun:
    """Return the run with other tags: the places of the instances that bear each, ``modality__ct`` for a colon."""
    marks = {name.replace("__", ":"): places for name, places in tags.items()}

    def with_tags(place: int, instance: Instance) -> Instance:
        mine = tuple(name for name, places in marks.items() if place in places)
        return replace(instance, tags=mine)

    results = Results([with_tags(place, instance) for place, instance in enumerate(run.results.instances)])
    results.found = run.results.found
    return PlantedRun(run.decision, results, run.context)


def test_rates_are_counted_by_hand() -> None:
    """All four rates of a stratum, from the verdicts."""
    run = planted_run(LARGE)
    row = next(row for row in by(run, "By stratum").rows if row.name == "ct")
    members = [instance for instance in run.results.instances if instance.stratum == "ct"]
    bad = [
        sum(run.results.verdict(instance.uid, reading).bad for instance in members)  # type: ignore[union-attr]
        for reading in (VISUAL, KNOWLEDGE, REASONING, ALONE)
    ]
    n = len(members)
    expected = [*(f"{100 * count / n:.1f} %" for count in bad[:3]), f"{100 - 100 * bad[3] / n:.1f} %"]
    assert row.instances == n
    assert [cell.text for cell in row.cells] == expected
    assert [cell.column for cell in row.cells] == ["Camera", "Textbook", "Logic", "Answers right"]


def test_all_instances_are_the_gates_estimate() -> None:
    """The row that the others are held against."""
    run = planted_run(LARGE)
    told = [cell.text for cell in breakdown(run).whole.cells]
    assert told == [f"{100 * (gate.estimate or 0):.1f} %" for gate in run.decision.gates[:4]]


def test_tags_group_by_what_stands_before_the_colon() -> None:
    """A bare name is a group of its own, and what parts the instances like the stratum is told once."""
    plain = planted_run(LARGE)
    assert [g.title for g in breakdown(plain).groupings] == ["By stratum", "By question type", "By needs", "By family"]
    every = range(len(plain.results.instances))
    run = tagged(
        plain,
        organ__left_lung=tuple(place for place in every if place % 3 == 0),
        organ__liver=tuple(place for place in every if place % 3 == 1),
        wrong_side=(0, 5, 7),
        seen__yes=tuple(every),
    )
    titles = [grouping.title for grouping in breakdown(run).groupings]
    assert titles == ["By stratum", "By question type", "By organ", "By tag"]
    assert [(row.name, row.instances) for row in by(run, "By organ").rows] == [("left lung", 160), ("liver", 160)]
    assert [(row.name, row.instances) for row in by(run, "By tag").rows] == [("wrong_side", 3)]
    assert by(run, "By organ").rows[0].found_by == "tag=organ%3Aleft_lung"
    assert by(run, "By stratum").rows[0].found_by == "dataset=phantom&stratum=radiograph"


def test_data_sets_are_told_where_there_are_several() -> None:
    """As the unweighted mean over their strata, as their gates have it."""
    run = planted_run(LARGE)
    results = Results([replace(i, dataset="b" if i.stratum == "histology" else "a") for i in run.results.instances])
    results.found = dict(zip(results.found, run.results.found.values(), strict=True))
    both = PlantedRun(run.decision, results, run.context)
    assert [(row.name, row.instances) for row in by(both, "By dataset").rows] == [("a", 360), ("b", 120)]
    assert "a: ct" in [row.name for row in by(both, "By stratum").rows]


def test_a_small_group_is_never_shown_as_a_rate() -> None:
    """Neither in the view nor on the page: its number, and whole per cents that its rate may lie between."""
    run = tagged(planted_run(LARGE), organ__lung=(0, 1, 2, 3), organ__liver=tuple(range(4, 480)))
    row = next(row for row in by(run, "By organ").rows if row.name == "lung")
    assert [cell.text for cell in row.cells] == ["uncertain: 4 instances"] * 4
    for cell in row.cells:
        assert re.fullmatch(r"\d+ to \d+ %", cell.interval or "")
        assert cell.span
        assert cell.span.estimate is None
    drawn = cells(render_html(run.view).decode())
    few = [words for words, is_few in drawn if is_few]
    assert len(few) >= 4
    assert not [words for words in few if RATE.search(words) or "uncertain" not in words]
    assert [words for words, is_few in drawn if not is_few and RATE.search(words)]


def test_of_patients_a_groups_size_is_told_in_patients() -> None:
    """Forty questions of eight patients are eight patients, and no rate; forty of twenty may be one."""
    run = planted_run(LARGE)

    def ward(place: int, instance: Instance) -> Instance:
        cluster = place % 8 if place < 40 else 8 + place % 20
        tags = ("ward:small",) if place < 40 else ("ward:large",)
        return replace(instance, phi=True, cluster=f"patient-{cluster}", tags=tags)

    results = Results([ward(place, instance) for place, instance in enumerate(run.results.instances)])
    results.found = run.results.found
    patients = PlantedRun(run.decision, results, run.context)
    large, small = by(patients, "By ward").rows
    assert [cell.text for cell in small.cells] == ["uncertain: 8 patients"] * 4
    assert small.instances == 40
    assert not any("uncertain" in cell.text for cell in large.cells)
    assert "fewer than 30 instances or 10 patients, or" in breakdown(patients).note
    assert "10 images or patients, or" in breakdown(run).note


def test_no_group_of_any_run_has_a_rate_that_may_lie_30_points_apart() -> None:
    """The stated rule, over all planted runs."""
    for run in (*(run_named(name) for name in ("pass", "fail", "inconclusive")), planted_run(LARGE)):
        for grouping in breakdown(run).groupings:
            for row in grouping.rows:
                for cell in row.cells:
                    assert cell.span
                    sure = row.instances >= 30 and cell.span.high - cell.span.low < 0.3
                    assert cell.few or sure
                    assert cell.few == (cell.span.estimate is None)


def test_long_lists_are_folded_and_cut() -> None:
    """40 groups at most, the largest; what is left out is counted."""
    plain = planted_run(LARGE)
    many = {f"organ__o{number:03}": (number, *([number + 100] if number < 30 else [])) for number in range(60)}
    grouping = by(tagged(plain, **many), "By organ")
    assert (len(grouping.rows), grouping.long) == (40, True)
    assert grouping.left_out == "20 smaller groups not shown, of at most 1 instance each"
    assert [row.instances for row in grouping.rows] == [2] * 30 + [1] * 10
    assert not by(plain, "By family").long


def test_a_group_of_which_nothing_was_judged_is_unjudged() -> None:
    """It may be anything."""
    run = tagged(planted_run(LARGE), organ__lung=tuple(range(40)), organ__liver=tuple(range(40, 480)))
    for instance in run.results.instances[:40]:
        run.results.found[instance.uid].verdicts[VISUAL] = Unjudged(UnjudgedReason.JUDGE_FAILED)
    lung = next(row for row in by(run, "By organ").rows if row.name == "lung")
    assert (lung.cells[0].text, lung.cells[0].interval) == ("unjudged", "0 to 100 %")


def test_what_was_asked_in_part_is_not_measured() -> None:
    """And of a run that ended early no group has a rate."""
    run = planted_run(LARGE)
    uid = next(instance.uid for instance in run.results.instances if instance.stratum == "ct")
    run.results.found[uid].verdicts[VISUAL] = NotAsked(NotAskedReason.NOT_SELECTED)
    strata = {row.name: row.cells[0].text for row in by(run, "By stratum").rows}
    assert strata["ct"] == "not measured"
    assert strata["histology"].endswith("%")
    run.results.found[uid].verdicts[VISUAL] = NotAsked(NotAskedReason.EARLY_STOP)
    assert {row.cells[0].text for row in by(run, "By stratum").rows} == {"not measured"}


def test_no_group_of_a_run_that_was_not_completed() -> None:
    """No rate of such a run is a result."""
    assert [run.view.breakdown for run in (run_named("not_completed"), not_started())] == [None, None]


def cells(page: str) -> list[tuple[str, bool]]:
    """Return the words of each cell of the rates, and whether it is one of few."""
    parser = _Cells()
    parser.feed(page)
    return parser.found


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []
        self._few: bool | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        if tag == "td" and "cell" in classes:
            self._few, self._words = "few" in classes, []

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._few is not None:
            self.found.append((" ".join(" ".join(self._words).split()), self._few))
            self._few = None

    def handle_data(self, data: str) -> None:
        if self._few is not None:
            self._words.append(data)
