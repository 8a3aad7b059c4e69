"""Search many values in many bytes: words are looked up in a table, and only what is found there is read closely.

10,000 values in 200 MB of text take seconds so; an alternation of all values would be tried at every character.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from clinhallu_gate.scan.found import Finding
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
        self.times += times
        self.places = sorted(dict.fromkeys((*self.places, *places)), key=_is_binary)[:_PLACES]


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

    def file(self, path: Path, name: str) -> list[Finding]:
        """Return what a file holds. Raises ``OSError`` if it cannot be read: then nobody knows what it holds."""
        return self.content(path.read_bytes(), name)

    def content(self, data: bytes, name: str) -> list[Finding]:
        """Return what bytes hold, those packed in them included."""
        found: dict[_Value, _Seen] = {}
        for stream in self._streams(data, DEEPEST):
            for value, seen in stream.items():
                found.setdefault(value, _Seen()).add(seen.times, seen.places)
        return [Finding(name, *value, seen.times or 1, tuple(seen.places)) for value, seen in sorted(found.items())]

    def _streams(self, data: bytes, depth: int) -> Iterator[Mapping[_Value, _Seen]]:
        """Yield what bytes hold, and each thing that is packed in them."""
        yield self._in_readings(texts(data))
        if depth:
            for inner in packed(data):
                yield from self._streams(inner, depth - 1)

    def _in_readings(self, readings: Iterable[str]) -> Mapping[_Value, _Seen]:
        """Return what bytes hold in any reading; what several show is one."""
        found: dict[_Value, _Seen] = {}
        for text in readings:
            for value, seen in self._in_text(text).items():
                if value not in found or found[value].times < seen.times:
                    found[value] = seen
        return found

    def _in_text(self, text: str) -> Mapping[_Value, _Seen]:
        found: dict[_Value, _Seen] = {}
        for start in range(0, len(text) or 1, PIECE):
            written = text[start : start + PIECE + _OVERLAP]
            piece = normal(written)
            spans = self._in_piece(piece)
            shown = written if len(written) == len(piece) else piece
            # What stands where two pieces overlap is counted with the second.
            own = len(normal(text[start : start + PIECE])) if spans else 0
            for value, places in spans.items():
                whole = sorted(span for span in places if span.start < own)
                seen = found.setdefault(value, _Seen())
                seen.add(len(whole), (_around(shown, span) for span in whole[:_PLACES]))
        return found

    def _in_piece(self, piece: str) -> Mapping[_Value, set[Span]]:
        known = self._known(piece)
        found: dict[_Value, set[Span]] = {}
        for date, span in dates_in(piece, self._years.intersection(known)):
            if date in self._dates:
                found.setdefault(_Value("birth_date", date), set()).add(span)
        for key, places in _places(piece, known):
            for one in self._by_key.get(key, ()):
                if spans := set(one.spans_in(piece, places)):
                    found.setdefault(_Value(one.what, one.value), set()).update(spans)
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
