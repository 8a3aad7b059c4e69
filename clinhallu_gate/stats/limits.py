"""Which limits face a threshold at fixed n."""

from clinhallu_gate.stats.by_layout import upper_limit_by_layout
from clinhallu_gate.stats.means import upper_limit_of_mean
from clinhallu_gate.stats.paired import upper_limit_of_difference
from clinhallu_gate.stats.sample import Sample


def upper_limit(sample: Sample, alpha: float, *, paired: bool, by_layout: bool) -> float:
    """Return the upper limit of the unweighted mean over strata, with one-sided error ``alpha``.

    Args:
        sample: Values with strata, clusters and weights; an empty one gives 1.
        alpha: One-sided error.
        paired: Whether the values are differences: -1, 0 or 1.
        by_layout: Whether no value may draw it nearer (``stats.by_layout``); of a plain sample none does.
    """
    if by_layout and not sample.plain:
        return upper_limit_by_layout(sample, alpha, paired=paired)
    return (upper_limit_of_difference if paired else upper_limit_of_mean)(sample, alpha)


def lower_limit(sample: Sample, alpha: float, *, paired: bool, by_layout: bool) -> float:
    """Return the lower limit: that of the complement, or of the difference the other way, turned round."""
    offset = 0.0 if paired else 1.0
    return offset - upper_limit(sample.mapped(offset), alpha, paired=paired, by_layout=by_layout)
