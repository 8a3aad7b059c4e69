"""Reads DICOM files: headers at once, pixels when they are asked for."""

import io
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from clinhallu_gate.datasets.dicom.layout import UNDEFINED_LENGTH
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.datasets.entries import MARK, PREAMBLE
from clinhallu_gate.datasets.intake import MAX_BYTES

#: Longer elements stay in the file until they are asked for.
_DEFERRED: Final = 64 * 2**10
#: Bytes of the element that says how long the other meta information is.
_GROUP_LENGTH: Final = 12
#: Groups with which a file without preamble may begin, in both byte orders: meta information, identification.
_BEGINNINGS: Final = (b"\x02\x00", b"\x08\x00", b"\x00\x08")


def read(path: Path) -> Dataset:
    """Read a header; pixels stay in the file until they are asked for.

    Without preamble (Part 10's "DICM") a file counts as DICOM if it begins as one and says what kind of object it is.

    Raises:
        NotDrawable: What is no DICOM, malformed, too large, or cannot be opened.
    """
    try:
        _refuse_unfit(path.stat())
        with quiet(), path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        # Without a number it is pydicom's own, not the system's.
        malformed = "is a malformed DICOM file"
        raise NotDrawable(f"cannot be read: {error.strerror}" if error.strerror else malformed) from None
    except InvalidDicomError:
        raise NotDrawable("is not a DICOM file") from None
    except NotDrawable:
        raise
    except Exception:  # noqa: BLE001 - whatever bad bytes lead to, and be it memory for lengths that lie
        raise NotDrawable("is a malformed DICOM file") from None


def _refuse_unfit(found: os.stat_result) -> None:
    """Refuse what is no file (a pipe would never end) or too large."""
    if not stat.S_ISREG(found.st_mode):
        raise NotDrawable("is not a file")
    if found.st_size > MAX_BYTES:
        raise NotDrawable(f"has {found.st_size / 2**20:.0f} MiB. Valid: at most {MAX_BYTES / 2**20:.0f}")


def _read(path: Path, file: BinaryIO) -> Dataset:
    head = file.read(PREAMBLE + len(MARK))
    bare = head[PREAMBLE:] != MARK
    if bare and head[:2] not in _BEGINNINGS:
        raise NotDrawable("is not a DICOM file")
    if not bare:
        meta = read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            return _inflated(file, meta)
    header = _bare(path) if bare else dcmread(path, defer_size=_DEFERRED)
    _complete(header)
    return header


def _bare(path: Path) -> FileDataset:
    """Read a file without preamble, which may be anything that begins with the same two bytes."""
    try:
        header = dcmread(path, defer_size=_DEFERRED, force=True)
        if "SOPClassUID" in header:
            return header
    except Exception:  # noqa: BLE001, S110 - what cannot be read as DICOM is none
        pass
    raise NotDrawable("is not a DICOM file")


def _inflated(file: BinaryIO, meta: FileMetaDataset) -> Dataset:
    """Read a deflated file (PS3.5 A.5); pydicom itself would inflate a few bytes to whatever they promise."""
    file.seek(PREAMBLE + len(MARK) + _GROUP_LENGTH + int(meta.FileMetaInformationGroupLength))
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflating.decompress(file.read(), MAX_BYTES)
    if inflating.unconsumed_tail:
        raise NotDrawable(f"has more than {MAX_BYTES / 2**20:.0f} MiB when inflated")
    elements = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True)
    header = FileDataset(io.BytesIO(), elements, file_meta=meta, is_implicit_VR=False, is_little_endian=True)
    header.set_original_encoding(False, True)  # noqa: FBT003 - explicit VR, little endian
    return header


def _complete(header: FileDataset) -> None:
    """Say which transfer syntax it was where the file does not; compressed pixels may be anything."""
    if header.file_meta.get("TransferSyntaxUID"):
        return
    implicit, little = header.original_encoding
    plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    element = header.get_item("PixelData")
    if element is None or getattr(element, "length", 0) != UNDEFINED_LENGTH:
        header.file_meta.TransferSyntaxUID = plain
