"""Means and their cluster-robust variances, stratum by stratum."""

from dataclasses import dataclass

import numpy as np

from clinhallu_gate.stats.sample import FloatArray, IntArray, Sample


@dataclass(frozen=True, slots=True, eq=False)
class StrataMoments:
    """Moments of K strata; every array has shape (K,)."""

    n: FloatArray
    """Values."""
    clusters: FloatArray
    """Independent clusters."""
    mean: FloatArray
    mean_square: FloatArray
    variance_of_mean: FloatArray
    """CR1 sandwich variance of the ratio mean; where one cluster shows no variance, the largest possible."""
    constant: FloatArray
    """1 where every value is the same, else 0."""

    @property
    def strata(self) -> int:
        """Return K."""
        return self.n.size

    @property
    def grand_mean(self) -> float:
        """Return the unweighted mean over strata."""
        return float(self.mean.mean())

    @property
    def spread(self) -> float:
        """Return the variance of one value drawn from a stratum that is itself drawn at random."""
        return float(self.mean_square.mean() - self.mean.mean() ** 2)


def strata_moments(sample: Sample, *, span: float) -> StrataMoments:
    """Return the moments of a sample of n >= 1 values that lie in an interval of length ``span``.

    The variance is G/(G-1) * sum over clusters of (sum of residuals)^2 / n^2, the CR1 sandwich of an intercept-only
    regression. With clusters of one it is the usual s^2 / n.
    """
    stratum = _codes(sample.stratum)
    n = np.bincount(stratum).astype(np.float64)
    mean = np.bincount(stratum, sample.y) / n
    residual = sample.y - mean[stratum]
    per_stratum = int(sample.cluster.max()) + 1
    pairs, group = np.unique(stratum * per_stratum + sample.cluster, return_inverse=True)
    of_stratum = pairs // per_stratum
    clusters = np.bincount(of_stratum).astype(np.float64)
    squares = np.bincount(of_stratum, np.bincount(group, residual) ** 2).astype(np.float64)
    return StrataMoments(
        n=n,
        clusters=clusters,
        mean=mean,
        mean_square=np.bincount(stratum, sample.y**2) / n,
        variance_of_mean=_cr1(squares, clusters, n, span),
        constant=(np.bincount(stratum, np.abs(residual)) == 0).astype(np.float64),
    )


def _cr1(squares: FloatArray, clusters: FloatArray, n: FloatArray, span: float) -> FloatArray:
    correction = clusters / np.maximum(clusters - 1.0, 1.0)
    return np.where(clusters > 1, correction * squares / n**2, span**2 / 4.0)


def _codes(labels: IntArray) -> IntArray:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
