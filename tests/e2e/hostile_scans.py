"""Rows and DICOM files made to do harm, each of a patient who must not be seen, and what is said of each."""

import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from canaries import marked
from dicom_canaries import study, write_scans
from PIL import Image as Pillow
from pydicom import Dataset, config
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

#: Beside the manifest's folder: nothing of it may be read, nothing in it changed.
OUTSIDE: Final = "outside"
_BOMB: Final = 300 * 2**20
"""Bytes that a deflated file of a third of a megabyte becomes."""
_UNTIL: Final = 132
"""Where a file's elements begin."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A row that cannot be used."""

    make: Callable[[Path, Path], object]
    """Given its own place (that need not exist) and that of a sound file outside of the manifest's folder."""
    says: str
    image: str = ""
    """What the row names, if it is not that place."""


def _file(place: Path, **attributes: Any) -> None:  # noqa: ANN401 - whatever a header may hold
    """Write a planted image with other elements."""
    _save(place, _header(**attributes))


def _header(**attributes: Any) -> Dataset:  # noqa: ANN401 - as above
    header = next(study(0))
    with config.disable_value_validation():
        for name, told in attributes.items():
            setattr(header, name, told)
    return header


def _save(place: Path, header: Dataset) -> None:
    with config.disable_value_validation():
        header.save_as(place, enforce_file_format=True)


def _raw(place: Path, tag: int, data: bytes, **attributes: Any) -> None:  # noqa: ANN401 - as above
    """Write one with an element whose bytes are none of its kind."""
    _file(place, **attributes)
    whole = place.read_bytes()
    at = whole.index(struct.pack("<HH", *divmod(tag, 1 << 16)), _UNTIL)
    (length,) = struct.unpack_from("<H", whole, at + 6)
    place.write_bytes(whole[: at + 6] + struct.pack("<H", len(data)) + data + whole[at + 8 + length :])


def _longer(place: Path, tag: bytes, length: int) -> None:
    """Write one of which an element claims ``length`` bytes."""
    _file(place)
    data = bytearray(place.read_bytes())
    at = data.index(tag, _UNTIL)
    struct.pack_into("<H", data, at + 6, length)
    place.write_bytes(data)


def _cut(place: Path, _outside: Path) -> None:
    _file(place)
    place.write_bytes(place.read_bytes()[:20_000])


def _inflating(place: Path, _outside: Path) -> None:
    """Write one that is small, and large when it is inflated."""
    header = _header()
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    _save(place, header)
    data = place.read_bytes()
    (length,) = struct.unpack_from("<I", data, _UNTIL + 8)
    body = _UNTIL + 12 + length
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(2**20)
    element = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, _BOMB)
    parts = [packer.compress(element), *(packer.compress(zeros) for _ in range(_BOMB // len(zeros))), packer.flush()]
    place.write_bytes(data[:body] + b"".join(parts))


def _promising(place: Path, _outside: Path) -> None:
    """Write one whose JPEG frame says that it has four gigapixels."""
    Pillow.new("L", (16, 16)).save(buffer := io.BytesIO(), "JPEG")
    frame = bytearray(buffer.getvalue())
    struct.pack_into(">HH", frame, frame.index(b"\xff\xc0") + 5, 65_500, 65_500)
    header = _header(Rows=16, Columns=16)
    header.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    header.PixelData = encapsulate([bytes(frame)])
    _save(place, header)


def _linked_within(place: Path, outside: Path) -> None:
    place.mkdir()
    (place / marked(277_000)).symlink_to(outside.parent)


def _linked_file_within(place: Path, outside: Path) -> None:
    place.mkdir()
    (place / f"{marked(277_001)}.dcm").symlink_to(outside)


def _nothing(_place: Path, _outside: Path) -> None:
    """Make nothing."""


HOSTILE: Final = {
    "traversal": Hostile(_nothing, "leads out of its folder", f"../{OUTSIDE}/{{name}}"),
    "detour": Hostile(_nothing, "leads out of its folder", f"a/../../{OUTSIDE}/{{name}}"),
    "absolute": Hostile(_nothing, "is absolute; files are named relative to their folder", "{outside}"),
    "linked": Hostile(lambda place, outside: place.symlink_to(outside), "leads out of "),
    "linked folder": Hostile(lambda place, outside: place.symlink_to(outside.parent), "leads out of "),
    "folder with a link": Hostile(_linked_within, "holds a link to a folder"),
    "folder with a linked file": Hostile(_linked_file_within, "leads out of "),
    "circle": Hostile(lambda place, _: place.symlink_to(place), "cannot be found"),
    "pipe": Hostile(lambda place, _: os.mkfifo(place), "is no file"),
    "bomb": Hostile(_inflating, "more than 256 MiB when inflated"),
    "gigapixels": Hostile(_promising, "has a frame of 65500 x 65500 pixels"),
    "cut off": Hostile(_cut, "cut off"),
    "too long": Hostile(lambda place, _: _longer(place, b"\x10\x00\x10\x00PN", 0xFFFF), "is cut off"),
    "too many rows": Hostile(lambda place, _: _file(place, Rows=3_000), "bytes of pixels where its header promises"),
    "words for a number": Hostile(lambda place, _: _raw(place, 0x00280010, b"ZQXJVABCD "), "Rows"),
    "words for a window": Hostile(
        lambda place, _: _raw(place, 0x00281050, b"ZQXJVABCD ", WindowCenter=1, WindowWidth=2), "Window"
    ),
    "words for a position": Hostile(
        lambda place, _: _raw(place, 0x00280030, b"ZQXJVABCD\\ZQXJVABCD ", PixelSpacing=[1, 1]), "PixelSpacing"
    ),
}

#: Elements whose bytes are none of their kind, in files that may be used all the same: tag and bytes.
ODD: Final = {
    "character set": (0x00080005, b"ZQXJVABCD "),
    "bytes of no character set": (0x00100010, b"ZQXJVABCD\xff\xfe\x1b$B^\xc3 "),
    "day of birth": (0x00100030, b"ZQXJVABCD "),
    "study date": (0x00080020, b"ZQXJVABCD "),
    "accession number": (0x00080050, b"ZQXJVABCD" * 40),
    "number of the image": (0x00200013, b"ZQXJVABCD "),
    "study": (0x0020000D, b"1.2.$(ZQXJVABCD)/../.."),
    "series": (0x0020000E, b"ZQXJVABCD "),
    "image": (0x00080018, b"../../ZQXJVABCD "),
    "modality": (0x00080060, b"<b>ZQXJVABCD</b> "),
    "patient": (0x00100020, b"ZQXJVABCD\n\x00"),
}


def write_hostile(folder: Path) -> Path:
    """Write sound studies with their manifest, ``hostile.jsonl`` with a row of each kind, and ``both.jsonl``.

    That has the sound rows, the hostile ones, and one for each odd file.
    """
    path = write_scans(folder)
    (place := folder.with_name(OUTSIDE)).mkdir()
    outside = place / f"{marked(277_002)}.dcm"
    _file(outside)
    first = json.loads(path.read_text().splitlines()[1])
    rows = []
    for number, (name, hostile) in enumerate(HOSTILE.items()):
        own = marked(278_000 + number)
        hostile.make(folder / own, outside)
        image = hostile.image.format(name=outside.name, outside=outside) or own
        rows.append({**first, "id": f"{own} {name}", "patient_id": f"{own} x", "images": [image]})
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / "hostile.jsonl").write_text(text)
    odd = "".join(f"{json.dumps(row)}\n" for row in _odd(folder, first))
    (folder / "both.jsonl").write_text(path.read_text() + text + odd)
    return path


def _odd(folder: Path, first: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for number, (name, (tag, data)) in enumerate(ODD.items()):
        own = marked(278_500 + number)
        _raw(folder / own, tag, data)
        yield {**first, "id": f"{own} {name}", "patient_id": f"{own} x", "images": [own]}
