"""Gates that rest on labels by people: the adjusted rate, and the margin that a judge can see of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from clinhallu_gate.gate.result import Adjusted
from clinhallu_gate.records import Reading
from clinhallu_gate.stats import Adjustment, Labelled, Right, adjusted_rate, discernible
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray
from clinhallu_gate.vocabulary import Method

Reviews: TypeAlias = Mapping[Reading, Mapping[str, bool | None]]
"""By reading, what is known of a random sample of the run's instances: bad or not, by uid; None where it is blank."""
_METHOD = {Adjustment.PPI: Method.PPI, Adjustment.LABELS_ONLY: Method.LABELS}


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What people say of a random sample of the instances in a gate's scope; all arrays have shape (n,), 1 is bad."""

    judge_low: FloatArray
    """What the judge says; 0 where the instrument gave no verdict, or where gold lacks."""
    judge_high: FloatArray
    """The same; 1 there."""
    delivered: BoolArray
    """Where the model delivered the part, so that somebody judged it."""
    sampled: BoolArray
    low: FloatArray
    """What people say; 0 where a sampled row was left blank."""
    high: FloatArray
    """The same; 1 where a sampled row was left blank."""
    undelivered_more: FloatArray
    """Of a pair: 1 where only this run lacks the part, -1 where only the release in use does; else 0."""
    lacks: BoolArray
    """Where there is no gold to judge by, nor for people to label by."""

    @classmethod
    def of(cls, uids: Sequence[str], known: Mapping[str, bool | None], **judge: FloatArray | BoolArray) -> "Labels":
        """Lay out what is ``known`` of ``uids`` beside the arrays of the judge."""
        said = [known.get(uid) for uid in uids]
        return cls(
            sampled=np.array([uid in known for uid in uids], dtype=np.bool_),
            low=np.array([value is True for value in said], dtype=np.float64),
            high=np.array([value is not False for value in said], dtype=np.float64),
            **judge,  # type: ignore[arg-type]  # the arrays that are left
        )

    @property
    def count(self) -> int:
        """Return the number of sampled instances."""
        return int(np.count_nonzero(self.sampled))

    def right(self, bad: float) -> Right:
        """Return how often the judge was right on delivered parts that people call bad (1) or good (0)."""
        truly = self.sampled & self.delivered & (self.low == bad) & (self.high == bad)
        judged = truly & (self.judge_low == self.judge_high)
        return Right(int(np.count_nonzero(judged & (self.judge_low == bad))), int(np.count_nonzero(judged)))

    @property
    def lacking(self) -> int:
        """Return the number of sampled instances that lack gold: of each the judge may be right or wrong."""
        return int(np.count_nonzero(self.sampled & self.lacks))


@dataclass(frozen=True, slots=True)
class AdjustedRate:
    """An adjusted rate on the scale on which larger is worse."""

    estimate: Fraction | None
    lower: Fraction
    upper: Fraction
    method: Method
    told: Adjusted


def adjusted(
    labels: Labels,
    stratum: IntArray,
    cluster: IntArray,
    *,
    judge_defined: float | None,
    errors: tuple[float, float],
    finite: bool,
    by_layout: bool = False,
) -> AdjustedRate:
    """Return the rate by labels, with the judge's verdicts where they help (``stats.adjusted_rate``).

    Args:
        labels: What is known of the sample.
        stratum: Codes, shape (n,).
        cluster: Codes, shape (n,).
        judge_defined: The rate by the judge alone, for people.
        errors: One-sided errors of the lower and of the upper limit.
        finite: Whether the limits are for this very list.
        by_layout: Whether limits rest on strata and clusters alone, as gold may lack: of the labels alone then.
    """
    data = Labelled(labels.judge_low, labels.judge_high, labels.sampled, labels.low, labels.high, stratum, cluster)
    found = adjusted_rate(data, lower_error=errors[0], upper_error=errors[1], finite=finite, by_layout=by_layout)
    return AdjustedRate(
        estimate=None if found.estimate is None else Fraction(found.estimate),
        lower=Fraction(found.lower),
        upper=Fraction(found.upper),
        method=_METHOD[found.adjustment],
        told=Adjusted(labels=found.labels, weight=found.lam, judge_defined=judge_defined),
    )


@dataclass(frozen=True, slots=True)
class Margins:
    """What a regression margin becomes on the scale of what the judge sees."""

    within: Fraction
    """For a PASS: no larger than the margin."""
    beyond: Fraction
    """For a FAIL."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The mean of ``undelivered_more``, where instances without gold may be whatever is worst."""

    least: Fraction
    most: Fraction


def shrunken(labels: Labels, margin: Fraction, undelivered: Undelivered, *, errors: tuple[float, float]) -> Margins:
    """Return the margins that a judge with these labels allows (``stats.discernible``).

    Of sampled instances without gold the judge is taken to be wrong for a PASS and right for a FAIL.

    Args:
        labels: What is known of the sample.
        margin: Of the policy.
        undelivered: Mean of ``undelivered_more``: a difference that needs no judge, so it is seen whole where the rest
            is shrunken. Where it hides a part of the rest it is taken off the margin of a PASS, where it feigns one it
            is added to that of a FAIL; with the lower factor in both, as the other side of such a pair is shrunken by
            the judge's sensitivity alone.
        errors: One-sided errors of the lower limit (FAIL) and of the upper one (PASS).
    """
    kinds = labels.right(1.0), labels.right(0.0)
    wrong, right = (_with(kinds, Right(count, labels.lacking)) for count in (0, labels.lacking))
    low = Fraction(discernible(*wrong, lower_error=errors[1], upper_error=errors[0]).lower)
    high = Fraction(discernible(*right, lower_error=errors[1], upper_error=errors[0]).upper)
    return Margins(
        within=low * margin + min((1 - low) * undelivered.least, Fraction(0)),
        beyond=high * margin + max((1 - low) * undelivered.most, Fraction(0)),
    )


def _with(kinds: tuple[Right, Right], more: Right) -> tuple[Right, Right]:
    """Return both tables with ``more`` in each; one of which no label tells stays so."""
    one, other = (Right(each.right + more.right, each.n + more.n) if each.n else each for each in kinds)
    return one, other
