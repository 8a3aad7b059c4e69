"""Which rows belong together: those that share an image, a video or a patient, directly or through others."""

from collections.abc import Hashable, Iterable


def components(keys: Iterable[tuple[str, Iterable[Hashable]]]) -> dict[str, str]:
    """Return for each id the smallest id of its connected component; ids that share a key are connected.

    Args:
        keys: Each id with its keys; gone through once.
    """
    parent: dict[str, str] = {}

    def root(identity: str) -> str:
        while parent[identity] != identity:
            parent[identity] = identity = parent[parent[identity]]
        return identity

    first: dict[Hashable, str] = {}
    for identity, shared in keys:
        parent[identity] = identity
        for key in shared:
            low, high = sorted((root(first.setdefault(key, identity)), root(identity)))
            parent[high] = low
    return {identity: root(identity) for identity in parent}
