"""Clusters are connected components."""

from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.datasets.clusters import components

KEYS = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.lists(st.integers(0, 6), max_size=3))


def _slowly(keys: dict[str, list[int]]) -> dict[str, str]:
    """Join until nothing changes."""
    named = {identity: identity for identity in keys}
    while True:
        closer = {
            one: min(named[other] for other in keys if other == one or set(keys[one]) & set(keys[other]))
            for one in keys
        }
        if closer == named:
            return named
        named = closer


@given(KEYS)
def test_components_are_what_joining_until_nothing_changes_gives(keys: dict[str, list[int]]) -> None:
    """Each is named after its smallest member, whatever the order."""
    assert components(keys.items()) == _slowly(keys)
    assert components(reversed(keys.items())) == components(keys.items())
