"""Images for the report: drawn anew, so that neither metadata nor raw bytes of a data set reach the page."""

from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image as Pillow
from PIL import ImageOps

from clinhallu_gate.records import Image

LONGEST_SIDE: Final = 512
_SMALL: Final = 256 * 256
"""Pixels up to which a picture is tried as PNG, without loss; above, a JPEG is smaller and ten times as fast."""
_LARGEST_PNG: Final = 16_384
"""Bytes; a larger picture becomes a JPEG, which keeps ten thousand of them below some hundred megabytes."""
_UNREADABLE: Final = (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError, Pillow.DecompressionBombWarning)
"""What Pillow raises for files that are none, broken or far too large (its PNG reader raises ``SyntaxError``)."""


class Drawn(NamedTuple):
    """A picture as a browser gets it."""

    data: bytes
    suffix: str
    """``.png`` or ``.jpg``."""
    width: int
    height: int


class CannotBeShown(Exception):
    """An image that is none, is broken, or is far too large."""


def draw(image: Image) -> Drawn:
    """Draw an image anew, at most ``LONGEST_SIDE`` pixels wide and high.

    Raises:
        CannotBeShown: It cannot be read.
    """
    try:
        with Pillow.open(BytesIO(image.read())) as source:
            drawn = _plain(source)
    except _UNREADABLE as error:
        raise CannotBeShown(f"the image cannot be shown ({type(error).__name__})") from None
    return _encoded(drawn)


def _plain(source: Pillow.Image) -> Pillow.Image:
    """Return the pixels alone: upright, 8 bit, small, and without anything that came along."""
    source.draft(None, (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))  # of a JPEG, no more than is looked at
    upright = ImageOps.exif_transpose(source)
    grey = upright.mode in {"1", "L", "I", "F"} or upright.mode.startswith("I;")
    small = (_eight_bit(upright) if grey else upright).convert("L" if grey else "RGB")
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return Pillow.frombytes(small.mode, small.size, small.tobytes())


def _eight_bit(grey: Pillow.Image) -> Pillow.Image:
    """Spread the greys of a deep image over 8 bits; Pillow's own conversion cuts them off at 255."""
    if grey.mode in {"1", "L"}:
        return grey
    deep = grey.convert("F")
    low, high = deep.getextrema()
    if not isinstance(low, float) or not isinstance(high, float) or high <= low:
        return deep
    return deep.point(lambda value: value * (255 / (high - low)) - low * 255 / (high - low))


def _encoded(drawn: Pillow.Image) -> Drawn:
    if drawn.width * drawn.height <= _SMALL:
        png = BytesIO()
        drawn.save(png, "PNG", optimize=True)
        if png.tell() <= _LARGEST_PNG:
            return Drawn(png.getvalue(), ".png", *drawn.size)
    jpeg = BytesIO()
    drawn.save(jpeg, "JPEG", quality=85)
    return Drawn(jpeg.getvalue(), ".jpg", *drawn.size)
