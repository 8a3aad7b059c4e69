"""A rate by a judge, adjusted by human labels of a random subset of the same run."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from clinhallu_gate.stats.correction import Correction, Design
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray

#: With fewer sampled instances the labels stand alone: the t limit of the corrected rate leans on their number.
LEAST_LABELS: Final = 200
#: Where the corrected rate is below this, or as near to 1, the labels stand alone.
LEAST_RATE: Final = 0.1


class Adjustment(StrEnum):
    """What an adjusted rate was read from."""

    PPI = "ppi"
    """The judge's verdicts on everything, corrected by the labels."""
    LABELS_ONLY = "labels_only"
    """The labels alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A judge's verdicts on a whole run and labels of a random subset of it; all arrays have shape (n,), 1 is bad."""

    f_low: FloatArray
    """What the judge said; 0 where the instrument gave no verdict."""
    f_high: FloatArray
    """The same; 1 where the instrument gave no verdict."""
    labelled: BoolArray
    """Whether the instance is in the sample, which was drawn at random within its stratum; a sampled row that was left
    blank is in it, and so is a trace that the model did not deliver (f = y = 1)."""
    y_low: FloatArray
    """What people say; 0 where a sampled row was left blank. Read only where ``labelled``."""
    y_high: FloatArray
    """The same; 1 where a sampled row was left blank."""
    stratum: IntArray
    """Code of the stratum; the rate is the unweighted mean over the strata that occur."""
    cluster: IntArray
    """Code (from 0) of the image or patient, as in ``Sample``."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A rate that labels stand for, with one-sided limits."""

    adjustment: Adjustment
    estimate: float | None
    """Over what is known: rows that were left blank are in the limits alone. None where a stratum has no label that is
    known, and so nothing is known of the mean."""
    lower: float
    upper: float
    lam: float
    """Weight of the judge's verdicts in the estimate, from 0 to 1; 0 where the labels stand alone."""
    labels: int
    """Sampled instances."""


def adjusted_rate(
    data: Labelled, *, lower_error: float, upper_error: float, finite: bool, by_layout: bool = False
) -> Adjusted:
    """Return the unweighted mean over strata of the true rate, whatever the judge's errors are.

    Per stratum theta = lam mean_N(f) + mean_n(y - lam f), the survey samplers' difference estimator (Särndal, Swensson
    and Wretman, Model Assisted Survey Sampling, 1992, ch. 6) with the weight lam = Cov(y, f) / Var(f) of PPI++
    (Angelopoulos, Duchi and Zrnic, arXiv 2311.01453), and t limits with Satterthwaite's degrees of freedom. The upper
    limit takes ``f_high`` and ``y_high``, the lower one ``f_low`` and ``y_low``: what is missing is bounded both ways.

    The labels stand alone, with the exact limits of ``upper_limit_of_mean``, when there are fewer than
    ``LEAST_LABELS`` or a stratum has only one independent label; and when the corrected rate is below ``LEAST_RATE``:
    the t limit that errs is the upper one of a rare event, where few events are seen and with them little variance.
    Its mirror image is the lower limit of a rate near 1. So that no run gets two chances to err, by one rule if it
    comes out here and by the other if there: the rule follows the corrected rate and not the labels' own (by which
    false PASS at a rate of .12 was .059), and the lower limit of a rare event is the lower one of the two rules' (or
    false FAIL at .085 was .064 with a judge of .97 / .97).

    Args:
        data: Verdicts and labels.
        lower_error: One-sided error of the lower limit.
        upper_error: One-sided error of the upper limit.
        finite: Whether the limits are for this very list, in which the rows are independent draws and a complete set
            of labels leaves no error; else for new clusters like these.
        by_layout: Whether no value may draw a limit nearer (``stats.by_layout``): the labels stand alone then, as what
            the judge saves is read from how verdicts and labels vary.

    Errors at the boundary, at a nominal .05, of a judge with sensitivity .85 and specificity .90: false PASS / false
    FAIL over 10,000 simulated runs (standard error .002), N = 7,031, in one stratum and in four of 337, 2,694, 2,400
    and 1,600 with equal shares of the labels. The judge's raw rate had a false PASS in .998 or more of them at a true
    rate of .55, and a false FAIL in all of them at the other rates.

        labels  rate  list, one   list, four  population, one  population, four
        200     .55   .038/.030   .035/.030   .035/.029        .032/.029
        200     .25   .033/.033   .032/.035   .033/.034        .034/.033
        200     .12   .042/.033   .037/.036   .043/.032        .041/.032
        200     .05   .027/.015   .022/.015   .028/.013        .030/.013
        400     .55   .039/.033   .037/.038   .041/.033        .039/.036
        400     .25   .035/.037   .035/.040   .035/.037        .037/.038
        400     .12   .024/.038   .019/.038   .031/.036        .028/.035
        400     .05   .028/.017   .028/.014   .036/.016        .035/.017

    Also at most .049 at rates of .07 to .15 with 400 and 1,000 labels and judges of .85 / .90 and .97 / .97 (4,000
    each), and at most .045 (3,000 each; 26,000 for the most unequal) for unequal rates, a stratum of 12, 20 strata, and
    clusters of 4 and 8 that share labels and the judge's errors (ICC .3). A judge of .99 / 1 with 400 labels at a rate
    of .25 in 20 strata: false PASS .000 on a list and .015 for a population, and .35 and .057 without the added
    label of ``Correction.limit``.
    """
    labels = int(np.count_nonzero(data.labelled))
    stratum = np.unique(data.stratum, return_inverse=True)[1].astype(np.int64)
    if labels == 0 or np.unique(stratum[data.labelled]).size <= stratum.max():
        return Adjusted(Adjustment.LABELS_ONLY, None, 0.0, 1.0, 0.0, labels)
    sides = _sides(data, Design.of(data.labelled, stratum, data.cluster, finite=finite))
    mean, lam = _known(data, stratum, 0.0), sides.middle.weight()
    if finite and labels == data.labelled.size:
        lower, upper = 1.0 - sides.below.mean_of_labels(), sides.above.mean_of_labels()
        return Adjusted(Adjustment.LABELS_ONLY, mean, lower, upper, 0.0, labels)
    below, above = sides.below.limit_of_labels, sides.above.limit_of_labels
    exact = 1.0 - below(lower_error, by_layout=by_layout), above(upper_error, by_layout=by_layout)
    if by_layout or _too_few(sides.middle.design):
        return Adjusted(Adjustment.LABELS_ONLY, mean, *exact, 0.0, labels)
    corrected = 1.0 - sides.below.limit(lower_error), sides.above.limit(upper_error)
    rate = sides.middle.estimate(lam)
    if rate < LEAST_RATE:
        return Adjusted(Adjustment.LABELS_ONLY, mean, min(exact[0], corrected[0]), exact[1], 0.0, labels)
    if rate > 1.0 - LEAST_RATE:
        return Adjusted(Adjustment.LABELS_ONLY, mean, exact[0], max(exact[1], corrected[1]), 0.0, labels)
    return Adjusted(Adjustment.PPI, _known(data, stratum, lam), *corrected, lam, labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """What the limits are computed from; for the lower one good counts, so that it is an upper limit too."""

    above: Correction
    below: Correction
    middle: Correction
    """For the weight of the judge, and for which rule decides: what is missing counts half."""


def _sides(data: Labelled, design: Design) -> _Sides:
    y_low, y_high = data.y_low[data.labelled], data.y_high[data.labelled]
    return _Sides(
        above=Correction(design, data.f_high, y_high),
        below=Correction(design, 1.0 - data.f_low, 1.0 - y_low),
        middle=Correction(design, (data.f_low + data.f_high) / 2.0, (y_low + y_high) / 2.0),
    )


def _known(data: Labelled, stratum: IntArray, lam: float) -> float | None:
    """Return the estimate from the labels that are known; None where a stratum has none.

    Any f keeps it unbiased, so that one without a verdict may count half; a label that is missing would not.
    """
    f, known = (data.f_low + data.f_high) / 2.0, data.labelled & (data.y_low == data.y_high)
    if np.unique(stratum[known]).size <= stratum.max():
        return None
    of, y = stratum[known], data.y_low[known]
    residual = np.bincount(of, y - lam * f[known]) / np.bincount(of)
    judged = np.bincount(stratum, f) / np.bincount(stratum)
    return float(np.clip(np.mean(lam * judged + residual), 0.0, 1.0))


def _too_few(design: Design) -> bool:
    """Whether the labels are too few to show by how much they vary: in all, or in a stratum."""
    one_unit = bool(np.any((design.units == 1) & (design.open > 0)))
    return one_unit or bool(design.labels.sum() < LEAST_LABELS)
