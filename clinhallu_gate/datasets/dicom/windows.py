"""Which window is used, and what it makes of a frame's values: 0 to 255 (PS3.3 C.11.2)."""

import math
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from clinhallu_gate.datasets.dicom.attributes import code, frame_place, items, numbers
from clinhallu_gate.datasets.dicom.lookup import Lookup, lookup_of
from clinhallu_gate.datasets.dicom.presets import presets
from clinhallu_gate.datasets.dicom.refusal import NotDrawable

Floats = npt.NDArray[np.float64]
WHITE: Final = 255.0
FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_NUMBER: Final = r"[+-]?\d+(?:\.\d+)?"
_PAIR: Final = re.compile(rf"({_NUMBER})\s*/\s*({_NUMBER})")
#: Beyond it exp() is 0 or more than any float holds.
_FLAT: Final = 700.0


@dataclass(frozen=True, slots=True)
class Window:
    """Center and width, in the units of the values, and the function between its ends."""

    center: float
    width: float
    function: str = "LINEAR"

    def of(self, values: Floats) -> Floats:
        """Return brightness from 0 to 255, not rounded."""
        if self.function == "SIGMOID":
            bent: Floats = WHITE / (1 + np.exp(np.clip(-4 * (values - self.center) / self.width, -_FLAT, _FLAT)))
            return bent
        center, width = self.center, self.width
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        if width == 0:
            return np.where(values > center, WHITE, 0.0)
        linear: Floats = np.clip(((values - center) / width + 0.5) * WHITE, 0.0, WHITE)
        return linear

    @property
    def said(self) -> str:
        """Return the window as it is recorded."""
        shown = f"{self.center:.10g}/{self.width:.10g}"
        return shown if self.function == "LINEAR" else f"{shown} {self.function}"


@dataclass(frozen=True, slots=True)
class Table:
    """A VOI lookup table, spread over 0 to 255."""

    lookup: Lookup

    def of(self, values: Floats) -> Floats:
        """Return brightness from 0 to 255, not rounded."""
        spread: Floats = np.clip(self.lookup.of(values) * (WHITE / (2**self.lookup.bits - 1)), 0.0, WHITE)
        return spread

    @property
    def said(self) -> str:
        """Return the window as it is recorded."""
        return "lookup table"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The window of a frame, and how it is recorded."""

    window: Window | Table
    said: str


def chosen_window(header: Dataset, frame: int, asked: str | None, *, rescaled: bool, below_zero: bool) -> Chosen | None:
    """Return the window that a row asks for, else the header's first, or None if there is none.

    Args:
        header: The image's.
        frame: Counted from 0.
        asked: "center/width", the number of one of the header's windows from 1, a preset's name, or None.
        rescaled: Whether the header says how stored numbers become those of the modality, which presets need.
        below_zero: Whether the modality's numbers can be negative, which a VOI lookup table has to know.
    """
    text = (asked or "").strip()
    if not text:
        return _of_header(header, frame, 1, needed=False, below_zero=below_zero)
    if text.isdecimal() and text.isascii():
        return _of_header(header, frame, int(text[:9]), needed=True, below_zero=below_zero)
    pair = _PAIR.fullmatch(text)
    if pair:
        window = _checked(Window(float(pair[1]), float(pair[2])), "is asked for a window")
        return Chosen(window, f"window {window.said}")
    if "/" in text:
        raise NotDrawable("is asked for a window that is no two decimal numbers. Valid: center/width, as in -600/1500")
    return _preset(header, text, rescaled=rescaled)


def _of_header(header: Dataset, frame: int, number: int, *, needed: bool, below_zero: bool) -> Chosen | None:
    tables = items(header, "VOILUTSequence")
    place = frame_place(header, frame, "FrameVOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTSequence")
    tables = tables if place is header else items(place, "VOILUTSequence")
    centers, widths = numbers(place, "WindowCenter"), numbers(place, "WindowWidth")
    count = len(tables) + max(len(centers), len(widths))
    if not 1 <= number <= count:
        if not needed:
            return None
        raise NotDrawable(f"has no VOI window {number}. Valid: {f'1 to {count}' if count else 'none, it has none'}")
    window: Window | Table
    if number <= len(tables):
        window = Table(lookup_of(tables[number - 1], header, "VOILUTSequence", below_zero=below_zero))
    else:
        center, width = list(zip_longest(centers, widths))[number - 1 - len(tables)]
        if center is None or width is None:
            raise NotDrawable(f"has {len(centers)} WindowCenter and {len(widths)} WindowWidth. Valid: as many")
        window = _checked(Window(center, width, _function(place)), f"has a VOI window {number}")
    return Chosen(window, f"VOI {number} of {count}: {window.said}")


def _function(place: Dataset) -> str:
    function = code(place, "VOILUTFunction") or FUNCTIONS[0]
    if function not in FUNCTIONS:
        raise NotDrawable(f"has an unknown VOILUTFunction. Valid: {', '.join(FUNCTIONS)}")
    return function


def _checked(window: Window, what: str) -> Window:
    least = 1.0 if window.function == "LINEAR" else 0.0
    if not math.isfinite(window.center) or not least <= window.width < math.inf or window.width == 0:
        valid = "at least 1" if least else "above 0"
        raise NotDrawable(f"{what} of width {window.width:g}. Valid: {valid}; a row's window may name another")
    return window


def _preset(header: Dataset, name: str, *, rescaled: bool) -> Chosen:
    modality, known = code(header, "Modality"), presets()
    windows = known.get(modality, {})
    preset = windows.get(name.casefold())
    if preset is None:
        valid = f"of {modality}: {', '.join(windows)}" if windows else f"no name, as it is not {' or '.join(known)}"
        raise NotDrawable(f"has no window of the name asked for. Valid: {valid}; center/width; number of a VOI window")
    if not rescaled:
        raise NotDrawable(f"does not say how its numbers become HU, which window {name.casefold()} needs")
    return Chosen(Window(preset.center, preset.width), f"preset {name.casefold()}: {preset.center:g}/{preset.width:g}")
