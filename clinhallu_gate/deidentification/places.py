"""The files that a path leads to: itself, those of a folder, those that a DICOMDIR lists, or a manifest's images."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pydicom

from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.manifest import READERS
from clinhallu_gate.datasets.names import Misplaced, file_below, name_trouble
from clinhallu_gate.errors import BadInput

DICOMDIR: Final = "DICOMDIR"


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


def listed(path: Path) -> Iterator[Path]:
    """Yield the files that a DICOMDIR refers to. Raises ``BadInput``."""
    try:
        with quiet():
            records = list(pydicom.dcmread(path).DirectoryRecordSequence)
            names = [record.get("ReferencedFileID") for record in records]
    except Exception:  # noqa: BLE001 - pydicom raises whatever hostile bytes lead it to, and repeats them
        raise BadInput(f"{path}: cannot be read as a DICOMDIR.") from None
    for name in names:
        if name:
            yield _below(path, "/".join([name] if isinstance(name, str) else map(str, name)))


def _of_manifest(path: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    for row in READERS[path.suffix](path):
        images = row.content.get("images")
        for name in images if isinstance(images, list) else [images]:
            if not isinstance(name, str):
                continue
            place = path.parent / name
            found = files_of(place) if place.is_dir() and not name_trouble(name) else [_below(path, name)]
            for file in found:
                if file not in seen:
                    seen.add(file)
                    yield file


def _below(path: Path, name: str) -> Path:
    trouble = name_trouble(name)
    try:
        if not trouble:
            return file_below(path.parent.resolve(), name)
    except Misplaced:
        trouble = "does not exist in its folder, or leads out of it"
    raise BadInput(f"{path}: names a file that {trouble}.")
