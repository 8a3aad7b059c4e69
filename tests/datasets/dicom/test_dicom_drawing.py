"""Frames are drawn by the rules that the documentation states, pixel by pixel."""

import io
from pathlib import Path

import numpy as np
import pytest
from dicom_files import image, written
from PIL import Image

from clinhallu_gate.datasets.dicom.drawing import Drawn, NotDrawable, draw, frames_of, read


def _pixels(drawn: Drawn) -> np.ndarray:
    with Image.open(io.BytesIO(drawn.png)) as picture:
        assert picture.format == "PNG"
        assert not picture.info
        return np.array(picture)


def test_a_frame_of_8_bits_is_drawn_as_it_is_stored(tmp_path: Path) -> None:
    """Without a window every pixel is what was stored."""
    stored = np.arange(256, dtype=np.uint8).reshape(8, 32)
    drawn = draw(read(written(image(stored), tmp_path / "a.dcm")), 0, None)
    assert (_pixels(drawn) == stored).all()
    assert drawn.window == "values as stored (8 bit)"
    assert drawn.steps == ()


def test_a_window_is_applied_to_hounsfield_units(tmp_path: Path) -> None:
    """Stored numbers are rescaled, then the header's window spreads them over 0 to 255."""
    stored = np.array([[0, 864, 1064, 1264, 4000]], dtype=np.uint16)
    header = image(stored, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    drawn = draw(read(written(header, tmp_path / "a.dcm")), 0, None)
    assert _pixels(drawn).tolist() == [[0, 0, 128, 255, 255]]
    assert drawn.window == "VOI 1 of 1: 40/400"
    assert drawn.steps == ("rescaled to HU",)


def test_low_values_of_monochrome1_are_bright() -> None:
    """The window is applied first, then its brightness is inverted."""
    stored = np.array([[0, 100, 255]], dtype=np.uint8)
    drawn = draw(image(stored, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"), 0, None)
    assert _pixels(drawn).tolist() == [[255, 155, 0]]
    assert drawn.steps == ("inverted: MONOCHROME1",)


def test_a_frame_that_is_not_there_is_refused() -> None:
    """Frames are counted from 0; errors count them as DICOM does."""
    header = image(np.zeros((2, 4, 4), dtype=np.uint8))
    assert frames_of(header) == 2
    with pytest.raises(NotDrawable, match=r"^has no frame 3\. Valid: 1 to 2$"):
        draw(header, 2, None)
