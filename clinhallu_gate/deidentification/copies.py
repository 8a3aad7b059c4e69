"""One de-identified copy: made in memory, checked, and written in one step."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import Dataset as Elements
from pydicom import dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicom.reading import read
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.datasets.entries import PREAMBLE
from clinhallu_gate.deidentification.cleaning import clean
from clinhallu_gate.deidentification.findings import Flag
from clinhallu_gate.deidentification.headers import look_at, overlays
from clinhallu_gate.deidentification.known import Known, Left, empty_what_holds, known_values, values_of
from clinhallu_gate.deidentification.pixels import clean_pixels, in_pixels
from clinhallu_gate.deidentification.sources import Refused, refuse_without_image
from clinhallu_gate.private import write_whole

_UNNAMED: Final = "unnamed"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy as it is to be written."""

    name: Path
    """Relative: study, series and instance, each by its new UID."""
    data: bytes
    known: Known
    """Of the file that it was made of."""
    old_uids: tuple[str, str, str]
    """Study, series, instance."""
    emptied: frozenset[str]
    """Labels that held a value of the patient's."""
    overlay: bool
    """Whether an overlay was taken out."""
    overlay_in_pixels: bool
    """Whether one lies in unused bits of the pixels, where it stays."""


def copy_of(path: Path, key: bytes) -> Copy:
    """Return a copy of a DICOM file that tells no more of the patient in its header.

    Raises:
        NotDrawable: It is no DICOM file, or broken, or a value that identifies somebody would be left in it.
        Refused: It is no image.
    """
    elements = read(path)
    try:
        with quiet():
            refuse_without_image(elements)
            return _copy(elements, key)
    except Left as left:
        raise NotDrawable(f"would keep a value that identifies the patient in {left}") from None
    except RecursionError:
        raise NotDrawable("has sequences in too many levels") from None
    except (NotDrawable, Refused, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - the boundary to foreign bytes: pydicom raises whatever they lead to
        raise NotDrawable(f"is a malformed DICOM file ({type(error).__name__})") from None


def _copy(elements: Elements, key: bytes) -> Copy:
    known = known_values(elements)
    old = _uids(elements)
    laid_over = frozenset(overlays(elements))
    clean_pixels(elements)
    clean(elements, key)
    emptied = empty_what_holds(elements, known)
    if in_pixels(elements, known.whole | known.everywhere):
        raise Left("its pixels")
    elements.file_meta = _meta(elements)
    data = encoded(elements)
    left = look_at(elements, deep=True)
    if left.attributes or left.nested or Flag.UIDS in left.flags or Flag.PRIVATE in left.flags:
        raise Left(", ".join(sorted(left.attributes | left.nested)) or "its UIDs or private attributes")
    study, series, instance = (uid or _UNNAMED for uid in _uids(elements))
    return Copy(
        name=Path(study, series, f"{instance}.dcm"),
        data=data,
        known=known,
        old_uids=old,
        emptied=emptied,
        overlay=Flag.OVERLAY in laid_over,
        overlay_in_pixels=Flag.OVERLAY_IN_PIXELS in laid_over,
    )


def _uids(elements: Elements) -> tuple[str, str, str]:
    study, series, instance = (
        str(elements.get(keyword) or "").strip(" \0")
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    if not instance:
        raise NotDrawable("has no SOPInstanceUID")
    return study, series, instance


def _meta(elements: Elements) -> FileMetaDataset:
    """Return file meta information made anew: nothing of the old one but the transfer syntax."""
    syntax = UID(str(elements.file_meta.get("TransferSyntaxUID", "")))
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise NotDrawable("does not say its transfer syntax, or has a private one")
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = elements.SOPClassUID
    meta.MediaStorageSOPInstanceUID = elements.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return meta


def encoded(elements: Elements) -> bytes:
    """Return an object as a file, with a preamble of zeros."""
    elements.preamble = b"\0" * PREAMBLE
    if not elements.file_meta.TransferSyntaxUID.is_implicit_VR:
        _know_kinds(elements)
    buffer = io.BytesIO()
    dcmwrite(buffer, elements, enforce_file_format=True)
    return buffer.getvalue()


def _know_kinds(elements: Elements) -> None:
    """Read every element if any does not say its kind, as in files that are not what their syntax says."""
    read_yet = (elements.get_item(tag, keep_deferred=True) for tag in elements.keys())  # noqa: SIM118 - no mapping
    if any(element is not None and element.VR is None for element in read_yet):
        for _ in elements.iterall():
            pass


def told_by(path: Path) -> bytes:
    """Return the values of a copy's header, one after the other. Raises ``NotDrawable``."""
    elements = read(path)
    with quiet():
        return b"\0".join((*values_of(elements), *values_of(elements.file_meta)))


def write(copy: Copy, folder: Path) -> None:
    """Write a copy below ``folder``, for its owner alone, whole or not at all. Raises ``OSError``."""
    path = folder / copy.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, copy.data)
