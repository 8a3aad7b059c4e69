"""Colour frames as RGB of 8 bits: YBR, 16 bits, and palettes (PS3.3 C.7.6.3.1, C.7.9)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.processing import convert_color_space

from clinhallu_gate.datasets.dicom.attributes import value_of
from clinhallu_gate.datasets.dicom.decoding import Decoded
from clinhallu_gate.datasets.dicom.layout import Layout
from clinhallu_gate.datasets.dicom.lookup import Descriptor, descriptor_of, entries_of
from clinhallu_gate.datasets.dicom.plugins import Array
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.datasets.dicom.segments import expanded

Bytes = npt.NDArray[np.uint8]
_BITS: Final = 8
#: Rows converted at a time: the conversion works in floating point.
_ROWS: Final = 256
_COLOURS: Final = ("Red", "Green", "Blue")


@dataclass(frozen=True, slots=True)
class Colours:
    """RGB pixels of 8 bits, and what was done."""

    pixels: Bytes
    steps: tuple[str, ...]


def colours(layout: Layout, decoded: Decoded) -> Colours:
    """Draw a frame of three samples per pixel, RGB or YBR_FULL."""
    if layout.signed:
        raise NotDrawable("has colours with a sign")
    steps: list[str] = []
    shallow = _shallow(decoded.samples, layout.stored)
    if layout.stored != _BITS:
        steps.append(f"colours of {layout.stored} bits to 8")
    if not decoded.rgb:
        for first in range(0, len(shallow), _ROWS):
            shallow[first : first + _ROWS] = convert_color_space(shallow[first : first + _ROWS], "YBR_FULL", "RGB")
    if layout.photometric != "RGB":
        steps.append(f"{layout.photometric} to RGB")
    return Colours(shallow, tuple(steps))


def painted(header: Dataset, layout: Layout, stored: Array) -> Colours:
    """Draw a frame whose numbers stand for the colours of a palette."""
    tables = [_palette(header, colour, below_zero=layout.signed) for colour in _COLOURS]
    first, entries = tables[0].first, len(tables[0].data)
    if any(len(table.data) != entries for table in tables):
        raise NotDrawable("has palettes of different lengths")
    places = np.clip(stored.astype(np.int64) - first, 0, entries - 1)
    return Colours(np.stack([table.data for table in tables], axis=-1)[places], ("palette",))


@dataclass(frozen=True, slots=True)
class _Palette:
    first: int
    data: Bytes


def _palette(header: Dataset, colour: str, *, below_zero: bool) -> _Palette:
    name = f"{colour}PaletteColorLookupTableData"
    descriptor = descriptor_of(header, f"{colour}PaletteColorLookupTableDescriptor", below_zero=below_zero)
    data = value_of(header, name)
    if data is None:
        name = f"Segmented{name}"
        segments = value_of(header, name)
        if segments is None:
            raise NotDrawable(f"has no {colour}PaletteColorLookupTableData")
        wide = descriptor.bits > _BITS
        words = entries_of(segments, Descriptor(len(segments) // (2 if wide else 1), 0, descriptor.bits), header, name)
        entries = expanded(words, descriptor.entries, wide=wide, name=name)
        return _Palette(descriptor.first, _shallow(entries, 2 * _BITS if wide else _BITS))
    entries = entries_of(data, descriptor, header, name)
    # Entries said to have 16 bits that use the lower 8 alone are a common mistake, and would be black.
    deep = descriptor.bits > _BITS and entries.max() >= 2**_BITS
    return _Palette(descriptor.first, _shallow(entries, 2 * _BITS if deep else _BITS))


def _shallow(stored: Array, bits: int) -> Bytes:
    """Keep the upper 8 bits, or spread fewer over 8."""
    if bits > _BITS:
        upper: Bytes = np.right_shift(stored, bits - _BITS).astype(np.uint8)
        return upper
    if bits < _BITS:
        spread: Bytes = np.floor(np.minimum(stored, 2**bits - 1) * (255 / (2**bits - 1)) + 0.5).astype(np.uint8)
        return spread
    return stored.astype(np.uint8)
