"""Means and their cluster-robust variances, stratum by stratum."""

from dataclasses import dataclass

import numpy as np

from clinhallu_gate.stats.sample import FloatArray, IntArray, Sample


@dataclass(frozen=True, slots=True, eq=False)
class StrataMoments:
    """Moments of K strata; every array has shape (K,)."""

    n: FloatArray
    """Values; where they count differently, as many as alike ones would give the same variance (Kish)."""
    clusters: FloatArray
    """Independent clusters."""
    units: FloatArray
    """The same, but a cluster that lies in k strata in which every value is the same counts 1/k in each of them."""
    mean: FloatArray
    mean_square: FloatArray
    variance_of_mean: FloatArray
    """CR1 sandwich variance of the ratio mean; where one cluster shows no variance, the largest possible."""
    telling: FloatArray
    """Clusters that hold another value than the stratum's commonest, as many of equal size (Kish): they tell of the
    variance, the others only that there was nothing to see."""
    constant: FloatArray
    """1 where every value is the same, else 0."""
    covariance: float
    """Sum over pairs of strata of the covariance of their means, from clusters that have values in several."""

    @property
    def strata(self) -> int:
        """Return K."""
        return self.n.size

    @property
    def grand_mean(self) -> float:
        """Return the unweighted mean over strata."""
        return float(self.mean.mean())

    @property
    def variance_of_grand_mean(self) -> float:
        """Return the variance of the unweighted mean; strata that seem to balance each other are not believed."""
        return float(np.sum(self.variance_of_mean) + max(self.covariance, 0.0)) / self.strata**2

    @property
    def spread(self) -> float:
        """Return the variance of one value drawn from a stratum that is itself drawn at random."""
        return float(self.mean_square.mean() - self.mean.mean() ** 2)


def strata_moments(sample: Sample, *, span: float) -> StrataMoments:
    """Return the moments of a sample of n >= 1 values that lie in an interval of length ``span``.

    The variance is G/(G-1) * sum over clusters of (sum of w * residuals)^2 / (sum of w)^2, the CR1 sandwich of an
    intercept-only regression. With clusters of one and equal weights w it is the usual s^2 / n.
    """
    stratum, weight = _codes(sample.stratum), sample.weights
    total = np.bincount(stratum, weight)
    mean = np.bincount(stratum, weight * sample.y) / total
    residual = sample.y - mean[stratum]
    constant = np.bincount(stratum, np.abs(residual)) == 0
    per_stratum = int(sample.cluster.max()) + 1
    pairs, group = np.unique(stratum * per_stratum + sample.cluster, return_inverse=True)
    of_stratum, of_cluster = pairs // per_stratum, pairs % per_stratum
    constants = np.maximum(np.bincount(of_cluster, constant[of_stratum]), 1.0)[of_cluster]
    clusters = np.bincount(of_stratum).astype(np.float64)
    influence = np.bincount(group, weight * residual) / total[of_stratum]
    squares = np.bincount(of_stratum, influence**2).astype(np.float64)
    over_strata = np.bincount(of_cluster, influence)
    return StrataMoments(
        n=total**2 / np.bincount(stratum, weight**2),
        clusters=clusters,
        units=np.bincount(of_stratum, np.where(constant[of_stratum], 1.0 / constants, 1.0)).astype(np.float64),
        mean=mean,
        mean_square=np.bincount(stratum, weight * sample.y**2) / total,
        variance_of_mean=_cr1(squares, clusters, span),
        telling=_telling(sample.y, stratum, group, of_stratum),
        constant=constant.astype(np.float64),
        covariance=float(np.sum(over_strata**2) - np.sum(squares)),
    )


def _cr1(squares: FloatArray, clusters: FloatArray, span: float) -> FloatArray:
    correction = clusters / np.maximum(clusters - 1.0, 1.0)
    return np.where(clusters > 1, correction * squares, span**2 / 4.0)


def _telling(y: FloatArray, stratum: IntArray, group: IntArray, of_stratum: IntArray) -> FloatArray:
    """Return (sum m)^2 / sum m^2 over the clusters, of m values each, in which not every value is the commonest."""
    values = np.unique(y, return_inverse=True)[1]
    commonest = np.array([np.bincount(values[stratum == s]).argmax() for s in range(int(stratum.max()) + 1)])
    tells = np.bincount(group, values != commonest[stratum]) > 0
    size = np.bincount(group) * tells
    telling: FloatArray = np.bincount(of_stratum, size) ** 2 / np.maximum(np.bincount(of_stratum, size**2), 1.0)
    return telling


def _codes(labels: IntArray) -> IntArray:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
