"""Bytes and headers made to break a reader: one clear refusal, no other error, nothing decoded beyond its promise."""

import io
import logging
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from corpus import FOLDER
from dicom_files import image, written
from PIL import Image
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from clinhallu_gate.datasets.dicom.drawing import NotDrawable, draw, frames_of, read
from clinhallu_gate.datasets.dicom.isolated import Job, draw_all

_STORED = np.arange(256, dtype=np.uint16).reshape(16, 16)


def _refusal(header: Dataset, frame: int = 0, window: str | None = None) -> str:
    with pytest.raises(NotDrawable) as refused:
        draw(header, frame, window)
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "is not a DICOM file"),
        (b"DICM", "is not a DICOM file"),
        (b"\x08\x00", "is not a DICOM file"),
        (b"\x08\x00\x05\x00" * 99, "is not a DICOM file"),
        (bytes(128) + b"DICM", "has no pixel data"),
        (bytes(128) + b"DICM\x02\x00\x10\x00UI\xff\xff1.2", "has no pixel data"),
        (b"%PDF-1.7 " + bytes(300), "is not a DICOM file"),
    ],
)
def test_what_is_no_dicom_is_said_to_be_none(data: bytes, error: str, tmp_path: Path) -> None:
    """Whether reading or drawing finds it out."""
    path = tmp_path / "a.dcm"
    path.write_bytes(data)
    with pytest.raises(NotDrawable) as refused:
        draw(read(path), 0, None)
    assert str(refused.value) == error


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe that would never end, a file that is missing or too large."""
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(257 * 2**20)
    expected = {
        "": "is not a file",
        "pipe": "is not a file",
        "missing": "cannot be read: No such file or directory",
        "large": "has 257 MiB. Valid: at most 256",
    }
    for name, error in expected.items():
        with pytest.raises(NotDrawable) as refused:
            read(tmp_path / name)
        assert str(refused.value) == error


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"Rows": 0}, "has Rows 0. Valid: 1 to 65535"),
        ({"Columns": None}, "has no Columns"),
        ({"Rows": 65535, "Columns": 65535}, "has 65535 x 65535 pixels, 4295 megapixels. Valid: at most 40"),
        ({"Rows": 17}, "has 512 bytes of pixels where its header promises 544"),
        ({"NumberOfFrames": 2}, "has 512 bytes of pixels where its header promises 1024"),
        ({"NumberOfFrames": 2**31 - 1}, "has NumberOfFrames 2147483647. Valid: 1 to 65536"),
        ({"NumberOfFrames": 0}, "has NumberOfFrames 0. Valid: 1 to 65536"),
        ({"NumberOfFrames": -5}, "has NumberOfFrames -5. Valid: 1 to 65536"),
        ({"BitsAllocated": 12}, "has BitsAllocated 12. Valid: 1, 8, 16, 32"),
        ({"BitsAllocated": 64}, "has BitsAllocated 64. Valid: 1, 8, 16, 32"),
        ({"BitsAllocated": 32}, "has 512 bytes of pixels where its header promises 1024"),
        ({"BitsStored": 17}, "has BitsStored 17. Valid: 1 to 16"),
        ({"BitsStored": 0}, "has BitsStored 0. Valid: 1 to 16"),
        ({"HighBit": 3}, "has HighBit 3. Valid: 15 to 15"),
        ({"PixelRepresentation": 7}, "has PixelRepresentation 7. Valid: 0 to 1"),
        ({"SamplesPerPixel": 3}, "has 3 samples per pixel where MONOCHROME2 has 1"),
        ({"SamplesPerPixel": 4}, "has 4 samples per pixel where MONOCHROME2 has 1"),
        ({"SamplesPerPixel": 9}, "has SamplesPerPixel 9. Valid: 1 to 4"),
        (
            {"PhotometricInterpretation": "CMYK"},
            "has PhotometricInterpretation CMYK. Valid: MONOCHROME1, MONOCHROME2, ",
        ),
        ({"PhotometricInterpretation": "CANARY"}, "has PhotometricInterpretation none or an unknown one. Valid: MONO"),
        ({"PhotometricInterpretation": "RGB"}, "has 1 samples per pixel where RGB has 3"),
        ({"PhotometricInterpretation": "YBR_RCT", "SamplesPerPixel": 3}, "YBR_RCT in Explicit VR Little Endian"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "malformed RedPaletteColorLookupTableDescriptor"),
        ({"FloatPixelData": b"\0" * 1024}, "has PixelData and FloatPixelData. Valid: one of them"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "has RescaleSlope 0"),
        ({"RescaleSlope": float("nan")}, "has a RescaleSlope that is no number"),
        (
            {"RescaleSlope": 1e308, "RescaleIntercept": 1e308},
            "has a RescaleSlope or RescaleIntercept beyond all bounds",
        ),
        ({"PixelSpacing": [1e9, 1]}, "has pixel spacing 1e+09 x 1 mm. Valid: one at most 32 times the other"),
        ({"PixelSpacing": [1e308, 1e-308]}, "mm. Valid: one at most 32 times the other"),
        ({"PixelSpacing": [float("inf"), 1]}, "has a PixelSpacing that is no number"),
        ({"PlanarConfiguration": 5, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "PlanarConfiguration 5"),
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_is_refused(attributes: dict[str, object], error: str) -> None:
    """The message says which attribute, what it is and what it may be, and repeats no text."""
    message = _refusal(image(_STORED, **attributes))
    assert error in message
    assert "CANARY" not in message


def test_resizing_is_bounded_too() -> None:
    """A large image with oblong pixels would become larger than any image may be."""
    stored = np.zeros((1000, 2000), dtype=np.uint8)
    assert _refusal(image(stored, PixelSpacing=[25, 1])).endswith("resized 50 megapixels. Valid: at most 40")


def _lut(descriptor: list[int], data: object) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "US" if isinstance(data, list) else "OW", data)
    return Sequence([item])


@pytest.mark.parametrize("name", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize(
    ("descriptor", "data", "error"),
    [
        ([4, 0, 16], [1, 2, 3], "has 3 entries in {} where its descriptor promises 4"),
        ([0, 0, 16], [1, 2, 3], "has 3 entries in {} where its descriptor promises 65536"),
        ([4, 0], [1, 2, 3, 4], "has a malformed LUTDescriptor"),
        ([4, 0, 33], [1, 2, 3, 4], "has a malformed LUTDescriptor"),
        ([4, 0, 0], [1, 2, 3, 4], "has a malformed LUTDescriptor"),
        ([4, 0, 16], b"\0\0\0", "has a malformed {}"),
    ],
    ids=str,
)
def test_a_table_that_is_none_is_refused(name: str, descriptor: list[int], data: object, error: str) -> None:
    """Of windows and of the modality."""
    assert _refusal(image(_STORED, **{name: _lut(descriptor, data)})) == error.format(name)


def _jpeg(width: int, height: int) -> bytes:
    Image.new("L", (16, 16)).save(buffer := io.BytesIO(), "JPEG")
    data = bytearray(buffer.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


def _encapsulated(frame: bytes, syntax: uid.UID, **attributes: object) -> Dataset:
    header = image(_STORED.astype(np.uint8), **attributes)
    header.file_meta.TransferSyntaxUID = syntax
    header.PixelData = encapsulate([frame])
    return header


def test_a_frame_larger_than_its_header_is_not_decoded() -> None:
    """Some hundred bytes of JPEG can promise four gigapixels."""
    header = _encapsulated(_jpeg(65500, 65500), uid.JPEGBaseline8Bit)
    expected = "has a frame of 65500 x 65500 pixels of 1 samples where its header promises 16 x 16 pixels of 1 samples"
    assert _refusal(header) == expected


def test_run_lengths_that_swell_are_not_unpacked() -> None:
    """A frame of 256 bytes never needs more than twice as many."""
    rle = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + b"\x81\x00" * 10_000
    assert _refusal(_encapsulated(rle, uid.RLELossless)) == "has 20064 bytes of RLE for a frame of 256"


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEG2000, uid.JPEGLSLossless, uid.JPEGLosslessSV1])
@pytest.mark.parametrize("frame", [b"\xff\xd8", b"\xff\xd8\xff\xc0\x00", b"\xff\x4f\xff\x51\x00\x29", b"CANARY12"])
def test_a_frame_that_is_none_is_refused(syntax: uid.UID, frame: bytes) -> None:
    """Cut off, or something else."""
    message = _refusal(_encapsulated(frame, syntax))
    assert message.startswith(("has pixel data that cannot be decoded as JPEG", "has a malformed PixelData"))
    assert "CANARY" not in message


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    """At every hundredth byte; without its last pixel it is no image."""
    data = (FOLDER / "test_files/CT_small.dcm").read_bytes()
    path = tmp_path / "a.dcm"
    end = 6294 + 32768  # where the pixels end; padding follows
    for length in (*range(0, end, 97), end - 1):
        path.write_bytes(data[:length])
        with pytest.raises(NotDrawable):
            draw(read(path), 0, None)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_small_odd_jpeg.dcm",
        "image_dfl.dcm",
        "examples_palette.dcm",
    ],
)
def test_changed_bytes_are_drawn_or_refused(name: str, tmp_path: Path) -> None:
    """Whatever 40 files with bytes changed at random do to a decoder, each has an answer; the sound one is drawn."""
    data = (FOLDER / "test_files" / name).read_bytes()
    draws = random.Random(name)
    jobs = []
    for number in range(40):
        changed = bytearray(data)
        for _ in range(draws.choice((1, 4, 32))):
            changed[draws.randrange(132, len(changed))] = draws.randrange(256)
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(changed)
        jobs.append(Job(path))
    answers = list(draw_all([*jobs, Job(FOLDER / "test_files" / name)], workers=1, time_limit_s=20))
    assert len(answers) == 41
    assert not isinstance(answers[-1], NotDrawable)


def test_nothing_of_a_header_is_shown_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By itself pydicom warns of values and repeats them; here it is silent, and a refusal holds none."""
    header = image(
        _STORED,
        PatientName="CANARY",
        PatientID="CANARY",
        Modality="CANARY^^^",
        StudyDate="CANARY",
        PresentationLUTShape="CANARY^^",
        RescaleType="CANARY^^",
    )
    path = written(header, tmp_path / "a.dcm")
    changed = path.read_bytes().replace(b"MONOCHROME2 ", b"CANARYCANARY")
    path.write_bytes(changed)
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        read_again = read(path)
        assert frames_of(read_again) == 1
        with pytest.raises(NotDrawable) as refused:
            draw(read_again, 0, "CANARY")
    assert warned == []
    assert caplog.text == ""
    assert "CANARY" not in str(refused.value)
    assert refused.value.__cause__ is None
