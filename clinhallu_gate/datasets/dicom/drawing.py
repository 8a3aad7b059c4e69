"""From DICOM to what the model sees: one frame as an 8-bit PNG, and a record of how it was drawn."""

from dataclasses import dataclass

from PIL import Image
from pydicom import Dataset

from clinhallu_gate.datasets.dicom.colour import colours, painted
from clinhallu_gate.datasets.dicom.decoding import decode
from clinhallu_gate.datasets.dicom.drawn import Drawn
from clinhallu_gate.datasets.dicom.grey import shades
from clinhallu_gate.datasets.dicom.layout import frame_count, layout_of
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicom.reading import read
from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.datasets.dicom.spacing import spacing_of, squared
from clinhallu_gate.datasets.pixels import png

__all__ = ["Drawn", "NotDrawable", "draw", "frames_of", "read"]
_COLOUR = "colours as stored"


@dataclass(frozen=True, slots=True)
class _Picture:
    image: Image.Image
    window: str
    steps: tuple[str, ...]


def frames_of(header: Dataset) -> int:
    """Return how many frames an image has, 1 if its header does not say. Raises ``NotDrawable`` if it has too many."""
    with quiet():
        return frame_count(header)


def draw(header: Dataset, frame: int, window: str | None) -> Drawn:
    """Draw one frame of an image that ``read`` returned.

    Args:
        header: The image.
        frame: Counted from 0.
        window: "center/width", the number of one of the header's windows (from 1), a preset's name (``windows.yaml``),
            or None for the header's first, if it has any.

    Raises:
        NotDrawable: What is refused, and why; without any text of the header.
    """
    try:
        with quiet():
            picture = _picture(header, frame, window)
            spacing = spacing_of(header, frame)
            image = squared(picture.image, spacing)
            steps = picture.steps
            if spacing is not None and image.size != picture.image.size:
                steps = (*steps, f"{spacing.said}: resized to {image.height} x {image.width}")
            return Drawn(png(image), picture.window, steps)
    except (NotDrawable, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - the boundary to foreign bytes: whatever they lead to is told of this frame
        raise NotDrawable(f"cannot be drawn ({type(error).__name__})") from None


def _picture(header: Dataset, frame: int, window: str | None) -> _Picture:
    layout = layout_of(header)
    if window is not None and window.strip() and not layout.grey:
        raise NotDrawable("is a colour image, which takes no window")
    decoded = decode(header, layout, frame)
    if layout.grey:
        grey = shades(header, layout, decoded.samples, frame, window)
        return _Picture(Image.fromarray(grey.pixels), grey.window, grey.steps)
    painting = painted(header, layout, decoded.samples) if layout.samples == 1 else colours(layout, decoded)
    return _Picture(Image.fromarray(painting.pixels), _COLOUR, painting.steps)
