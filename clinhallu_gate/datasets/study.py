"""What DICOM files gave for a row: the images that a model is sent, how they came to be, and whose they are."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from clinhallu_gate.datasets.check import Unfit
from clinhallu_gate.datasets.dataset import DrawnImage, Identifier
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.records import Image

#: What headers may say of a study, in words of a fixed list; a stratum may stand for it (``{modality}``).
FACTS: Final = ("modality", "body_part", "manufacturer", "age", "sex")


@dataclass(frozen=True, slots=True)
class Study:
    """A row whose DICOM headers were read and, if it is taken, drawn."""

    row: Row
    """With the names of drawn images in the place of the entries, and what headers say of the study."""
    images: Mapping[str, Image] = field(default_factory=dict)
    """Those that were drawn, by name."""
    shared: tuple[Hashable, ...] = ()
    """What the row shares with others of the same patient."""
    patient_id: str = ""
    """PatientID of its files, where their headers say one."""
    drawn: tuple[DrawnImage, ...] = ()
    blank: frozenset[str] = frozenset()
    """Digests of images of one brightness, which the slices of many patients have in common."""
    source: str = ""
    """Digest of what the row speaks of, drawn or not; the same however many images a model takes at once."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What was read of all rows of a data set."""

    files: tuple[Path, ...] = ()
    identifiers: frozenset[Identifier] = frozenset()
    notes: tuple[str, ...] = ()
    studies: Mapping[str, Study | Unfit] = field(default_factory=dict)
    """By where the row stands, as they were asked for; rows without DICOM are not there."""


#: Whether a row is taken, by where it stands and what is known of it with its headers.
Wanted: TypeAlias = Callable[[str, Row], bool]


class Studies(Protocol):
    """Draws what rows name of DICOM."""

    def read(self, rows: Mapping[str, Row], wanted: Wanted) -> Headers:
        """Read what ``rows`` name and draw it for those that are ``wanted``; of a row that cannot be used say why."""
