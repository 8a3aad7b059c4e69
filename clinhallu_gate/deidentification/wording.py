"""What was found, in words: what is there, and what was not looked at."""

from collections.abc import Iterator, Mapping
from typing import Final

from clinhallu_gate.deidentification.findings import Depth, Flag, Preflight

#: Attributes that name somebody or a number of theirs, most telling first.
NAMING: Final = (
    *(
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "OtherPatientIDs",
        "OtherPatientIDsSequence",
        "OtherPatientNames",
    ),
    *("PatientBirthName", "PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers", "IssuerOfPatientID"),
    *(
        "AccessionNumber",
        "AdmissionID",
        "StudyID",
        "ReferringPhysicianName",
        "PerformingPhysicianName",
        "OperatorsName",
    ),
    *("PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "RequestingPhysician", "ContentCreatorName"),
    *("InstitutionName", "InstitutionAddress", "StationName", "DeviceSerialNumber"),
)
#: What OCR is worth, wherever its finding is told.
LIMITS: Final = (
    "where none was found there may still be some "
    "(OCR misses small letters: at 320x240 it missed what it found at 640x480)"
)
_LISTED: Final = 8
_IN_NOTES: Final = 3


def preflight_lines(found: Preflight) -> list[str]:
    """Return a few lines for a terminal or a report."""
    return [_first(found), *(f"  {line}" for line in _lines(found, _LISTED))]


def full_lines(found: Preflight) -> list[str]:
    """Return every attribute that was found, and every file that could not be read."""
    rows = [
        *(f"  {count:>6}  {name}" for name, count in found.attributes.items()),
        *(f"  {count:>6}  {name} (within sequences)" for name, count in found.nested.items()),
        *(f"  {count:>6}  {name}" for name, count in found.metadata.items()),
    ]
    listing = ["", "files with a value, by attribute:", *rows] if rows else []
    unread = [f"  {each.line}" for each in found.unread]
    return [*preflight_lines(found), *listing, *(["", "not read:", *unread] if unread else [])]


def preflight_note(found: Preflight) -> str:
    """Return the same on one line, with fewer names."""
    return f"{_first(found)} {'; '.join(_lines(found, _IN_NOTES))}"


def _first(found: Preflight) -> str:
    looked = f"preflight ({found.depth}): {_many(found.dicom, 'DICOM file')}"
    others = f" and {_many(found.images, 'other image')}" if found.images else ""
    removed = found.flags.get(Flag.IDENTITY_REMOVED, 0)
    said = f", {removed:,} of them marked as de-identified" if found.dicom else ""
    return f"{looked}{others}{said}."


def _lines(found: Preflight, most: int) -> Iterator[str]:
    naming = {name: found.attributes[name] for name in NAMING if name in found.attributes}
    others = {name: count for name, count in found.attributes.items() if name not in naming}
    if naming:
        yield f"names and numbers: {_listed(naming, most)}"
    if others:
        more = f"{len(others)} more {_plural(len(others), 'attribute')}"
        yield f"{more} that the Basic Profile removes: {_listed(others, most)}"
    if found.nested:
        yield f"within sequences: {_listed(found.nested, most)}"
    if not (found.attributes or found.nested) and found.dicom:
        yield "no attribute that the Basic Profile removes has a value"
    if found.metadata:
        yield f"metadata of other images: {_listed(found.metadata, most)}"
    yield from _flag_lines(found)
    yield from _text_lines(found)
    if lacking := _not_looked_at(found):
        yield f"not looked at: {lacking}"
    if found.unread:
        yield f"not read, so nothing is known of them: {_many(len(found.unread), 'file')}"


_FLAGS: Final[Mapping[Flag, str]] = {
    Flag.UIDS: "UIDs that lead to the study in the archive",
    Flag.PRIVATE: "private attributes, which may hold anything",
    Flag.OVERLAY: "an overlay with graphics",
    Flag.OVERLAY_IN_PIXELS: "an overlay within the pixels",
    Flag.FEATURES: "recognizable features (RecognizableVisualFeatures is YES)",
    Flag.DOCUMENT: "an encapsulated document",
    Flag.REPORT: "a structured report",
}


def _flag_lines(found: Preflight) -> Iterator[str]:
    said = [f"{text} ({found.flags[flag]:,})" for flag, text in _FLAGS.items() if flag in found.flags]
    if said:
        yield f"also: {', '.join(said)}"


def _text_lines(found: Preflight) -> Iterator[str]:
    """Say what is known of text in the pixels, which is never that there is none."""
    said, silent = found.flags.get(Flag.BURNED_IN, 0), found.flags.get(Flag.BURNED_IN_NOT_SAID, 0)
    prone = found.flags.get(Flag.PRONE, 0)
    parts = {
        f"BurnedInAnnotation is YES in {said:,}": said,
        f"BurnedInAnnotation is not set in {silent:,}": silent,
        f"{prone:,} of kinds that often bear text (ultrasound, fluoroscopy, captures, photographs)": prone,
    }
    if any(parts.values()):
        yield f"text in the pixels: {'; '.join(text for text, count in parts.items() if count)}"
    texts = found.texts
    if texts is not None:
        undrawn = f"; {_many(texts.undrawn, 'image')} could not be drawn" if texts.undrawn else ""
        yield f"text was found in {texts.with_text:,} of {_many(texts.images, 'image')}{undrawn}; {LIMITS}"


def _not_looked_at(found: Preflight) -> str:
    lacking = {
        "attributes within sequences": found.depth is Depth.HEADERS and found.dicom,
        "the pixels, for text": found.texts is None,
    }
    return ", ".join(text for text, holds in lacking.items() if holds)


def _listed(counts: Mapping[str, int], most: int) -> str:
    said = [f"{name} ({count:,})" for name, count in counts.items()]
    more = f" and {len(said) - most} more" if len(said) > most else ""
    return f"{', '.join(said[:most])}{more}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {_plural(count, noun)}"


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
