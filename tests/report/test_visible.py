"""Untrusted text made safe to look at."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.report.visible import one_line, visible


@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    """Every character that is left has a glyph, or is a line end."""
    shown = visible(text)
    assert all(c == "\n" or unicodedata.category(c)[0] != "C" for c in shown)
    assert "\n" not in one_line(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_honest_text_stays_as_it_is(text: str) -> None:
    """Letters, numbers, punctuation and symbols of all scripts."""
    assert visible(text) == text


def test_examples() -> None:
    """Controls and bidirectional marks by their numbers."""
    assert visible("a\x1b[2J\u202eb\tc\r\nd") == "a\\u001b[2J\\u202eb c\nd"
    assert visible("\U000e0041") == "\\U000e0041"
    assert one_line(" a \n b ") == "a b"
    assert visible("x" * 20, limit=5) == "xxxxx ... (15 more characters)"
    assert visible("Z" + "\u0335" * 9 + "é") == "Z" + "\u0335" * 8 + "\\u0335é"
