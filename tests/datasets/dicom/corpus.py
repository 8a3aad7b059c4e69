"""Every file that ships in pydicom, and what is drawn of it.

``python corpus.py > corpus.csv`` writes the list anew: look at the pictures that have changed before committing it.
"""

import csv
import hashlib
import io
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from second_opinion import LOSSY

from clinhallu_gate.datasets.dicom.drawing import Drawn, NotDrawable, draw, frames_of, read

LIST = Path(__file__).with_name("corpus.csv")
FOLDER = Path(pydicom.__path__[0]) / "data"


@dataclass(frozen=True)
class Outcome:
    """What was made of one file."""

    file: str
    refused: str = ""
    frames: str = ""
    size: str = ""
    window: str = ""
    steps: str = ""
    sha256: str = ""
    """Of the pixels of all frames; empty if their compression is lossy, as decoders may then differ by some levels."""


def files() -> list[str]:
    """Return the names of all files that are data."""
    found = (path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".json"))
    return sorted(path.relative_to(FOLDER).as_posix() for path in found)


def listed() -> list[Outcome]:
    """Return the outcomes that were looked at."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return [Outcome(**row) for row in csv.DictReader(file)]


def pixels(drawn: Drawn) -> np.ndarray:
    """Return the pixels of a picture."""
    with Image.open(io.BytesIO(drawn.png)) as image:
        return np.array(image)


def outcome_of(name: str) -> Outcome:
    """Draw all frames of a file."""
    try:
        header = read(FOLDER / name)
        drawn = [draw(header, frame, None) for frame in range(frames_of(header))]
    except NotDrawable as error:
        return Outcome(name, refused=str(error))
    arrays = [pixels(each) for each in drawn]
    lossy = header.file_meta.TransferSyntaxUID in LOSSY
    return Outcome(
        file=name,
        frames=str(len(drawn)),
        size=" x ".join(map(str, arrays[0].shape)),
        window=drawn[0].window,
        steps=" | ".join(drawn[0].steps),
        sha256="" if lossy else hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest(),
    )


if __name__ == "__main__":
    writer = csv.DictWriter(sys.stdout, [field.name for field in fields(Outcome)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(outcome_of(name)) for name in files())
