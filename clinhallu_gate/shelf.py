"""Mappings that lie on disk while a run goes on, so that the texts of a hundred thousand instances need no memory."""

import pickle
import tempfile
import weakref
from collections.abc import Iterator, MutableMapping
from os import SEEK_END
from pathlib import Path
from typing import Any, Final, TypeVar

from clinhallu_gate.errors import EvaluationFailed

Key = TypeVar("Key")
Value = TypeVar("Value")
_AT_HAND: Final = 4
"""Mappings held in memory beside the disk: those of one instance, which are looked at together."""


class Shelf:
    """A file without a name: nobody else can open it, and however the process ends it is gone.

    Not for use from two threads at once.

    Args:
        folder: Where its bytes lie; it has to be there when the first mapping comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Any = None
        self._at_hand: dict[int, dict[Any, Any]] = {}

    def put(self, content: MutableMapping[Key, Value]) -> "Shelved[Key, Value]":
        """Put a mapping away, unless it was; what is returned stands for it. Raises ``EvaluationFailed``."""
        return content if isinstance(content, Shelved) else Shelved(self, self.write(dict(content)))

    def write(self, content: dict[Any, Any]) -> int:
        """Write a mapping and return its place. Raises ``EvaluationFailed`` if there is no room for it."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with the shelf
                weakref.finalize(self, self._file.close)
            place: int = self._file.seek(0, SEEK_END)
            pickle.dump(content, self._file, pickle.HIGHEST_PROTOCOL)
        except OSError as error:
            raise EvaluationFailed(f"{self._folder}: cannot be written: {error.strerror}") from error
        return place

    def read(self, place: int) -> dict[Any, Any]:
        """Return the mapping at ``place``; it must not be changed."""
        if place not in self._at_hand:
            self._file.seek(place)
            if len(self._at_hand) >= _AT_HAND:
                del self._at_hand[next(iter(self._at_hand))]
            self._at_hand[place] = pickle.load(self._file)  # noqa: S301 - what this process wrote, which no other can
        return self._at_hand[place]


class Shelved(MutableMapping[Key, Value]):
    """A mapping on a shelf. A change writes it anew."""

    __slots__ = ("_place", "_shelf")

    def __init__(self, shelf: Shelf, place: int) -> None:
        self._shelf = shelf
        self._place = place

    @property
    def _content(self) -> dict[Key, Value]:
        return self._shelf.read(self._place)

    def __getitem__(self, key: Key) -> Value:
        return self._content[key]

    def __setitem__(self, key: Key, value: Value) -> None:
        self._place = self._shelf.write({**self._content, key: value})

    def __delitem__(self, key: Key) -> None:
        left = dict(self._content)
        del left[key]
        self._place = self._shelf.write(left)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._content))

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        return f"Shelved({self._content!r})"
