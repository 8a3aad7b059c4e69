"""Frames drawn and kept: each once, and none again that an earlier load drew from the same bytes."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

import orjson
from PIL import Image as Pillow

from clinhallu_gate.datasets.dicom.drawing import Drawn, NotDrawable
from clinhallu_gate.datasets.dicom.isolated import Job, draw_all
from clinhallu_gate.datasets.intake import Drawing, Intake, Intakes
from clinhallu_gate.records import Image

#: Raised when frames come to be drawn otherwise, so that what was kept before is drawn again.
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, order=True)
class Want:
    """A frame that is to be drawn."""

    path: Path
    frame: int
    """From 1."""
    window: str = ""
    """As the row asks for it; empty if it does not."""

    @property
    def name(self) -> str:
        """A name that no file has: NUL stands in none."""
        return f"{self.path}\0{self.frame}\0{self.window}"

    def key(self, sha256: str) -> str:
        """Return the digest of all that decides the drawing; ``sha256`` is that of the file."""
        return hashlib.sha256(f"dicom/{_VERSION}/{sha256}/{self.frame}/{self.window}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Taken:
    """What is sent for a frame, and how it came to be."""

    image: Image
    window: str
    steps: tuple[str, ...]
    blank: bool
    """Whether it is of one brightness: then it is no sign that two rows show the same."""


def take(wants: Iterable[Want], intakes: Intakes, *, phi: bool) -> dict[Want, Taken | str]:
    """Draw what is wanted; in the place of what cannot be drawn stands why. Raises ``BadInput`` if nothing is kept."""
    ordered = sorted(wants)
    if not ordered:
        return {}
    intake = intakes.of(phi=phi)
    try:
        found = dict(_known(ordered, intake))
        missing = [(want, key) for want, key in found.items() if isinstance(key, _Key)]
        drawn = draw_all(Job(want.path, want.frame - 1, want.window or None) for want, _ in missing)
        for (want, key), picture in zip(missing, drawn, strict=True):
            found[want] = str(picture) if isinstance(picture, NotDrawable) else _kept(intake, key, picture)
        return {want: kept for want, kept in found.items() if not isinstance(kept, _Key)}
    finally:
        intake.flush()


@dataclass(frozen=True, slots=True)
class _Key:
    """Under which a drawing that is still to be made is kept: a digest of all that decides it."""

    text: str


def _known(wants: Iterable[Want], intake: Intake) -> Iterator[tuple[Want, Taken | _Key | str]]:
    """Yield what was drawn before, else the key to draw it under; each file is hashed once."""
    for path, several in groupby(wants, attrgetter("path")):
        try:
            digest = _digest(path)
        except OSError as error:  # it was there when its header was read
            yield from ((want, f"cannot be read: {error.strerror}") for want in several)
            continue
        for want in several:
            key = want.key(digest)
            known = intake.drawn(key)
            yield want, (known and _taken(known)) or _Key(key)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kept(intake: Intake, key: _Key, drawn: Drawn) -> Taken:
    how = {"window": drawn.window, "steps": drawn.steps, "blank": _blank(drawn.png)}
    image = intake.keep(key.text, drawn.png, orjson.dumps(how).decode()).image
    return Taken(image, drawn.window, drawn.steps, how["blank"] is True)


def _taken(drawing: Drawing) -> Taken | None:
    """Return what was drawn before; None if its note cannot be read, and so it is drawn again."""
    with suppress(ValueError, KeyError, TypeError):
        how = orjson.loads(drawing.note)
        return Taken(drawing.image, str(how["window"]), tuple(map(str, how["steps"])), how["blank"] is True)
    return None


def _blank(png: bytes) -> bool:
    with Pillow.open(io.BytesIO(png)) as image:
        return len(image.getcolors(1) or ()) == 1
