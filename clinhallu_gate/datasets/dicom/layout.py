"""What a header promises of its pixels, and whether they may be decoded at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    UncompressedTransferSyntaxes,
)

from clinhallu_gate.datasets.dicom.attributes import code, whole
from clinhallu_gate.datasets.dicom.refusal import NotDrawable, reading
from clinhallu_gate.datasets.pixels import MAX_MEGAPIXELS

#: More are no film of a patient; a whole slide has as many tiles, which are no images of their own.
MAX_FRAMES: Final = 2**16
_SIDE: Final = 2**16 - 1
PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY: Final = ("MONOCHROME1", "MONOCHROME2")
_ONE: Final = (*_GREY, "PALETTE COLOR")
_THREE: Final = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "YBR_PARTIAL_422")
_ONLY_IN: Final = {
    ("YBR_PARTIAL_420", "YBR_PARTIAL_422"): (JPEGBaseline8Bit, JPEGExtended12Bit),
    ("YBR_ICT", "YBR_RCT"): JPEG2000TransferSyntaxes,
}
"""Colour spaces that a codec undoes itself, and nobody else here."""
_RETIRED: Final = ("HSV", "ARGB", "CMYK")
_WIDTHS: Final = {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
#: Of an element that ends with a mark: how compressed pixels are kept.
UNDEFINED_LENGTH: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Layout:
    """The pixels of a frame, as the header says that they are stored."""

    syntax: UID
    keyword: str
    """The attribute that holds the pixels: of whole numbers, or of floating point numbers."""
    rows: int
    columns: int
    samples: int
    """1, or 3 of a colour."""
    allocated: int
    """Bits per sample in the file."""
    stored: int
    """Bits of them that count."""
    shift: int
    """Bits below those that count."""
    signed: bool
    planar: int
    """Of three samples: 0 if they stand together, 1 if colours stand apart."""
    photometric: str
    frames: int

    @property
    def grey(self) -> bool:
        """Whether brightness is all that a pixel has."""
        return self.photometric in _GREY

    @property
    def floating(self) -> bool:
        """Whether pixels are floating point numbers."""
        return self.keyword != "PixelData"


def frame_count(header: Dataset) -> int:
    """Return how many frames an image has, 1 if its header does not say. Raises ``NotDrawable`` if it has too many."""
    return whole(header, "NumberOfFrames", 1, MAX_FRAMES, default=1)


def layout_of(header: Dataset) -> Layout:
    """Read what the header promises. Raises ``NotDrawable`` if it is too much, or does not fit together."""
    keyword = _keyword(header)
    rows, columns = whole(header, "Rows", 1, _SIDE), whole(header, "Columns", 1, _SIDE)
    megapixels = rows * columns / 1e6
    if megapixels > MAX_MEGAPIXELS:
        size = f"{columns} x {rows} pixels"
        raise NotDrawable(f"has {size}, {megapixels:.0f} megapixels. Valid: at most {MAX_MEGAPIXELS}")
    syntax = syntax_of(header)
    samples, photometric = _colour(header, syntax)
    allocated = whole(header, "BitsAllocated", 1, 64)
    if allocated not in _WIDTHS[keyword]:
        valid = ", ".join(map(str, _WIDTHS[keyword]))
        raise NotDrawable(f"has BitsAllocated {allocated}. Valid: {valid}")
    floating = keyword != "PixelData"
    stored = allocated if floating else whole(header, "BitsStored", 1, allocated)
    high = stored - 1 if floating else whole(header, "HighBit", stored - 1, allocated - 1, default=stored - 1)
    layout = Layout(
        syntax=syntax,
        keyword=keyword,
        rows=rows,
        columns=columns,
        samples=samples,
        allocated=allocated,
        stored=stored,
        shift=high + 1 - stored,
        signed=floating or whole(header, "PixelRepresentation", 0, 1) == 1,
        planar=whole(header, "PlanarConfiguration", 0, 1, default=0) if samples > 1 else 0,
        photometric=photometric,
        frames=frame_count(header),
    )
    _refuse_short(layout, header)
    return layout


def syntax_of(header: Dataset) -> UID:
    """Return the transfer syntax of a header that was read. Raises ``NotDrawable`` if the file does not say it."""
    with reading("TransferSyntaxUID"):
        syntax = header.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise NotDrawable("does not say its transfer syntax")
    return UID(syntax)


def syntax_name(syntax: UID) -> str:
    """Return what a transfer syntax is called, without repeating an unknown one."""
    return syntax.name if syntax.name != syntax else "(unknown)"


def _keyword(header: Dataset) -> str:
    present = [keyword for keyword in PIXELS if keyword in header]
    if not present:
        raise NotDrawable("has no pixel data")
    if len(present) > 1:
        raise NotDrawable(f"has {' and '.join(present)}. Valid: one of them")
    return present[0]


def _colour(header: Dataset, syntax: UID) -> tuple[int, str]:
    samples, photometric = whole(header, "SamplesPerPixel", 1, 4), code(header, "PhotometricInterpretation")
    if photometric not in (*_ONE, *_THREE):
        shown = photometric if photometric in _RETIRED else "none or an unknown one"
        raise NotDrawable(f"has PhotometricInterpretation {shown}. Valid: {', '.join((*_ONE, *_THREE))}")
    wanted = 1 if photometric in _ONE else 3
    if samples != wanted:
        raise NotDrawable(f"has {samples} samples per pixel where {photometric} has {wanted}")
    for names, syntaxes in _ONLY_IN.items():
        if photometric in names and syntax not in syntaxes:
            raise NotDrawable(f"has PhotometricInterpretation {photometric} in {syntax_name(syntax)}")
    return samples, photometric


def _refuse_short(layout: Layout, header: Dataset) -> None:
    """Compare what the header promises with what there is, before anything is loaded."""
    element = header.get_item(layout.keyword)
    length = element.length if isinstance(element, RawDataElement) else len(element.value or b"")
    if isinstance(element, RawDataElement) and _is_cut_off(header, element):
        raise NotDrawable("is cut off: it ends within its pixel data")
    if layout.syntax not in UncompressedTransferSyntaxes:
        return
    if length == UNDEFINED_LENGTH:
        raise NotDrawable("has compressed pixel data where its transfer syntax says otherwise")
    bits = layout.rows * layout.columns * layout.samples * layout.allocated * layout.frames
    if layout.photometric == "YBR_FULL_422":
        bits = bits // 3 * 2
    if length < -(-bits // 8):
        raise NotDrawable(f"has {length} bytes of pixels where its header promises {-(-bits // 8)}")


def _is_cut_off(header: Dataset, element: RawDataElement) -> bool:
    """Whether an element says that it is longer than its file, or than what was read of it."""
    if element.length == UNDEFINED_LENGTH:
        return False
    if element.value is not None:
        return len(element.value) < element.length
    return element.value_tell + element.length > Path(header.filename).stat().st_size
