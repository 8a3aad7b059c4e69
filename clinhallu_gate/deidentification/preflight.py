"""Looks at files before they are used: whom their headers name, and what else would tell who a patient is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom import Dataset as Elements

from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicom.reading import read
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.deidentification.burned_in import file_has_text, has_text, program
from clinhallu_gate.deidentification.findings import Depth, FileFinding, Preflight, Texts, Unread
from clinhallu_gate.deidentification.headers import look_at
from clinhallu_gate.deidentification.kept import Kept
from clinhallu_gate.deidentification.metadata import metadata_of

#: How files are called that are images and no DICOM.
PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"})
_TEXT: Final = "text"


def preflight(
    files: Iterable[Path],
    *,
    depth: Depth = Depth.HEADERS,
    kept: Path | None = None,
    passed_over: Iterable[Unread] = (),
    tell: Callable[[int], None] = lambda _: None,
) -> Preflight:
    """Look at ``files`` and return what was found, without a value of any.

    Args:
        files: DICOM files and other images; what is neither counts as unread.
        depth: How closely.
        kept: Private folder for the results of ``FULL`` and ``OCR``, so that a killed look goes on.
        passed_over: What lies beside them and is not to be read; counts as unread.
        tell: Told how many files were looked at, after each.

    Raises:
        BadInput: ``OCR`` without tesseract, or ``kept`` cannot be used.
    """
    look = _Look(depth, Kept(None if depth is Depth.HEADERS else kept), program() if depth is Depth.OCR else "")
    found: list[FileFinding] = []
    unread = list(passed_over)
    texts: list[bool | None] = []
    with quiet():
        for number, path in enumerate(files, start=1):
            try:
                found.append(look.at(path))
                if depth is Depth.OCR:
                    texts += look.for_text(path)
            except NotDrawable as error:
                unread.append(Unread(str(path), str(error)))
            tell(number)
    read_texts = Texts(sum(text is not None for text in texts), texts.count(True), texts.count(None))
    return Preflight.of(found, depth=depth, texts=read_texts if depth is Depth.OCR else None, unread=unread)


@dataclass(frozen=True, slots=True)
class _Look:
    depth: Depth
    kept: Kept
    tesseract: str

    def at(self, path: Path) -> FileFinding:
        """Return what a file holds. Raises ``NotDrawable`` if it cannot be read."""
        if self.depth is Depth.HEADERS:
            return _found(path, deep=False)
        return FileFinding.of(self._known(path, Depth.FULL, lambda: _found(path, deep=True).as_dict()))

    def for_text(self, path: Path) -> list[bool | None]:
        """Return whether text is found, None if the image cannot be drawn; nothing of a file without an image."""
        found = self._known(path, _TEXT, lambda: {"text": self._text(path)})["text"]
        return list(found)

    def _text(self, path: Path) -> list[bool | None]:
        try:
            if _is_picture(path):
                return [file_has_text(path, self.tesseract)]
            elements = read(path)
            return [has_text(elements, self.tesseract)] if "Rows" in elements else []
        except NotDrawable:
            return [None]

    def _known(self, path: Path, what: str, look: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return self.kept.of(path, what, look)
        except OSError as error:
            raise NotDrawable(f"cannot be read: {error.strerror or type(error).__name__}") from None


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def _found(path: Path, *, deep: bool) -> FileFinding:
    if _is_picture(path):
        try:
            return metadata_of(path)
        except Exception:  # noqa: BLE001 - the boundary to foreign bytes: Pillow raises whatever they lead to
            raise NotDrawable("is not an image that can be read") from None
    return _looked_at(read(path), deep=deep)


def _looked_at(elements: Elements, *, deep: bool) -> FileFinding:
    try:
        return look_at(elements, deep=deep)
    except RecursionError:
        raise NotDrawable("has sequences in too many levels") from None
    except Exception:  # noqa: BLE001 - as above, of pydicom
        raise NotDrawable("is a malformed DICOM file") from None
