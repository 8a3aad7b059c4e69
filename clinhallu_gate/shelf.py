"""What lies on disk while a run goes on, so that rows and replies of a hundred thousand instances need no memory."""

import os
import pickle
import tempfile
import threading
import weakref
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from clinhallu_gate.errors import EvaluationFailed

Key = TypeVar("Key")
Value = TypeVar("Value")
_AT_ONCE: Final = 4
"""Mappings held in memory beside the disk: those of one instance, which are looked at together."""
_WRITTEN_AT_ONCE: Final = 2**20
_READ_AT_ONCE: Final = 4096
"""Bytes."""
_LENGTH: Final = 4
"""Bytes before each content that tell how long it is."""


class Shelf:
    """A file without a name: nobody else can open it, and however the process ends it is gone.

    Args:
        folder: Where its bytes lie; if it is not there it need not be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Any = None
        self._written = 0
        self._waiting = bytearray()
        self._lock = threading.Lock()
        self._at_hand: dict[int, dict[Any, Any]] = {}

    def put(self, content: MutableMapping[Key, Value]) -> "Shelved[Key, Value]":
        """Put a mapping away, unless it was; what is returned stands for it. Raises ``EvaluationFailed``."""
        return content if isinstance(content, Shelved) else Shelved(self, self.write(dict(content)))

    def write(self, content: object) -> int:
        """Write what can be pickled and return its place. Raises ``EvaluationFailed`` if there is no room for it."""
        packed = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            place = self._written + len(self._waiting)
            self._waiting += len(packed).to_bytes(_LENGTH, "little") + packed
            if len(self._waiting) >= _WRITTEN_AT_ONCE:
                self._flush()
        return place

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = _without_a_name(self._folder)
                weakref.finalize(self, self._file.close)
            while self._waiting:
                done = os.pwrite(self._file.fileno(), self._waiting, self._written)
                self._written += done
                del self._waiting[:done]
        except OSError as error:
            raise EvaluationFailed(f"{self._folder}: cannot be written: {error.strerror}") from error

    def read(self, place: int) -> Any:  # noqa: ANN401 - what was written
        """Return what lies at ``place``, made anew."""
        begin = place + _LENGTH
        with self._lock:
            if place >= self._written:  # it still waits
                at = place - self._written
                length = int.from_bytes(self._waiting[at : at + _LENGTH], "little")
                packed = bytes(self._waiting[at + _LENGTH : at + _LENGTH + length])
                return pickle.loads(packed)  # noqa: S301 - what this process wrote, which no other can
        found = os.pread(self._file.fileno(), _READ_AT_ONCE, place)
        length = int.from_bytes(found[:_LENGTH], "little")
        packed = found[_LENGTH : _LENGTH + length]
        if len(packed) < length:
            packed = os.pread(self._file.fileno(), length, begin)
        return pickle.loads(packed)  # noqa: S301 - as above

    def mapping(self, place: int) -> dict[Any, Any]:
        """Return the mapping at ``place``, which must not be changed; the last few are held in memory."""
        found = self._at_hand.get(place)
        if found is None:
            found = self.read(place)
            with self._lock:
                if len(self._at_hand) >= _AT_ONCE:
                    del self._at_hand[next(iter(self._at_hand))]
                self._at_hand[place] = found
        return found


def _without_a_name(folder: Path) -> Any:  # noqa: ANN401 - of ``io``
    """Return a new file that lies in ``folder`` and is not listed there. Raises ``OSError``."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    finally:
        if made:
            with suppress(OSError):  # others have put something into it
                folder.rmdir()


class Shelved(MutableMapping[Key, Value]):
    """A mapping on a shelf. A change writes it anew."""

    __slots__ = ("_place", "_shelf")

    def __init__(self, shelf: Shelf, place: int) -> None:
        self._shelf = shelf
        self._place = place

    @property
    def _content(self) -> dict[Key, Value]:
        return self._shelf.mapping(self._place)

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
