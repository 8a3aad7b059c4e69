"""DICOM files with values planted in every header that the profile names, and where else text may lie."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from pydicom import Dataset, Sequence, config, dcmread
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement

from clinhallu_gate.deidentification.profile import profile

#: What no copy may hold, in any case of letters: words, dates and roots of UIDs.
WORD: Final = "CANARY"
DATE: Final = "1912"
ROOT: Final = "1.2.826.0.999."
MARKS: Final = (WORD.lower().encode(), DATE.encode(), ROOT.encode())
#: What makes an object a report or a document, which is not copied at all.
_TEXTS: Final = ("ContentSequence", "EncapsulatedDocument")


def test_file(name: str) -> Path:
    """Return one of pydicom's own files."""
    return Path(str(get_testdata_file(name, download=False)))


test_file.__test__ = False  # type: ignore[attr-defined] - pytest would take it for a test


def planted_file(path: Path) -> Path:
    """Write a CT image with something planted in every attribute of the profile, at three levels, and around it."""
    numbers = count()
    elements = dcmread(test_file("CT_small.dcm"))
    with config.disable_value_validation():
        for place in (elements, *_deeper(elements)):
            for element in _planted(numbers):
                place[element.tag] = element
        for keyword in _TEXTS:
            del elements[keyword]
        block = elements.private_block(0x0099, f"{WORD} CREATOR", create=True)
        block.add_new(1, "LO", f"{WORD} private")
        item = Dataset()
        item.private_block(0x0099, f"{WORD} CREATOR", create=True).add_new(
            1, "UT", f"{WORD} private, within a sequence"
        )
        elements.ReferencedImageSequence = Sequence([item])
        elements.OperatorsName = f"{WORD}^Zoë"
        elements.ManufacturerModelName = f"Scanner of {WORD}"  # kept by the profile; the patient's name is not
        elements.TransactionStatusComment = f"{WORD} in free text that the profile does not name"
        elements.DataSetTrailingPadding = WORD.encode()
        elements.preamble = WORD.encode().ljust(128, b"\0")
        elements.file_meta.SourceApplicationEntityTitle = WORD
        elements.file_meta.PrivateInformationCreatorUID = f"{ROOT}9"
        elements.file_meta.PrivateInformation = WORD.encode()
        elements.save_as(path)
    return path


def _deeper(elements: Dataset) -> Iterator[Dataset]:
    """Yield items within sequences that the profile keeps, one in the other."""
    outer, inner = Dataset(), Dataset()
    outer.FrameContentSequence = Sequence([inner])
    elements.SharedFunctionalGroupsSequence = Sequence([outer])
    yield outer
    yield inner


def _planted(numbers: "count[int]") -> Iterator[DataElement]:
    for tag in profile().single:
        if tag >> 16 >= 0x0008:  # groups before are no part of a data set in a file
            kind = dictionary_VR(tag).split(" or ")[0] if dictionary_has_tag(tag) else "LO"
            value = _value(kind, next(numbers))
            if value is not None:
                yield DataElement(tag, kind, value)


def _value(kind: str, number: int) -> object:
    """Return what tells that it was left; None for numbers."""
    if kind == "SQ":
        item = Dataset()
        item.PatientName = f"{WORD}^{number}"
        item.add_new(0x00081155, "UI", f"{ROOT}{number}")
        return Sequence([item])
    if kind in ("OB", "UN"):
        return f"{WORD}{number:04}".encode()
    values = {
        "DA": f"{DATE}0203",
        "DT": f"{DATE}0203101112",
        "UI": f"{ROOT}{number}",
        "PN": f"{WORD}^{number}",
        "UR": f"http://{WORD.lower()}.example/{number}",
    }
    texts = ("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT")
    return values.get(kind, f"{WORD}{number}" if kind in texts else None)
