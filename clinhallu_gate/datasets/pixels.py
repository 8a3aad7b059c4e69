"""Images as models expect them: 8-bit grey or RGB, upright; others are drawn anew as PNG, and broken ones refused."""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from sys import intern
from typing import Final

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from clinhallu_gate.datasets.problems import quoted

#: Above the largest detectors of mammography (some 28 megapixels); as RGB 120 MB per image in work. Models see less.
MAX_MEGAPIXELS: Final = 40
FORMATS: Final = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1
_PNG_BIT_DEPTH: Final = 24
"""Offset of the byte in a PNG file; Pillow itself cuts 16-bit colours down without a word."""
_BROKEN: Final = (
    *(OSError, ValueError, SyntaxError, struct.error, zlib.error),
    *(KeyError, IndexError, TypeError, AttributeError, OverflowError, MemoryError, EOFError, Warning),
)
"""What Pillow's readers raise on files that are none, cut off or made to break them."""


class Unreadable(Exception):
    """Bytes that are no image to be sent; the message says why."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a model is to be sent."""

    media_type: str
    redrawn: bytes | None
    """None if the bytes are good as they are."""


def look(data: bytes) -> Looked:
    """Decode an image in full and return what is to be sent. Raises ``Unreadable``."""
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            _refuse_unfit(image)
            image.load()
            if _fit_as_it_is(image, data):
                return Looked(intern(f"image/{str(image.format).lower()}"), None)
            return Looked("image/png", png(_plain(image)))
    except UnidentifiedImageError:
        raise Unreadable(f"is not an image. Valid: {', '.join(FORMATS)}") from None
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise Unreadable(f"has far more than {MAX_MEGAPIXELS} megapixels") from None
    except _BROKEN as error:
        raise Unreadable(
            f"cannot be read as an image: {quoted(error) if str(error) else type(error).__name__}"
        ) from error


_QUIET = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings from the terminal; those of enormous images count as refusals. Not for worker threads."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Pillow.DecompressionBombWarning)
        yield


def _refuse_unfit(image: Pillow.Image) -> None:
    """Judge by the header, before any pixel is decoded."""
    megapixels = image.width * image.height / 1e6
    if megapixels > MAX_MEGAPIXELS:
        size = f"{image.width} x {image.height} pixels"
        raise Unreadable(f"has {size}, {megapixels:.0f} megapixels. Valid: at most {MAX_MEGAPIXELS}")
    # A second picture in a photograph is its preview; elsewhere it is a stack or a film, of which one would be guessed.
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise Unreadable(f"holds {frames} pictures; give each a file of its own")


def _fit_as_it_is(image: Pillow.Image, data: bytes) -> bool:
    if image.format not in ("JPEG", "PNG") or image.mode not in ("L", "RGB") or "transparency" in image.info:
        return False
    deep = image.format == "PNG" and data[_PNG_BIT_DEPTH] > 8  # noqa: PLR2004 - bits
    return not deep and image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT


def _plain(image: Pillow.Image) -> Pillow.Image:
    """Return the pixels alone: upright, 8 bit, opaque, without metadata."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F" or upright.mode.startswith("I"):
        return _spread(upright)
    if upright.has_transparency_data:
        # White below, as vLLM itself does.
        layer = upright.convert("RGBA")
        upright = Pillow.alpha_composite(Pillow.new("RGBA", layer.size, "white"), layer)
    plain = upright.convert("L" if upright.mode in ("1", "L") else "RGB")
    return Pillow.frombytes(plain.mode, plain.size, plain.tobytes())


def _spread(image: Pillow.Image) -> Pillow.Image:
    """Spread the greys that occur over 8 bits: 12-bit data in 16-bit files would be almost black otherwise."""
    deep = np.asarray(image).astype(np.float32)
    low, high = float(deep.min()), float(deep.max())
    if not np.isfinite((low, high)).all():
        raise Unreadable("holds values that are no numbers")
    if high > low:
        deep = (deep - low) * (255 / (high - low)) + 0.5
    return Pillow.fromarray(np.clip(deep, 0, 255).astype(np.uint8))


def png(image: Pillow.Image) -> bytes:
    """Return an image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
