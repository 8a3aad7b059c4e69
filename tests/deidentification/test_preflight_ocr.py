"""Text in pixels is found by real OCR where it can be, and nothing says that there is none."""

from pathlib import Path

import pytest
from installed import program
from PIL import Image
from planted import test_file

from clinhallu_gate.deidentification import burned_in
from clinhallu_gate.deidentification.findings import Depth
from clinhallu_gate.deidentification.preflight import preflight
from clinhallu_gate.deidentification.wording import preflight_lines
from clinhallu_gate.errors import BadInput


def test_text_burned_into_ultrasound_is_found(tmp_path: Path) -> None:
    """Ultrasound images of pydicom bear text; a CT slice and a plain image do not, and reports have no pixels."""
    program("tesseract")
    Image.new("L", (64, 64), 128).save(tmp_path / "plain.png")
    names = ("examples_palette.dcm", "examples_ybr_color.dcm", "CT_small.dcm", "test-SR.dcm")
    found = preflight([*map(test_file, names), tmp_path / "plain.png"], depth=Depth.OCR, kept=tmp_path / "kept")
    assert found.texts is not None
    assert (found.texts.images, found.texts.with_text, found.texts.undrawn) == (4, 2, 0)
    assert "  text was found in 2 of 4 images; where none was found there may still be some" in "\n".join(
        preflight_lines(found)
    )


def test_what_was_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OCR of an image is kept, as whether there is text; what was read is kept nowhere."""
    program("tesseract")
    files, kept = [test_file("examples_palette.dcm")], tmp_path / "kept"
    first = preflight(files, depth=Depth.OCR, kept=kept)
    monkeypatch.setattr(burned_in.subprocess, "run", pytest.fail)
    assert preflight(files, depth=Depth.OCR, kept=kept) == first
    lines = (kept / "preflight.jsonl").read_text().split("\n")
    assert '"what":"text","found":{"text":[true]}' in lines[-1]


def test_an_image_that_cannot_be_drawn_is_counted() -> None:
    """What was not looked at does not count as free of text."""
    program("tesseract")
    found = preflight([test_file("JPEG-lossy.dcm")], depth=Depth.OCR)
    assert found.texts is not None
    assert (found.texts.images, found.texts.undrawn) == (0, 1)
    assert "1 image could not be drawn" in preflight_lines(found)[-1]


def test_without_tesseract_ocr_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said before anything is looked at, and never passed over."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"tesseract: is not on the PATH"):
        preflight([test_file("CT_small.dcm")], depth=Depth.OCR)
