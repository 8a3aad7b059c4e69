"""Phantoms as a hospital would have them: DICOM studies of several modalities and lossless syntaxes, and manifests.

Every pixel can be had back exactly: the windows map stored values on 0 to 255 one to one. Every header that may name a
patient names one who does not exist.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from pydicom import Dataset, FileDataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    VLMicroscopicImageStorage,
)

from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.records import Instance

Grey = npt.NDArray[np.uint8]
#: Taken in turn by the studies of a stratum.
SYNTAXES: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)
_PLAIN: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
_FILM: Final = 4
"""Axes of several colour images in one file; a grey film is drawn in colours here, too."""
_GIVEN: Final = ("Zephyrine", "Bogumila", "Itzayana", "Sigrunna", "Dzhamila", "Liesbethe", "Thorvaldur", "Quirinus")
_FAMILY: Final = ("Okonkwo", "Wrzesniak", "Quetzalli", "Fjeldheim", "Abubakarov", "Vanhooydonck", "Papadimas")


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody who does not exist."""

    number: int

    @property
    def name(self) -> str:
        """Family and given name, as DICOM writes them."""
        return f"{_FAMILY[self.number % len(_FAMILY)]}^{_GIVEN[self.number % len(_GIVEN)]}"

    @property
    def id(self) -> str:
        """The record number."""
        return f"MRN{7_781_904 + 7_919 * self.number}"

    @property
    def accession(self) -> str:
        """The number of the request."""
        return f"{55_201_370 + 104_729 * self.number}"

    @property
    def born(self) -> str:
        """YYYYMMDD."""
        return (date(1931, 3, 14) + timedelta(days=611 * self.number)).strftime("%Y%m%d")

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that tells who it is."""
        return (*self.name.split("^"), self.id, self.accession, self.born)


@dataclass(frozen=True, slots=True)
class PhantomStudy:
    """The questions on one study, and the study as DICOM."""

    number: int
    """Among all studies that were written."""
    instances: tuple[Instance, ...]
    files: tuple[FileDataset, ...]
    """One series, in order of its images; a film is one file."""

    @property
    def patient(self) -> Patient:
        """Whose study it is."""
        return Patient(self.number)

    @property
    def name(self) -> str:
        """What its files are called after."""
        return self.instances[0].id.rpartition("-")[0]

    @property
    def pictures(self) -> list[Grey]:
        """The images as a model is to see them: grey where the study is, else RGB."""
        return [_plain(self.instances[0].stratum, _pixels(image.read())) for image in self.instances[0].images]

    @property
    def paths(self) -> list[str]:
        """Where its files lie below the folder; the names say nothing of their order."""
        if len(self.files) == 1:
            return [f"{self.name}.dcm"]
        return [
            f"{self.name}/{hashlib.sha256(file.SOPInstanceUID.encode()).hexdigest()[:8]}.dcm" for file in self.files
        ]


@cache
def phantom_studies(
    each: int = 6, strata: tuple[str, ...] = ("radiograph", "ct", "ultrasound", "histology")
) -> tuple[PhantomStudy, ...]:
    """Return the first ``each`` studies of each stratum of the default phantoms, every second one coded otherwise."""
    by_study: dict[str, list[Instance]] = {}
    for instance in phantom_instances():
        by_study.setdefault(instance.cluster, []).append(instance)
    chosen: list[PhantomStudy] = []
    for stratum in strata:
        members = [group for group in by_study.values() if group[0].stratum == stratum][:each]
        chosen += [_study(len(chosen) + place, place, group) for place, group in enumerate(members)]
    return tuple(chosen)


# --- manifests --------------------------------------------------------------------------------------------------------


def write_files(folder: Path, studies: Iterable[PhantomStudy]) -> None:
    """Write the studies as DICOM files."""
    for study in studies:
        for path, file in zip(study.paths, study.files, strict=True):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("wb") as opened:
                dcmwrite(opened, file, enforce_file_format=True)


def write_pngs(folder: Path, studies: Iterable[PhantomStudy]) -> None:
    """Write the studies' images as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for study in studies:
        for path, picture in zip(png_paths(study), study.pictures, strict=True):
            (folder / path).write_bytes(png_of(picture))


def png_of(picture: Grey) -> bytes:
    """Return a picture as a PNG file."""
    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def png_paths(study: PhantomStudy) -> list[str]:
    """Return how the PNG files of a study are called."""
    return [f"{study.name}-{number}.png" for number in range(len(study.instances[0].images))]


def png_rows(studies: Iterable[PhantomStudy], **more: object) -> list[dict[str, Any]]:
    """Return the rows of a manifest that names PNG files."""
    return [row for study in studies for row in _rows(study, {"images": png_paths(study)}, more)]


def file_rows(studies: Iterable[PhantomStudy], **more: object) -> list[dict[str, Any]]:
    """Return the rows of a manifest that names DICOM files, or the folder of a series."""
    return [
        row
        for study in studies
        for row in _rows(study, {"images": [study.paths[0] if len(study.files) == 1 else study.name]}, more)
    ]


def uid_rows(studies: Iterable[PhantomStudy], **more: object) -> list[dict[str, Any]]:
    """Return the rows of a manifest that names a study, a series or an instance, each in turn."""
    return [row for study in studies for row in _rows(study, _uids(study), more)]


def write_manifest(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows in JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def _uids(study: PhantomStudy) -> dict[str, Any]:
    file = study.files[0]
    named = {"study_uid": str(file.StudyInstanceUID)}
    if study.number % 3 == 0:
        return named
    named["series_uid"] = str(file.SeriesInstanceUID)
    if study.number % 3 == 1 or len(study.files) > 1:
        return named
    return {**named, "sop_uid": [str(file.SOPInstanceUID)]}


def _rows(study: PhantomStudy, images: Mapping[str, Any], more: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    for instance in study.instances:
        row = {
            "id": instance.id,
            "question": instance.question,
            "question_type": str(instance.question_type),
            "answer": instance.answer,
            "options": list(instance.options),
            "answer_letter": instance.answer_letter,
            "gold_visual_recognition": instance.gold.visual_recognition,
            "gold_knowledge_recall": instance.gold.knowledge_recall,
            "gold_reasoning": instance.gold.reasoning_integration,
            "stratum": instance.stratum,
            "patient_id": study.patient.id,
            **images,
            **more,
        }
        yield {name: value for name, value in row.items() if value not in (None, [])}


# --- studies ----------------------------------------------------------------------------------------------------------


def _study(number: int, place: int, instances: Sequence[Instance]) -> PhantomStudy:
    study = PhantomStudy(number, tuple(instances), ())
    pictures = study.pictures
    film = len(pictures) > 1 and place % 2 == 0
    syntax = SYNTAXES[place % len(SYNTAXES)]
    parts = [np.stack(pictures)] if film else pictures
    files = [_file(study, place, part, index, syntax) for index, part in enumerate(parts)]
    return PhantomStudy(number, study.instances, tuple(files))


def _pixels(png: bytes) -> Grey:
    with Pillow.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def _plain(stratum: str, rgb: Grey) -> Grey:
    return rgb if stratum in ("ultrasound", "histology") else np.ascontiguousarray(rgb[..., 0])


def _file(study: PhantomStudy, place: int, pixels: Grey, index: int, syntax: UID) -> FileDataset:
    film = pixels.ndim == _FILM
    coded = _CODED[study.instances[0].stratum](place, pixels)
    named = f"{study.name}/{study.number}"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax not in _PLAIN else syntax
    meta.MediaStorageSOPClassUID = coded.SOPClassUID
    meta.MediaStorageSOPInstanceUID = _uid(f"{named}/{index}")
    file = FileDataset("", coded, preamble=b"\0" * 128, file_meta=meta)
    file.StudyInstanceUID, file.SeriesInstanceUID = _uid(named), _uid(f"{named}/series")
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    file.InstanceNumber, file.SeriesNumber = index + 1, 1
    file.Rows, file.Columns = pixels.shape[1:3] if film else pixels.shape[:2]
    if film:
        file.NumberOfFrames = len(pixels)
    _plant(file, study.patient)
    if syntax not in _PLAIN:
        file.compress(syntax, generate_instance_uid=False)
    return file


def _uid(text: str) -> UID:
    return UID(f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:15])}")


def _plant(file: Dataset, patient: Patient) -> None:
    """Name the patient wherever a header may."""
    said = f"{patient.name.replace('^', ' ')}, {patient.id}, born {patient.born}, request {patient.accession}"
    file.SpecificCharacterSet = "ISO_IR 192"
    file.PatientName, file.PatientID, file.PatientBirthDate = patient.name, patient.id, patient.born
    file.OtherPatientIDs, file.OtherPatientNames = [f"X{patient.id}"], patient.name
    file.PatientSex, file.PatientAge = "FM"[patient.number % 2], f"{30 + patient.number % 50:03d}Y"
    file.PatientAddress, file.PatientTelephoneNumbers = f"1 Lane of {patient.name}", patient.accession
    file.PatientComments = file.ImageComments = file.AdditionalPatientHistory = said
    file.AccessionNumber, file.StudyID = patient.accession, patient.accession[:6]
    file.StudyDate = file.SeriesDate = file.ContentDate = "20240229"
    file.StudyTime = file.ContentTime = "101112"
    file.ReferringPhysicianName, file.OperatorsName = f"Referrer^{patient.name}", f"Operator^{patient.name}"
    file.PerformingPhysicianName = f"Performer^{patient.name}"
    file.InstitutionName, file.InstitutionAddress = f"Ward of {patient.name}", said[:60]
    file.StudyDescription, file.SeriesDescription = f"Study of {patient.name}"[:64], f"for {patient.id}"
    file.Manufacturer, file.DeviceSerialNumber = "Phantom Works", patient.id
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepDescription = patient.accession, said[:64]
    file.RequestAttributesSequence = [request]
    block = file.private_block(0x0011, f"PHANTOM {patient.id}"[:64], create=True)
    block.add_new(0x01, "LO", said[:64])
    block.add_new(0x02, "UN", said.encode())


# --- how pixels are coded, by stratum ---------------------------------------------------------------------------------


def _deep(pixels: npt.NDArray[Any], photometric: str, bits: int, *, signed: bool = False) -> Dataset:
    coded = Dataset()
    coded.SamplesPerPixel, coded.PhotometricInterpretation = 1, photometric
    coded.BitsAllocated, coded.BitsStored, coded.HighBit = 16, bits, bits - 1
    coded.PixelRepresentation = int(signed)
    coded.PixelData = pixels.astype("<i2" if signed else "<u2").tobytes()
    return coded


def _radiograph(place: int, grey: Grey) -> Dataset:
    """Code as 12 bits of which 0 is white; the window is one to one."""
    coded = _deep(255 - grey.astype(np.int32), "MONOCHROME1", 12)
    coded.WindowCenter, coded.WindowWidth = 128, 256
    coded.Modality = "DX" if place % 2 else "CR"
    coded.SOPClassUID = DigitalXRayImageStorageForPresentation if place % 2 else ComputedRadiographyImageStorage
    coded.BodyPartExamined = "CHEST"
    if place % 2:
        coded.PresentationIntentType = "FOR PRESENTATION"
        coded.RescaleIntercept, coded.RescaleSlope, coded.RescaleType = 0, 1, "US"
    return coded


def _ct(place: int, grey: Grey) -> Dataset:
    """Code in Hounsfield units: two to a grey, from -100 on; every second one as MR, without a rescale."""
    if place % 2:
        coded = _deep(grey.astype(np.int32) * 4 + 40, "MONOCHROME2", 16)
        coded.WindowCenter, coded.WindowWidth = 40 + 510.5, 1021
        coded.Modality, coded.SOPClassUID = "MR", MRImageStorage
        coded.ScanningSequence, coded.SequenceVariant = "SE", "NONE"
    else:
        coded = _deep(grey.astype(np.int32) * 2 - 100 + 1024, "MONOCHROME2", 16)
        coded.RescaleIntercept, coded.RescaleSlope = -1024, 1
        coded.WindowCenter, coded.WindowWidth = -100 + 255.5, 511
        coded.Modality, coded.SOPClassUID = "CT", CTImageStorage
    coded.BodyPartExamined = "HEAD"
    coded.PixelSpacing = [0.5, 0.5]
    return coded


def _colour(rgb: npt.NDArray[Any], photometric: str = "RGB") -> Dataset:
    coded = Dataset()
    coded.SamplesPerPixel, coded.PhotometricInterpretation, coded.PlanarConfiguration = 3, photometric, 0
    coded.BitsAllocated = coded.BitsStored = 8
    coded.HighBit, coded.PixelRepresentation = 7, 0
    coded.PixelData = rgb.tobytes()
    return coded


def _ultrasound(place: int, rgb: Grey) -> Dataset:
    """Code as colours, or as a palette of greys."""
    if place % 3 == 1:
        coded = _colour(rgb)
    else:
        coded = Dataset()
        coded.SamplesPerPixel, coded.PhotometricInterpretation = 1, "PALETTE COLOR"
        coded.BitsAllocated = coded.BitsStored = 8
        coded.HighBit, coded.PixelRepresentation = 7, 0
        coded.PixelData = np.ascontiguousarray(255 - rgb[..., 0]).tobytes()
        table = (np.arange(255, -1, -1) * 257).astype("<u2").tobytes()
        for colour in ("Red", "Green", "Blue"):
            setattr(coded, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            setattr(coded, f"{colour}PaletteColorLookupTableData", table)
    coded.Modality, coded.BodyPartExamined = "US", "ABDOMEN"
    film = rgb.ndim == _FILM
    coded.SOPClassUID = UltrasoundMultiFrameImageStorage if film else UltrasoundImageStorage
    if film:
        coded.FrameTime, coded.FrameIncrementPointer = 40, 0x00181063
    return coded


def _histology(place: int, rgb: Grey) -> Dataset:
    """Code as colours; for JPEG 2000 in the space that it transforms to without loss."""
    coded = _colour(rgb)
    if SYNTAXES[place % len(SYNTAXES)] == JPEG2000Lossless:
        coded.PhotometricInterpretation = "YBR_RCT"
    coded.Modality, coded.SOPClassUID = "GM", VLMicroscopicImageStorage
    return coded


_CODED: Final = {"radiograph": _radiograph, "ct": _ct, "ultrasound": _ultrasound, "histology": _histology}
