"""What the limits are computed from: one value per instance, with its stratum and its cluster."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Values with their strata and clusters, all of shape (n,)."""

    y: FloatArray
    """0 or 1 for a rate; -1, 0 or 1 for a paired difference."""
    stratum: IntArray
    """Code of the stratum; the limits speak of the unweighted mean over the strata that occur."""
    cluster: IntArray
    """Code (from 0) of the image or patient; clusters are taken to be independent."""
    weight: FloatArray | None = None
    """What each value counts within its stratum; None if all count alike."""

    @classmethod
    def of(cls, y: ArrayLike, stratum: Sequence[int] | None = None, cluster: Sequence[int] | None = None) -> "Sample":
        """Build a sample; by default one stratum, and every value a cluster of its own."""
        values = np.asarray(y, dtype=np.float64)
        n = values.size
        return cls(
            y=values,
            stratum=np.zeros(n, np.int64) if stratum is None else np.asarray(stratum, np.int64),
            cluster=np.arange(n, dtype=np.int64) if cluster is None else np.asarray(cluster, np.int64),
        )

    @property
    def n(self) -> int:
        """Return the number of values."""
        return self.y.size

    @property
    def weights(self) -> FloatArray:
        """Return what each value counts within its stratum, shape (n,)."""
        return np.ones_like(self.y) if self.weight is None else self.weight

    @property
    def plain(self) -> bool:
        """Whether all values are independent draws of one kind: in one stratum, each a cluster of its own."""
        alone = bool(np.bincount(self.cluster).max(initial=0) <= 1)
        return alone and bool(np.all(self.stratum == self.stratum[:1]))

    def mapped(self, offset: float) -> "Sample":
        """Return the sample of ``offset - y``: 1 for the complement of a rate, 0 for a difference the other way."""
        return replace(self, y=offset - self.y)
