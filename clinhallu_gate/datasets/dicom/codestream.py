"""What a compressed frame says of itself: compared with the header before a decoder allocates what it promises.

Sources: ISO/IEC 10918-1 B.2 (JPEG), 14495-1 C.2 (JPEG-LS), 15444-1 A.5 and A.6 (JPEG 2000).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_JPEG_START: Final = b"\xff\xd8"
_J2K_START: Final = b"\xff\x4f\xff\x51"
#: Boxes of a JP2 file before its codestream.
_J2K_BOXES: Final = 4096
_BARE: Final = (0x01, *range(0xD0, 0xD9))
"""JPEG markers without a length."""
_FRAMES: Final = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7)
_APP0, _APP14, _SCAN, _FILL = 0xE0, 0xEE, 0xDA, 0xFF
_COD, _TILE = 0x52, 0x90
_JFIF_LENGTH, _ADOBE_LENGTH = 14, 12


@dataclass(frozen=True, slots=True)
class Codestream:
    """Size and colour of one compressed frame."""

    rows: int
    columns: int
    samples: int
    precision: int
    tells_colour: bool = False
    """JPEG: whether it says if colours are RGB or YBR in a way that libjpeg heeds."""
    named_rgb: bool = False
    """JPEG: whether its components are called r, g and b, which libjpeg does not heed."""
    transformed: bool = False
    """JPEG 2000: whether decoding undoes a colour transform, so that RGB comes out."""


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    body: bytes


def codestream_of(frame: bytes) -> Codestream | None:
    """Return what a frame of JPEG, JPEG-LS or JPEG 2000 says, or None if it is cut off or none of them."""
    try:
        if frame.startswith(_JPEG_START):
            return _jpeg(frame)
        start = frame[:_J2K_BOXES].find(_J2K_START)
        return None if start < 0 else _jpeg_2000(frame, start + 2)
    except (struct.error, IndexError):
        return None


def _segments(frame: bytes, place: int) -> Iterator[_Segment]:
    """Yield markers and what belongs to them; JPEG and JPEG 2000 write both in the same way."""
    while place + 2 <= len(frame) and frame[place] == _FILL:
        marker = frame[place + 1]
        if marker == _FILL:
            place += 1
            continue
        place += 2
        if marker not in _BARE:
            (length,) = struct.unpack_from(">H", frame, place)
            yield _Segment(marker, frame[place + 2 : place + length])
            place += length


def _jpeg(frame: bytes) -> Codestream | None:
    size: tuple[int, int, int, int] | None = None
    told, ids = False, b""
    for segment in _segments(frame, len(_JPEG_START)):
        if segment.marker == _SCAN:
            break
        if segment.marker in _FRAMES:
            size = struct.unpack_from(">BHHB", segment.body)
            ids = segment.body[6::3]
        told = told or _tells(segment)
    if size is None:
        return None
    precision, rows, columns, samples = size
    return Codestream(rows, columns, samples, precision, tells_colour=told or ids == b"RGB", named_rgb=ids == b"rgb")


def _tells(segment: _Segment) -> bool:
    """Whether a marker says how colours are kept; shorter ones are no such markers for libjpeg (jdmarker.c)."""
    body = segment.body
    if segment.marker == _APP0:
        return body.startswith(b"JFIF\0") and len(body) >= _JFIF_LENGTH
    return segment.marker == _APP14 and body.startswith(b"Adobe") and len(body) >= _ADOBE_LENGTH


def _jpeg_2000(frame: bytes, place: int) -> Codestream | None:
    found: Codestream | None = None
    for segment in _segments(frame, place):
        if segment.marker == _TILE:
            break
        if found is None:
            right, bottom, left, top = struct.unpack_from(">4I", segment.body, 2)
            (samples,) = struct.unpack_from(">H", segment.body, 34)
            precision = (segment.body[36] & 0x7F) + 1
            found = Codestream(bottom - top, right - left, samples, precision)
        elif segment.marker == _COD:
            transformed = bool(segment.body[4])
            return Codestream(found.rows, found.columns, found.samples, found.precision, transformed=transformed)
    return found
