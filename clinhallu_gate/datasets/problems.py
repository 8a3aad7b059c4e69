"""What is wrong with rows of data: collected for every row, then refused as one list or left out by name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clinhallu_gate.errors import BadInput

_WITHHELD: Final = "(not shown)"
#: Around a value of a row; ``repr`` escapes both, so no value holds them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_QUOTED: Final = re.compile(f"{_OPEN}.*?{_CLOSE}", re.DOTALL)
#: More lines than that help nobody; the first ones name the pattern.
LISTED: Final = 50
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One reason why a row cannot be used."""

    file: str
    row: int
    """Line of a text file, or number of the record, from 1."""
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.row}: {self.text}"


class BadRows(BadInput):
    """Rows that cannot be used: a line with their number, then a line per problem."""

    def __init__(self, problems: Sequence[Problem], *, rows: int, allowed: int = 0) -> None:
        self.problems = tuple(problems)
        bad = len({(problem.file, problem.row) for problem in problems})
        first = f"{bad} of {rows} rows cannot be used" + (f", {allowed} allowed" if allowed else "")
        more = len(problems) - LISTED
        end = [f"and {more} more"] if more > 0 else []
        if any(_WITHHELD in problem.text for problem in problems):
            end.append(f"{_WITHHELD}: of patients' rows no value is told; rows of no patient say so with phi: false")
        super().__init__("\n".join([first, *map(str, problems[:LISTED]), *end]))


def shown(value: object) -> str:
    """Return a value of a row as it may stand in a problem's text: on one line, short, and so that it can be withheld.

    >>> told(f"answer: {shown(7)} is not text"), told(f"answer: {shown(7)} is not text", withhold=True)
    ('answer: 7 is not text', 'answer: (not shown) is not text')
    """
    text = repr(value)
    return f"{_OPEN}{text if len(text) <= _SHOWN else f'{text[: _SHOWN - 3]}...'}{_CLOSE}"


def quoted(text: object) -> str:
    """Return a text that may repeat what a row says, such as a library's own words, so that it can be withheld."""
    return f"{_OPEN}{told(str(text))}{_CLOSE}"


class Shown:
    """A value of a row where its ``repr`` is made elsewhere."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return str(self._value)

    def __repr__(self) -> str:
        return f"{_OPEN}{self._value!r}{_CLOSE}"


def told(text: str, *, withhold: bool = False) -> str:
    """Return a problem's text with the values of its row, or without them: of a patient's row none is told."""
    return _QUOTED.sub(_WITHHELD, text) if withhold else text.replace(_OPEN, "").replace(_CLOSE, "")
