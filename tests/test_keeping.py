"""What is kept reads as it was, whether it stayed in memory or lies on disk."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.errors import BadInput
from clinhallu_gate.keeping import Keeper, KeptList, KeptMap, joined, only, renamed_keys, selected
from clinhallu_gate.testing import an_instance

TEXTS = st.lists(st.text(), max_size=12)
AT_HAND = st.integers(0, 12)


@given(TEXTS, AT_HAND)
def test_a_list_reads_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[str], at_hand: int) -> None:
    """In order, at each place, from the end, and in part; it equals what holds the same."""
    kept = list_of(tmp_path_factory.getbasetemp(), texts, at_hand)
    assert list(kept) == list(kept) == texts
    assert [kept[place] for place in range(len(texts))] == texts
    assert list(reversed(kept)) == texts[::-1]
    assert kept == texts
    assert kept[1:3] == texts[1:3]
    assert kept != [*texts, "more"]
    assert kept != [f"{text}!" for text in texts] or not texts


@given(st.dictionaries(st.text(), st.text(), max_size=12), AT_HAND)
def test_a_mapping_reads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str], at_hand: int
) -> None:
    """In its order; under other names, and in part, too."""
    kept: KeptMap[str] = KeptMap(Keeper(tmp_path_factory.getbasetemp(), at_hand=at_hand))
    kept.put_all(texts.items())
    assert kept == texts
    assert list(kept) == list(texts)
    names = {name: f"{name}'" for name in texts}
    some = [*list(texts)[::2], "nobody"]
    plain = {name: text for name, text in texts.items() if name in some}
    assert renamed_keys(names, kept) == renamed_keys(names, texts) == {names[name]: texts[name] for name in texts}
    assert only(some, kept) == only(some, texts) == plain
    for name in texts:
        kept.put(name, "another")
    assert set(kept.values()) <= {"another"}


@given(st.lists(TEXTS, max_size=4), st.integers(0, 12))
def test_lists_are_joined_and_chosen_from(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]], at_hand: int
) -> None:
    """What is kept, what never was, and both."""
    keeper = Keeper(tmp_path_factory.getbasetemp(), at_hand=at_hand)
    mixed = [kept_by(keeper, part) if place % 2 else part for place, part in enumerate(parts)]
    plain = [text for part in parts for text in part]
    whole = joined(mixed)
    assert list(whole) == plain
    places = range(0, len(plain), 3)
    assert list(selected(whole, places)) == list(selected(plain, places)) == plain[::3]


def test_beyond_what_stays_in_memory_values_are_made_anew(tmp_path: Path) -> None:
    """The first stay what they are, others are the like of what was kept; nothing is seen in the folder."""
    instances = [an_instance(id=name) for name in "abc"]
    kept: KeptList[object] = KeptList(Keeper(tmp_path / "private", at_hand=1))
    for instance in instances:
        kept.append(instance)
    assert list(kept) == instances
    assert [one is other for one, other in zip(kept, instances, strict=True)] == [True, False, False]
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_values_too(tmp_path: Path) -> None:
    """They are not taken for places."""
    for at_hand in (0, 9):
        keeper = Keeper(tmp_path, at_hand=at_hand)
        assert [keeper.get(keeper.keep(value)) for value in (7, True, None)] == [7, True, None]


def test_a_folder_without_room_is_refused(tmp_path: Path) -> None:
    """As input that cannot be used: nothing was asked yet."""
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(BadInput, match="taken: cannot be written: Not a directory; rows of the data lie there"):
        Keeper(tmp_path / "taken", at_hand=0).keep("patient" * 10**6)


def test_several_threads_read_while_one_keeps(tmp_path: Path) -> None:
    """Images are drawn for the report in another thread than the one that asks."""
    texts = [f"{number} " * 400 for number in range(3_000)]
    kept = list_of(tmp_path, texts[:1_500], 0)
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(lambda: [kept[place] for place in range(1_500)]) for _ in range(2)]
        for text in texts[1_500:]:
            kept.append(text)
        assert all(reader.result() == texts[:1_500] for reader in readers)
    assert kept == texts


def list_of(folder: Path, texts: list[str], at_hand: int) -> KeptList[str]:
    """Keep texts."""
    return kept_by(Keeper(folder, at_hand=at_hand), texts)


def kept_by(keeper: Keeper, texts: list[str]) -> KeptList[str]:
    """Keep texts with what others are kept by."""
    kept: KeptList[str] = KeptList(keeper)
    for text in texts:
        kept.append(text)
    return kept
