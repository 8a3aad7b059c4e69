"""Lookup tables of a header: descriptor and data (PS3.3 C.11.1.1, C.11.2.1.1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from clinhallu_gate.datasets.dicom.attributes import value_of
from clinhallu_gate.datasets.dicom.refusal import NotDrawable, reading

Floats = npt.NDArray[np.float64]
_ALL = 2**16
_NEGATIVE = 2**15


@dataclass(frozen=True, slots=True)
class Descriptor:
    """How many entries a table has, which number the first is for, and how many bits an entry has."""

    entries: int
    first: int
    bits: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """A table from whole numbers to others."""

    first: int
    data: npt.NDArray[np.float64]
    bits: int
    """Of an entry, at most: the largest is 2**bits - 1."""

    def of(self, values: Floats) -> Floats:
        """Return the entries for ``values``; below the table its first, above it its last."""
        places = np.clip(np.rint(values) - self.first, 0, len(self.data) - 1)
        found: Floats = self.data[places.astype(np.int64)]
        return found


def descriptor_of(place: Dataset, keyword: str, *, below_zero: bool) -> Descriptor:
    """Read a descriptor. Raises ``NotDrawable`` if it is none.

    Args:
        place: The data set that holds it.
        keyword: Its attribute.
        below_zero: Whether numbers that the table is for can be negative. The first is then one of 16 bits with a sign,
            also where it was written, or read, as one without. No pixel decides that: slices of one study would differ.
    """
    with reading(keyword):
        entries, first, bits = (int(number) for number in value_of(place, keyword))
    if not 0 <= entries <= _ALL or not -_ALL < first < _ALL or not 1 <= bits <= 16:  # noqa: PLR2004 - bits
        raise NotDrawable(f"has a malformed {keyword}")
    first -= _ALL if below_zero and first >= _NEGATIVE else 0
    return Descriptor(entries=entries or _ALL, first=first, bits=bits)


def lookup_of(place: Dataset, header: Dataset, name: str, *, below_zero: bool) -> Lookup:
    """Read descriptor and data of one item of sequence ``name``; ``below_zero`` as in ``descriptor_of``."""
    descriptor = descriptor_of(place, "LUTDescriptor", below_zero=below_zero)
    data = entries_of(value_of(place, "LUTData"), descriptor, header, name)
    return Lookup(first=descriptor.first, data=data.astype(np.float64), bits=descriptor.bits)


def entries_of(data: Any, descriptor: Descriptor, header: Dataset, name: str) -> npt.NDArray[np.int64]:  # noqa: ANN401
    """Return a table's entries, which are numbers already, bytes, or words in the file's byte order."""
    with reading(name):
        if isinstance(data, bytes):
            entries = np.frombuffer(data, _width(data, descriptor, header))
        else:
            entries = np.atleast_1d(np.asarray(data))
        entries = entries[: descriptor.entries].astype(np.int64) & (_ALL - 1)
    if len(entries) < descriptor.entries:
        raise NotDrawable(f"has {len(entries)} entries in {name} where its descriptor promises {descriptor.entries}")
    return entries


def _width(data: bytes, descriptor: Descriptor, header: Dataset) -> str:
    if len(data) in (descriptor.entries, descriptor.entries + 1):
        return "u1"
    return "<u2" if header.original_encoding[1] in (True, None) else ">u2"
