"""Search many values in many bytes: words are looked up in a table, and only what is found there is read closely.

10,000 values in 200 MB of text take seconds so; an alternation of all values would be tried at every character.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from clinhallu_gate.scan.found import COUNTED, Finding
from clinhallu_gate.scan.readings import DEEPEST, packed, texts
from clinhallu_gate.scan.values import KnownValues, Span, Spelling, dates_in, places_in
from clinhallu_gate.scan.words import WORD, normal, words

#: Bytes that are looked at together; and how much of each piece is looked at again with the next.
PIECE: Final = 1 << 20
_OVERLAP: Final = 1 << 10
#: Words that are sought in a piece one by one.
_FEW: Final = 32
#: Places of a value that are kept of each file, and the letters that are shown before and after it.
_PLACES: Final = 3
_AROUND: Final = 40
_UNSHOWN: Final = "\N{REPLACEMENT CHARACTER}"
#: ASCII letters in lower case and digits; a blank for all else.
_TABLE: Final = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() and code < 128 else 32  # noqa: PLR2004 - ASCII
    for code in range(256)
)


class _Value(NamedTuple):
    what: str
    value: str


@dataclass(slots=True)
class _Seen:
    """How often a value stands somewhere, and the first places, those first that people can read."""

    times: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, times: int, places: Iterable[str]) -> None:
        self.times = min(self.times + times, COUNTED)
        self.places = sorted(dict.fromkeys((*self.places, *places)), key=_is_binary)[:_PLACES]

    @property
    def wanted(self) -> int:
        """How many more are looked for in a text: none once they are counted, but for places that people can read."""
        if self.times < COUNTED:
            return COUNTED
        return _PLACES if any(map(_is_binary, self.places)) else 0


class _Tally(dict[_Value, _Seen]):
    """What is held, and what of it is not looked for any more."""

    def __init__(self, before: "_Tally | None" = None) -> None:
        super().__init__()
        self._before = before

    def take(self, value: _Value, times: int, places: Iterable[str]) -> None:
        self.setdefault(value, _Seen()).add(times, places)

    def wanted(self, value: _Value) -> int:
        """How many of a value are looked for in a text: as many as here and in what was read before are still."""
        here = self[value].wanted if value in self else COUNTED
        return min(here, self._before.wanted(value)) if self._before is not None else here


class Search:
    """Looks for known values in files and texts; what was accepted in one of them is not found there."""

    def __init__(self, values: KnownValues) -> None:
        self._accepted = frozenset((one.file, one.what, one.value) for one in values.accepted)
        self._by_key: dict[str, list[Spelling]] = {}
        for spelling in values.spellings:
            self._by_key.setdefault(spelling.key, []).append(spelling)
        self._dates: dict[str, list[str]] = {}
        for date in values.dates:
            self._dates.setdefault(date[:4], []).append(date)
        for year in self._dates:
            self._by_key.setdefault(year, [])
        self._ascii = frozenset(word.encode() for word in self._by_key if word.isascii())

    def file(self, path: Path, name: str) -> list[Finding]:
        """Return what a file holds. Raises ``OSError`` if it cannot be read: then nobody knows what it holds."""
        return self.content(path.read_bytes(), name)

    def content(self, data: bytes, name: str) -> list[Finding]:
        """Return what bytes hold, those packed in them included."""
        found = _Tally()
        for stream in self._streams(data, DEEPEST):
            for value, seen in self._in_readings(texts(stream), found).items():
                found.take(value, seen.times, seen.places)
        return [
            Finding(name, *value, seen.times or 1, tuple(seen.places))
            for value, seen in sorted(found.items())
            if (name, *value) not in self._accepted
        ]

    def _streams(self, data: bytes, depth: int) -> Iterator[bytes]:
        """Yield bytes, and each thing that is packed in them."""
        yield data
        if depth:
            for inner in packed(data):
                yield from self._streams(inner, depth - 1)

    def _in_readings(self, readings: Iterable[str], before: _Tally) -> Mapping[_Value, _Seen]:
        """Return what bytes hold in any reading; what several show is one."""
        found: dict[_Value, _Seen] = {}
        for text in readings:
            for value, seen in self._in_text(text, before).items():
                if value not in found or found[value].times < seen.times:
                    found[value] = seen
        return found

    def _in_text(self, text: str, before: _Tally) -> _Tally:
        found = _Tally(before)
        for start in range(0, len(text) or 1, PIECE):
            written = text[start : start + PIECE + _OVERLAP]
            piece = normal(written)
            spans = self._in_piece(piece, found)
            shown = written if len(written) == len(piece) else piece
            # What stands where two pieces overlap is counted with the second.
            own = len(normal(text[start : start + PIECE])) if spans else 0
            for value, places in spans.items():
                whole = sorted(span for span in places if span.start < own)
                found.take(value, len(whole), (_around(shown, span) for span in whole[:_PLACES]))
        return found

    def _in_piece(self, piece: str, before: _Tally) -> Mapping[_Value, set[Span]]:
        known = self._known(piece)
        found: dict[_Value, set[Span]] = {}
        for year in self._dates.keys() & set(known):
            found |= self._dates_in(piece, year, before)
        for key, places in _places(piece, known):
            for one in self._by_key.get(key, ()):
                value = _Value(one.what, one.value)
                wanted = before.wanted(value)
                if wanted and (spans := set(islice(one.spans_in(piece, places), wanted))):
                    found.setdefault(value, set()).update(spans)
        return found

    def _dates_in(self, piece: str, year: str, before: _Tally) -> dict[_Value, set[Span]]:
        """Return where dates of a year stand, until there are enough of each."""
        values = {date: _Value("birth_date", date) for date in self._dates[year]}
        left = {date: wanted for date, value in values.items() if (wanted := before.wanted(value))}
        found: dict[_Value, set[Span]] = {}
        for date, span in dates_in(piece, year) if left else ():
            if date in left:
                (spans := found.setdefault(values[date], set())).add(span)
                if len(spans) >= left[date]:
                    del left[date]
            if not left:
                break
        return found

    def _known(self, piece: str) -> Collection[str]:
        """Return the words of a piece that are looked for."""
        if piece.isascii():
            return [word.decode() for word in self._ascii.intersection(piece.encode().translate(_TABLE).split())]
        return self._by_key.keys() & set(words(piece))


def _is_binary(place: str) -> bool:
    return _UNSHOWN in place


def _around(text: str, span: Span) -> str:
    """Return what stands somewhere with the words around it, on one line and without what steers a terminal."""
    near = text[max(0, span.start - _AROUND) : span.end + _AROUND]
    return "".join(char if char.isprintable() else _UNSHOWN for char in " ".join(near.split()))


def _places(piece: str, known: Collection[str]) -> Iterable[tuple[str, Sequence[int]]]:
    """Return where each word stands: few are sought one by one, many while all words go by."""
    if len(known) <= _FEW:
        return [(word, [*places_in(piece, word)]) for word in known]
    found: dict[str, list[int]] = {word: [] for word in known}
    for match in WORD.finditer(piece):
        if match[0] in found:
            found[match[0]].append(match.start())
    return found.items()
