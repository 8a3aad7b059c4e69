"""One frame decoded: checked against its header first, and with nothing but the bits that count afterwards."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom import Dataset, uid
from pydicom.encaps import get_frame

from clinhallu_gate.datasets.dicom.attributes import value_of
from clinhallu_gate.datasets.dicom.codestream import Codestream, codestream_of
from clinhallu_gate.datasets.dicom.jpeg import LOSSY_JPEG, lossy_jpeg
from clinhallu_gate.datasets.dicom.layout import Layout, syntax_name
from clinhallu_gate.datasets.dicom.plugins import EXACT, PLUGINS, Array, asked, undecodable
from clinhallu_gate.datasets.dicom.refusal import NotDrawable, reading

_VALID: Final = "uncompressed, deflated, JPEG, JPEG Lossless, JPEG-LS, JPEG 2000, HTJ2K, RLE"
#: A byte that does not repeat takes two at most: itself, and how many follow.
_RLE_LARGEST: Final = 2
_RLE_HEADER: Final = 64
_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Decoded:
    """The stored numbers of a frame."""

    samples: Array
    """(rows, columns), or (rows, columns, 3) for a colour; signed if the header says so; only bits that count."""
    rgb: bool
    """Of a colour: whether it is RGB, else it is YBR_FULL."""


def decode(header: Dataset, layout: Layout, frame: int) -> Decoded:
    """Decode one frame, counted from 0. Raises ``NotDrawable``."""
    if not 0 <= frame < layout.frames:
        raise NotDrawable(f"has no frame {frame + 1}. Valid: 1 to {layout.frames}")
    if layout.syntax not in (*PLUGINS, *LOSSY_JPEG):
        raise NotDrawable(f"has transfer syntax {syntax_name(layout.syntax)}, which cannot be decoded. Valid: {_VALID}")
    if layout.allocated == 1 and layout.syntax in uid.UncompressedTransferSyntaxes:
        return Decoded(_bits(header, layout, frame), rgb=False)
    if layout.syntax in uid.UncompressedTransferSyntaxes:
        samples = asked(header, layout, frame)
        return Decoded(_counting(samples, layout), rgb=layout.photometric == "RGB")
    encoded = _encoded(header, layout, frame)
    if layout.syntax == uid.RLELossless:
        _refuse_swollen(encoded, layout)
        return Decoded(_counting(asked(header, layout, frame), layout), rgb=layout.photometric == "RGB")
    stream = _fitting(encoded, layout)
    if layout.syntax in LOSSY_JPEG:
        samples = lossy_jpeg(encoded, stream, layout)
        if layout.signed:
            # JPEG knows no sign; what the header calls the highest bit is it.
            samples = _counting(samples.astype(f"i{layout.allocated // _BITS}"), layout)
        return Decoded(samples, rgb=True)
    samples = asked(header, layout, frame)
    if layout.syntax in EXACT:
        samples = _counting(samples, layout)
    return Decoded(samples, rgb=layout.photometric in ("RGB", "YBR_ICT", "YBR_RCT") or stream.transformed)


def _bits(header: Dataset, layout: Layout, frame: int) -> Array:
    """Cut a frame of single bits out; it may begin within a byte, where pydicom reads one byte too few."""
    with reading(layout.keyword):
        data = header[layout.keyword].value
    length = layout.rows * layout.columns
    first, skipped = divmod(frame * length, _BITS)
    cut = np.frombuffer(data[first : first + (skipped + length + _BITS - 1) // _BITS], np.uint8)
    bits = np.unpackbits(cut, bitorder="little")[skipped : skipped + length]
    return bits.reshape(layout.rows, layout.columns)


def _encoded(header: Dataset, layout: Layout, frame: int) -> bytes:
    offsets, lengths = value_of(header, "ExtendedOffsetTable"), value_of(header, "ExtendedOffsetTableLengths")
    with reading(layout.keyword):
        data = header[layout.keyword].value
        return get_frame(
            data,
            frame,
            number_of_frames=layout.frames,
            extended_offsets=(offsets, lengths) if offsets and lengths else None,
        )


def _refuse_swollen(encoded: bytes, layout: Layout) -> None:
    """Refuse run lengths that are longer than what they stand for: more would come out than is promised."""
    promised = layout.rows * layout.columns * layout.samples * layout.allocated // 8
    if len(encoded) > _RLE_LARGEST * promised + 2 * _RLE_HEADER:
        raise NotDrawable(f"has {len(encoded)} bytes of RLE for a frame of {promised}")


def _fitting(encoded: bytes, layout: Layout) -> Codestream:
    """Refuse a frame that is larger than its header promises, or of other colours, before it is decoded."""
    stream = codestream_of(encoded)
    if stream is None:
        raise undecodable(layout)
    promised, found = (layout.columns, layout.rows, layout.samples), (stream.columns, stream.rows, stream.samples)
    if found != promised:
        raise NotDrawable(f"has a frame of {_said(found)} where its header promises {_said(promised)}")
    return stream


def _said(size: tuple[int, int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels of {size[2]} samples"


def _counting(stored: Array, layout: Layout) -> Array:
    """Keep the bits that count, and the sign: what stands in the others is no part of the image (PS3.5 8.1.1)."""
    above = layout.allocated - layout.stored - layout.shift
    if layout.floating or layout.allocated == 1 or above == layout.shift == 0:
        return stored
    native = stored.astype(stored.dtype.newbyteorder("="), copy=True)
    native <<= above
    native >>= above + layout.shift
    return native
