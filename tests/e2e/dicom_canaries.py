"""DICOM studies in which every header that can hold text holds a word of its own that must not be seen."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from canaries import PATIENTS, Patient, burned_in, marked
from pydicom import Dataset, FileMetaDataset, Sequence
from pydicom.datadict import DicomDictionary, RepeatersDictionary
from pydicom.dataelem import DataElement
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

#: Root of every UID that is planted.
ROOT: Final = "1.2.826.0.1.3680043.9.7433"
#: Taken in turn by the patients.
_SYNTAXES: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
)
_SLICES: Final = 2
"""Images of the series that every second patient has."""
_FIRST: Final = 0x0008
_LAST: Final = 0xFFF0
"""Groups of a data set: those before belong to commands and files, those after to items."""
_TEXT: Final = ("LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "AE", "CS")
_MOMENTS: Final = ("DA", "DT", "TM")
_PLANTED: Final = frozenset((*_TEXT, *_MOMENTS, "UI", "UN", "OB"))
#: What decides whether there is an image at all, and how it is read: a word there makes the file another one.
_STRUCTURE: Final = frozenset(
    {
        "SpecificCharacterSet",
        "SOPClassUID",
        "PhotometricInterpretation",
        "PresentationLUTShape",
        "PixelData",
        "EncapsulatedDocument",
    }
)
_YEARS: Final = (1809, 1813)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the standard's dictionary that can hold text."""

    tag: int
    vr: str
    keyword: str


@cache
def attributes() -> tuple[Attribute, ...]:
    """Return all of them; of repeating groups (overlays, curves) the first."""
    first = {int(mask.replace("x", "0"), 16): entry for mask, entry in RepeatersDictionary.items()}
    found = (Attribute(tag, entry[0], entry[4]) for tag, entry in sorted({**DicomDictionary, **first}.items()))
    return tuple(
        each
        for each in found
        if each.vr in _PLANTED and _FIRST <= each.tag >> 16 < _LAST and each.keyword not in _STRUCTURE
    )


def value(vr: str, number: int) -> str | bytes:
    """Return what is planted in an attribute of ``vr``: valid, and nowhere else in the world."""
    word = marked(number)
    if vr in ("OB", "UN"):
        return f"{word} in bytes".encode().ljust(len(word) + 10)
    if vr in _MOMENTS:
        return _moment(vr, number)
    if vr == "UI":
        return f"{ROOT}.{number + 1}"
    long = f"{word} told it, on \u03c0 pages"
    return {
        "AE": word,
        "CS": word,
        "SH": word,
        "PN": f"{word}^{word.lower()}x^M",
        "UR": f"http://{word}.example/a",
    }.get(vr, long)


def _moment(vr: str, number: int) -> str:
    year = _YEARS[number // 360 % len(_YEARS)]
    day = (date(year, 1, 2) + timedelta(days=number % 360)).strftime("%Y%m%d")
    time = f"035917.97{number % 10_000:04}"
    return {"DA": day, "TM": time, "DT": f"{day}{time}"}[vr]


def plant(header: Dataset, place: int, *, levels: int = 3, start: int = 0) -> None:
    """Plant in a header, and in a sequence of it, one in the other; patients' words differ by ``place``."""
    for index, each in enumerate(attributes()):
        number = (start + index) * len(PATIENTS) + place
        header[each.tag] = DataElement(each.tag, each.vr, value(each.vr, number))
    block = header.private_block(0x0099, f"{marked(start * len(PATIENTS) + place + 250_000)} MAKER", create=True)
    for offset, vr in enumerate(("LO", "UT", "UN", "PN", "DA"), start=1):
        block.add_new(offset, vr, value(vr, start * len(PATIENTS) + place + 250_000 + 36 * offset))
    if levels > 1:
        item = Dataset()
        plant(item, place, levels=levels - 1, start=start + len(attributes()))
        setattr(header, ("FrameContentSequence", "RequestAttributesSequence")[levels % 2], Sequence([item]))


def study(place: int) -> Iterator[Dataset]:
    """Yield the images of a patient: one, or a series."""
    for number in range(_SLICES if place % 2 else 1):
        yield _image(place, number)


def _image(place: int, number: int) -> Dataset:
    patient, syntax = PATIENTS[place], _SYNTAXES[place % len(_SYNTAXES)]
    header = Dataset()
    plant(header, place)
    header.SpecificCharacterSet = "ISO_IR 192"
    header.SOPClassUID = SecondaryCaptureImageStorage
    header.SOPInstanceUID = f"{ROOT}.{place + 1}.{number + 1}"
    header.InstanceNumber = number + 1
    header.PatientBirthDate = "".join(patient.born)
    header.Rows, header.Columns, pixels = (
        *(drawn := np.asarray(burned_in(patient, "L"))).shape,
        np.maximum(drawn, number),
    )
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OB"
    _lay_over(header, patient)
    header.file_meta = _meta(header, place, syntax)
    header.preamble = marked(260_000 + place).encode().ljust(128, b"\0")
    if syntax.is_encapsulated:
        header.compress(syntax, generate_instance_uid=False)
    return header


def _lay_over(header: Dataset, patient: Patient) -> None:
    """Lay the patient's name over the image, in the bits of an overlay."""
    bits = np.asarray(burned_in(patient, "L")) < 128
    header[0x60000040] = DataElement(0x60000040, "CS", "G")
    header[0x60000050] = DataElement(0x60000050, "SS", [1, 1])
    header[0x60000100] = DataElement(0x60000100, "US", 1)
    header[0x60000102] = DataElement(0x60000102, "US", 0)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    header[0x60003000] = DataElement(0x60003000, "OB", packed + b"\0" * (len(packed) % 2))
    header[0x60000010] = DataElement(0x60000010, "US", bits.shape[0])
    header[0x60000011] = DataElement(0x60000011, "US", bits.shape[1])


def _meta(header: Dataset, place: int, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax if not syntax.is_encapsulated else ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    meta.SourceApplicationEntityTitle = marked(261_000 + place)
    meta.SendingApplicationEntityTitle = marked(262_000 + place)
    meta.ReceivingApplicationEntityTitle = marked(263_000 + place)
    meta.PrivateInformationCreatorUID = f"{ROOT}.9.{place + 1}"
    meta.PrivateInformation = marked(264_000 + place).encode() + b" "
    return meta


# --- a manifest -------------------------------------------------------------------------------------------------------


def write_scans(folder: Path) -> Path:
    """Write such studies, and a manifest with a word in every field; return the manifest.

    ``drafts.jsonl`` beside it has the same rows without gold.
    """
    rows = [row for place in range(len(PATIENTS)) for row in _rows(folder, place)]
    path = folder / "ward.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    lacking = ({name: told for name, told in row.items() if not name.startswith("gold_")} for row in rows)
    (folder / "drafts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in lacking))
    return path


def write_uids(folder: Path, studies: Iterable[Iterable[Dataset]]) -> Path:
    """Write a manifest of an archive that holds these studies, one a patient: the same rows, with UIDs for images."""
    rows = [json.loads(line) for line in (folder / "ward.jsonl").read_text().splitlines()]
    named = [file for files in studies for file in list(files)[:1] for _ in range(len(rows) // len(PATIENTS))]
    for row, file in zip(rows, named, strict=True):
        del row["images"]
        row |= {"study_uid": str(file.StudyInstanceUID), "series_uid": str(file.SeriesInstanceUID)}
    path = folder / "archive.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _rows(folder: Path, place: int) -> Iterator[dict[str, Any]]:
    words = (marked(number) for number in range(270_000 + 100 * place, 270_100 + 100 * place))
    where = folder / f"{next(words)} of {PATIENTS[place].family}" / next(words)
    where.mkdir(parents=True)
    for header in study(place):
        file = where / f"{next(words)}.dcm"
        header.save_as(file, enforce_file_format=True)
    report = where.with_name(f"{next(words)}.txt")
    report.write_text(f"FINDINGS: a mass, {next(words)} said of {PATIENTS[place].line(place)}.")
    image = str((where if place % 2 else file).relative_to(folder))
    for number, kind in enumerate(("multiple_choice", "yes_no" if place % 2 else "open_ended")):
        options = [f"A. {next(words)}", f"B. {next(words)}"]
        row: dict[str, Any] = {
            "id": f"{next(words)}-{number}",
            "patient_id": next(words),
            "question": f"Is a mass seen in {next(words)}, {number}?",
            "question_type": kind,
            "answer": f"a mass, see {next(words)}",
            "images": [image],
            "gold_visual_recognition": f"A mass of 3 cm is seen on the left. {next(words)}",
            "gold_knowledge_recall": f"A mass of 3 cm needs follow-up. {next(words)}",
            "gold_reasoning": f"So there is no fracture, and a mass on the left. {next(words)}",
            "tags": [next(words), "never:laterality"],
            "study_date": f"{_YEARS[0]}-03-{place + 1:02}",
            "specialty": next(words),
            "gold_cot_meta": {next(words): next(words)},
        }
        row |= {"report_file": str(report.relative_to(folder))} if number else {"report": f"IMPRESSION {next(words)}."}
        if number:
            row["stratum"] = f"station {next(words)}"
        if kind == "multiple_choice":
            row |= {"options": options, "answer_letter": "A", "answer": options[0]}
        elif kind == "yes_no":
            row["answer"] = "no"
        yield row
