"""What is to be copied: every file of a folder, a file, or what a DICOMDIR lists; and what is no image to be copied."""

from collections.abc import Iterable
from pathlib import Path

from pydicom import Dataset as Elements
from pydicom import config
from pydicom.uid import UID

from clinhallu_gate.datasets.dicom.layout import PIXELS
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.datasets.entries import DICOMDIR
from clinhallu_gate.deidentification.findings import Flag
from clinhallu_gate.deidentification.headers import look_at
from clinhallu_gate.deidentification.places import listed, why_passed_over, within
from clinhallu_gate.errors import BadInput


class Refused(Exception):
    """A file that is not copied, and is no fault; the message says why."""


def sources(path: Path) -> Iterable[Path]:
    """Return every file that ``path`` leads to, links as well (they are refused one by one).

    Raises ``BadInput``, and does so before the first file is asked for.
    """
    if path.is_dir() and not path.is_symlink():
        return within(path)
    if path.is_symlink() or not path.is_file():
        state = "is a link" if path.is_symlink() else "is no file" if path.exists() else "does not exist"
        raise BadInput(f"{path}: {state}. Valid: a DICOM file, a folder, or a DICOMDIR.")
    return listed(path) if path.name.upper() == DICOMDIR else (path,)


def refuse_link(path: Path) -> None:
    """Raise ``Refused`` for what is no plain file, so that nothing outside a folder is read and no pipe waited for."""
    if why := why_passed_over(path):
        raise Refused(why)


def refuse_without_image(elements: Elements) -> None:
    """Raise ``Refused`` for objects whose contents are text, or of a class that nobody here knows.

    Raises ``NotDrawable`` for an image that lacks its pixels.
    """
    flags = look_at(elements, deep=False).flags
    if Flag.REPORT in flags:
        raise Refused("is a structured report, whose text may name anybody")
    if Flag.DOCUMENT in flags:
        raise Refused("is an encapsulated document, whose text may name anybody")
    kind = UID(str(elements.get("SOPClassUID", "")), config.IGNORE)
    if not any(keyword in elements for keyword in PIXELS):
        if "Image" in kind.name:
            raise NotDrawable("is an image without its pixels, perhaps cut off")
        raise Refused("holds no image")
    if kind.type != "SOP Class":
        raise Refused("is of a SOP class that the standard does not define")
