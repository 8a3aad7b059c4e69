"""One frame decoded: which plugin decodes which transfer syntax, and what the stored numbers are."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset, uid
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder

from clinhallu_gate.datasets.dicom.attributes import value_of
from clinhallu_gate.datasets.dicom.codestream import Codestream, codestream_of
from clinhallu_gate.datasets.dicom.deep_jpeg import deep_jpeg
from clinhallu_gate.datasets.dicom.layout import Layout, syntax_name
from clinhallu_gate.datasets.dicom.refusal import NotDrawable, reading

Array = npt.NDArray[Any]

_JPEG_LS: Final = ("pyjpegls", "gdcm")
_JPEG_2000: Final = ("pylibjpeg",)
"""pylibjpeg-openjpeg; pylibjpeg-libjpeg decodes none of these. For other syntaxes pylibjpeg is never asked, as what it
would ask is pylibjpeg-libjpeg, whose licence (GPL) binds whoever runs it as a part of something else."""

#: Which of pydicom's plugins are asked, one after the other, whatever else is installed.
PLUGINS: Final[Mapping[uid.UID, tuple[str, ...]]] = {
    **dict.fromkeys(uid.UncompressedTransferSyntaxes, ("",)),
    uid.JPEGBaseline8Bit: ("pillow",),
    uid.JPEGExtended12Bit: ("pillow",),
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLosslessSV1: ("gdcm",),
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.HTJ2KLossless: _JPEG_2000,
    uid.HTJ2KLosslessRPCL: _JPEG_2000,
    uid.HTJ2K: _JPEG_2000,
    uid.RLELossless: ("pydicom",),
}
_VALID: Final = "uncompressed, deflated, JPEG, JPEG Lossless, JPEG-LS, JPEG 2000, HTJ2K, RLE"
_JPEG_LOSSY: Final = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
#: Here alone bits that do not count may hold something else, such as an overlay.
_EXACT: Final = (*uid.UncompressedTransferSyntaxes, uid.RLELossless, uid.JPEGLossless, uid.JPEGLosslessSV1)
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
    if layout.syntax not in PLUGINS:
        raise NotDrawable(f"has transfer syntax {syntax_name(layout.syntax)}, which cannot be decoded. Valid: {_VALID}")
    if layout.allocated == 1 and layout.syntax in uid.UncompressedTransferSyntaxes:
        return Decoded(_bits(header, layout, frame), rgb=False)
    if layout.syntax in uid.UncompressedTransferSyntaxes:
        samples = _asked(header, layout, frame)
        return Decoded(_counting(samples, layout), rgb=layout.photometric == "RGB")
    encoded = _encoded(header, layout, frame)
    if layout.syntax == uid.RLELossless:
        _refuse_swollen(encoded, layout)
        return Decoded(_counting(_asked(header, layout, frame), layout), rgb=layout.photometric == "RGB")
    stream = _fitting(encoded, layout)
    if layout.syntax in _JPEG_LOSSY:
        deep = stream.precision > _BITS
        return Decoded(deep_jpeg(encoded, layout) if deep else _jpeg(encoded, stream, layout), rgb=True)
    samples = _asked(header, layout, frame)
    if layout.syntax in _EXACT:
        samples = _counting(samples, layout)
    return Decoded(samples, rgb=layout.photometric in ("RGB", "YBR_ICT", "YBR_RCT") or stream.transformed)


def _asked(header: Dataset, layout: Layout, frame: int) -> Array:
    for plugin in PLUGINS[layout.syntax]:
        options: dict[str, Any] = {"planar_configuration": layout.planar}
        if layout.syntax in _EXACT:
            options["correct_unused_bits"] = False
        try:
            decoder = get_decoder(layout.syntax)
            samples: Array = decoder.as_array(header, index=frame, raw=True, decoding_plugin=plugin, **options)[0]
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S112 - every plugin has errors of its own, and there may be another to ask
            continue
        return samples
    raise _undecodable(layout)


def _bits(header: Dataset, layout: Layout, frame: int) -> Array:
    """Cut a frame of single bits out; it may begin within a byte, where pydicom reads one byte too few."""
    with reading(layout.keyword):
        data = header[layout.keyword].value
    length = layout.rows * layout.columns
    first, skipped = divmod(frame * length, _BITS)
    cut = np.frombuffer(data[first : first + (skipped + length + _BITS - 1) // _BITS], np.uint8)
    bits = np.unpackbits(cut, bitorder="little")[skipped : skipped + length]
    return bits.reshape(layout.rows, layout.columns)


def _undecodable(layout: Layout) -> NotDrawable:
    return NotDrawable(f"has pixel data that cannot be decoded as {syntax_name(layout.syntax)}")


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
        raise _undecodable(layout)
    promised, found = (layout.columns, layout.rows, layout.samples), (stream.columns, stream.rows, stream.samples)
    if found != promised:
        raise NotDrawable(f"has a frame of {_said(found)} where its header promises {_said(promised)}")
    return stream


def _said(size: tuple[int, int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels of {size[2]} samples"


def _jpeg(encoded: bytes, stream: Codestream, layout: Layout) -> Array:
    """Decode with libjpeg (in Pillow), colours as RGB: what the frame says of them counts more than the header."""
    try:
        with Image.open(io.BytesIO(encoded), formats=("JPEG",)) as image:
            unsaid = not stream.tells_colour and (layout.photometric == "RGB" or stream.named_rgb)
            if stream.samples > 1 and unsaid:
                # libjpeg would take it for YBR; asked for YBR it gives what is there.
                image.draft("YCbCr", image.size)
                return np.array(image)
            return np.array(image if stream.samples == 1 else image.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        raise _undecodable(layout) from None


def _counting(stored: Array, layout: Layout) -> Array:
    """Keep the bits that count, and the sign: what stands in the others is no part of the image (PS3.5 8.1.1)."""
    above = layout.allocated - layout.stored - layout.shift
    if layout.floating or layout.allocated == 1 or above == layout.shift == 0:
        return stored
    native = stored.astype(stored.dtype.newbyteorder("="), copy=True)
    native <<= above
    native >>= above + layout.shift
    return native
