"""The run among the published models, to be drawn: one line per figure, a mark for each of the others."""

from clinhallu_gate.published import DATASETS, Placed, Placement, load_table
from clinhallu_gate.published.table import MACRO, Cell
from clinhallu_gate.report.figures import between, percent
from clinhallu_gate.report.model import DotGroup, Dots, Span
from clinhallu_gate.report.names import METRIC_TITLE
from clinhallu_gate.vocabulary import Metric


def dataset_title(name: str) -> str:
    """Return a data set's name, or that it is the mean of all."""
    return "Mean of the four data sets" if name == MACRO else DATASETS[name]


def dot_groups(found: Placement) -> tuple[DotGroup, ...]:
    """Return the figures by data set, their mean first."""
    names = sorted(dict.fromkeys(figure.dataset for figure in found.figures), key=lambda name: name != MACRO)
    return tuple(
        DotGroup(
            title=dataset_title(name),
            rows=tuple(_dots(figure, found.model_published) for figure in found.figures if figure.dataset == name),
        )
        for name in names
    )


def _dots(figure: Placed, own_row: str | None) -> Dots:
    column = load_table().column(Cell(figure.dataset, figure.metric))
    title = METRIC_TITLE[figure.metric]
    best, worst = (f"{percent(end.value)} ({', '.join(end.models)})" for end in (figure.best, figure.worst))
    return Dots(
        title=f"{title[:1].upper()}{title[1:]}",
        text=f"{percent(figure.value)} ({between(figure.low, figure.high)}), rank {figure.rank} of {figure.of}",
        ends=f"best {best}, worst {worst}",
        better="right" if figure.metric is Metric.ANSWER_ACCURACY else "left",
        span=Span(estimate=figure.value, low=figure.low, high=figure.high),
        others=tuple(value / 1000 for model, value in column.items() if model != own_row),
        own=None if figure.own is None else figure.own.published,
    )
