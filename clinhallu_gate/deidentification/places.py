"""The files that a path leads to: itself, those of a folder, those that a DICOMDIR lists, or a manifest's images."""

import os
from collections.abc import Iterator
from pathlib import Path

from clinhallu_gate.datasets.dicom.files import files_of as dicom_files
from clinhallu_gate.datasets.entries import DICOMDIR, Kind, Unusable, kind_of
from clinhallu_gate.datasets.manifest import READERS
from clinhallu_gate.datasets.names import Misplaced, file_below, name_trouble
from clinhallu_gate.datasets.problems import told
from clinhallu_gate.errors import BadInput


def files_of(path: Path) -> Iterator[Path]:
    """Yield the files that ``path`` leads to, in order; links within folders are not followed.

    Raises:
        BadInput: There is nothing, or a DICOMDIR or a manifest cannot be read or leads out of its folder.
    """
    if path.is_dir():
        yield from _within(path)
    elif not path.is_file():
        raise BadInput(f"{path}: {'is no file' if path.exists() else 'does not exist'}. Valid: a file or folder.")
    elif path.name.upper() == DICOMDIR:
        yield from listed(path)
    elif path.suffix in READERS:
        yield from _of_manifest(path)
    else:
        yield path


def _within(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(here, name)
            if not name.startswith(".") and not path.is_symlink() and path.is_file() and name.upper() != DICOMDIR:
                yield path


def listed(path: Path) -> tuple[Path, ...]:
    """Return the files that a DICOMDIR lists. Raises ``BadInput``."""
    return _dicom(path, path.parent.resolve(), path)


def _of_manifest(path: Path) -> Iterator[Path]:
    """Yield what the rows name, as a run would read it: of folders the DICOM files alone."""
    root, seen = path.parent.resolve(), set[str]()
    for row in READERS[path.suffix](path):
        images = row.content.get("images")
        if images is None and row.content.get("study_uid") is not None:
            raise BadInput(
                f"{path}: names studies of a DICOMweb server, which are not here. A run looks at what it fetches; what "
                "was fetched is looked at with: clinhallu-gate preflight PRIVATE_CACHE/dicomweb (of --private-cache)."
            )
        for name in images if isinstance(images, list) else [images]:
            if isinstance(name, str) and name not in seen:
                seen.add(name)
                yield from _named(path, root, name)


def _named(manifest: Path, root: Path, name: str) -> tuple[Path, ...]:
    """Return the files of one entry of a row. Raises ``BadInput``, without the name."""
    if name_trouble(name):
        raise BadInput(f"{manifest}: names a file that {name_trouble(name)}.")
    place = (root / name).resolve()
    if kind_of(place) is not None and place.is_relative_to(root):
        return _dicom(manifest, root, place)
    try:
        return (file_below(root, name),)
    except Misplaced:
        raise BadInput(f"{manifest}: names a file that does not exist in its folder, or leads out of it.") from None


def _dicom(said: Path, root: Path, place: Path) -> tuple[Path, ...]:
    try:
        return dicom_files(root, place, kind_of(place) or Kind.MEDIUM)
    except Unusable as error:
        raise BadInput(f"{said}: names what {told(str(error), withhold=True)}.") from None
