"""Texts as cells that no spreadsheet runs, and back."""

from typing import Final

#: With these a spreadsheet takes a cell for a formula; the last is the sign that marks such cells.
_FORMULA: Final = (
    *("=", "+", "-", "@"),
    *("\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"),
    *("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}", "'"),
)


def fenced(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs: an apostrophe stands before what would begin a formula.

    >>> fenced("=1+1"), fenced("one")
    ("'=1+1", 'one')
    """
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def unfenced(cell: str) -> str:
    """Return the text of a cell that ``fenced`` made."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(_FORMULA) else cell
