"""What lies on disk while a run goes on, so that rows and replies of a hundred thousand instances need no memory."""

import os
import pickle
import tempfile
import threading
import weakref
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, Final, TypeVar

from clinhallu_gate.errors import EvaluationFailed

Key = TypeVar("Key")
Value = TypeVar("Value")
_AT_HAND: Final = 4
"""Mappings held in memory beside the disk: those of one instance, which are looked at together."""
_BUFFER: Final = 2**20
"""Bytes that wait to be written together."""
_FIRST: Final = 4096
"""Bytes that are read first; most contents are no longer."""
_LENGTH: Final = 8
"""Bytes before each content that tell how long it is."""


class Shelf:
    """A file without a name: nobody else can open it, and however the process ends it is gone.

    Args:
        folder: Where its bytes lie; if it is not there it is not made, and they lie on the same disk.
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
            if len(self._waiting) >= _BUFFER:
                self._flush()
        return place

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = _without_a_name(self._folder)
                weakref.finalize(self, self._file.close)
            done = 0
            with memoryview(self._waiting) as waiting:
                while done < len(waiting):
                    done += os.pwrite(self._file.fileno(), waiting[done:], self._written + done)
        except OSError as error:  # all of it still waits, and can be read
            raise EvaluationFailed(f"{self._folder}: cannot be written: {error.strerror}") from error
        self._written += done
        self._waiting.clear()

    def read(self, place: int) -> Any:  # noqa: ANN401 - what was written
        """Return what lies at ``place``, made anew."""
        return pickle.loads(self._packed(place))  # noqa: S301 - what this process wrote, which no other can

    def _packed(self, place: int) -> bytes:
        with self._lock:
            if place >= self._written:  # it still waits
                begin = place - self._written + _LENGTH
                length = int.from_bytes(self._waiting[begin - _LENGTH : begin], "little")
                return bytes(self._waiting[begin : begin + length])
        found = os.pread(self._file.fileno(), _FIRST, place)
        end = _LENGTH + int.from_bytes(found[:_LENGTH], "little")
        while len(found) < end and (more := os.pread(self._file.fileno(), end - len(found), place + len(found))):
            found += more
        return found[_LENGTH:end]

    def mapping(self, place: int) -> dict[Any, Any]:
        """Return the mapping at ``place``, which must not be changed; the last few are held in memory."""
        found = self._at_hand.get(place)
        if found is None:
            found = self.read(place)
            with self._lock:
                if len(self._at_hand) >= _AT_HAND:
                    del self._at_hand[next(iter(self._at_hand))]
                self._at_hand[place] = found
        return found


def _without_a_name(folder: Path) -> Any:  # noqa: ANN401 - of ``io``
    """Return a new file that lies in ``folder`` and is not listed there. Raises ``OSError``."""
    if folder.exists():
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    # Others may be making it right now: one of our own, where it will be, is in nobody's way.
    made = tempfile.mkdtemp(dir=next(above for above in folder.absolute().parents if above.exists()))
    try:
        return tempfile.TemporaryFile(dir=made, buffering=0)
    finally:
        os.rmdir(made)  # noqa: PTH106 - a name, not a path


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
