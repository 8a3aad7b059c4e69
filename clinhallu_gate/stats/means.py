"""Limits of a rate, or of the unweighted mean of rates over strata, with clusters."""

from clinhallu_gate.stats.effective import effective_size, hidden_rise
from clinhallu_gate.stats.exact import clopper_pearson_upper
from clinhallu_gate.stats.moments import strata_moments
from clinhallu_gate.stats.sample import Sample


def upper_limit_of_mean(sample: Sample, alpha: float) -> float:
    """Return the upper limit of the unweighted mean over strata, with one-sided error ``alpha``.

    ``sample.y`` holds zeros and ones. Clopper-Pearson with the effective sample size of ``effective_size``: plain
    Clopper-Pearson for one stratum of independent values, Korn-Graubard for one stratum of clusters. An empty sample
    gives 1. Simulated errors: tests/stats/test_coverage.py.
    """
    if sample.n == 0:
        return 1.0
    moments = strata_moments(sample, span=1.0)
    size = effective_size(moments, alpha)
    limit = clopper_pearson_upper(moments.grand_mean * size, size, alpha)
    if moments.strata == 1:
        return limit
    return min(1.0, max(limit, moments.grand_mean + hidden_rise(moments, alpha)))


def lower_limit_of_mean(sample: Sample, alpha: float) -> float:
    """Return the lower limit of the unweighted mean over strata; 0 for an empty sample."""
    return 1.0 - upper_limit_of_mean(sample.mapped(1.0), alpha)
