"""What is stored comes out: syntaxes, signs, unused bits, colours, palettes, frames, and pixels that are not square."""

import base64
import io
import subprocess
import sys
import zlib
from pathlib import Path

import jpeg_ls
import numpy as np
import pytest
from dicom_files import image, written
from PIL import Image
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.processing import convert_color_space
from pydicom.sequence import Sequence

from clinhallu_gate.datasets.dicom.drawing import Drawn, NotDrawable, draw, frames_of, read

#: 16 rows of 16 numbers below 1000.
STORED = (np.add.outer(np.arange(16) * 37, np.arange(16) * 5) % 1000).astype(np.uint16)
_WINDOW = {"WindowCenter": 500.5, "WindowWidth": 1000}
#: STORED as OpenJPH and LJ92 write it, for which there is no encoder here.
_HTJ2K = (
    "/0//UQApQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQ"
    "kJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAHkAAf+TwAAmf/4FB3QAAMAAEsAAEwDaAId0AKL+Agd0AMAAE0AAE4CM/QAC"
    "dABQof4AY1QAwAATwAAVQEREoKfCdQCkJBLpwCEB7LYAwAAq4AAWiAAAAOfAp6enQngASARBEARB/v2EIHv2EIHsugD/2Q=="
)
_LJ92 = (
    "/9j/xAAXAAEBAQEAAAAAAAAAAAAAAAAFBgMM/8MACwwAEAAQAQARAP/aAAgBAAAGAADn/wDXXXXXXXXXXXXXXWlTTTTTTTTTTTTTTTpU00000000"
    "0000006VNNNNNNNNNNNNNNOlTTTTTTTTTTTTTTTpU000000000000006VNNNNNNNNNNNNNNOlTTTTTTTTTTTTTTTpU000000000000006VNNNNNNN"
    "NNNNNNNOlTTTTTTTTTTTTTTTpU000000000000006VNNNNNNNNNNNNNNOlTTTTTTTTTTTTTTTpU000000000000006VNNNNNNNNNNNNNNP/2Q=="
)


def _pixels(drawn: Drawn) -> np.ndarray:
    with Image.open(io.BytesIO(drawn.png)) as picture:
        return np.array(picture)


def _encapsulated(header: Dataset, syntax: uid.UID, *frames: bytes) -> Dataset:
    header.file_meta.TransferSyntaxUID = syntax
    header.PixelData = encapsulate(list(frames))
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    return header


def _compressed(header: Dataset, syntax: uid.UID) -> Dataset:
    if syntax == uid.RLELossless:
        header.compress(uid.RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
        return header
    if syntax in uid.JPEGLSTransferSyntaxes:
        return _encapsulated(header, syntax, bytes(jpeg_ls.encode_array(STORED)))
    if syntax in uid.JPEG2000TransferSyntaxes[:2]:
        Image.fromarray(STORED).save(buffer := io.BytesIO(), "JPEG2000", no_jp2=True, num_resolutions=1)
        return _encapsulated(header, syntax, buffer.getvalue())
    if syntax == uid.JPEGLossless:
        header.BitsStored, header.HighBit = 12, 11
        return _encapsulated(header, syntax, base64.b64decode(_LJ92))
    if syntax == uid.HTJ2KLossless:
        return _encapsulated(header, syntax, base64.b64decode(_HTJ2K))
    return header


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLossless,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
        uid.HTJ2KLossless,
    ],
    ids=lambda syntax: syntax.keyword,
)
def test_a_lossless_syntax_changes_no_pixel(syntax: uid.UID, tmp_path: Path) -> None:
    """The same image gives the same picture, however it was stored."""
    plain = draw(image(STORED, **_WINDOW), 0, None)
    native = syntax if syntax in uid.UncompressedTransferSyntaxes else uid.ExplicitVRLittleEndian
    header = _compressed(image(STORED, syntax=native, **_WINDOW), syntax)
    assert draw(read(written(header, tmp_path / "a.dcm")), 0, None) == plain


def test_a_picture_has_the_same_bytes_every_time_and_no_metadata() -> None:
    """What is drawn depends on the pixels alone."""
    drawn = draw(image(STORED, PatientName="Doe^John", ImageComments="Doe"), 0, None)
    assert drawn == draw(image(STORED, PatientName="Roe^Jane"), 0, None)
    assert [kind for kind in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME", b"pHYs", b"iCCP") if kind in drawn.png] == []


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.94", "JPIP Referenced"),
        ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level"),
        ("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1"),
        ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    ],
)
def test_a_syntax_that_nothing_decodes_is_named(syntax: str, name: str) -> None:
    """Films and references are refused, with what can be decoded."""
    header = _encapsulated(image(STORED), uid.UID(syntax), b"\0\0")
    with pytest.raises(NotDrawable) as refused:
        draw(header, 0, None)
    assert name in str(refused.value)
    assert str(refused.value).endswith(
        "cannot be decoded. Valid: uncompressed, deflated, JPEG, JPEG Lossless, JPEG-LS, JPEG 2000, HTJ2K, RLE"
    )


def test_an_unknown_syntax_is_not_repeated() -> None:
    """A UID can bear what somebody wants to tell."""
    with pytest.raises(NotDrawable, match=r"^has transfer syntax \(unknown\), which cannot be decoded"):
        draw(_encapsulated(image(STORED), uid.UID("1.2.3.19700101"), b"\0\0"), 0, None)


@pytest.mark.parametrize("dirt", [0x0000, 0x8000, 0xF000])
def test_bits_that_do_not_count_are_ignored(dirt: int) -> None:
    """Such as an overlay in the bits above those that are stored."""
    header = image(STORED | np.uint16(dirt), BitsStored=12, HighBit=11, **_WINDOW)
    assert (_pixels(draw(header, 0, None)) == _pixels(draw(image(STORED, **_WINDOW), 0, None))).all()


def test_bits_may_stand_higher_and_have_a_sign() -> None:
    """HighBit says where they are; the highest of them is the sign."""
    signed = STORED.astype(np.int16) - 500
    shifted = (signed.view(np.uint16) << 4 | np.uint16(0b1010)).view(np.int16)
    plain = image(signed, WindowCenter=0.5, WindowWidth=1000)
    header = image(shifted, BitsStored=12, HighBit=15, WindowCenter=0.5, WindowWidth=1000)
    assert (_pixels(draw(header, 0, None)) == _pixels(draw(plain, 0, None))).all()


def test_a_sign_extends_from_the_stored_bits() -> None:
    """12 bits of -1 are -1, whatever stands above them."""
    header = image(np.array([[0x0FFF, 0x0000, 0x0001]], dtype=np.int16), BitsStored=12, HighBit=11)
    assert _pixels(draw(header, 0, None)).tolist() == [[0, 128, 255]]


def test_a_jpeg_frame_has_the_sign_of_its_header() -> None:
    """The codec itself has none: 200 of 8 bits is -56, and darker than 10."""
    stored = np.repeat(np.array([[10, 200]], dtype=np.uint8), 8, axis=1).repeat(8, axis=0)
    Image.fromarray(stored).save(buffer := io.BytesIO(), "JPEG", quality=100)
    header = _encapsulated(image(stored.view(np.int8)), uid.JPEGBaseline8Bit, buffer.getvalue())
    assert _pixels(draw(header, 0, None))[0, [0, 15]].tolist() == [255, 0]


def test_overlays_are_not_drawn() -> None:
    """Planes of group 6000 belong to a viewer."""
    plain = draw(image(STORED), 0, None)
    header = image(STORED)
    for keyword, vr, value in ((0x0010, "US", 16), (0x0011, "US", 16), (0x0100, "US", 1), (0x3000, "OW", b"\xff" * 32)):
        header.add_new((0x6000, keyword), vr, value)
    assert draw(header, 0, None) == plain


_RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_is_drawn_as_it_is_stored(planar: int) -> None:
    """Colour by pixel or by plane, to the last level."""
    header = image(_RGB, PlanarConfiguration=planar)
    header.PixelData = (_RGB if planar == 0 else np.moveaxis(_RGB, -1, 0)).tobytes()
    drawn = draw(header, 0, None)
    assert (_pixels(drawn) == _RGB).all()
    assert drawn.window == "colours as stored"
    assert drawn.steps == ()


def test_colours_of_16_bits_keep_the_upper_8() -> None:
    """As for PNG files with 16 bits."""
    drawn = draw(image(_RGB.astype(np.uint16) * 256 + 200), 0, None)
    assert (_pixels(drawn) == _RGB).all()
    assert drawn.steps == ("colours of 16 bits to 8",)


def test_ybr_becomes_rgb() -> None:
    """Within the rounding of there and back."""
    header = image(convert_color_space(_RGB, "RGB", "YBR_FULL"), PhotometricInterpretation="YBR_FULL")
    drawn = draw(header, 0, None)
    assert np.abs(_pixels(drawn).astype(int) - _RGB).max() <= 2
    assert drawn.steps == ("YBR_FULL to RGB",)


def test_a_window_for_a_colour_image_is_refused() -> None:
    """It would do nothing, and the row believes that it does."""
    with pytest.raises(NotDrawable, match=r"^is a colour image, which takes no window$"):
        draw(image(_RGB), 0, "lung")


def _with_palette(stored: np.ndarray, first: int, tables: list[list[int]], bits: int, **more: object) -> Dataset:
    header = image(stored, PhotometricInterpretation="PALETTE COLOR", **more)
    kind = np.uint8 if bits == 8 else np.dtype("<u2")
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        name = f"{colour}PaletteColorLookupTable"
        header.add_new(f"{name}Descriptor", "US", [len(table), first, bits])
        setattr(header, f"{name}Data", np.array(table, kind).tobytes())
    return header


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    """Numbers below the first take the first entry, those beyond the last take the last."""
    stored = np.array([[0, 300, 301, 999]], dtype=np.uint16)
    header = _with_palette(stored, 300, [[10, 20], [30, 40], [50, 60]], 8)
    drawn = draw(read(written(header, tmp_path / "a.dcm")), 0, None)
    first, last = [10, 30, 50], [20, 40, 60]
    assert _pixels(drawn).tolist() == [[first, first, last, last]]
    assert drawn.steps == ("palette",)


def test_a_palette_of_signed_numbers_begins_below_zero_in_every_frame() -> None:
    """-2 is written as 65534, also where a frame has no negative number."""
    for stored, expected in (([-2, -1, 0], [10, 20, 30]), ([0, 0, 0], [30, 30, 30])):
        header = _with_palette(np.array([stored], dtype=np.int16), 65534, [[10, 20, 30]] * 3, 8)
        assert _pixels(draw(header, 0, None))[0, :, 0].tolist() == expected


def test_a_palette_of_16_bits_keeps_the_upper_8() -> None:
    """Unless all of it lies in the lower ones, a common mistake."""
    stored = np.array([[0, 1]], dtype=np.uint8)
    deep = draw(_with_palette(stored, 0, [[0x10FF, 0xFF00]] * 3, 16), 0, None)
    assert _pixels(deep)[0, :, 0].tolist() == [0x10, 0xFF]
    shallow = draw(_with_palette(stored, 0, [[0x10, 0xFF]] * 3, 16), 0, None)
    assert _pixels(shallow)[0, :, 0].tolist() == [0x10, 0xFF]


def _segmented(words: list[int], entries: int, bits: int, stored: np.ndarray) -> Dataset:
    header = image(stored, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        header.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [entries, 0, bits])
        data = np.array(words, np.uint8 if bits == 8 else "<u2").tobytes()
        setattr(header, f"Segmented{colour}PaletteColorLookupTableData", data)
    return header


def test_a_palette_in_segments_is_unfolded() -> None:
    """Entries as they are, a line to a value, and a copy of an earlier segment (PS3.3 C.7.9.2)."""
    stored = np.arange(8, dtype=np.uint8).reshape(1, 8)
    words = [0, 2, 0x0000, 0x1000, 1, 4, 0x5000, 2, 1, 0, 0]
    shown = _pixels(draw(_segmented(words, 8, 16, stored), 0, None))[0, :, 0]
    assert shown.tolist() == [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x00, 0x10]
    bytewise = [0, 2, 0x00, 0x10, 1, 4, 0x50, 2, 1, 0, 0, 0, 0]
    shown = _pixels(draw(_segmented(bytewise, 8, 8, stored), 0, None))[0, :, 0]
    assert shown.tolist() == [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x00, 0x10]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([1, 8, 5], id="line from nowhere"),
        pytest.param([0, 9, 1], id="longer than the data"),
        pytest.param([0, 1, 5, 2, 9, 0, 0], id="copies more than there is"),
        pytest.param([0, 1, 5, 2, 65535, 3, 0], id="copies itself"),
        pytest.param([0, 1, 5, 2, 1, 65535, 65535], id="points outside"),
        pytest.param([7, 1, 5], id="unknown segment"),
        pytest.param([0, 1, 5], id="too few"),
    ],
)
def test_segments_that_make_no_palette_are_refused(words: list[int]) -> None:
    """They are never unfolded beyond what the descriptor promises."""
    with pytest.raises(NotDrawable, match=r"SegmentedRedPaletteColorLookupTableData"):
        draw(_segmented(words, 8, 16, np.zeros((1, 8), dtype=np.uint8)), 0, None)


def _group(sequence: str, **attributes: object) -> Dataset:
    item, groups = Dataset(), Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    setattr(groups, sequence, Sequence([item]))
    return groups


def test_each_frame_has_its_own_window_and_slope(tmp_path: Path) -> None:
    """Functional groups of the frame count more than those of all frames, and these more than the header."""
    stored = np.array([[[0, 100, 200, 200]]] * 3, dtype=np.uint16)
    own = [
        _group("FrameVOILUTSequence", WindowCenter=100.5, WindowWidth=201),
        _group("PixelValueTransformationSequence", RescaleSlope=2, RescaleIntercept=-100, RescaleType="HU"),
        Dataset(),
    ]
    header = image(
        stored,
        PerFrameFunctionalGroupsSequence=Sequence(own),
        SharedFunctionalGroupsSequence=Sequence([_group("FrameVOILUTSequence", WindowCenter=50.5, WindowWidth=101)]),
        WindowCenter=7,
        WindowWidth=7,
    )
    header = read(written(header, tmp_path / "a.dcm"))
    assert frames_of(header) == 3
    drawn = [draw(header, frame, None) for frame in range(3)]
    assert [each.window for each in drawn] == ["VOI 1 of 1: 100.5/201", "VOI 1 of 1: 50.5/101", "VOI 1 of 1: 50.5/101"]
    assert [_pixels(each).tolist() for each in drawn] == [[[0, 128, 255, 255]], *[[[0, 255, 255, 255]]] * 2]
    assert [each.steps for each in drawn] == [(), ("rescaled to HU",), ()]


def test_frames_are_not_mixed_up() -> None:
    """Every frame is its own, also where one does not end with a byte, or with an even one."""
    stored = np.random.default_rng(1).integers(0, 256, (5, 3, 5), dtype=np.uint8)
    header = image(stored)
    assert all((_pixels(draw(header, frame, None)) == stored[frame]).all() for frame in range(5))
    bits = image(stored % 2, BitsAllocated=1, BitsStored=1, HighBit=0)
    bits.PixelData = np.packbits(stored.ravel() % 2, bitorder="little").tobytes()
    assert all((_pixels(draw(bits, frame, None)) == stored[frame] % 2 * 255).all() for frame in range(5))


def test_inverse_shape_turns_brightness_round_once() -> None:
    """MONOCHROME1 is what INVERSE stands beside: both are one inversion."""
    stored = np.array([[0, 100, 255]], dtype=np.uint8)
    assert _pixels(draw(image(stored, PresentationLUTShape="INVERSE"), 0, None)).tolist() == [[255, 155, 0]]
    both = image(stored, PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1")
    assert _pixels(draw(both, 0, None)).tolist() == [[255, 155, 0]]


@pytest.mark.parametrize(
    ("attributes", "shape", "step"),
    [
        ({"PixelSpacing": [0.5, 1.0]}, (16, 32), "pixel spacing 0.5 x 1 mm: resized to 16 x 32"),
        ({"ImagerPixelSpacing": [0.3, 0.2]}, (24, 16), "pixel spacing 0.3 x 0.2 mm: resized to 24 x 16"),
        ({"PixelAspectRatio": [2, 1]}, (32, 16), "pixel aspect ratio 2 to 1: resized to 32 x 16"),
        ({"PixelSpacing": [0.5, 0.5001]}, (16, 16), None),
        (
            {"PixelSpacing": [0, 0], "ImagerPixelSpacing": [1, 2]},
            (16, 32),
            "pixel spacing 1 x 2 mm: resized to 16 x 32",
        ),
        ({"PixelSpacing": [-1, 2]}, (16, 16), None),
        ({"PixelSpacing": [1]}, (16, 16), None),
    ],
)
def test_pixels_become_square(attributes: dict[str, object], shape: tuple[int, int], step: str | None) -> None:
    """The axis with the fewer pixels per length is stretched; nothing is ever thrown away."""
    drawn = draw(image(STORED, **attributes), 0, None)
    assert _pixels(drawn).shape == shape
    assert drawn.steps == ((step,) if step else ())


def test_each_frame_has_its_own_spacing() -> None:
    """From its functional groups."""
    header = image(
        np.stack([STORED, STORED]),
        PerFrameFunctionalGroupsSequence=Sequence([_group("PixelMeasuresSequence", PixelSpacing=[2, 1]), Dataset()]),
    )
    assert [_pixels(draw(header, frame, None)).shape for frame in (0, 1)] == [(32, 16), (16, 16)]


def test_a_folder_called_dl_breaks_nothing(tmp_path: Path) -> None:
    """It would be imported in place of a module; and though gdcm comes first, Pillow can write its PNG."""
    (tmp_path / "dl").mkdir()
    code = (
        "import clinhallu_gate.datasets.dicom.drawing as d, gdcm, sys, pathlib;"
        "h = d.read(pathlib.Path('a.dcm')); print(len(d.draw(h, 0, None).png) > 0, sys.modules.get('dl'))"
    )
    written(image(STORED), tmp_path / "a.dcm")
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (found.stdout.strip(), found.stderr) == ("True None", "")


def test_a_deflated_bomb_is_not_inflated(tmp_path: Path) -> None:
    """A few bytes that would become gigabytes are refused while they are."""
    header = image(STORED, syntax=uid.DeflatedExplicitVRLittleEndian)
    path = written(header, tmp_path / "a.dcm")
    start = path.read_bytes()
    meta = 132 + 12 + int(read_file_meta_info(path).FileMetaInformationGroupLength)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(2**22)) for _ in range(80)) + packer.flush()
    path.write_bytes(start[:meta] + bomb)
    assert path.stat().st_size < 2**20
    with pytest.raises(NotDrawable, match=r"^has more than 256 MiB when inflated$"):
        read(path)
