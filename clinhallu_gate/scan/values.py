"""What is searched: names, ids, accession numbers and dates of birth, in the spellings that files use.

A value is not searched where it could not be told from other text: if it has fewer than ``SHORTEST`` characters, if it
is a number of fewer than ``SHORTEST_NUMBER`` digits, or if the gate's own words hold it (a family called White).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from clinhallu_gate.datasets.dataset import Dataset, Identifier
from clinhallu_gate.scan.found import ScanResult
from clinhallu_gate.scan.words import normal, words

SHORTEST: Final = 4
SHORTEST_NUMBER: Final = 5
_DATE: Final = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})")
#: Fields of a row that say who it is of.
_OF_PATIENT: Final = ("patient_id", "cluster")
_NUMBER_BEFORE: Final = re.compile(r"[0-9.]+\Z")
_NUMBER_AFTER: Final = re.compile(r"[0-9.]*")
_LAST_PORT: Final = 65_535
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
#: What stands before the port of a server's address; behind any other scheme (``id://patient:``) it is none.
_HOST_BEFORE: Final = re.compile(
    r"(?:(?<![\w.+-])(?:(?:dicomweb\+)?https?|wss?)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])"
    r"|(?<![\w./])[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?<![\w./-])localhost):\Z"
)
_HOST: Final = 270
"""As a name of the net is at most 253 letters long."""
_NEAR: Final = 40
_WIDEST: Final = 200
"""Blanks between two parts, as a page is indented."""
#: What may stand between the parts of a name: ``^``, a comma, blanks.
_IN_NAME: Final = r"[\W_]{1,6}"
_DATE_LIKE: Final = re.compile(r"(?<!\d)(\d{4}|\d{2})[\W_]{1,3}(\d{2})[\W_]{1,3}(\d{4}|\d{2})(?!\d)")
#: Days and months of one digit, between two equal marks alone: numbers of a list and parts of a UID are no date.
_SHORT_DATE: Final = re.compile(
    r"(?<!\d)(?<!\d\.)(\d{4}|\d{1,2})([-./])[ +]?(\d{1,2})\2[ +]?(\d{4}|\d{1,2})(?!\d)(?!\2\d)"
)
#: What may stand between the words of an id; less in one of few digits, or of digits alone, which two cells may hold.
_IN_ID, _IN_COUNTED = r"[\W_]{1,3}", r"[-_/]"
#: What people leave out of a name (O'Brien, OBrien); it sets its letters apart as well (O Brien).
_APOSTROPHE: Final = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}]")
#: Names without anything between their parts have at least so many letters: shorter ones are words.
SHORTEST_JOINED: Final = 8
_PACKAGE: Final = Path(__file__).parents[1]
_OWN_FILES: Final = frozenset({".py", ".j2", ".js", ".css", ".yaml", ".csv", ".json"})

What = Literal["name", "id", "accession_number", "birth_date"]


@dataclass(frozen=True, slots=True, order=True)
class Accepted:
    """A number or a word of a patient's that somebody of the site stands for as no leak in one file."""

    file: str
    """As ``Finding`` names it."""
    what: str
    value: str = field(repr=False)
    """In normal form."""
    by: str = field(repr=False)
    reason: str = field(repr=False)

    @property
    def cells(self) -> tuple[str, ...]:
        """All of it, as the line of a table."""
        return self.file, self.what, self.value, self.by, self.reason


class Span(NamedTuple):
    """Where something stands in a text."""

    start: int
    end: int


def _rarity(word: str) -> tuple[bool, int]:
    """Return what is greater the fewer texts hold a word: numbers of many digits stand nowhere by chance."""
    return len(word) >= SHORTEST_NUMBER and any(map(str.isdecimal, word)), len(word)


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way in which a value may be written."""

    what: What
    value: str
    """What it spells, in normal form: a patient's value, or that part of it which is looked for by itself."""
    parts: tuple[str, ...]
    """In normal form."""
    between: str = r"\s+"
    """Pattern of what stands between two parts."""
    lone: bool = False
    """Whether it is one part of a name, which is looked for less strictly: a path may hold it by chance."""

    @property
    def key(self) -> str:
        """The word by which it is looked up: the longest of five letters and more with a digit, else the longest."""
        return max((word for part in self.parts for word in words(part)), key=_rarity, default="")

    @property
    def _reach(self) -> int:
        return sum(map(len, self.parts)) + _WIDEST * len(self.parts)

    def stands_in(self, text: str) -> bool:
        """Whether a text in normal form holds it, with no letter or digit beside it; not in a fraction or a port."""
        return any(True for _ in self.spans_in(text, places_in(text, self.key)))

    def spans_in(self, text: str, places: Iterable[int]) -> Iterator[Span]:
        """Yield where a text holds it; ``places`` is where its key stands there."""
        first, reach, pattern = self.parts[0], self._reach, None
        for place in places:
            start = max(0, place - reach) - 1
            while (start := text.find(first, start + 1, place + reach)) >= 0:  # sooner than the pattern finds that
                pattern = pattern or _pattern(self)
                match = pattern.match(text, start)
                if match is not None and match.start() <= place < match.end() and not _is_no_id(text, match):
                    yield Span(*match.span())
                    break


@lru_cache(maxsize=1024)
def _pattern(spelling: Spelling) -> re.Pattern[str]:
    """Return the pattern of a spelling; few are ever looked for so closely."""
    return re.compile(rf"(?<![^\W_]){spelling.between.join(map(re.escape, spelling.parts))}(?![^\W_])")


def places_in(text: str, word: str) -> Iterator[int]:
    """Yield where ``word`` stands, also within others."""
    place = -1
    while (place := text.find(word, place + 1)) >= 0:
        yield place


def _is_no_id(text: str, match: re.Match[str]) -> bool:
    """Whether it is a number that stands where no patient's does: within a fraction, or as a port of an address."""
    return match[0].isdecimal() and (_is_in_fraction(text, match) or _is_port(text, match))


def _is_port(text: str, match: re.Match[str]) -> bool:
    if not _PORT.fullmatch(match[0]) or int(match[0]) > _LAST_PORT:
        return False
    if text.startswith("@", match.end()):  # a password
        return False
    return _HOST_BEFORE.search(text[max(0, match.start() - _HOST) : match.start()]) is not None


def _is_in_fraction(text: str, match: re.Match[str]) -> bool:
    before = _NUMBER_BEFORE.search(text, max(0, match.start() - _NEAR), match.start())
    after = _NUMBER_AFTER.match(text, match.end())
    run = f"{before[0] if before else ''}{match[0]}{after[0] if after else ''}"
    return run.strip(".").count(".") == 1


@dataclass(frozen=True, slots=True)
class KnownValues:
    """What is searched, and how much is not."""

    spellings: tuple[Spelling, ...] = field(repr=False)
    dates: frozenset[str] = field(repr=False)
    """Dates of birth, YYYYMMDD; other ways to write them are read by ``dates_in``."""
    nothing_found: ScanResult
    """The result of a scan that has looked into no file yet."""
    accepted: tuple[Accepted, ...] = field(default=(), repr=False)
    """What of it is no hit in one file, as it was accepted there."""


def identifiers_of(datasets: Iterable[Dataset]) -> frozenset[Identifier]:
    """Return what tells who patients are: of headers that were read, and the ids and patients of rows."""
    return frozenset(each for dataset in datasets for each in (*dataset.identifiers, *_of_rows(dataset)))


def _of_rows(dataset: Dataset) -> Iterator[Identifier]:
    for alias in dataset.aliases:
        if alias.what != "group":  # a group's name tells what patients have, and other files may say so rightly
            # A cluster is called after its first row, behind the name of the data set, which every row bears.
            yield Identifier("id", alias.stands_for.removeprefix(f"{dataset.name}/"))
    patients = {instance.id for instance in dataset.instances if instance.phi}
    for name in patients & dataset.rows.keys():
        row = dataset.rows[name]
        for key in _OF_PATIENT:
            value = row.get(key)
            if value not in (None, ""):
                yield Identifier("id", str(value))


def known_values(
    identifiers: Iterable[Identifier], *, said: str = "", places: str = "", accepted: Iterable[Accepted] = ()
) -> KnownValues:
    """Return what is searched of ``identifiers``.

    Args:
        identifiers: What tells who patients are.
        said: What the documents of a run say whoever the patients are: times, versions, digests.
        places: Paths and the command line. A family may be called as a user's folder; an id or a whole name in a path
            is searched all the same.
        accepted: What is no hit in one file; lines of values that are not searched of these patients change nothing.
    """
    ours = _Ours(_OwnWords(normal(said)), _OwnWords(normal(places)))
    found: list[Spelling] = []
    values = too_short = common = 0
    for what, value in {Identifier(each.what, normal(each.value).strip()) for each in identifiers}:
        spellings = list(_spellings(what, value))
        told = [one for one in spellings if not ours.say(one)]
        too_short += not spellings
        common += bool(spellings) and not told
        values += bool(told)
        found += told
    dates = frozenset(one.parts[0] for one in found if one.what == "birth_date")
    ours_accepted = _of_values(found, accepted)
    result = ScanResult(
        values=values,
        too_short=too_short,
        common=common,
        accepted=len(ours_accepted),
        accepted_by=len({one.by for one in ours_accepted}),
    )
    return KnownValues(tuple(found), dates, result, ours_accepted)


def _of_values(spellings: Iterable[Spelling], accepted: Iterable[Accepted]) -> tuple[Accepted, ...]:
    """Return what was accepted of what is searched: of several lines on a value in a file (a line a place) the last."""
    known = {(one.what, one.value) for one in spellings}
    lines = {(one.file, one.what, one.value): one for one in accepted if (one.what, one.value) in known}
    return tuple(sorted(lines.values()))


@dataclass(frozen=True, slots=True)
class _OwnWords:
    text: str
    words: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", frozenset(words(self.text)))

    def hold(self, spelling: Spelling) -> bool:
        if spelling.what == "birth_date" and spelling.parts[0][:4] in self.words:
            date = spelling.parts[0]
            return any(date == found for found, _ in dates_in(self.text, date[:4]))
        return spelling.key in self.words and spelling.stands_in(self.text)


@dataclass(frozen=True, slots=True)
class _Ours:
    """What is said whoever the patients are."""

    said: _OwnWords
    places: _OwnWords

    def say(self, spelling: Spelling) -> bool:
        texts = (_package_words(), self.said, self.places) if spelling.lone else (_package_words(), self.said)
        return any(text.hold(spelling) for text in texts)


def dates_in(text: str, year: str) -> Iterator[tuple[str, Span]]:
    """Yield as YYYYMMDD what may be a date of a year: year first, day first or month first; and where."""
    for place in places_in(text, year):
        start = max(0, place - _NEAR)
        for date, span in _dates_at(text[start : place + _NEAR], year):
            yield date, Span(start + span.start, start + span.end)


def _dates_at(text: str, year: str) -> Iterator[tuple[str, Span]]:
    for match in (*_DATE_LIKE.finditer(text), *_SHORT_DATE.finditer(text)):
        first, *_, middle, last = match.groups()
        span = Span(*match.span())
        if first == year and len(last) < len(year):
            yield f"{year}{middle:0>2}{last:0>2}", span
        elif last == year and len(first) < len(year):
            yield f"{year}{middle:0>2}{first:0>2}", span
            yield f"{year}{first:0>2}{middle:0>2}", span


def _spellings(what: What, value: str) -> Iterator[Spelling]:
    """Yield the ways to write a value in normal form; none for one that is too short."""
    if what == "name":
        yield from _of_name(value)
    elif what == "birth_date":
        if match := _DATE.fullmatch(value):
            date = "".join(match.groups())
            yield Spelling("birth_date", date, (date,))
    elif _is_told(value) and any(words(value)):
        yield Spelling(what, value, tuple(value.split()))
        parts, joined = tuple(words(value)), "".join(words(value))
        number = joined.lstrip("0") if joined.isdecimal() else joined
        if number != joined and _is_told(number):  # as spreadsheets write it
            yield Spelling(what, number, (number,))
        if len(parts) > 1 and _is_told(joined):
            many = sum(map(str.isdecimal, joined)) >= SHORTEST_NUMBER and not joined.isdecimal()
            yield Spelling(what, value, parts, _IN_ID if many else _IN_COUNTED)
            yield Spelling(what, joined, (joined,))


def _is_told(value: str) -> bool:
    """Whether it is long enough to be told from other text."""
    return len(value) >= (SHORTEST_NUMBER if value.isdecimal() else SHORTEST)


def _of_name(value: str) -> Iterator[Spelling]:
    """Yield a person's name (``FAMILY^GIVEN^MIDDLE``, or as people write it), turned round, and the family's."""
    groups = value.split("=")  # in letters, ideographic, phonetic
    for group in dict.fromkeys((*groups, *(_APOSTROPHE.sub("", group) for group in groups))):
        family, given = _parts(group)
        if sum(map(len, (*family, *given))) < SHORTEST:
            continue
        yield Spelling("name", group if given else " ".join(family), (*family, *given), _IN_NAME, lone=not given)
        if given and family:
            yield Spelling("name", group, (*given, *family), _IN_NAME)
            if sum(map(len, (*family, *given))) >= SHORTEST_JOINED:
                yield Spelling("name", group, ("".join((*family, *given)),))
                yield Spelling("name", group, ("".join((*given, *family)),))
            if sum(map(len, family)) >= SHORTEST:
                yield Spelling("name", " ".join(family), tuple(family), _IN_NAME, lone=True)
            if len(family) > 1 and sum(map(len, family)) >= SHORTEST_JOINED:
                yield Spelling("name", " ".join(family), ("".join(family),), lone=True)


def _parts(group: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return the words of family and given name; all are one where nothing sets them apart."""
    components = group.split("^") if "^" in group else group.split(",")
    family, given = [*words(components[0])], [*words(components[1])] if len(components) > 1 else []
    return family, given


@cache
def _package_words() -> _OwnWords:
    """Return all that this package may say by itself."""
    files = (path for path in sorted(_PACKAGE.rglob("*")) if path.suffix in _OWN_FILES)
    return _OwnWords(normal(" ".join(path.read_text("utf-8") for path in files)))
