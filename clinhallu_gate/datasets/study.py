"""What DICOM files gave for a row: the images that a model is sent, how they came to be, and whose they are."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from clinhallu_gate.datasets.check import Unfit
from clinhallu_gate.datasets.dataset import DrawnImage, Identifier
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.records import Image


@dataclass(frozen=True, slots=True)
class Study:
    """A row whose DICOM entries were drawn."""

    row: Row
    """With the names of drawn images in the place of the entries, and what headers say of the study."""
    images: Mapping[str, Image]
    """Those that were drawn, by name."""
    content: tuple[str, ...]
    """What tells the study from others, however many of its images a model takes: UIDs of its instances, and the row's
    choice of frames and window."""
    shared: tuple[Hashable, ...]
    """What the row shares with others of the same patient."""
    drawn: tuple[DrawnImage, ...]
    blank: frozenset[str]
    """Digests of images of one brightness, which the slices of many patients have in common."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What was read of all rows of a data set."""

    files: tuple[Path, ...] = ()
    identifiers: frozenset[Identifier] = frozenset()
    notes: tuple[str, ...] = ()
    studies: Mapping[str, Study | Unfit] = field(default_factory=dict)
    """By the identity of the row; rows without DICOM are not there."""


class Studies(Protocol):
    """Draws what rows name of DICOM."""

    def read(self, rows: Mapping[str, Row]) -> Headers:
        """Read and draw what ``rows`` name; of a row that cannot be used say why."""
