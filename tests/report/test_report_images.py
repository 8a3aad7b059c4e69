"""Images of the page: pixels alone, small, and readable."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from clinhallu_gate.records import Image
from clinhallu_gate.report.images import CannotBeShown, Drawn, draw


def encoded(drawn: Pillow.Image, kind: str = "PNG", **options: Any) -> Image:  # noqa: ANN401 - Pillow's options
    """Return an image as a data set holds it."""
    data = BytesIO()
    drawn.save(data, kind, **options)
    return Image.from_bytes(data.getvalue())


def decoded(drawn: Drawn) -> Pillow.Image:
    """Return what a browser draws."""
    return Pillow.open(BytesIO(drawn.data))


def test_metadata_stays_behind() -> None:
    """Neither text chunks nor EXIF nor a colour profile pass."""
    info = PngInfo()
    info.add_text("PatientName", "Jane Doe")
    exif = Pillow.Exif()
    exif[270] = "Jane Doe"
    for source in (
        encoded(Pillow.new("RGB", (8, 8)), pnginfo=info, exif=exif, icc_profile=b"Jane Doe"),
        encoded(Pillow.new("RGB", (8, 8)), "JPEG", exif=exif, comment=b"Jane Doe"),
    ):
        drawn = draw(source)
        assert b"Jane Doe" in source.read()
        assert b"Jane" not in drawn.data
        assert not decoded(drawn).getexif()


@pytest.mark.parametrize(("size", "shown"), [((2000, 1000), (512, 256)), ((32, 2048), (8, 512)), ((7, 5), (7, 5))])
def test_large_images_shrink_and_small_ones_stay(size: tuple[int, int], shown: tuple[int, int]) -> None:
    """At most 512 pixels on the longer side."""
    found = draw(encoded(Pillow.new("L", size, 100)))
    assert (found.width, found.height) == shown == decoded(found).size


def test_deep_greys_are_spread_not_cut_off() -> None:
    """A 16-bit study shows its greys, not white."""
    deep = Pillow.new("I;16", (2, 1))
    deep.putpixel((0, 0), 1000)
    deep.putpixel((1, 0), 3000)
    shown = decoded(draw(encoded(deep)))
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == [0, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_is_drawn(mode: str) -> None:
    """Whatever a data set holds, a browser can draw it."""
    assert decoded(draw(encoded(Pillow.new(mode, (4, 4)), "TIFF" if mode == "CMYK" else "PNG"))).size == (4, 4)


def test_noise_becomes_a_jpeg() -> None:
    """What does not compress well must not blow up the page."""
    for side in (200, 300):
        drawn = draw(encoded(Pillow.effect_noise((side, side), 90)))
        assert drawn.suffix == ".jpg"
        assert decoded(drawn).format == "JPEG"


def test_what_is_no_image_is_said_to_be() -> None:
    """Broken, cut off or absent files leave a line instead of a picture."""
    whole = encoded(Pillow.effect_noise((50, 50), 90)).read()
    for broken in (b"", b"text", whole[: len(whole) // 2], whole[:20]):
        with pytest.raises(CannotBeShown, match=r"^the image cannot be shown \(\w+\)$"):
            draw(Image.from_bytes(broken))
