"""What was found in files before they are used: names of attributes and numbers of files, never a value."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Depth(StrEnum):
    """How closely files are looked at; each includes the one before."""

    HEADERS = "headers"
    """The attributes of a file's first level."""
    FULL = "full"
    """Within sequences, too."""
    OCR = "ocr"
    """The images, too, for text that was burned in."""


class Flag(StrEnum):
    """What a file may hold beside attributes of the profile."""

    IDENTITY_REMOVED = "identity_removed"
    """``PatientIdentityRemoved`` says YES."""
    PRIVATE = "private"
    """Private attributes."""
    UIDS = "uids"
    """UIDs that lead to the study in the archive."""
    BURNED_IN = "burned_in"
    """``BurnedInAnnotation`` says YES."""
    BURNED_IN_NOT_SAID = "burned_in_not_said"
    """``BurnedInAnnotation`` says neither YES nor NO."""
    PRONE = "prone"
    """Of a kind whose images often bear text: ultrasound, screen captures, fluoroscopy, photographs."""
    FEATURES = "recognizable_features"
    """``RecognizableVisualFeatures`` says YES."""
    OVERLAY = "overlay"
    """Graphics in an overlay."""
    OVERLAY_IN_PIXELS = "overlay_in_pixels"
    """An overlay in bits of the pixels that the image does not use."""
    DOCUMENT = "document"
    """An encapsulated document."""
    REPORT = "report"
    """A structured report."""


@dataclass(frozen=True, slots=True)
class FileFinding:
    """What one file holds."""

    dicom: bool
    attributes: frozenset[str] = frozenset()
    """Keywords of attributes with a value that the profile removes, empties or replaces."""
    nested: frozenset[str] = frozenset()
    """The same within sequences that the profile keeps."""
    metadata: frozenset[str] = frozenset()
    """Of an image that is no DICOM: names of its metadata."""
    flags: frozenset[Flag] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "dicom": self.dicom,
            **{name: sorted(getattr(self, name)) for name in ("attributes", "nested", "metadata", "flags")},
        }

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "FileFinding":
        """Read what ``as_dict`` returned."""
        return cls(
            dicom=found["dicom"],
            attributes=frozenset(found["attributes"]),
            nested=frozenset(found["nested"]),
            metadata=frozenset(found["metadata"]),
            flags=frozenset(map(Flag, found["flags"])),
        )


@dataclass(frozen=True, slots=True)
class Texts:
    """What was found where images were looked at for text."""

    images: int = 0
    """Images that were looked at; of one with many frames up to three are, and count as one."""
    with_text: int = 0
    undrawn: int = 0
    """Images that could not be drawn."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read."""

    file: str
    why: str

    @property
    def line(self) -> str:
        """Return both on one line, whatever the file is called."""
        name = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in self.file)
        return f"{name}: {self.why}"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found in all files."""

    depth: Depth
    dicom: int
    """DICOM files that were read."""
    images: int
    """Other images that were read."""
    attributes: Mapping[str, int]
    """Files in which an attribute has a value that the profile removes, empties or replaces, by keyword."""
    nested: Mapping[str, int]
    """The same within sequences that the profile keeps."""
    metadata: Mapping[str, int]
    """Files by name of their metadata, such as ``EXIF GPSInfo``."""
    flags: Mapping[Flag, int]
    texts: Texts | None = None
    """None if images were not looked at for text."""
    unread: tuple[Unread, ...] = field(default=(), repr=False)
    """Files that could not be read; their names may tell who somebody is."""

    @classmethod
    def of(
        cls, found: Iterable[FileFinding], *, depth: Depth, texts: Texts | None = None, unread: Iterable[Unread] = ()
    ) -> "Preflight":
        """Count the findings of files."""
        attributes, nested, metadata = Counter[str](), Counter[str](), Counter[str]()
        flags, kinds = Counter[Flag](), Counter[bool]()
        for each in found:
            attributes.update(each.attributes)
            nested.update(each.nested)
            metadata.update(each.metadata)
            flags.update(each.flags)
            kinds[each.dicom] += 1
        return cls(
            depth=depth,
            dicom=kinds[True],
            images=kinds[False],
            attributes=_ranked(attributes),
            nested=_ranked(nested),
            metadata=_ranked(metadata),
            flags={flag: flags[flag] for flag in Flag if flags[flag]},
            texts=texts,
            unread=tuple(unread),
        )

    @property
    def clean(self) -> bool:
        """Whether every DICOM file says that it was de-identified, and no attribute says otherwise."""
        told = self.attributes or self.nested or self.metadata or self.unread
        removed = self.flags.get(Flag.IDENTITY_REMOVED, 0) == self.dicom
        return removed and not told and not any(flag in self.flags for flag in _TELLING)

    def as_dict(self) -> dict[str, Any]:
        """Return what may be shared: keywords and numbers, no name of a file."""
        return {
            "depth": str(self.depth),
            "dicom_files": self.dicom,
            "other_images": self.images,
            "unread_files": len(self.unread),
            "attributes": dict(self.attributes),
            "nested_attributes": dict(self.nested),
            "image_metadata": dict(self.metadata),
            "flags": {str(flag): count for flag, count in self.flags.items()},
            "burned_in_text": None
            if self.texts is None
            else {"images": self.texts.images, "with_text": self.texts.with_text, "undrawn": self.texts.undrawn},
        }


_TELLING = (Flag.PRIVATE, Flag.UIDS, Flag.OVERLAY, Flag.DOCUMENT, Flag.REPORT)


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
