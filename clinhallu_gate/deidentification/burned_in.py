"""Text in images, by OCR: what it finds is there, what it does not find may be there all the same."""

import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import Image
from pydicom import Dataset as Elements

from clinhallu_gate.datasets.dicom.drawing import draw, frames_of
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.errors import BadInput

PROGRAM: Final = "tesseract"
#: At 640x480 tesseract 5.3 finds burned-in text once it is drawn three times as large.
_SCALE: Final = 3
_MOST_PIXELS: Final = 36_000_000
#: Of a file with many frames the first, the middle and the last are looked at.
_FRAMES: Final = 3
_SURE: Final = 50.0
"""Confidence in per cent from which a word counts."""
_LETTERS: Final = 3
_LONGEST_S: Final = 300.0


def program() -> str:
    """Return where tesseract is. Raises ``BadInput`` if it is not installed."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise BadInput(
            f"{PROGRAM}: is not on the PATH, and reading text in images needs it. Install it, or leave OCR out."
        )
    return found


def has_text(elements: Elements, tesseract: str) -> bool:
    """Whether text is found in a DICOM image. Raises ``NotDrawable``."""
    last = frames_of(elements) - 1
    frames = sorted({0, last // 2, last}) if last >= 0 else [0]
    pictures = (Image.open(io.BytesIO(draw(elements, frame, None).png)) for frame in frames[:_FRAMES])
    return any(_has_text(picture, tesseract) for picture in pictures)


def file_has_text(path: Path, tesseract: str) -> bool:
    """Whether text is found in an image that is no DICOM. Raises ``NotDrawable``."""
    try:
        with Image.open(path) as image:
            return _has_text(image.convert("L"), tesseract)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise NotDrawable("cannot be drawn") from None


def _has_text(picture: Image.Image, tesseract: str) -> bool:
    grey = picture.convert("L")
    scale = min(_SCALE, (_MOST_PIXELS / (grey.width * grey.height)) ** 0.5)
    large = grey.resize(
        (max(1, round(grey.width * scale)), max(1, round(grey.height * scale))), Image.Resampling.LANCZOS
    )
    encoded = io.BytesIO()
    large.save(encoded, "PNG", compress_level=1)
    return any(_words(encoded.getvalue(), tesseract))


def _words(png: bytes, tesseract: str) -> Iterator[bool]:
    """Yield for each word that tesseract reads whether it is sure of it; the words themselves go no further."""
    command = [tesseract, "stdin", "stdout", "--psm", "11", "tsv"]
    try:
        done = subprocess.run(  # noqa: S603 - the program that the user installed, with no shell
            command,
            input=png,
            capture_output=True,
            check=False,
            timeout=_LONGEST_S,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        raise NotDrawable(f"cannot be read by {PROGRAM}") from None
    if done.returncode:
        raise NotDrawable(f"cannot be read by {PROGRAM} (status {done.returncode})")
    for line in done.stdout.decode("utf-8", "replace").splitlines()[1:]:
        *_, confidence, word = line.split("\t")
        yield float(confidence) >= _SURE and sum(map(str.isalnum, word)) >= _LETTERS
