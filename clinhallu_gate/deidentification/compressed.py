"""Compressed frames without what a decoder does not need, where text may lie: comments, application data, ends.

Sources: ISO/IEC 10918-1 B.1 (JPEG), 14495-1 C.1 (JPEG-LS), 15444-1 A.2 to A.9, 15444-2 A.2 (JPEG 2000), PS3.5 G (RLE).
"""

import struct
from typing import Final, NoReturn

from pydicom import uid

from clinhallu_gate.datasets.dicom.refusal import NotDrawable

_START, _END, _FILL, _SCAN = 0xD8, 0xD9, 0xFF, 0xDA
_RESTARTS: Final = range(0xD0, 0xD8)
_NEEDED: Final = (*range(0xC0, 0xD0), *range(0xDA, 0xE0), 0xF7, 0xF8)
"""JPEG and JPEG-LS markers of tables, frames and scans."""
_COLOURS: Final = {0xE0: (b"JFIF\0", 14), 0xE8: (b"mrfx", 5), 0xEE: (b"Adobe", 12)}
"""Application data that say how colours are kept: how they begin, and how much of them that is."""
_JFIF: Final = 0xE0
_J2K_START: Final = b"\xff\x4f\xff\x51"
_TILE, _DATA, _TILE_LENGTH = 0x90, 0x93, 12
_J2K_NEEDED: Final = (*range(0x50, 0x54), *range(0x55, 0x5A), *range(0x5C, 0x62), 0x63, *range(0x70, 0x7A))
"""Markers of parts 1, 2 and 15 but comments (0x64) and unknown ones."""
_HTJ2K: Final = (uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL)
_RLE_HEADER: Final = 64
_RLE_MOST: Final = 15
_NO_RUN: Final = 0x80


def _malformed() -> NoReturn:
    raise NotDrawable("has compressed pixels that do not end as they should, so that anything may lie in them")


def jpeg(frame: bytes, _: int) -> bytes:
    """Return a frame of JPEG or JPEG-LS up to its end, without comments and application data but those of colours."""
    if frame[:2] != bytes((_FILL, _START)):
        _malformed()
    kept, place = [frame[:2]], 2
    while True:
        while frame[place : place + 2] == b"\xff\xff":
            place += 1
        if len(frame) < place + 2 or frame[place] != _FILL:
            _malformed()
        marker = frame[place + 1]
        if marker == _END:
            return b"".join((*kept, frame[place : place + 2]))
        (length,) = struct.unpack_from(">H", frame, place + 2)
        body = frame[place + 4 : place + 2 + length]
        place += 2 + length
        if marker in _NEEDED:
            kept.append(_segment(marker, body))
        elif marker in _COLOURS and body.startswith(_COLOURS[marker][0]) and len(body) >= _COLOURS[marker][1]:
            told = body[: _COLOURS[marker][1]]
            kept.append(_segment(marker, told[:-2] + b"\0\0" if marker == _JFIF else told))  # without its thumbnail
        if marker == _SCAN:
            end = _end_of_scan(frame, place)
            kept.append(frame[place:end])
            place = end


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", _FILL, marker, len(body) + 2) + body


def _end_of_scan(frame: bytes, place: int) -> int:
    """Return where the next marker is: none is a byte below 0x80 after 0xFF (JPEG stuffs 0, JPEG-LS a bit)."""
    while (place := frame.find(b"\xff", place)) >= 0 and place + 1 < len(frame):
        following = frame[place + 1]
        if following >= 0x80 and following not in _RESTARTS and following != _FILL:  # noqa: PLR2004 - see above
            return place
        place += 1 if following == _FILL else 2
    _malformed()


def jpeg_2000(frame: bytes, _: int) -> bytes:
    """Return a codestream up to its end, comments blank: lengths that others count on stay as they are."""
    if not frame.startswith(_J2K_START):
        raise NotDrawable("has JPEG 2000 in a file of its own (JP2), which may hold text. Valid: its codestream alone")
    data, place = bytearray(frame), 2
    while place < len(data) and data[place : place + 2] != b"\xff\xd9":
        if data[place] != _FILL:
            if any(data[place:]):
                _malformed()
            break  # padding alone: the mark of the end is not there
        if data[place + 1] != _TILE:
            place = _blanked(data, place)
            continue
        (length,) = struct.unpack_from(">I", data, place + 6)
        end = place + length if length else data.rfind(b"\xff\xd9")
        place += _TILE_LENGTH
        while data[place : place + 2] != bytes((_FILL, _DATA)):
            place = _blanked(data, place)
        if not place < end <= len(data):
            _malformed()
        place = end
    return bytes(data[: place + 2])


def _blanked(data: bytearray, place: int) -> int:
    """Blank a segment that no decoder needs; return where the next one begins."""
    marker, (length,) = data[place + 1], struct.unpack_from(">H", data, place + 2)
    if data[place] != _FILL or place + 2 + length > len(data) or length < 2:  # noqa: PLR2004 - its own bytes
        _malformed()
    if marker not in _J2K_NEEDED:
        data[place + 4 : place + 2 + length] = bytes(length - 2)
    return place + 2 + int(length)


def rle(frame: bytes, size: int) -> bytes:
    """Return a frame of run lengths, each of its segments up to where ``size`` bytes are told, and nothing between."""
    number, *starts = struct.unpack_from("<16I", frame)
    if not 1 <= number <= _RLE_MOST:
        _malformed()
    segments = [_runs(frame, start, size) for start in starts[:number]]
    offsets, place = [], _RLE_HEADER
    for segment in segments:
        offsets.append(place)
        place += len(segment)
    return struct.pack("<16I", number, *offsets, *[0] * (_RLE_MOST - number)) + b"".join(segments)


def _runs(frame: bytes, place: int, size: int) -> bytes:
    """Return one segment: as many runs as make ``size`` bytes, the last one no longer than that (PS3.5 G.3.1)."""
    kept, told = bytearray(), 0
    while told < size:
        head = frame[place] if place < len(frame) else _malformed()
        literal, repeated = head < _NO_RUN, head > _NO_RUN
        length = min(head + 1 if literal else 257 - head if repeated else 0, size - told)
        wanted = length if literal else int(repeated)
        held = frame[place + 1 : place + 1 + wanted]
        if len(held) < wanted:
            _malformed()
        if length:
            kept += bytes((length - 1 if literal or length == 1 else 257 - length,)) + held
        place += 1 + (head + 1 if literal else 1 if repeated else 0)
        told += length
    return bytes(kept) + b"\0" * (len(kept) % 2)


CLEANERS: Final = {
    **dict.fromkeys((*uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes), jpeg),
    **dict.fromkeys((*uid.JPEG2000TransferSyntaxes, *_HTJ2K), jpeg_2000),
    uid.RLELossless: rle,
}
"""What makes a frame clean, by transfer syntax; given the frame, and how many bytes a segment of run lengths tells."""
