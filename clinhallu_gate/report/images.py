"""Images for the report: drawn anew, so that neither metadata nor raw bytes of a data set reach the page."""

from base64 import b64encode
from io import BytesIO
from typing import Final

from PIL import Image as Pillow
from PIL import ImageOps

from clinhallu_gate.records import Image, Record

LONGEST_SIDE: Final = 512
_LARGEST_PNG: Final = 16_384
"""Bytes; a larger picture becomes a JPEG, which keeps a page of 300 instances below some megabytes."""
_UNREADABLE: Final = (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError, Pillow.DecompressionBombWarning)
"""What Pillow raises for files that are none, broken or far too large (its PNG reader raises ``SyntaxError``)."""


class Picture(Record):
    """An image of the page, or why there is none."""

    url: str | None
    """``data:`` with PNG or JPEG."""
    width: int = 0
    height: int = 0
    trouble: str = ""


def picture(image: Image) -> Picture:
    """Draw an image anew, at most ``LONGEST_SIDE`` pixels wide and high."""
    try:
        with Pillow.open(BytesIO(image.read())) as source:
            drawn = _plain(source)
    except _UNREADABLE as error:
        return Picture(url=None, trouble=f"the image cannot be shown ({type(error).__name__})")
    return Picture(url=_data_url(drawn), width=drawn.width, height=drawn.height)


def _plain(source: Pillow.Image) -> Pillow.Image:
    """Return the pixels alone: upright, 8 bit, small, and without anything that came along."""
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


def _data_url(drawn: Pillow.Image) -> str:
    png = BytesIO()
    drawn.save(png, "PNG", optimize=True)
    if png.tell() <= _LARGEST_PNG:
        return f"data:image/png;base64,{b64encode(png.getvalue()).decode()}"
    jpeg = BytesIO()
    drawn.save(jpeg, "JPEG", quality=90, subsampling=0)
    return f"data:image/jpeg;base64,{b64encode(jpeg.getvalue()).decode()}"
