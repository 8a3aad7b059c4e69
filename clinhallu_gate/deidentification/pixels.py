"""The pixels of a copy: no more of them than the header promises, and in compressed ones nothing but the image."""

from collections.abc import Collection, Iterator
from typing import Final

from pydicom import Dataset as Elements
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames

from clinhallu_gate.datasets.dicom.attributes import code, whole
from clinhallu_gate.datasets.dicom.layout import MAX_FRAMES, PIXELS, frame_count, syntax_name, syntax_of
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.deidentification.compressed import CLEANERS

GROUP: Final = 0x7FE0
_BITS: Final = 8
_MOST: Final = 2**32
_SIDE: Final = 2**16 - 1
_LETTERS: Final = 6
_DIFFERENT: Final = 4
_WIDTHS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


def clean_pixels(elements: Elements) -> None:
    """Take what is no image out of an object's pixels: what comes after them, and what lies between compressed ones.

    Raises:
        NotDrawable: What is compressed in a way that nobody here knows, or does not end as it should.
    """
    swapped = syntax_of(elements) == uid.ExplicitVRBigEndian
    compressed = syntax_of(elements) not in uid.UncompressedTransferSyntaxes
    for tag in [tag for tag in elements.keys() if tag.group == GROUP]:  # noqa: SIM118 - no mapping
        element = elements[tag]
        if element.keyword not in PIXELS:
            del elements[tag]  # where frames begin is told anew, and other elements of the group are retired
        elif compressed and element.keyword == "PixelData":
            element.value = _encapsulated(list(_frames(elements, bytes(element.value))))
        else:
            size = -(-_bits(elements, element.keyword) // _BITS)
            # Words of swapped bytes end with their last byte but one.
            kept = bytes(element.value)[: size + size % 2 if swapped else size]
            element.value = kept + b"\0" * (len(kept) % 2)


def _bits(elements: Elements, keyword: str) -> int:
    """Return how many bits of pixels the header promises."""
    samples = whole(elements, "SamplesPerPixel", 1, _SIDE, default=1)
    allocated = _WIDTHS.get(keyword) or whole(elements, "BitsAllocated", 1, 64)
    bits = _area(elements) * samples * allocated * frame_count(elements)
    return bits // 3 * 2 if code(elements, "PhotometricInterpretation") == "YBR_FULL_422" else bits


def _area(elements: Elements) -> int:
    return whole(elements, "Rows", 1, _SIDE) * whole(elements, "Columns", 1, _SIDE)


def _frames(elements: Elements, data: bytes) -> Iterator[bytes]:
    syntax = syntax_of(elements)
    if syntax not in CLEANERS:
        raise NotDrawable(f"has pixels in {syntax_name(syntax)}, in which text may lie that is not looked for")
    count = whole(elements, "NumberOfFrames", 1, MAX_FRAMES, default=1)
    for frame in generate_frames(data, number_of_frames=count):
        yield CLEANERS[syntax](frame, _area(elements))


def _encapsulated(frames: list[bytes]) -> bytes:
    return encapsulate(frames, has_bot=sum(map(len, frames)) + 9 * len(frames) < _MOST)


def in_pixels(elements: Elements, values: Collection[bytes]) -> bool:
    """Whether any of ``values``, in lower case, stands in the pixels; short or uniform ones stand in any image."""
    told = [value for value in values if len(value) >= _LETTERS and len(set(value)) >= _DIFFERENT]
    data = [bytes(elements[keyword].value or b"").lower() for keyword in PIXELS if keyword in elements]
    return any(value in each for each in data for value in told)
