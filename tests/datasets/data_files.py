"""Small pictures and manifests for the tests of data sets."""

import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from clinhallu_gate.datasets.load import BadRows, DataOptions, load_data
from clinhallu_gate.records import Image, Instance

#: Writes sets of the benchmark in a layout below a folder of the test, and returns that folder.
Release = Callable[..., Path]
NAMES = ("vqa-rad", "pathvqa", "medframeqa", "medxpertqa")


def png(colour: tuple[int, int, int] = (10, 20, 30), size: tuple[int, int] = (4, 3)) -> bytes:
    """Return a small picture of one colour."""
    return encoded(Pillow.new("RGB", size, colour), "PNG")


def encoded(image: Pillow.Image, kind: str, **more: object) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def huge_png(width: int = 10_000, height: int = 10_000) -> bytes:
    """Return the beginning of a PNG of so many pixels, in some fifty bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


ROW: Mapping[str, Any] = {
    "phi": False,
    "question": "Is there a fracture?",
    "answer": "no",
    "images": ["a.png"],
    "question_type": "yes_no",
    "source_id": "1",
}
CHOICE: Mapping[str, Any] = {
    "question": "Which side?",
    "answer": "B. left",
    "images": ["a.png"],
    "question_type": "multiple_choice",
    "options": ["A. right", "B. left"],
    "answer_letter": "B",
    "source_id": "2",
}


def manifest(folder: Path, rows: Sequence[Mapping[str, Any]], *, images: Mapping[str, bytes] | None = None) -> Path:
    """Write a manifest in JSON Lines, with the images beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (images if images is not None else {"a.png": png()}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def troubles(path: Path, options: DataOptions) -> list[str]:
    """Return what is wrong with the rows of a manifest, without the file's name."""
    with pytest.raises(BadRows) as raised:
        load_data([str(path)], options)
    return [f"{problem.row}: {problem.text}" for problem in raised.value.problems]


def only(path: Path, options: DataOptions) -> Instance:
    """Return the one instance of a manifest."""
    (instance,) = load_data([str(path)], options)[0].instances
    return instance


def pixels(image: Image) -> Pillow.Image:
    """Return the picture that is sent."""
    return Pillow.open(io.BytesIO(image.read()))
