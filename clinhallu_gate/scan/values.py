"""What is searched: names, ids, accession numbers and dates of birth, in the spellings that files use.

A value is not searched where it could not be told from other text: if it has fewer than ``SHORTEST`` characters, if it
is a number of fewer than ``SHORTEST_NUMBER`` digits, or if the gate's own words hold it (a family called White).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Literal

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
#: Names without anything between their parts have at least so many letters: shorter ones are words.
SHORTEST_JOINED: Final = 8
_PACKAGE: Final = Path(__file__).parents[1]
_OWN_FILES: Final = frozenset({".py", ".j2", ".js", ".css", ".yaml", ".csv", ".json"})

What = Literal["name", "id", "accession_number", "birth_date"]


def _rarity(word: str) -> tuple[bool, int]:
    """Return what is greater the fewer texts hold a word: numbers of many digits stand nowhere by chance."""
    return len(word) >= SHORTEST_NUMBER and any(map(str.isdecimal, word)), len(word)


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way in which a value may be written."""

    what: What
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

    def stands_in(self, text: str, places: Iterable[int] | None = None) -> bool:
        """Whether a text in normal form holds it, with no letter or digit beside it, and not as part of a fraction.

        Args:
            text: The text.
            places: Where its key stands there, if that is known.
        """
        return any(self._stands_at(text, place) for place in (places_in(text, self.key) if places is None else places))

    def _stands_at(self, text: str, place: int) -> bool:
        """Whether it is written around a place of its key."""
        first, end, start = self.parts[0], place + self._reach, max(0, place - self._reach) - 1
        while (start := text.find(first, start + 1, end)) >= 0:  # sooner than the pattern finds where to look
            match = _pattern(self).match(text, start)
            if match is not None and not _is_in_fraction(text, match):
                return True
        return False


@lru_cache(maxsize=1024)
def _pattern(spelling: Spelling) -> re.Pattern[str]:
    """Return the pattern of a spelling; few are ever looked for so closely."""
    return re.compile(rf"(?<![^\W_]){spelling.between.join(map(re.escape, spelling.parts))}(?![^\W_])")


def places_in(text: str, word: str) -> Iterator[int]:
    """Yield where ``word`` stands, also within others."""
    place = -1
    while (place := text.find(word, place + 1)) >= 0:
        yield place


def _is_in_fraction(text: str, match: re.Match[str]) -> bool:
    if not match[0].isdecimal():
        return False
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
        for key in _OF_PATIENT:
            value = dataset.rows[name].get(key)
            if value not in (None, ""):
                yield Identifier("id", str(value))


def known_values(identifiers: Iterable[Identifier], *, said: str = "", places: str = "") -> KnownValues:
    """Return what is searched of ``identifiers``.

    Args:
        identifiers: What tells who patients are.
        said: What the documents of a run say whoever the patients are: times, versions, digests.
        places: Paths and the command line. A family may be called as a user's folder; an id or a whole name in a path
            is searched all the same.
    """
    ours = _Ours(_OwnWords(normal(said)), _OwnWords(normal(places)))
    found: list[Spelling] = []
    values = too_short = common = 0
    for what, value in {Identifier(each.what, normal(each.value).strip()) for each in identifiers}:
        spellings = list(_spellings(what, value))
        told = [one for one in spellings if not ours.say(one)]
        values += bool(told)
        too_short += not spellings
        common += bool(spellings) and not told
        found += told
    dates = frozenset(one.parts[0] for one in found if one.what == "birth_date")
    return KnownValues(tuple(found), dates, ScanResult(values=values, too_short=too_short, common=common))


@dataclass(frozen=True, slots=True)
class _OwnWords:
    text: str
    words: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", frozenset(words(self.text)))

    def hold(self, spelling: Spelling) -> bool:
        if spelling.what == "birth_date" and spelling.parts[0][:4] in self.words:
            date = spelling.parts[0]
            return date in dates_in(self.text, (date[:4],))
        return spelling.key in self.words and spelling.stands_in(self.text)


@dataclass(frozen=True, slots=True)
class _Ours:
    """What is said whoever the patients are."""

    said: _OwnWords
    places: _OwnWords

    def say(self, spelling: Spelling) -> bool:
        texts = (_package_words(), self.said, self.places) if spelling.lone else (_package_words(), self.said)
        return any(text.hold(spelling) for text in texts)


def dates_in(text: str, years: Iterable[str]) -> Iterator[str]:
    """Yield as YYYYMMDD what may be a date of one of ``years``: year first, day first or month first."""
    for year in years:
        place = -1
        while (place := text.find(year, place + 1)) >= 0:
            yield from _dates_at(text[max(0, place - _NEAR) : place + _NEAR], year)


def _dates_at(text: str, year: str) -> Iterator[str]:
    short = [(first, middle, last) for first, _, middle, last in _SHORT_DATE.findall(text)]
    for first, middle, last in (*_DATE_LIKE.findall(text), *short):
        if first == year and len(last) < len(year):
            yield f"{year}{middle:0>2}{last:0>2}"
        elif last == year and len(first) < len(year):
            yield f"{year}{middle:0>2}{first:0>2}"
            yield f"{year}{first:0>2}{middle:0>2}"


def _spellings(what: What, value: str) -> Iterator[Spelling]:
    """Yield the ways to write a value in normal form; none for one that is too short."""
    if what == "name":
        yield from _of_name(value)
    elif what == "birth_date":
        if match := _DATE.fullmatch(value):
            yield Spelling("birth_date", ("".join(match.groups()),))
    elif _is_told(value) and any(words(value)):
        yield Spelling(what, tuple(value.split()))
        parts, joined = tuple(words(value)), "".join(words(value))
        if len(parts) > 1 and _is_told(joined):
            many = sum(map(str.isdecimal, joined)) >= SHORTEST_NUMBER and not joined.isdecimal()
            yield Spelling(what, parts, _IN_ID if many else _IN_COUNTED)
            yield Spelling(what, (joined,))


def _is_told(value: str) -> bool:
    """Whether it is long enough to be told from other text."""
    return len(value) >= (SHORTEST_NUMBER if value.isdecimal() else SHORTEST)


def _of_name(value: str) -> Iterator[Spelling]:
    """Yield a person's name (``FAMILY^GIVEN^MIDDLE``, or as people write it), turned round, and the family's."""
    for group in value.split("="):  # in letters, ideographic, phonetic
        family, given = _parts(group)
        if sum(map(len, (*family, *given))) < SHORTEST:
            continue
        yield Spelling("name", (*family, *given), _IN_NAME, lone=not given)
        if given and family:
            yield Spelling("name", (*given, *family), _IN_NAME)
            if sum(map(len, (*family, *given))) >= SHORTEST_JOINED:
                yield Spelling("name", ("".join((*family, *given)),))
                yield Spelling("name", ("".join((*given, *family)),))
            if sum(map(len, family)) >= SHORTEST:
                yield Spelling("name", tuple(family), _IN_NAME, lone=True)


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
