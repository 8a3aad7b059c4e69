"""The files that a path leads to: itself, those of a folder, those that a DICOMDIR lists, or a manifest's images."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from clinhallu_gate.datasets.dicom.files import files_of as dicom_files
from clinhallu_gate.datasets.entries import DICOMDIR, Kind, Unusable, kind_of
from clinhallu_gate.datasets.manifest import READERS
from clinhallu_gate.datasets.names import Misplaced, file_below, name_trouble
from clinhallu_gate.datasets.problems import BadRows, Problem, told
from clinhallu_gate.datasets.reading import RawRow
from clinhallu_gate.deidentification.findings import Unread
from clinhallu_gate.errors import BadInput


def files_of(path: Path) -> Iterator[Path]:
    """Yield the files that ``path`` leads to, in order; what ``passed_over`` names of folders is left out.

    Raises:
        BadInput: There is nothing, or a DICOMDIR or a manifest cannot be read or leads out of its folder.
        BadRows: Rows of a manifest cannot be used.
    """
    if path.is_dir():
        yield from (file for file in within(path) if not why_passed_over(file))
    elif not path.is_file():
        raise BadInput(f"{path}: {'is no file' if path.exists() else 'does not exist'}. Valid: a file or folder.")
    elif path.name.upper() == DICOMDIR:
        yield from listed(path)
    elif path.suffix in READERS:
        yield from named_by(path, path.parent.resolve(), READERS[path.suffix](path))
    else:
        yield path


def passed_over(path: Path) -> Iterator[Unread]:
    """Yield what ``path`` leads to and ``files_of`` leaves out: links and the like, images within a manifest."""
    if path.is_dir():
        for file in within(path):
            if why := why_passed_over(file):
                yield Unread(str(file), why)
    elif path.suffix == ".parquet":
        embedded = sum(_images(path, row).count(None) for row in READERS[path.suffix](path))
        if embedded:
            yield Unread(str(path), f"holds images of its own ({embedded:,}), which are not looked at")


def within(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, hidden ones and links as well, which are not followed."""
    for here, folders, names in os.walk(folder):
        yield from (link for name in sorted(folders) if (link := Path(here, name)).is_symlink())
        folders.sort()
        yield from (Path(here, name) for name in sorted(names))


def why_passed_over(path: Path) -> str:
    """Say why a file is none to be read, so that nothing outside a folder is and no pipe is waited for."""
    if path.is_symlink():
        return "is a link, and links are not followed"
    if not path.is_file():
        return "is no plain file"
    return "is a DICOMDIR, which names patients and files" if path.name.upper() == DICOMDIR else ""


def listed(path: Path) -> tuple[Path, ...]:
    """Return the files that a DICOMDIR lists. Raises ``BadInput``."""
    return _dicom(path, path.parent.resolve(), path)


def named_by(manifest: Path, root: Path, rows: Iterable[RawRow]) -> Iterator[Path]:
    """Yield what the rows of a manifest name, as a run would read it: of folders the DICOM files alone.

    Args:
        manifest: Where the rows stand.
        root: Folder that the names are relative to.
        rows: As they were read, or with what was fetched for them.

    Raises:
        BadInput: There is no row, or one names what is not there; ``BadRows`` for rows that cannot be used.
    """
    seen = set[str]()
    problems: list[Problem] = []
    total = 0
    for total, row in enumerate(rows, 1):  # noqa: B007 - counted
        names = _images(manifest, row)
        if row.trouble or not names:
            why = told(row.trouble, withhold=True) or "names no images"
            problems.append(Problem(row.file, row.number, why))
        for name in names:
            if isinstance(name, str) and name not in seen:
                seen.add(name)
                yield from _named(manifest, root, name)
    if problems:
        raise BadRows(problems, rows=total)
    if not total:
        raise BadInput(f"{manifest}: holds no row.")


def _images(path: Path, row: RawRow) -> list[object]:
    """Return what a row names; None stands for an image whose bytes it holds itself. Raises ``BadInput``."""
    images = row.content.get("images")
    if images is None and row.content.get("study_uid") is not None:
        raise BadInput(
            f"{path}: names studies of a DICOMweb server, which are not here. Name the server, too: "
            f"clinhallu-gate preflight 'dicomweb+http://HOST:PORT/PATH#{path}'."
        )
    names = images if isinstance(images, list) else [] if images is None else [images]
    return [named_image(image) if isinstance(image, Mapping) else image for image in names]


def named_image(image: Mapping[str, object]) -> object:
    """Return the file of an image that a table holds as an object; None if it holds the bytes themselves."""
    return None if image.get("bytes") is not None else image.get("path")


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
