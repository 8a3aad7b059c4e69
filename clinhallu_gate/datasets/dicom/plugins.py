"""Which plugin of pydicom decodes which transfer syntax."""

from collections.abc import Mapping
from typing import Any, Final

import numpy.typing as npt
from pydicom import Dataset, uid
from pydicom.pixels.decoders.base import get_decoder

from clinhallu_gate.datasets.dicom.layout import Layout, syntax_name
from clinhallu_gate.datasets.dicom.refusal import NotDrawable

Array = npt.NDArray[Any]

_JPEG_LS: Final = ("pyjpegls", "gdcm")
_JPEG_2000: Final = ("pylibjpeg",)
"""pylibjpeg-openjpeg; pylibjpeg-libjpeg decodes none of these. For other syntaxes pylibjpeg is never asked, as what it
would ask is pylibjpeg-libjpeg, whose licence (GPL) binds whoever runs it as a part of something else."""

#: Which of pydicom's plugins are asked, one after the other, whatever else is installed.
PLUGINS: Final[Mapping[uid.UID, tuple[str, ...]]] = {
    **dict.fromkeys(uid.UncompressedTransferSyntaxes, ("",)),
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
#: Here alone bits that do not count may hold something else, such as an overlay.
EXACT: Final = (*uid.UncompressedTransferSyntaxes, uid.RLELossless, uid.JPEGLossless, uid.JPEGLosslessSV1)


def asked(header: Dataset, layout: Layout, frame: int) -> Array:
    """Decode one frame with the plugins of its transfer syntax. Raises ``NotDrawable`` if none of them can."""
    for plugin in PLUGINS[layout.syntax]:
        options: dict[str, Any] = {"planar_configuration": layout.planar}
        if layout.syntax in EXACT:
            options["correct_unused_bits"] = False
        try:
            decoder = get_decoder(layout.syntax)
            samples: Array = decoder.as_array(header, index=frame, raw=True, decoding_plugin=plugin, **options)[0]
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S112 - every plugin has errors of its own, and there may be another to ask
            continue
        return samples
    raise undecodable(layout)


def undecodable(layout: Layout) -> NotDrawable:
    """Return the error for a frame that its decoders refuse, whatever they say of it."""
    return NotDrawable(f"has pixel data that cannot be decoded as {syntax_name(layout.syntax)}")
