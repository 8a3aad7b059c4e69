"""How much of a true difference between two models a judge lets through."""

import math
from dataclasses import dataclass

from clinhallu_gate.stats.exact import clopper_pearson_lower, clopper_pearson_upper


@dataclass(frozen=True, slots=True)
class Right:
    """How often a judge was right, among labelled parts that are truly of one kind."""

    right: int
    n: int

    @property
    def share(self) -> float | None:
        """Return right / n; None where nothing was labelled."""
        return self.right / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Discernible:
    """The factor se + sp - 1 by which a judge shrinks a true difference; from 0 to 1."""

    estimate: float | None
    """None where labels of one kind are lacking."""
    lower: float
    """Factor of the margin that a PASS is held against; 0 where nothing is known."""
    upper: float
    """Factor of the margin that a FAIL is held against; 1 where nothing is known."""


def discernible(sensitivity: Right, specificity: Right, *, lower_error: float, upper_error: float) -> Discernible:
    """Return by what factor a regression margin shrinks, from the labels of this run.

    A judge with sensitivity se and specificity sp sees a true difference d of two rates as (se + sp - 1) d, if it errs
    alike on both models. A margin for the true difference is therefore (se + sp - 1) times itself for what the judge
    sees. That factor is estimated, with a variance of se (1 - se) / n_bad + sp (1 - sp) / n_good: a standard error of
    .056 for a judge of .85 and .90 with 200 labels at a rate of .25. Taken as if it were known it lets errors of the
    test grow, the more so the larger the margin and the more pairs there are. So a PASS takes the lower limit of the
    factor and a FAIL the upper one, from the squares of the distances of Clopper-Pearson's limits (MOVER; Zou and
    Donner, Statistics in Medicine 27 (2008) 1693-1702), each at the error of the test itself. No error has to be
    divided between the two: z a + z b is at least z sqrt(a^2 + b^2).

    False non-inferiority at the boundary, at a nominal .05 with Tango's limits (4,000 simulated runs; discordance .12,
    rate of the release in use .25; judge .85 / .90; n pairs, margin D, labels):

        n      D    labels  raw margin  estimate  lower   false inferiority: estimate  upper
        1000   .05  200     .190        .052      .026                       .054       .031
        7031   .02  200     .211        .051      .023                       .057       .032
        7031   .05  200     .652        .064      .012                       .069       .014
        7031   .05  400     .650        .056      .019                       .055       .022
        7031   .10  200     .992        .111      .009                       .097       .008

    What is not covered: a judge that errs otherwise on the release in use than on this model. And traces that a model
    did not deliver are bad for both judge and people, so their part of a difference is not shrunk: it has to be left
    out of what is multiplied (if only the release in use lacks traces, what it lacks makes the new model look better by
    1 - se for each).

    Args:
        sensitivity: Judged bad, among what people call bad; traces that were not delivered left out.
        specificity: Judged good, among what people call good.
        lower_error: One-sided error of ``lower``: that of the PASS.
        upper_error: One-sided error of ``upper``: that of the FAIL.
    """
    se, sp = sensitivity.share, specificity.share
    if se is None or sp is None:
        return Discernible(None, 0.0, 1.0)
    down = math.hypot(se - _lower(sensitivity, lower_error), sp - _lower(specificity, lower_error))
    up = math.hypot(_upper(sensitivity, upper_error) - se, _upper(specificity, upper_error) - sp)
    factor = se + sp - 1.0
    return Discernible(_within(factor), _within(factor - down), _within(factor + up))


def _lower(one: Right, error: float) -> float:
    return clopper_pearson_lower(one.right, one.n, error)


def _upper(one: Right, error: float) -> float:
    return clopper_pearson_upper(one.right, one.n, error)


def _within(factor: float) -> float:
    return min(max(factor, 0.0), 1.0)
