"""What rows need of a DICOM header: identity, place in its series, facts and who the patient is; pixels stay unread."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from pydicom import Dataset as Elements
from pydicom.uid import UID

from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.datasets.dicom.drawing import NotDrawable, frames_of, read
from clinhallu_gate.datasets.dicom.facts import Facts, facts_of
from clinhallu_gate.datasets.dicom.identifiers import identifiers_of
from clinhallu_gate.datasets.entries import Unusable

_AXES: Final = 3
_IMAGE: Final = "Image Storage"
"""In the names of all SOP classes of images (PS3.4 B.5)."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose a file is, as its header says; the same id of two issuers is two patients."""

    issuer: str
    id: str


@dataclass(frozen=True, slots=True)
class Header:
    """What was read of one file."""

    path: Path
    sop: str
    series: str
    study: str
    patient: Patient | None
    """None where the header names no ``PatientID``."""
    day: date | None
    """``StudyDate``; None where it is missing or no date."""
    frames: int
    """0 for an object without an image, such as a report."""
    syntax: str
    """UID of the transfer syntax."""
    number: int | None
    """``InstanceNumber``."""
    position: tuple[float, ...] | None
    """``ImagePositionPatient`` in mm."""
    orientation: tuple[float, ...] | None
    """``ImageOrientationPatient``: direction cosines of the first row and the first column."""
    facts: Facts
    identifiers: frozenset[Identifier]


def read_header(path: Path) -> Header:
    """Read a file's header, within ``quiet()``. Raises ``Unusable`` for what is no DICOM, or malformed."""
    try:
        return _header(path, read(path))
    except (NotDrawable, Unusable) as error:
        raise Unusable(str(error)) from None
    except Exception:  # noqa: BLE001 - pydicom converts values when asked, and raises a dozen types for bad ones
        raise Unusable("has a malformed header") from None


def _header(path: Path, elements: Elements) -> Header:
    patient = _text(elements, "PatientID")
    return Header(
        path=path,
        sop=_text(elements, "SOPInstanceUID"),
        series=_text(elements, "SeriesInstanceUID"),
        study=_text(elements, "StudyInstanceUID"),
        patient=Patient(_text(elements, "IssuerOfPatientID"), patient) if patient else None,
        day=_day(_text(elements, "StudyDate")),
        frames=_frames(elements),
        syntax=str(elements.file_meta.get("TransferSyntaxUID", "")),
        number=_number(elements),
        position=_floats(elements, "ImagePositionPatient", _AXES),
        orientation=_floats(elements, "ImageOrientationPatient", 2 * _AXES),
        facts=facts_of(elements),
        identifiers=identifiers_of(elements),
    )


def _text(elements: Elements, name: str) -> str:
    value = elements.get(name)
    return str(value).strip(" \0") if value is not None else ""


def _day(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text.replace(".", ""))
    return None


def _frames(elements: Elements) -> int:
    """Count the images. Raises ``Unusable`` for a file that should have one: it was cut off, most likely."""
    if "Rows" in elements:
        return frames_of(elements)
    if _IMAGE in UID(_text(elements, "SOPClassUID")).name or not _text(elements, "SOPInstanceUID"):
        raise Unusable("is cut off, or holds neither an image nor another object")
    return 0


def _number(elements: Elements) -> int | None:
    value = elements.get("InstanceNumber")
    return int(value) if value is not None and str(value) else None


def _floats(elements: Elements, name: str, many: int) -> tuple[float, ...] | None:
    value = elements.get(name)
    return tuple(map(float, value)) if value is not None and len(value) == many else None
