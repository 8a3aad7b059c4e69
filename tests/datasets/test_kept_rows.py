"""Rows that are kept read as they were, and hold their long texts as the objects that they were."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.datasets.kept_rows import KeptRow

LONG = "a long text of a gold stage, which the instance holds as well, " * 2
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just(LONG),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), CELLS))
def test_a_kept_row_reads_as_it_was(row: dict[str, Any]) -> None:
    """Names, their order, and values of any kind, also nested ones."""
    kept = KeptRow(row)
    assert kept == row
    assert list(kept) == list(row)
    assert [kept[name] for name in row] == list(row.values())
    assert len(kept) == len(row)
    assert kept.whole() == row


def test_a_name_that_is_not_there_is_missing() -> None:
    """As in a dict."""
    kept = KeptRow({"id": 1})
    assert "answer" not in kept
    assert kept.get("answer") is None
    with pytest.raises(KeyError, match="answer"):
        kept["answer"]


def test_long_texts_take_no_memory_twice() -> None:
    """They are the very objects, wherever in the row they stand."""
    text = f"{LONG}once"
    kept = KeptRow({"question": text, "gold_cot": {"reasoning": {"text": text}}})
    assert kept["question"] is text
    assert kept["gold_cot"]["reasoning"]["text"] is text
