"""Child processes draw in order, and one that crashes, hangs or swells costs the one frame that it was drawing."""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from dicom_files import image, written
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from clinhallu_gate.datasets.dicom import isolated
from clinhallu_gate.datasets.dicom.drawing import Drawn, NotDrawable, draw, read
from clinhallu_gate.datasets.dicom.isolated import Job, draw_all
from clinhallu_gate.errors import BadInput

#: In place of pyjpegls in a child: does to its process what a frame says.
_BAD_DECODER = """
__version__ = "1.5.1"
import ctypes, os
def decode_pixel_data(data):
    if b"crash" in data:
        ctypes.string_at(0)
    while b"hang" in data:
        pass
    if b"swell" in data:
        bytearray(2**40)
    os.write(1, b"CANARY"), os.write(2, b"CANARY")
    raise ValueError
"""
#: The head of a JPEG-LS frame of 8 x 8 grey pixels with 8 bits.
_FRAME = bytes.fromhex("ffd8 fff7000b 08 00080008 01 011100 ffda0008 01 0100 0000 00")


@pytest.fixture
def bad_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder of JPEG-LS that misbehaves; gdcm cannot decode its frames either."""
    (tmp_path / "bad" / "jpeg_ls").mkdir(parents=True)
    (tmp_path / "bad" / "jpeg_ls" / "__init__.py").write_text(_BAD_DECODER)
    monkeypatch.syspath_prepend(str(tmp_path / "bad"))


def _good(folder: Path, number: int) -> Job:
    stored = np.full((8, 8), number, dtype=np.uint8)
    return Job(written(image(stored), folder / f"{number}.dcm"))


def _bad(folder: Path, what: str) -> Job:
    header = image(np.zeros((8, 8), dtype=np.uint8))
    header.file_meta.TransferSyntaxUID = uid.JPEGLSLossless
    header.PixelData = encapsulate([_FRAME + what.encode().ljust(10)])
    header["PixelData"].is_undefined_length = True
    return Job(written(header, folder / f"{what}.dcm"))


def _value(answer: Drawn | NotDrawable) -> int | str:
    if isinstance(answer, NotDrawable):
        return str(answer)
    with Image.open(io.BytesIO(answer.png)) as picture:
        return int(np.array(picture)[0, 0])


def test_pictures_come_in_order_and_are_those_of_this_process(tmp_path: Path) -> None:
    """With several children, and refusals between pictures."""
    jobs = [_good(tmp_path, number) for number in range(40)]
    jobs.insert(20, Job(tmp_path / "missing.dcm"))
    answers = list(draw_all(jobs))
    expected: list[int | str] = list(range(40))
    expected.insert(20, "cannot be read: No such file or directory")
    assert [_value(answer) for answer in answers] == expected
    assert answers[0] == draw(read(jobs[0].path), 0, None)


def test_frame_and_window_of_a_job_are_heeded(tmp_path: Path) -> None:
    """Jobs of one film, and a path that no encoding knows."""
    stored = np.stack([np.full((4, 4), level, dtype=np.uint16) for level in (0, 50, 100)])
    path = written(image(stored), tmp_path / os.fsdecode(b"film-\xff.dcm"))
    answers = list(draw_all([Job(path, frame, "50.5/101") for frame in range(4)], workers=1))
    assert [_value(answer) for answer in answers] == [0, 128, 255, "has no frame 4. Valid: 1 to 3"]


@pytest.mark.usefixtures("bad_decoder")
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("crash", "makes its decoder crash"),
        ("hang", "takes longer than 1.5 seconds to decode"),
        ("swell", "has pixel data that cannot be decoded as JPEG-LS Lossless Image Compression"),
    ],
)
def test_a_child_that_fails_costs_one_frame(what: str, error: str, tmp_path: Path) -> None:
    """Those before and after it are drawn, by the same child or a new one."""
    jobs = [_good(tmp_path, 1), _good(tmp_path, 2), _bad(tmp_path, what), _good(tmp_path, 3), _good(tmp_path, 4)]
    answers = [_value(answer) for answer in draw_all(jobs, workers=1, time_limit_s=1.5)]
    assert answers == [1, 2, error, 3, 4]


@pytest.mark.usefixtures("bad_decoder")
def test_what_a_decoder_prints_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Libraries in C write what they dislike to the terminal, and it may be a patient's."""
    (answer,) = draw_all([_bad(tmp_path, "print")])
    assert "cannot be decoded as JPEG-LS" in str(answer)
    assert capfd.readouterr() == ("", "")


def test_a_large_image_stays_within_its_memory(tmp_path: Path) -> None:
    """A child whose limit is too low for an image refuses it and draws the next one."""
    large = Job(written(image(np.zeros((6000, 6000), dtype=np.uint16)), tmp_path / "large.dcm"))
    answers = [_value(answer) for answer in draw_all([large, _good(tmp_path, 7)], workers=1, memory=2**26)]
    assert answers == ["takes more memory to decode than is allowed", 7]
    assert _value(next(draw_all([large]))) == 0


def test_jobs_are_not_taken_far_ahead(tmp_path: Path) -> None:
    """However long the source, what is taken of it is what is soon drawn."""
    job, taken = _good(tmp_path, 5), []

    def source() -> Iterator[Job]:
        for number in range(10_000):
            taken.append(number)
            yield job

    answers = draw_all(source())
    next(answers)
    time.sleep(0.2)
    assert len(taken) <= 1 + 8 * isolated.WORKERS
    answers.close()


def test_no_child_is_left(tmp_path: Path) -> None:
    """Neither at the end nor when nobody wants the rest."""
    before = set(psutil.Process().children())
    job = _good(tmp_path, 5)
    list(draw_all([job] * 3))
    unfinished = draw_all([job] * 100)
    next(unfinished)
    assert set(psutil.Process().children()) > before
    unfinished.close()
    assert set(psutil.Process().children()) == before


def test_no_job_starts_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where none can be started the error says so."""
    assert list(draw_all([])) == []
    (tmp_path / "numpy.py").write_text("raise ImportError('CANARY')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInput, match=r"^the process that draws DICOM images ended with 1 as it was started\. Try: "):
        list(draw_all([_good(tmp_path, 5)]))
