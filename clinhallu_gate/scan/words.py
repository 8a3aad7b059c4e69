"""The normal form in which values and texts are compared, and the words of a text."""

import re
import unicodedata
from typing import Final

WORD: Final = re.compile(r"[^\W_]+")


def normal(text: str) -> str:
    """Return a text without the differences that do not matter: case, composed letters, kinds of blanks."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


def words(text: str) -> list[str]:
    """Return the runs of letters and digits."""
    return WORD.findall(text)
