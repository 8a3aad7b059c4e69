"""Pixels that are not square: where the header says how far apart they are, the frame is resized until they are."""

from dataclasses import dataclass
from typing import Final

from PIL import Image
from pydicom import Dataset

from clinhallu_gate.datasets.dicom.attributes import frame_place, numbers
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.datasets.pixels import MAX_MEGAPIXELS

#: Reformatted stacks have pixels up to some ten times as long as wide.
MAX_RATIO: Final = 32.0
#: Less is no distortion that anybody sees, and resizing costs sharpness.
_SQUARE: Final = 0.01
_NAMES: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True, slots=True)
class Spacing:
    """How far apart rows and columns are."""

    rows: float
    columns: float
    said: str


def squared(image: Image.Image, spacing: Spacing | None) -> Image.Image:
    """Stretch the axis with the fewer pixels per length. Raises ``NotDrawable`` if that is out of bounds."""
    if spacing is None:
        return image
    ratio = spacing.rows / spacing.columns
    if not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        raise NotDrawable(f"has {spacing.said}. Valid: one at most {MAX_RATIO:g} times the other")
    if abs(ratio - 1) <= _SQUARE:
        return image
    width, height = image.width * max(1.0, 1 / ratio), image.height * max(1.0, ratio)
    size = (round(width), round(height))
    if size[0] * size[1] > MAX_MEGAPIXELS * 1e6:
        raise NotDrawable(
            f"has {spacing.said}: resized {size[0] * size[1] / 1e6:.0f} megapixels. Valid: at most {MAX_MEGAPIXELS}"
        )
    return image.resize(size, Image.Resampling.BICUBIC)


def spacing_of(header: Dataset, frame: int) -> Spacing | None:
    """Return the spacing of a frame, or None if its header gives none that is of use (PS3.3 10.7, C.7.6.3.1.7)."""
    place = frame_place(header, frame, "PixelMeasuresSequence", "PixelSpacing")
    for name in _NAMES:
        pair = _pair(place if name == _NAMES[0] else header, name)
        if pair is not None:
            return Spacing(*pair, said=f"pixel spacing {pair[0]:.4g} x {pair[1]:.4g} mm")
    pair = _pair(header, "PixelAspectRatio")
    return None if pair is None else Spacing(*pair, said=f"pixel aspect ratio {pair[0]:.4g} to {pair[1]:.4g}")


def _pair(place: Dataset, name: str) -> "tuple[float, float] | None":
    """Return two positive numbers, rows first; anything else says nothing."""
    pair = numbers(place, name)
    return (pair[0], pair[1]) if len(pair) == 2 and min(pair) > 0 else None  # noqa: PLR2004 - rows and columns
