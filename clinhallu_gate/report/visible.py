"""Untrusted text made safe to look at: nothing hides, reorders or steers a terminal."""

import re
import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a glyph of their own: controls, bidirectional marks, surrogates, separators ..."""
LONGEST: Final = 6000
_MARKS: Final = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_PILE: Final = re.compile(f"(?<={_MARKS}{{8}}){_MARKS}+")
"""Combining marks beyond the eighth on one letter: they would run over the lines above and below, and off the page."""


def visible(text: str, *, limit: int = LONGEST) -> str:
    r"""Show hidden characters as ``\u202e`` and the like, keep line ends, and cut after ``limit`` characters.

    >>> visible("left\u202eright\x1b[2J")
    'left\\u202eright\\u001b[2J'
    """
    if len(text) <= limit and text.isprintable() and not _PILE.search(text):  # nearly every text
        return text
    lines = "\n".join(text.splitlines())
    shown = _PILE.sub(_codes, "".join(map(_shown, lines[:limit])))
    left = len(lines) - limit
    return shown if left <= 0 else f"{shown} ... ({left} more characters)"


def one_line(text: str, *, limit: int = 300) -> str:
    """Do the same on a single line."""
    return visible(" ".join(text.split()), limit=limit)


def _shown(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    if character == "\t":
        return " "
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return _code(character)


def _codes(marks: re.Match[str]) -> str:
    return "".join(map(_code, marks[0]))


def _code(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the end of the basic plane
