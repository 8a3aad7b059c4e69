"""Agreement of a judge with people who labelled stages."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from scipy.special import ndtri

from clinhallu_gate.judge.labels import Label
from clinhallu_gate.judge.rates import Rate, Trial, rate_of
from clinhallu_gate.records import Judged, Reading, Record, Unjudged, Verdict
from clinhallu_gate.vocabulary import Outcome, Stage

__all__ = ["Agreement", "Kappa", "Label", "StageAgreement", "Table", "agreement", "cohens_kappa"]

_ALPHA: Final = 0.05


class Table(Record):
    """The two-by-two table: what people said first, what the judge said second."""

    hallucinated_hallucinated: int = 0
    hallucinated_grounded: int = 0
    grounded_hallucinated: int = 0
    grounded_grounded: int = 0

    @property
    def n(self) -> int:
        """Return the number of stages with both a label and a verdict."""
        return sum(dict(self).values())


class Kappa(Record):
    """Cohen's kappa; what is undefined is None, with the reason."""

    estimate: float | None
    interval: tuple[float, float] | None
    """95 %, by the large-sample variance; stages of one instance are taken to be independent."""
    reason: str = ""


class StageAgreement(Record):
    """How far the judge agrees with people."""

    labels: int
    unjudged: int
    """Labelled stages that the instrument left without a verdict; in no figure below."""
    without_verdict: int
    """Labelled stages that the model did not deliver or that were not asked for; in no figure below."""
    table: Table
    raw: float | None
    """Share of equal judgements."""
    kappa: Kappa
    sensitivity: Rate
    """Of the stages that people call hallucinated, those that the judge does."""
    specificity: Rate
    """Of the stages that people call grounded, those that the judge does."""


class Agreement(Record):
    """Agreement overall and by stage; stages without labels are left out."""

    overall: StageAgreement
    stages: dict[Stage, StageAgreement]


@dataclass(frozen=True, slots=True)
class _Pair:
    label: Label
    verdict: Verdict


def agreement(labels: Sequence[Label], verdict_of: Callable[[str, Reading], Verdict]) -> Agreement:
    """Hold a judge's verdicts against labels.

    Args:
        labels: What people say.
        verdict_of: Returns the verdict on a reading of an instance, by its uid; ``Results.verdict`` is one.
    """
    pairs = [_Pair(label, verdict_of(label.uid, Reading(label.arm, label.stage))) for label in labels]
    by_stage = {stage: [pair for pair in pairs if pair.label.stage is stage] for stage in Stage}
    return Agreement(
        overall=_agreement(pairs), stages={stage: _agreement(found) for stage, found in by_stage.items() if found}
    )


def _agreement(pairs: Sequence[_Pair]) -> StageAgreement:
    judged = [pair for pair in pairs if isinstance(pair.verdict, Judged)]
    unjudged = sum(isinstance(pair.verdict, Unjudged) for pair in pairs)
    table = _table(judged)
    same = table.hallucinated_hallucinated + table.grounded_grounded
    return StageAgreement(
        labels=len(pairs),
        unjudged=unjudged,
        without_verdict=len(pairs) - len(judged) - unjudged,
        table=table,
        raw=same / table.n if table.n else None,
        kappa=cohens_kappa(table),
        sensitivity=_rate(judged, Outcome.HALLUCINATED),
        specificity=_rate(judged, Outcome.GROUNDED),
    )


def _table(pairs: Iterable[_Pair]) -> Table:
    counts = dict.fromkeys(Table.model_fields, 0)
    for pair in pairs:
        said = Outcome.HALLUCINATED if isinstance(pair.verdict, Judged) and pair.verdict.bad else Outcome.GROUNDED
        counts[f"{pair.label.label}_{said}"] += 1
    return Table(**counts)


def _rate(pairs: Iterable[_Pair], label: Outcome) -> Rate:
    return rate_of([Trial(p.label.cluster, p.verdict, label) for p in pairs if p.label.label is label], _ALPHA)


# --- kappa ------------------------------------------------------------------------------------------------------------


def cohens_kappa(table: Table) -> Kappa:
    """Return Cohen's kappa (Educational and Psychological Measurement 20 (1960) 37-46) with a 95 % interval.

    The interval uses the large-sample variance of Fleiss, Cohen and Everitt (Psychological Bulletin 72 (1969) 323-327),
    cut to what kappa can be.
    """
    if table.n == 0:
        return Kappa(estimate=None, interval=None, reason="no stage has both a label and a verdict")
    cells = _shares(table)
    chance = sum(cells.row(k) * cells.column(k) for k in (0, 1))
    if math.isclose(chance, 1.0):
        return Kappa(estimate=None, interval=None, reason="people and the judge say the same of every stage, one thing")
    agreed = cells.of[0][0] + cells.of[1][1]
    kappa = (agreed - chance) / (1.0 - chance)
    error = math.sqrt(max(_variance(cells, agreed, chance), 0.0) / table.n)
    if error == 0.0:
        return Kappa(estimate=kappa, interval=None, reason="without variance the large-sample interval has no width")
    width = float(ndtri(1.0 - _ALPHA / 2)) * error
    return Kappa(estimate=kappa, interval=(max(kappa - width, -1.0), min(kappa + width, 1.0)))


@dataclass(frozen=True, slots=True)
class _Shares:
    """The table as shares: rows are people's labels, columns the judge's verdicts."""

    of: tuple[tuple[float, float], tuple[float, float]]

    def row(self, k: int) -> float:
        return sum(self.of[k])

    def column(self, k: int) -> float:
        return self.of[0][k] + self.of[1][k]


def _shares(table: Table) -> _Shares:
    n = table.n
    return _Shares(
        (
            (table.hallucinated_hallucinated / n, table.hallucinated_grounded / n),
            (table.grounded_hallucinated / n, table.grounded_grounded / n),
        )
    )


def _variance(cells: _Shares, agreed: float, chance: float) -> float:
    """Return n times the variance of kappa; the three terms stand in this order in the source."""
    diagonal = sum(
        cells.of[k][k] * ((1 - chance) - (cells.row(k) + cells.column(k)) * (1 - agreed)) ** 2 for k in (0, 1)
    )
    apart = (1 - agreed) ** 2 * sum(cells.of[i][j] * (cells.column(i) + cells.row(j)) ** 2 for i, j in ((0, 1), (1, 0)))
    return (diagonal + apart - (agreed * chance - 2 * chance + agreed) ** 2) / (1 - chance) ** 4
