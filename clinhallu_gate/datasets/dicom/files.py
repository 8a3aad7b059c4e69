"""The DICOM files that an entry of ``images`` leads to: itself, those of a folder, or those that a DICOMDIR lists."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pydicom
from pydicom import Dataset as Elements

from clinhallu_gate.datasets.entries import DICOMDIR, Kind, Unusable, kind_of
from clinhallu_gate.datasets.names import Misplaced, file_below, name_trouble
from clinhallu_gate.datasets.problems import quoted, shown

_UNUSED: Final = 0
"""``RecordInUseFlag`` of a record that was taken out of the directory (PS3.3 F.3)."""


def files_of(root: Path, path: Path, kind: Kind) -> tuple[Path, ...]:
    """Return the files of an entry, in the order of their names or of the directory.

    Args:
        root: Folder that none of them may lie outside of, links followed.
        path: Where the entry leads.
        kind: What is there.

    Raises:
        Unusable: Nothing is there, a link leads elsewhere, or a file is missing.
    """
    if kind is Kind.FOLDER:
        found = tuple(_within(root, path))
        if not found:
            raise Unusable("holds no DICOM file")
        return found
    return _listed(path) if kind is Kind.MEDIUM else (path,)


def _within(root: Path, folder: Path) -> Iterator[Path]:
    """Yield what is DICOM below a folder; other files beside it, and hidden ones, are of no interest."""
    for here, folders, names in os.walk(folder, onerror=_refuse):
        folders.sort()
        for name in folders:
            if Path(here, name).is_symlink():
                raise Unusable(f"holds a link to a folder, {shown(name)}; name that folder itself")
        for name in sorted(names):
            path = Path(here, name)
            if name.startswith(".") or name.upper() == DICOMDIR:
                continue
            if path.is_symlink():
                path = _followed(root, path)
            if kind_of(path) is Kind.FILE:
                yield path


def _refuse(error: OSError) -> None:
    raise Unusable(f"cannot be read: {error.strerror}")


def _followed(root: Path, link: Path) -> Path:
    try:
        return file_below(root, str(link.relative_to(root)))
    except Misplaced as error:
        raise Unusable(f"holds the link {shown(link.name)}, which {error}") from None


def _listed(path: Path) -> tuple[Path, ...]:
    """Return the image files that a DICOMDIR lists; all of them have to be there, below its own folder."""
    try:
        records = list(pydicom.dcmread(path).DirectoryRecordSequence)
        names = [name for record in records if (name := _name(record))]
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or quoted(error)}") from None
    except Exception as error:  # noqa: BLE001 - pydicom's readers raise whatever hostile bytes lead them to
        why = quoted(error) if str(error) else type(error).__name__
        raise Unusable(f"cannot be read as a DICOMDIR: {why}") from None
    if not names:
        raise Unusable("lists no file")
    return tuple(_below(path.parent, name) for name in dict.fromkeys(names))


def _name(record: Elements) -> str:
    """Return the file that a record refers to, its parts set apart by slashes; empty for a patient, study or series."""
    parts = record.get("ReferencedFileID")
    if not parts or record.get("RecordInUseFlag") == _UNUSED:
        return ""
    return "/".join([parts] if isinstance(parts, str) else map(str, parts))


def _below(folder: Path, name: str) -> Path:
    trouble = name_trouble(name)
    if trouble:
        raise Unusable(f"lists {shown(name)}, which {trouble}")
    try:
        return file_below(folder, name)
    except Misplaced as error:
        raise Unusable(f"lists {shown(name)}, which {error}") from None
