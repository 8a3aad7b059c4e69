"""The difference estimator: what a judge says of everything, corrected by labels of a random part of it."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from clinhallu_gate.stats.limits import upper_limit
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray, Sample


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Which part of a run was labelled. Arrays of shape (n,) unless they say (K,), with K strata."""

    labelled: BoolArray
    stratum: IntArray
    """Codes from 0 without gaps; each has at least one label."""
    cluster: IntArray
    finite: bool
    """Whether limits are for this very list; else for new clusters like these."""
    of_labels: IntArray
    """The strata of the labelled rows, shape (labels,)."""
    sizes: FloatArray
    """Rows of each stratum, shape (K,)."""
    labels: FloatArray
    """Labelled rows of each stratum, shape (K,)."""
    group: IntArray
    """Code of the cluster within its stratum."""
    of_groups: IntArray
    """The strata of these clusters, shape (clusters,)."""
    units: FloatArray
    """Independent units among the labels of each stratum, shape (K,): rows of a list, else clusters."""

    @classmethod
    def of(cls, labelled: BoolArray, stratum: IntArray, cluster: IntArray, *, finite: bool) -> "Design":
        """Count what the others need."""
        per_stratum = int(cluster.max()) + 1
        pairs, group = np.unique(stratum * per_stratum + cluster, return_inverse=True)
        of_groups = (pairs // per_stratum).astype(np.int64)
        labels = _counts(stratum[labelled])
        return cls(
            labelled=labelled,
            stratum=stratum,
            cluster=cluster,
            finite=finite,
            of_labels=stratum[labelled],
            sizes=_counts(stratum),
            labels=labels,
            group=group.astype(np.int64),
            of_groups=of_groups,
            units=labels if finite else _counts(of_groups[np.unique(group[labelled])]),
        )

    @property
    def open(self) -> FloatArray:
        """Return the share of each stratum that the labels leave open, shape (K,): all of it for a population."""
        return 1.0 - self.labels / self.sizes if self.finite else np.ones_like(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """Verdicts f on everything and labels y of a part, on the scale on which the limit is wanted from above."""

    design: Design
    f: FloatArray
    """Shape (n,), from 0 to 1: any function of what is known without labels keeps the estimate unbiased."""
    y: FloatArray
    """Shape (labels,), from 0 to 1."""

    def mean_of_labels(self) -> float:
        """Return the unweighted mean over strata of the labels alone."""
        return float(np.mean(_sums(self.design.of_labels, self.y) / self.design.labels))

    def limit_of_labels(self, error: float, *, by_layout: bool = False) -> float:
        """Return the exact upper limit from the labels alone; for a list they are independent draws."""
        design = self.design
        cluster = np.arange(self.y.size, dtype=np.int64) if design.finite else design.cluster[design.labelled]
        sample = Sample(self.y, design.of_labels, cluster)
        return upper_limit(sample, error, paired=False, by_layout=by_layout)

    def weight(self) -> float:
        """Return lam = Cov(y, f) / Var(f) within strata, cut to what lies between 0 and 1.

        Strata enter with the weight that they have in the variance of the estimate, so that lam minimises it. For
        verdicts of 0 and 1 the slope is at most 1 by itself; below 0 the judge is worse than chance, and its verdicts
        are left out rather than turned round. With lam from 0 to 1 no residual y - lam f exceeds 1, which ``limit``
        relies on.
        """
        design, stratum, f = self.design, self.design.of_labels, self.f[self.design.labelled]
        weight = (design.open / design.labels / np.maximum(design.labels - 1.0, 1.0))[stratum]
        deviation = f - (_sums(stratum, f) / design.labels)[stratum]
        variance = float(np.sum(weight * deviation**2))
        if variance == 0:
            return 0.0
        return float(np.clip(np.sum(weight * deviation * self.y) / variance, 0.0, 1.0))

    def estimate(self, lam: float) -> float:
        """Return the unweighted mean over strata of lam mean(f) + mean of the labels' (y - lam f), within [0, 1]."""
        return float(np.clip(self._means(lam).mean(), 0.0, 1.0))

    def limit(self, error: float) -> float:
        """Return the upper limit at ``error``: the estimate plus t standard errors, with one label more than there is.

        That label is the worst there can be (bad, where the judge said good: a residual of 1) and stands in the
        stratum in which a label weighs most. Without it a judge that errs rarely would look faultless on few labels,
        and the limit have no width; with it a count c of rare errors enters as c + 1, as it does in Clopper-Pearson's
        upper limit.
        """
        lam = self.weight()
        worst = self._worst()
        variance = self._variance(lam, worst)
        means = self._means(lam) + self.design.open * worst * (1.0 - self._mean_residual(lam)) / (
            self.design.labels + worst
        )
        total = float(variance.sum())
        if total == 0:
            return float(min(1.0, means.mean()))
        df = total**2 / float(np.sum(variance**2 / np.maximum(self.design.units - 1.0, 1.0)))
        t = float(stdtrit(df, 1.0 - error))
        return float(np.clip(means.mean() + t * np.sqrt(total) / means.size, 0.0, 1.0))

    def _worst(self) -> FloatArray:
        """Return how many labels are added to each stratum: as many as one cluster has, in one stratum."""
        design = self.design
        added = np.zeros_like(design.labels)
        place = int(np.argmax(design.open / design.units))
        added[place] = design.labels[place] / design.units[place]
        return added

    def _variance(self, lam: float, worst: FloatArray) -> FloatArray:
        """Return the variance of each stratum's estimate, shape (K,), the added label included.

        A list: Var(y - lam f) / n * (1 - n / N). A population: the sandwich over clusters of the influence
        lam (f - mean f) / N + labelled * (e - mean e) / n with e = y - lam f.
        """
        design, residual, stratum = self.design, self._residual(lam), self.design.of_labels
        labels = design.labels + worst
        mean = (_sums(stratum, residual) + worst) / labels
        influence = (residual - mean[stratum]) / labels[stratum]
        squares = (worst * (1.0 - mean) / labels) ** 2
        if design.finite:
            squares += _sums(stratum, influence**2)
        else:
            whole = lam * (self.f - self._mean_f()[design.stratum]) / design.sizes[design.stratum]
            whole[design.labelled] += influence
            squares += _sums(design.of_groups, _sums(design.group, whole) ** 2)
        units = design.units + (worst > 0)
        variance: FloatArray = design.open * squares * units / np.maximum(units - 1.0, 1.0)
        return variance

    def _means(self, lam: float) -> FloatArray:
        return lam * self._mean_f() + self._mean_residual(lam)

    def _mean_residual(self, lam: float) -> FloatArray:
        return _sums(self.design.of_labels, self._residual(lam)) / self.design.labels

    def _residual(self, lam: float) -> FloatArray:
        return self.y - lam * self.f[self.design.labelled]

    def _mean_f(self) -> FloatArray:
        return _sums(self.design.stratum, self.f) / self.design.sizes


def _counts(stratum: IntArray) -> FloatArray:
    return np.bincount(stratum).astype(np.float64)


def _sums(codes: IntArray, values: FloatArray) -> FloatArray:
    return np.bincount(codes, values).astype(np.float64)
