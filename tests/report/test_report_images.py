"""Images of the page: pixels alone, small, and readable."""

from base64 import b64decode
from io import BytesIO
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from clinhallu_gate.records import Image
from clinhallu_gate.report.images import picture


def encoded(drawn: Pillow.Image, kind: str = "PNG", **options: Any) -> Image:  # noqa: ANN401 - Pillow's options
    """Return an image as a data set holds it."""
    data = BytesIO()
    drawn.save(data, kind, **options)
    return Image.from_bytes(data.getvalue())


def decoded(url: str | None) -> Pillow.Image:
    """Return what a browser draws."""
    assert url
    return Pillow.open(BytesIO(b64decode(url.partition(",")[2])))


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
        url = picture(source).url
        assert b"Jane Doe" in source.read()
        assert b"Jane" not in b64decode((url or "").partition(",")[2])
        assert not decoded(url).getexif()


@pytest.mark.parametrize(("size", "shown"), [((2000, 1000), (512, 256)), ((32, 2048), (8, 512)), ((7, 5), (7, 5))])
def test_large_images_shrink_and_small_ones_stay(size: tuple[int, int], shown: tuple[int, int]) -> None:
    """At most 512 pixels on the longer side."""
    found = picture(encoded(Pillow.new("L", size, 100)))
    assert (found.width, found.height) == shown == decoded(found.url).size


def test_deep_greys_are_spread_not_cut_off() -> None:
    """A 16-bit study shows its greys, not white."""
    deep = Pillow.new("I;16", (2, 1))
    deep.putpixel((0, 0), 1000)
    deep.putpixel((1, 0), 3000)
    shown = decoded(picture(encoded(deep)).url)
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == [0, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_is_drawn(mode: str) -> None:
    """Whatever a data set holds, a browser can draw it."""
    assert decoded(picture(encoded(Pillow.new(mode, (4, 4)), "TIFF" if mode == "CMYK" else "PNG")).url).size == (4, 4)


def test_noise_becomes_a_jpeg() -> None:
    """What does not compress well must not blow up the page."""
    url = picture(encoded(Pillow.effect_noise((300, 300), 90))).url
    assert (url or "").startswith("data:image/jpeg")


def test_what_is_no_image_is_said_to_be() -> None:
    """Broken, cut off or absent files leave a line instead of a picture."""
    whole = encoded(Pillow.effect_noise((50, 50), 90)).read()
    for broken in (b"", b"text", whole[: len(whole) // 2], whole[:20]):
        found = picture(Image.from_bytes(broken))
        assert found.url is None
        assert found.trouble.startswith("the image cannot be shown")
