"""The numbers that occur in a frame: what is done to a frame is done once to each of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from clinhallu_gate.datasets.dicom.plugins import Array

#: A table of all numbers between the smallest and the largest has at most so many entries.
_TABLE: Final = 2**16
#: Pixels looked up at a time: numpy makes 8 bytes of each.
_BLOCK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Levels:
    """The stored numbers that occur in a frame, ascending."""

    occurring: Array
    _places: Array
    """Of each pixel, in ``occurring``, or its stored number if there is a table."""
    _table: bool

    def painted(self, shades: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the frame with each number replaced by its shade."""
        if not self._table:
            return shades[self._places]
        low = int(self.occurring[0])
        table = np.zeros(int(self.occurring[-1]) - low + 1, dtype=np.uint8)
        table[self.occurring - low] = shades
        painted = np.empty(self._places.shape, dtype=np.uint8)
        flat = painted.reshape(-1)
        for block, stored in _blocks(self._places):
            flat[block] = table[stored - low]
        return painted


def levels_of(stored: Array) -> Levels:
    """Find the numbers of a frame; whole numbers without sorting them, if they lie close enough."""
    if stored.dtype.kind in "iu":
        low, high = int(stored.min()), int(stored.max())
        if high - low < _TABLE:
            present = np.zeros(high - low + 1, dtype=np.bool_)
            for _, numbers in _blocks(stored):
                present[numbers - low] = True
            return Levels(np.flatnonzero(present) + low, stored, _table=True)
    occurring, places = np.unique(stored, return_inverse=True)
    return Levels(occurring, places.reshape(stored.shape), _table=False)


def _blocks(stored: Array) -> Iterator[tuple[slice, npt.NDArray[np.int64]]]:
    flat = stored.reshape(-1)
    for first in range(0, flat.size, _BLOCK):
        block = slice(first, first + _BLOCK)
        yield block, flat[block].astype(np.int64)
