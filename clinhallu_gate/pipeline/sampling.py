"""A part of the instances that nobody chooses: it follows from the data alone."""

import hashlib
from collections.abc import Sequence

from clinhallu_gate.keeping import selected
from clinhallu_gate.records import Instance


def random_part(instances: Sequence[Instance], most: int, seed: str) -> Sequence[Instance]:
    """Return the first ``most`` of the order that ``seed`` fixes, the same on every machine, in order of the data."""
    if len(instances) <= most:
        return instances
    ranks = [hashlib.sha256(f"{seed}/{instance.uid}".encode()).digest() for instance in instances]
    return selected(instances, sorted(sorted(range(len(ranks)), key=ranks.__getitem__)[:most]))
