"""What a scan found: files and kinds of values, never a value."""

from collections.abc import Iterable
from typing import Final

from clinhallu_gate.records import Record

_KINDS: Final = {
    "name": "a patient's name",
    "id": "a patient's id",
    "accession_number": "an accession number",
    "birth_date": "a patient's date of birth",
}
#: What is said of a file that could not be searched: nobody knows what it holds.
UNSEARCHED: Final = "unsearched"


class Hit(Record):
    """A file that holds something of a patient, or may hold it."""

    file: str
    """Its name, or what else it is (``the terminal``)."""
    what: str
    """Kind of the value; ``unsearched`` if the file could not be searched."""

    def __str__(self) -> str:
        if self.what == UNSEARCHED:
            return f"{self.file} could not be searched"
        return f"{self.file} holds {_KINDS[self.what]}"


class ScanResult(Record):
    """What the scan came to."""

    values: int
    """Names, ids, accession numbers and dates of birth that were searched."""
    too_short: int = 0
    """Such values that are too short to be told from other text, so they were not searched."""
    common: int = 0
    """Such values that are words of the gate itself, so they were not searched."""
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
        return (
            f"{self.values:,} values of patients (names, ids, dates of birth){''.join(f'; {one}' for one in skipped)}"
        )

    def with_hits(self, hits: Iterable[Hit], *, files: int) -> "ScanResult":
        """Return this with what was found in more files."""
        found = tuple(dict.fromkeys((*self.hits, *hits)))
        return self.model_copy(update={"hits": found, "files": self.files + files})
