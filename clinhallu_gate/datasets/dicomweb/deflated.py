"""Deflated DICOM files: libraries unpack them whole, so how much that gives is looked at before."""

import zlib
from typing import Final

from clinhallu_gate.datasets.entries import MARK

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_GROUP_LENGTH: Final = b"\x02\x00\x00\x00UL\x04\x00"
_HEAD: Final = 4096
"""Bytes of a file, or of a multipart reply, within which its meta header ends."""
_STEP: Final = 2**20


def inflates_beyond(body: memoryview, limit: int) -> bool:
    """Whether ``body`` (a reply that holds a file) is deflated and unpacks to more than ``limit`` bytes."""
    head = bytes(body[:_HEAD])
    start = head.find(MARK + _GROUP_LENGTH)
    if start < 0 or _DEFLATED not in head:
        return False
    length_at = start + len(MARK + _GROUP_LENGTH)
    length = int.from_bytes(head[length_at : length_at + 4], "little")
    return _unpacked(body[length_at + 4 + length :], limit) > limit


def _unpacked(packed: memoryview, limit: int) -> int:
    """Count the bytes up to a little beyond ``limit``; what is no deflated stream ends the count."""
    inflater, count, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, bytes(packed)
    while count <= limit and rest:
        try:
            count += len(inflater.decompress(rest, _STEP))
        except zlib.error:
            break
        rest = b"" if inflater.eof else inflater.unconsumed_tail
    return count
