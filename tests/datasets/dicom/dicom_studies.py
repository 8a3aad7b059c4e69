"""Small DICOM studies of planted patients, for the tests of rows that name DICOM."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from clinhallu_gate.datasets.dicom.quiet import quiet

#: A row on DICOM; its patient is the header's.
ASKED: Final[Mapping[str, Any]] = {
    "question": "Is there a fracture?",
    "answer": "no",
    "question_type": "yes_no",
    "id": "1",
    "phi": False,
}


def uid(*parts: object) -> str:
    """Return a UID that follows from ``parts``."""
    return str(generate_uid(entropy_srcs=["rows", *map(str, parts)]))


def header(*, series: str = "1", number: int | None = 1, place: float | None = None, **more: Any) -> Dataset:  # noqa: ANN401
    """Return a CT slice of 8 by 8 pixels, each with a brightness of its own; ``more`` are attributes, None for none."""
    frames = int(more.get("NumberOfFrames") or 1)
    sop = more.pop("SOPInstanceUID", uid("sop", series, number, place))
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = sop
    pixels = np.random.default_rng(list(sop.encode())).integers(0, 4096, (frames, 8, 8), np.uint16)
    said: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": sop,
        "SeriesInstanceUID": uid("series", series),
        "StudyInstanceUID": uid("study", more.get("PatientID", "P1")),
        "PatientID": "P1",
        "PatientName": "Featherstonehaugh^Marjorie",
        "PatientBirthDate": "19540203",
        "PatientSex": "F",
        "StudyDate": "20200101",
        "AccessionNumber": "ACC778",
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "Manufacturer": "GE MEDICAL SYSTEMS",
        "InstanceNumber": number,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0] if place is not None else None,
        "ImagePositionPatient": [0, 0, place] if place is not None else None,
        "Rows": 8,
        "Columns": 8,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
        **more,
    }
    for name, value in said.items():
        if value is not None:
            setattr(made, name, value)
    return made


def save(path: Path, **more: Any) -> Path:  # noqa: ANN401
    """Write such a slice, valid or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet():
        header(**more).save_as(path, enforce_file_format=True)
    return path
