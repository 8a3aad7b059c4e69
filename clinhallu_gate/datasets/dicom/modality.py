"""From stored numbers to those that windows speak of: Modality LUT, or slope and intercept (PS3.3 C.11.1)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from clinhallu_gate.datasets.dicom.attributes import code, frame_place, items, numbers
from clinhallu_gate.datasets.dicom.layout import Layout
from clinhallu_gate.datasets.dicom.lookup import Lookup, lookup_of
from clinhallu_gate.datasets.dicom.refusal import NotDrawable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Modality:
    """How stored numbers of one frame become the scanner's own: HU, counts, dose."""

    table: Lookup | None = None
    slope: float = 1.0
    intercept: float = 0.0
    hounsfield: bool = False

    @property
    def given(self) -> bool:
        """Whether the header says what stored numbers mean."""
        return self.table is not None or self.hounsfield or (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def step(self) -> str | None:
        """Return what was done in words, or None."""
        if self.table is not None:
            return "modality lookup table"
        if (self.slope, self.intercept) == (1.0, 0.0):
            return None
        return "rescaled to HU" if self.hounsfield else "rescaled"

    def of(self, levels: Floats) -> Floats:
        """Return what stored ``levels`` stand for."""
        if self.table is not None:
            return self.table.of(levels)
        return levels * self.slope + self.intercept

    def below_zero(self, layout: Layout) -> bool:
        """Whether any number that can be stored, though it may not occur, becomes a negative one."""
        if self.table is not None:
            return False  # entries have no sign
        if layout.floating:
            return True
        low = -(2.0 ** (layout.stored - 1)) if layout.signed else 0.0
        return bool(self.of(np.array([low, low + 2.0**layout.stored - 1])).min() < 0)


def modality_of(header: Dataset, layout: Layout, frame: int) -> Modality:
    """Read what belongs to a frame. Raises ``NotDrawable`` if it is malformed."""
    tables = items(header, "ModalityLUTSequence")
    if tables:
        return Modality(table=lookup_of(tables[0], header, "ModalityLUTSequence", below_zero=layout.signed))
    names = ("RescaleSlope", "RescaleIntercept")
    place = frame_place(header, frame, "PixelValueTransformationSequence", *names)
    slope, intercept = numbers(place, names[0])[:1], numbers(place, names[1])[:1]
    if not slope and not intercept:
        return Modality()
    if slope and slope[0] == 0:
        raise NotDrawable("has RescaleSlope 0")
    kind = code(place, "RescaleType")
    hounsfield = kind in ("HU", "HU_MOD") or (kind == "" and code(header, "Modality") == "CT")
    return Modality(slope=(slope or (1.0,))[0], intercept=(intercept or (0.0,))[0], hounsfield=hounsfield)
