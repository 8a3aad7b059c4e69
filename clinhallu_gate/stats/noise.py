"""How far repeated traces of one instance differ: variance between and within instances."""

from dataclasses import dataclass

import numpy as np

from clinhallu_gate.stats.sample import FloatArray

_Z: float = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Noise:
    """Components of the variance of one value: y_ik = mean + instance_i + trace_ik."""

    instances: int
    repeats: int
    between: float
    """Variance between instances, the noise of their traces taken off; at least 0."""
    within: float
    """Variance between the traces of one instance, mean over instances."""
    flip: float
    """Probability that two traces of one instance, drawn at random, are judged differently; 2 * within."""

    @property
    def guard(self) -> float:
        """Return how far the expected rate may lie from that of these very traces, at one-sided 95 %.

        1.645 * sqrt(within / (n k)): a rate on a complete list speaks of the replies of one run, and of the model's
        expected rate only with this margin.
        """
        return _Z * float(np.sqrt(self.within / (self.instances * self.repeats)))


def split_variance(y: FloatArray) -> Noise:
    """Return the components of the variance of ``y``, shape (n, k), k >= 2.

    Within is the mean of the unbiased variances of the rows; between is the variance of their means less within / k
    (one-way random effects, as in Miller, arXiv 2411.00640).
    """
    n, k = y.shape
    within = float(y.var(axis=1, ddof=1).mean()) if n else 0.0
    between = float(y.mean(axis=1).var(ddof=1)) - within / k if n > 1 else 0.0
    return Noise(n, k, max(between, 0.0), within, 2.0 * within)
