"""Small DICOM files made for tests."""

from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from clinhallu_gate.datasets.dicom.quiet import quiet


def image(pixels: np.ndarray, *, syntax: UID = ExplicitVRLittleEndian, **attributes: object) -> Dataset:
    """Return an image with these stored numbers, (rows, columns[, 3]) or with frames before; attributes as keywords."""
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    frames = pixels.shape[0] if pixels.ndim > 2 + colour else None
    rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=["test"])
    header.Rows, header.Columns, header.SamplesPerPixel = rows, columns, 3 if colour else 1
    header.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8 * pixels.dtype.itemsize
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(pixels.dtype.kind == "i")
    if colour:
        header.PlanarConfiguration = 0
    if frames is not None:
        header.NumberOfFrames = frames
    raw = pixels.astype(pixels.dtype.newbyteorder("<" if syntax.is_little_endian else ">")).tobytes()
    header.PixelData = raw + b"\0" * (len(raw) % 2)
    header["PixelData"].VR = "OB" if header.BitsAllocated <= 8 else "OW"
    with quiet():
        for name, value in attributes.items():
            setattr(header, name, value)
    return header


def written(header: Dataset, path: Path) -> Path:
    """Write an image as a file."""
    header.save_as(path, enforce_file_format=True)
    return path


def reread(header: Dataset, path: Path) -> Dataset:
    """Write an image and read it with pydicom alone."""
    return dcmread(written(header, path))
