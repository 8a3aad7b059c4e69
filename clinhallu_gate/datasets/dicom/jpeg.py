"""Lossy JPEG, whose colours pydicom's plugins leave to their callers, and whose 12 bits they refuse."""

import io
from typing import Any, Final

import gdcm
import numpy as np
from PIL import Image
from pydicom import uid

from clinhallu_gate.datasets.dicom.codestream import Codestream
from clinhallu_gate.datasets.dicom.layout import Layout, syntax_name
from clinhallu_gate.datasets.dicom.plugins import Array, undecodable
from clinhallu_gate.datasets.dicom.refusal import NotDrawable

LOSSY_JPEG: Final = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
_BITS: Final = 8


def lossy_jpeg(encoded: bytes, stream: Codestream, layout: Layout) -> Array:
    """Decode a frame, colours as RGB. Raises ``NotDrawable`` for colours of 12 bits, and what cannot be decoded."""
    return _deep(encoded, layout) if stream.precision > _BITS else _shallow(encoded, stream, layout)


def _shallow(encoded: bytes, stream: Codestream, layout: Layout) -> Array:
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
        raise undecodable(layout) from None


def _deep(encoded: bytes, layout: Layout) -> Array:
    """Decode a grey frame of 12 bits with gdcm; pydicom's own plugin for it refuses them."""
    refused = NotDrawable(
        f"has pixel data that cannot be decoded as {syntax_name(layout.syntax)} with more than 8 bits"
    )
    if layout.samples != 1 or layout.allocated != 16:  # noqa: PLR2004 - bits
        raise refused
    image = _image(encoded, layout)
    # gdcm hands bytes over as a text with what is no UTF-8 escaped, or nothing.
    data = (image.GetBuffer() or "").encode("utf-8", "surrogateescape")
    if len(data) != 2 * layout.rows * layout.columns:
        raise refused
    return np.frombuffer(data, "<u2").reshape(layout.rows, layout.columns)


def _image(encoded: bytes, layout: Layout) -> Any:  # noqa: ANN401 - gdcm has no types
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(layout.syntax))))
    stored = layout.stored
    image.SetPixelFormat(gdcm.PixelFormat(layout.samples, layout.allocated, stored, stored - 1, 0))
    return image
