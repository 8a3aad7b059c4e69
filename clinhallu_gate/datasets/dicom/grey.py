"""Grey frames: stored numbers through modality, window and inversion to 8 bits."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from clinhallu_gate.datasets.dicom.attributes import code, value_of
from clinhallu_gate.datasets.dicom.layout import Layout
from clinhallu_gate.datasets.dicom.levels import levels_of
from clinhallu_gate.datasets.dicom.modality import Modality, modality_of
from clinhallu_gate.datasets.dicom.plugins import Array
from clinhallu_gate.datasets.dicom.refusal import NotDrawable, reading
from clinhallu_gate.datasets.dicom.windows import WHITE, chosen_window

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
_SHALLOW: Final = 8


@dataclass(frozen=True, slots=True)
class Shades:
    """Pixels of 8 bits, which window made them, and what else was done."""

    pixels: Bytes
    window: str
    steps: tuple[str, ...]


def shades(header: Dataset, layout: Layout, stored: Array, frame: int, asked: str | None) -> Shades:
    """Draw a grey frame. Raises ``NotDrawable`` if its header cannot be followed.

    Everything is worked out once per number that occurs, in 64-bit floating point, and rounded once.
    """
    levels = levels_of(stored)
    numbers = levels.occurring.astype(np.float64)
    modality = modality_of(header, layout, frame)
    with np.errstate(over="ignore", invalid="ignore"):
        below_zero = modality.below_zero(layout)
        chosen = chosen_window(header, frame, asked, rescaled=modality.given, below_zero=below_zero)
        values = modality.of(numbers)
        real = np.isfinite(numbers)
        if not np.isfinite(values[real]).all():
            raise NotDrawable("has a RescaleSlope or RescaleIntercept beyond all bounds")
        if chosen is not None:
            bright, window = chosen.window.of(values), chosen.said
        elif _as_stored(layout, modality):
            ends = modality.of(np.array([0.0, 2.0**layout.stored - 1]))
            bright, window = _spread(values, ends.min(), ends.max()), f"values as stored ({layout.stored} bit)"
        else:
            bright, window = _from_least_to_most(values, real, _padding(header, layout, numbers))
    bright = np.where(np.isnan(bright), 0.0, bright)
    shown = np.floor(np.clip(bright, 0.0, WHITE) + 0.5).astype(np.uint8)
    inversion = _inversion(header, layout)
    steps = [step for step in (modality.step, inversion) if step]
    if chosen is not None and len(shown) > 1 and shown.min() == shown.max():
        steps.append("one brightness in this window")
    return Shades(pixels=levels.painted(255 - shown if inversion else shown), window=window, steps=tuple(steps))


def _as_stored(layout: Layout, modality: Modality) -> bool:
    return layout.stored <= _SHALLOW and not layout.signed and modality.table is None


def _from_least_to_most(
    values: Floats, real: npt.NDArray[np.bool_], padding: npt.NDArray[np.bool_]
) -> "tuple[Floats, str]":
    said = "none: smallest to largest value"
    counted = values[real & ~padding]
    if len(np.unique(counted)) <= 1:
        counted = values[real]
    elif padding.any():
        said = f"{said} but padding"
    if not len(counted):
        raise NotDrawable("has no pixel that is a number")
    return _spread(values, counted.min(), counted.max()), said


def _spread(values: Floats, low: float, high: float) -> Floats:
    """Spread linearly; halved, as the difference of two floats may be more than a float holds."""
    span = high / 2 - low / 2
    if span == 0:
        return np.zeros_like(values)
    return np.clip((values / 2 - low / 2) / span, 0.0, 1.0) * WHITE


def _padding(header: Dataset, layout: Layout, numbers: Floats) -> npt.NDArray[np.bool_]:
    """Return which stored numbers only fill the frame up (PS3.3 C.7.5.1.1.2)."""
    first = _stored_number(header, "PixelPaddingValue", layout)
    last = _stored_number(header, "PixelPaddingRangeLimit", layout)
    if first is None or layout.floating:
        return np.zeros(numbers.shape, dtype=np.bool_)
    last = first if last is None else last
    return (numbers >= min(first, last)) & (numbers <= max(first, last))


def _stored_number(header: Dataset, keyword: str, layout: Layout) -> int | None:
    value: Any = value_of(header, keyword)
    if value is None:
        return None
    with reading(keyword):
        number: int = int(value)
    # Written as unsigned where pixels are signed, and the other way round.
    if layout.signed and number >= 2 ** (layout.allocated - 1):
        return number - (1 << layout.allocated)
    return number + (1 << layout.allocated) if number < 0 and not layout.signed else number


def _inversion(header: Dataset, layout: Layout) -> str | None:
    """Say why low values are bright. Both reasons at once are one: INVERSE is how MONOCHROME1 is shown (C.8.11.3)."""
    if layout.photometric == "MONOCHROME1":
        return "inverted: MONOCHROME1"
    return "inverted: PresentationLUTShape INVERSE" if code(header, "PresentationLUTShape") == "INVERSE" else None
