"""What a scan found: files and kinds of values for everybody, the values and their places for the site alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from clinhallu_gate.records import Record

KINDS: Final = {
    "name": "a patient's name",
    "id": "a patient's id",
    "accession_number": "an accession number",
    "birth_date": "a patient's date of birth",
}
"""What is said of a value of each kind."""
#: What is said of a file that could not be searched: nobody knows what it holds.
UNSEARCHED: Final = "unsearched"
#: Values by file that are listed for the site.
LISTED: Final = 10_000
#: How far it is counted how often a file holds a value.
COUNTED: Final = 1_000


class Hit(Record):
    """A file that holds something of a patient, or may hold it."""

    file: str
    """Its name, or what else it is (``the terminal``)."""
    what: str
    """Kind of the value; ``unsearched`` if the file could not be searched."""

    def __str__(self) -> str:
        if self.what == UNSEARCHED:
            return f"{self.file} could not be searched"
        return f"{self.file} holds {KINDS[self.what]}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a file holds a value: for the site alone."""

    file: str
    what: str
    value: str = field(repr=False)
    """In normal form."""
    times: int
    """How often it stands there; ``COUNTED`` if that is so often or more."""
    places: tuple[str, ...] = field(repr=False)
    """The first of them: the words around it."""

    @property
    def how_often(self) -> str:
        """How often it stands there, as far as it was counted."""
        return f"{self.times} or more" if self.times >= COUNTED else str(self.times)

    @property
    def hit(self) -> Hit:
        """What everybody may be told of it."""
        return Hit(file=self.file, what=self.what)


@dataclass(slots=True)
class Findings:
    """What was found, and where, for the site alone: as much of it as people look through."""

    listed: list[Finding] = field(default_factory=list, repr=False)
    more: int = 0
    """Findings beyond those that are listed."""

    def add(self, found: Iterable[Finding]) -> list[Hit]:
        """Take note of more; return what everybody may be told of it."""
        hits: dict[Hit, None] = {}
        for one in found:
            hits[one.hit] = None
            if len(self.listed) < LISTED:
                self.listed.append(one)
            else:
                self.more += 1
        return list(hits)

    def join(self, other: "Findings") -> None:
        """Take note of what was found elsewhere."""
        self.add(other.listed)
        self.more += other.more


class ScanResult(Record):
    """What the scan came to."""

    values: int
    """Names, ids, accession numbers and dates of birth that were searched."""
    too_short: int = 0
    """Such values that are too short to be told from other text, so they were not searched."""
    common: int = 0
    """Such values that are words of the gate itself, so they were not searched."""
    accepted: int = 0
    """Values by file of which people of the site stand for it that they are found there by chance: lines of their
    table that are of these values. In any other file the same value is a hit."""
    accepted_by: int = 0
    """How many people. Who they are, and what they accepted, is in ``accepted.csv`` in the private folder; nor is
    there a digest of it here, by which whoever guesses such a number could tell."""
    files: int = 0
    """Files that were looked into."""
    hits: tuple[Hit, ...] = ()

    @property
    def sentence(self) -> str:
        """Return the hits as one sentence; empty if there are none."""
        if not self.hits:
            return ""
        return f"{'; '.join(map(str, self.hits))} ({self.values:,} values searched)"

    @property
    def note(self) -> str:
        """Return what was searched, for people."""
        skipped = [
            f"{number:,} {why}"
            for number, why in (
                (self.too_short, "are too short to be searched"),
                (self.common, "are words that the gate uses itself"),
            )
            if number
        ]
        if self.accepted:
            people = f"{self.accepted_by:,} {'person' if self.accepted_by == 1 else 'people'}"
            findings = f"{self.accepted:,} {'finding' if self.accepted == 1 else 'findings'}"
            skipped.append(f"{findings} accepted by {people} as no patient's data")
        return (
            f"{self.values:,} values of patients (names, ids, dates of birth){''.join(f'; {one}' for one in skipped)}"
        )

    def with_hits(self, hits: Iterable[Hit], *, files: int) -> "ScanResult":
        """Return this with what was found in more files."""
        found = tuple(dict.fromkeys((*self.hits, *hits)))
        return self.model_copy(update={"hits": found, "files": self.files + files})


@dataclass(frozen=True, slots=True)
class Searched:
    """What a scan came to: for everybody, and for the site alone."""

    result: ScanResult
    findings: Findings = field(default_factory=Findings, repr=False)
