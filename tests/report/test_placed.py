"""The run among the published models, drawn."""

from planted_run import Plan, PlantedRun, planted_run, run_named

from clinhallu_gate.published import METRICS, Estimate, load_table, place
from clinhallu_gate.published.table import Cell
from clinhallu_gate.report import render_html
from clinhallu_gate.report.placed import dot_groups
from clinhallu_gate.vocabulary import Metric

SETS = ("vqa-rad", "pathvqa", "medframeqa", "medxpertqa")


def figures(*names: str) -> list[Estimate]:
    """Return every figure of the data sets, put at 40 %."""
    return [Estimate(dataset=n, metric=m, value=0.4, low=0.35, high=0.45, n=500) for n in names for m in METRICS]


def test_every_published_model_has_its_mark() -> None:
    """Where the table says, but for the run's own row, which is marked otherwise."""
    (group,) = dot_groups(place(figures("vqa-rad"), model_published="MedGemma-4B"))
    assert group.title == "VQA-RAD"
    column = load_table().column(Cell("vqa-rad", Metric.ANSWER_ACCURACY))
    dots = next(dots for dots in group.rows if dots.better == "right")
    assert sorted(dots.others) == sorted(value / 1000 for name, value in column.items() if name != "MedGemma-4B")
    assert dots.own == column["MedGemma-4B"] / 1000
    assert (dots.span.low, dots.span.estimate, dots.span.high) == (0.35, 0.4, 0.45)
    assert "rank" in dots.text
    best = max(column, key=lambda name: column[name])
    assert f"best {column[best] / 10:.1f} % ({best}" in dots.ends


def test_a_model_without_a_row_is_held_against_all_eleven() -> None:
    """And nothing is marked as published for it."""
    (group,) = dot_groups(place(figures("pathvqa"), model_published=None))
    assert {(len(dots.others), dots.own) for dots in group.rows} == {(11, None)}
    assert [dots.better for dots in group.rows].count("left") == 3


def test_the_mean_comes_first() -> None:
    """A board looks at it, and unfolds the data sets."""
    groups = dot_groups(place(figures(*SETS), model_published=None))
    assert [group.title for group in groups][:2] == ["Mean of the four data sets", "VQA-RAD"]
    assert len(groups) == 5


def test_the_page_draws_it_with_words_and_shapes() -> None:
    """A stroke for each of the ten others in four figures, a square for the own row; the table stays beside it."""
    page = render_html(run_named("pass").view).decode()
    section = page.partition('aria-labelledby="published"')[2].partition("</section>")[0]
    assert section.count('class="other"') == 4 * 10 + 1
    assert section.count('class="own"') == 4 + 1
    for words in ("a published model", "published for this model", "lower is better", "higher is better", "rank"):
        assert words in section
    assert "<table>" in section


def test_other_data_have_no_such_section() -> None:
    """Figures of other data are not comparable."""
    run = planted_run(Plan(studies=1))
    elsewhere = PlantedRun(run.decision.model_copy(update={"published": None}), run.results, run.context)
    assert "published model" not in render_html(elsewhere.view).decode()
