"""The instances of a run as arrays: who is in which stratum and cluster, and which scopes that gives."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from sys import intern

import numpy as np

from clinhallu_gate.config.thresholds import MEAN
from clinhallu_gate.records import Instance
from clinhallu_gate.stats.sample import IntArray
from clinhallu_gate.stats.sequential import order_of
from clinhallu_gate.vocabulary import Unit


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What every gate of a run shares; all sequences and arrays have one entry per instance."""

    uids: tuple[str, ...]
    datasets: tuple[str, ...]
    stratum_names: tuple[str, ...]
    stratum: IntArray
    """Code of (dataset, stratum)."""
    cluster: IntArray
    """Code of (dataset, cluster)."""
    cluster_names: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, instances: Iterable[Instance]) -> "Frame":
        """Lay out the instances, in their order."""
        alike: dict[tuple[str, ...], tuple[str, ...]] = {}
        columns = [
            (each.uid, *map(intern, (each.dataset, each.stratum, each.cluster)), alike.setdefault(each.tags, each.tags))
            for each in instances
        ]
        uids, datasets, strata, clusters, tags = zip(*columns, strict=True) if columns else ((),) * 5
        return cls(
            uids=uids,
            datasets=datasets,
            stratum_names=strata,
            stratum=_codes(zip(datasets, strata, strict=True)),
            cluster=_codes(zip(datasets, clusters, strict=True)),
            cluster_names=clusters,
            tags=tags,
        )

    @property
    def strata(self) -> dict[str, tuple[str, ...]]:
        """Return the strata of each dataset, in the order of their first instance: what ``expand`` wants to know."""
        found: dict[str, dict[str, None]] = {}
        for dataset, stratum in zip(self.datasets, self.stratum_names, strict=True):
            found.setdefault(dataset, {})[stratum] = None
        return {dataset: tuple(names) for dataset, names in found.items()}

    def drawn(self, seed: str, unit: Unit) -> IntArray:
        """Return the positions of the instances in the order in which they are to be visited.

        The order is random, follows from the seed and the names alone (``stats.sequential.order_of``), and keeps the
        instances of one unit together; every prefix estimates the unweighted mean over strata.
        """
        pairs = self.stratum * (int(self.cluster.max(initial=0)) + 1) + self.cluster
        code = np.arange(len(self.uids)) if unit is Unit.INSTANCE else pairs
        first, of_unit = np.unique(code, return_index=True, return_inverse=True)[1:]
        names = [self._unit_name(place, unit) for place in first]
        rank = np.empty(len(names), np.int64)
        rank[order_of(names, self.stratum[first], seed)] = np.arange(len(names))
        return np.argsort(rank[of_unit], kind="stable").astype(np.int64)

    def _unit_name(self, place: int, unit: Unit) -> str:
        if unit is Unit.INSTANCE:
            return self.uids[place]
        return f"{self.datasets[place]}/{self.stratum_names[place]}/{self.cluster_names[place]}"

    def members(self, scope: str) -> IntArray:
        """Return the positions of the instances in ``scope``: ``mean``, a dataset's name or a stratum's name."""
        pairs = zip(self.datasets, self.stratum_names, strict=True)
        return np.array([i for i, names in enumerate(pairs) if scope == MEAN or scope in names], dtype=np.int64)


def _codes(labels: Iterable[Hashable]) -> IntArray:
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in labels], dtype=np.int64)
