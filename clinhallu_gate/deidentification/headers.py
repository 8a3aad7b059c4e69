"""One DICOM file held against the profile: which attributes have a value that it would remove."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydicom import Dataset as Elements
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.multival import MultiValue

from clinhallu_gate.deidentification.findings import FileFinding, Flag
from clinhallu_gate.deidentification.profile import DUMMIES, Rule, name_of, profile

Element: TypeAlias = DataElement | RawDataElement

#: UIDs made from numbers, as those of copies are (PS3.5 B.2).
MADE_UID: Final = b"2.25."
_PSEUDONYM: Final = re.compile(rb"[0-9a-f]{16}")
_SEQUENCE: Final = "SQ"
#: Modalities (PS3.3 C.7.3.1.1.1) and prefixes of SOP classes (PS3.4 B.5) whose images often bear text.
_PRONE: Final = frozenset(b"US IVUS XA RF ES XC GM SM OP OT SC DF CF DS VF".split())
_CAPTURES: Final = b"1.2.840.10008.5.1.4.1.1.7"
REPORTS: Final = b"1.2.840.10008.5.1.4.1.1.88."
_DOCUMENTS: Final = b"1.2.840.10008.5.1.4.1.1.104."


@dataclass(frozen=True, slots=True)
class _Placed:
    owner: Elements
    element: Element
    level: int
    """0 for an attribute of the file itself."""


def look_at(elements: Elements, *, deep: bool) -> FileFinding:
    """Return what a file holds; with ``deep`` within sequences, too. Raises what pydicom raises on broken values."""
    flags = set(_flags(elements))
    removed = Flag.IDENTITY_REMOVED in flags
    found: tuple[set[str], set[str]] = (set(), set())
    for placed in _walk(elements, deep=deep):
        tag = int(placed.element.tag)
        rule = profile().rule(tag)
        if tag >> 16 & 1:
            flags.add(Flag.PRIVATE)
        elif rule is Rule.UID:
            if _leads_back(placed.element, removed=removed):
                flags.add(Flag.UIDS)
        elif rule not in (None, Rule.REFERENCES) and _tells(placed.owner, placed.element, removed=removed):
            found[placed.level > 0].add(name_of(tag))
    return FileFinding(dicom=True, attributes=frozenset(found[0]), nested=frozenset(found[1]), flags=frozenset(flags))


def kind_of(element: Element) -> str:
    """Return the kind of value (VR): the file's word, else the dictionary's; of several the first."""
    said = element.VR
    if said is None or (said == "UN" and isinstance(element, RawDataElement)):
        said = dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else "UN"
    return said.split(" or ")[0]


def is_sequence(element: Element) -> bool:
    """Whether an element, read or not, is a sequence."""
    return kind_of(element) == _SEQUENCE


def raw(element: Element) -> bytes:
    """Return the value as it lies in the file, without padding; of what was read already its text."""
    value = element.value
    if isinstance(value, bytes):
        return value.strip(b" \0")
    values = value if isinstance(value, MultiValue | list) else [] if value is None else [value]
    return "\\".join(map(str, values)).strip(" \0").encode("utf-8", "surrogateescape")


def _walk(elements: Elements, *, deep: bool, level: int = 0) -> Iterator[_Placed]:
    """Yield every element; those of sequences that the profile keeps, too, if ``deep``."""
    for tag in list(elements.keys()):
        element = elements.get_item(tag, keep_deferred=True)
        if element is None:
            continue
        yield _Placed(elements, element, level)
        if deep and is_sequence(element) and profile().rule(int(tag)) in (None, Rule.REFERENCES) and not tag.is_private:
            for item in elements[tag].value or ():
                yield from _walk(item, deep=True, level=level + 1)


def _tells(owner: Elements, element: Element, *, removed: bool) -> bool:
    """Whether there is a value, and no dummy."""
    if is_sequence(element):
        return any(_any_tells(item, removed=removed) for item in owner[element.tag].value or ())
    if (
        isinstance(element, RawDataElement) and element.value is None and element.length
    ):  # so long that it was left in the file
        return True
    if kind_of(element) == "UI":
        return _leads_back(element, removed=removed)
    value = raw(element)
    if value in DUMMIES or not value.strip(b"\0"):
        return False
    if element.VR in ("US", "SS", "UL", "SL", "FL", "FD") and not element.value:
        return False
    return not (removed and element.tag == 0x00100020 and _PSEUDONYM.fullmatch(value))  # noqa: PLR2004 - PatientID


def _any_tells(item: Elements, *, removed: bool) -> bool:
    """Whether anything within an item of a sequence does."""
    found = (item.get_item(tag, keep_deferred=True) for tag in item.keys())  # noqa: SIM118 - no mapping
    return any(_tells(item, element, removed=removed) for element in found if element is not None)


def _leads_back(element: Element, *, removed: bool) -> bool:
    """Whether a UID is one of the archive's."""
    if is_sequence(element):
        return False
    made = removed and all(uid.startswith(MADE_UID) for uid in raw(element).split(b"\\"))
    return bool(raw(element)) and not made


def _flags(elements: Elements) -> Iterator[Flag]:
    said = _said(elements, "BurnedInAnnotation")
    tests = {
        Flag.IDENTITY_REMOVED: _said(elements, "PatientIdentityRemoved") == b"YES",
        Flag.BURNED_IN: said == b"YES",
        Flag.BURNED_IN_NOT_SAID: said not in (b"YES", b"NO"),
        Flag.PRONE: _prone(elements),
        Flag.FEATURES: _said(elements, "RecognizableVisualFeatures") == b"YES",
        Flag.DOCUMENT: "EncapsulatedDocument" in elements or _class(elements).startswith(_DOCUMENTS),
        Flag.REPORT: "ContentSequence" in elements or _class(elements).startswith(REPORTS),
    }
    yield from (flag for flag, holds in tests.items() if holds)
    yield from overlays(elements)


def overlays(elements: Elements) -> Iterator[Flag]:
    """Yield where graphics are laid over the image: in overlays of their own, or in unused bits of its pixels."""
    groups = {int(tag) >> 16 for tag in elements.keys() if int(tag) >> 24 == 0x60}  # noqa: PLR2004, SIM118 - overlays
    if any((group, 0x3000) in elements for group in groups):
        yield Flag.OVERLAY
    if any((group, 0x0010) in elements and (group, 0x3000) not in elements for group in groups):
        yield Flag.OVERLAY_IN_PIXELS


def _prone(elements: Elements) -> bool:
    return _said(elements, "Modality") in _PRONE or _class(elements).startswith(_CAPTURES)


def _class(elements: Elements) -> bytes:
    return _said(elements, "SOPClassUID")


def _said(elements: Elements, keyword: str) -> bytes:
    element = elements.get_item(keyword, keep_deferred=True)
    return b"" if element is None else raw(element).upper()
