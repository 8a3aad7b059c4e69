"""Search many values in many bytes: words are looked up in a table, and only what is found there is read closely.

10,000 values in 200 MB of text take seconds so; an alternation of all values would be tried at every character.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from clinhallu_gate.scan.found import Hit
from clinhallu_gate.scan.readings import DEEPEST, packed, texts
from clinhallu_gate.scan.values import KnownValues, Spelling, dates_in, places_in
from clinhallu_gate.scan.words import WORD, normal, words

#: Bytes that are looked at together; and how much of each piece is looked at again with the next.
PIECE: Final = 1 << 20
_OVERLAP: Final = 1 << 10
#: Words that are sought in a piece one by one.
_FEW: Final = 32
#: ASCII letters in lower case and digits; a blank for all else.
_TABLE: Final = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() and code < 128 else 32  # noqa: PLR2004 - ASCII
    for code in range(256)
)


class Search:
    """Looks for known values in files and texts."""

    def __init__(self, values: KnownValues) -> None:
        self._by_key: dict[str, list[Spelling]] = {}
        for spelling in values.spellings:
            self._by_key.setdefault(spelling.key, []).append(spelling)
        self._dates = values.dates
        self._years = frozenset(date[:4] for date in values.dates)
        for year in self._years:
            self._by_key.setdefault(year, [])
        self._ascii = frozenset(word.encode() for word in self._by_key if word.isascii())

    def file(self, path: Path, name: str) -> list[Hit]:
        """Return what a file holds. Raises ``OSError`` if it cannot be read: then nobody knows what it holds."""
        return self.content(path.read_bytes(), name)

    def content(self, data: bytes, name: str) -> list[Hit]:
        """Return what bytes hold, those packed in them included."""
        return [Hit(file=name, what=what) for what in sorted(set(self._kinds(data, DEEPEST)))]

    def _kinds(self, data: bytes, depth: int) -> Iterator[str]:
        for text in texts(data):
            yield from self._in_text(text)
        if depth:
            for inner in packed(data):
                yield from self._kinds(inner, depth - 1)

    def _in_text(self, text: str) -> Iterator[str]:
        for start in range(0, len(text) or 1, PIECE):
            piece = normal(text[start : start + PIECE + _OVERLAP])
            known = self._known(piece)
            if not self._dates.isdisjoint(dates_in(piece, self._years.intersection(known))):
                yield "birth_date"
            for key, places in _places(piece, known):
                yield from (one.what for one in self._by_key.get(key, ()) if one.stands_in(piece, places))

    def _known(self, piece: str) -> Collection[str]:
        """Return the words of a piece that are looked for."""
        if piece.isascii():
            return [word.decode() for word in self._ascii.intersection(piece.encode().translate(_TABLE).split())]
        return self._by_key.keys() & set(words(piece))


def _places(piece: str, known: Collection[str]) -> Iterable[tuple[str, Sequence[int]]]:
    """Return where each word stands: few are sought one by one, many while all words go by."""
    if len(known) <= _FEW:
        return [(word, [*places_in(piece, word)]) for word in known]
    found: dict[str, list[int]] = {word: [] for word in known}
    for match in WORD.finditer(piece):
        if match[0] in found:
            found[match[0]].append(match.start())
    return found.items()
