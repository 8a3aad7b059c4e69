"""A file that a session wrote beside the run folder, of which others may have written a part."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Written:
    """A file, and what of it is not the session's."""

    path: Path
    name: str
    """What people are told it is called."""
    others: frozenset[bytes] = frozenset()
    """Entries (see ``entry_of``) that are not searched, as they stood there before."""

    @classmethod
    def whole(cls, path: Path) -> "Written":
        """Return a file that the session alone wrote."""
        return cls(path, path.name)

    def read(self) -> bytes:
        """Return what the session wrote. Raises ``OSError``."""
        data = self.path.read_bytes()
        if not self.others:
            return data
        return b"\n".join(line for line in data.splitlines() if entry_of(line) not in self.others)


def entry_of(line: bytes) -> bytes:
    """Return what a line of pytest's cache (JSON with an entry a line) keeps, however many stand after it."""
    return line.strip().removesuffix(b",").removesuffix(b": true")
