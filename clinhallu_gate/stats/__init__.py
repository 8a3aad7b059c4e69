"""Limits of rates and of paired differences at fixed n: pure functions on arrays and counts."""

from clinhallu_gate.stats.adjusted import Adjusted, Adjustment, Labelled, adjusted_rate
from clinhallu_gate.stats.by_layout import size_by_layout, upper_limit_by_layout
from clinhallu_gate.stats.discernible import Discernible, Right, discernible
from clinhallu_gate.stats.exact import clopper_pearson_lower, clopper_pearson_upper
from clinhallu_gate.stats.limits import lower_limit, upper_limit
from clinhallu_gate.stats.means import lower_limit_of_mean, upper_limit_of_mean
from clinhallu_gate.stats.paired import (
    lower_limit_of_difference,
    mcnemar_worse,
    tango_lower,
    tango_upper,
    upper_limit_of_difference,
)
from clinhallu_gate.stats.sample import Sample

__all__ = [
    "Adjusted",
    "Adjustment",
    "Discernible",
    "Labelled",
    "Right",
    "Sample",
    "adjusted_rate",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "discernible",
    "lower_limit",
    "lower_limit_of_difference",
    "lower_limit_of_mean",
    "mcnemar_worse",
    "size_by_layout",
    "tango_lower",
    "tango_upper",
    "upper_limit",
    "upper_limit_by_layout",
    "upper_limit_of_difference",
    "upper_limit_of_mean",
]
