"""Lossy JPEG with 12 bits, which pydicom's own plugin for gdcm refuses and gdcm decodes."""

from typing import Any

import gdcm
import numpy as np
import numpy.typing as npt

from clinhallu_gate.datasets.dicom.layout import Layout, syntax_name
from clinhallu_gate.datasets.dicom.refusal import NotDrawable


def deep_jpeg(encoded: bytes, layout: Layout) -> npt.NDArray[Any]:
    """Decode a grey frame of 12 bits. Raises ``NotDrawable`` for colours, and for what gdcm cannot decode."""
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
