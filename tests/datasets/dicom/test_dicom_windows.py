"""Windows follow PS3.3 C.11.2 to the last grey level, and which one is used follows the stated rules."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from dicom_files import image, written
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from clinhallu_gate.datasets.dicom.drawing import Drawn, NotDrawable, draw, read
from clinhallu_gate.datasets.dicom.presets import presets
from clinhallu_gate.datasets.dicom.windows import FUNCTIONS, Window

#: Quarters, of which sums are exact: at the ends of a window the formula jumps.
_NUMBERS = st.integers(-(10**8), 10**8).map(lambda number: number / 4)
_WIDTHS = st.integers(4, 10**8).map(lambda number: number / 4)


def _pixels(drawn: Drawn) -> np.ndarray:
    with Image.open(io.BytesIO(drawn.png)) as picture:
        return np.array(picture)


def _standard(x: float, center: float, width: float, function: str) -> float:
    """Write C.11.2.1.2 and C.11.2.1.3 down as they stand, for 0 to 255."""
    if function == "SIGMOID":
        return 255 / (1 + math.exp(min(700.0, -4 * (x - center) / width)))
    if function == "LINEAR_EXACT":
        if x <= center - width / 2:
            return 0
        return 255 if x > center + width / 2 else ((x - center) / width + 0.5) * 255
    if x <= center - 0.5 - (width - 1) / 2:
        return 0
    if x > center - 0.5 + (width - 1) / 2:
        return 255
    return ((x - (center - 0.5)) / (width - 1) + 0.5) * 255


@given(st.lists(_NUMBERS, min_size=1, max_size=20), _NUMBERS, _WIDTHS, st.sampled_from(FUNCTIONS))
@settings(deadline=None)
def test_a_window_is_the_standards_formula(values: list[float], center: float, width: float, function: str) -> None:
    """Every function, at, below, between and above its ends."""
    ends = [center - width / 2, center, center + width / 2, center - 0.5 - (width - 1) / 2]
    found = Window(center, width, function).of(np.array(values + ends))
    expected = [_standard(x, center, width, function) for x in values + ends]
    assert found == pytest.approx(expected, abs=1e-4)


@given(st.lists(_NUMBERS, min_size=2, max_size=50), _NUMBERS, _WIDTHS, st.sampled_from(FUNCTIONS))
@settings(deadline=None)
def test_a_window_never_turns_brightness_round(values: list[float], center: float, width: float, function: str) -> None:
    """Larger values are never darker, and nothing leaves 0 to 255."""
    found = Window(center, width, function).of(np.sort(values))
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 255


@given(st.integers(-32768, 32767), st.integers(-3000, 3000))
@settings(deadline=None, max_examples=40)
def test_a_window_that_maps_values_on_0_to_255_gives_exactly_those(first: int, intercept: int) -> None:
    """Center and width of 256 values that follow each other give each its own grey level, rescaled or not."""
    first = max(-32768, min(first, 32767 - 255))
    stored = np.arange(first, first + 256, dtype=np.int16).reshape(16, 16)
    center = first + intercept + 128
    header = image(stored, RescaleSlope=1, RescaleIntercept=intercept, WindowCenter=center, WindowWidth=256)
    assert (_pixels(draw(header, 0, None)).ravel() == np.arange(256)).all()


def test_one_window_of_several_is_the_first_unless_the_row_says_which() -> None:
    """The header's windows are numbered from 1."""
    stored = np.array([[0, 50, 100, 200]], dtype=np.uint16)
    header = image(stored, WindowCenter=[50, 150], WindowWidth=[100, 101])
    assert draw(header, 0, None).window == "VOI 1 of 2: 50/100"
    second = draw(header, 0, "2")
    assert second.window == "VOI 2 of 2: 150/101"
    assert _pixels(second).tolist() == [[0, 0, 1, 255]]
    with pytest.raises(NotDrawable, match=r"^has no VOI window 3\. Valid: 1 to 2$"):
        draw(header, 0, "3")


def test_a_row_can_name_center_and_width() -> None:
    """Numbers of a row count more than the header's windows."""
    header = image(np.array([[0, 100, 200]], dtype=np.uint16), WindowCenter=5, WindowWidth=5)
    drawn = draw(header, 0, " 100.5 / 201 ")
    assert drawn.window == "window 100.5/201"
    assert _pixels(drawn).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(("name", "preset"), presets()["CT"].items())
def test_a_preset_is_a_window_in_hu(name: str, preset: object) -> None:
    """Black and white ends of every preset of CT lie where its center and width say."""
    low, high = preset.center - preset.width / 2, preset.center + preset.width / 2
    stored = np.floor([[low - 1, low, high, high + 1, 3000]]).astype(np.int16)
    drawn = draw(image(stored, Modality="CT", RescaleSlope=1, RescaleIntercept=0), 0, name.upper())
    assert drawn.window.startswith(f"preset {name}: ")
    assert _pixels(drawn)[0, :2].tolist() == [0, 0]
    assert _pixels(drawn)[0, 2:].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("attributes", "asked", "error"),
    [
        ({"Modality": "CT"}, "lung", "does not say how its numbers become HU, which window lung needs"),
        ({"Modality": "MR"}, "brain", "has no window of the name asked for. Valid: no name, as it is not CT; "),
        (
            {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0},
            "lnug",
            "Valid: of CT: brain, subdural, stroke,",
        ),
        ({}, "1", "has no VOI window 1. Valid: none, it has none"),
        ({}, "40/0", "is asked for a window of width 0. Valid: at least 1; a row's window may name another"),
        ({}, "40/-400", "is asked for a window of width -400. Valid: at least 1"),
        ({}, f"40/{'9' * 400}", "is asked for a window of width inf. Valid: at least 1"),
        (
            {"Modality": "CT"},
            "nan/400",
            "is asked for a window that is no two decimal numbers. Valid: center/width, as in",
        ),
        ({"Modality": "CT"}, "1e999/1", "is asked for a window that is no two decimal numbers."),
        ({}, "40/400/1", "is asked for a window that is no two decimal numbers."),
        ({"WindowCenter": 40, "WindowWidth": 0}, None, "has a VOI window 1 of width 0. Valid: at least 1"),
        ({"WindowCenter": 40, "WindowWidth": 0.5}, None, "has a VOI window 1 of width 0.5. Valid: at least 1"),
        ({"WindowCenter": 40, "WindowWidth": 0, "VOILUTFunction": "SIGMOID"}, None, "of width 0. Valid: above 0"),
        (
            {"WindowCenter": 40, "WindowWidth": 9, "VOILUTFunction": "Doe^John"},
            None,
            "Valid: LINEAR, LINEAR_EXACT, SIG",
        ),
        ({"WindowCenter": [40, 50], "WindowWidth": 9}, "2", "has 2 WindowCenter and 1 WindowWidth. Valid: as many"),
        ({"WindowCenter": 40}, None, "has 1 WindowCenter and 0 WindowWidth. Valid: as many"),
        ({"WindowCenter": float("nan"), "WindowWidth": 9}, None, "has a WindowCenter that is no number"),
        ({"WindowCenter": 40, "WindowWidth": float("inf")}, None, "has a WindowWidth that is no number"),
    ],
)
def test_a_window_that_cannot_be_used_is_refused(attributes: dict[str, object], asked: str | None, error: str) -> None:
    """The error says what is valid, and repeats no text of the header."""
    with pytest.raises(NotDrawable) as refused:
        draw(image(np.arange(64, dtype=np.uint16).reshape(8, 8), **attributes), 0, asked)
    assert error in str(refused.value)
    assert "Doe" not in str(refused.value)


def test_a_window_far_beside_the_values_is_recorded() -> None:
    """A frame that its window leaves without any contrast is drawn, and says so."""
    drawn = draw(image(np.array([[1, 2]], dtype=np.uint16), WindowCenter=1e300, WindowWidth=1), 0, None)
    assert _pixels(drawn).tolist() == [[0, 0]]
    assert drawn.steps == ("one brightness in this window",)


def _table(first: int, data: list[int], bits: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(data), first, bits])
    item.add_new("LUTData", "US", data)
    return item


def test_voi_tables_come_before_windows() -> None:
    """A table's entries are spread from 0 to the largest that its bits allow; values beyond it take its ends."""
    stored = np.array([[0, 10, 11, 12, 99]], dtype=np.uint16)
    tables = Sequence([_table(10, [0, 2048, 4095], 12)])
    header = image(stored, VOILUTSequence=tables, WindowCenter=50, WindowWidth=100)
    drawn = draw(header, 0, None)
    assert drawn.window == "VOI 1 of 2: lookup table"
    assert _pixels(drawn).tolist() == [[0, 0, 128, 255, 255]]
    assert draw(header, 0, "2").window == "VOI 2 of 2: 50/100"


def test_a_voi_table_begins_below_zero_where_values_do() -> None:
    """Its first value is one of the modality's numbers, which may have a sign."""
    stored = np.array([[-2, -1, 0]], dtype=np.int16)
    header = image(stored, VOILUTSequence=Sequence([_table(-2, [255, 128, 0], 8)]))
    assert _pixels(draw(header, 0, None)).tolist() == [[255, 128, 0]]


def _sliced(stored: list[int], path: Path) -> list[int]:
    """Return how a row of tissue of a CT is drawn, from a file that does not say which of its numbers have a sign."""
    table = Sequence([_table(-1024, [min(entry // 8, 255) for entry in range(2048)], 8)])
    header = image(
        np.array([stored], dtype=np.uint16),
        syntax=ImplicitVRLittleEndian,
        BitsStored=12,
        HighBit=11,
        RescaleSlope=1,
        RescaleIntercept=-1024,
        VOILUTSequence=table,
    )
    drawn: list[int] = _pixels(draw(read(written(header, path)), 0, None))[0].tolist()
    return drawn


def test_whether_a_table_begins_below_zero_does_not_depend_on_the_frame(tmp_path: Path) -> None:
    """-1024 is read as 64512 where the file has no types: tissue is as bright in a slice without air as with it."""
    with_air, without = (_sliced(stored, tmp_path / "a.dcm") for stored in ([24, 1024, 1124, 1224], [1024, 1124, 1224]))
    assert with_air == [3, 128, 140, 153]
    assert without == with_air[1:]


def test_a_table_of_numbers_without_sign_may_begin_beyond_32767() -> None:
    """Where no number can be negative, its first value is what it says."""
    stored = np.array([[39999, 40000, 40001]], dtype=np.uint16)
    header = image(stored, VOILUTSequence=Sequence([_table(40000, [0, 255], 8)]))
    assert _pixels(draw(header, 0, None)).tolist() == [[0, 0, 255]]


def test_a_modality_table_comes_before_the_window() -> None:
    """Windows speak of what the table gives."""
    stored = np.array([[0, 1, 2]], dtype=np.uint8)
    header = image(
        stored, ModalityLUTSequence=Sequence([_table(0, [1000, 2000, 3000], 16)]), WindowCenter=2000.5, WindowWidth=2001
    )
    drawn = draw(header, 0, None)
    assert drawn.steps == ("modality lookup table",)
    assert _pixels(drawn).tolist() == [[0, 128, 255]]


def test_without_a_window_padding_does_not_count() -> None:
    """The smallest and the largest value are those of the image; padding is drawn as dark as the smallest."""
    stored = np.array([[-2000, -1000, 0, 1000]], dtype=np.int16)
    header = image(stored, PixelPaddingValue=-2000)
    drawn = draw(header, 0, None)
    assert drawn.window == "none: smallest to largest value but padding"
    assert _pixels(drawn).tolist() == [[0, 0, 128, 255]]


def test_padding_may_be_a_range_and_written_without_sign() -> None:
    """Old headers give -2000 as 63536; with PixelPaddingRangeLimit all numbers between are padding."""
    header = image(np.array([[-2000, -1500, 0, 10]], dtype=np.int16), PixelPaddingRangeLimit=-1500)
    header.add_new("PixelPaddingValue", "US", 63536)
    assert _pixels(draw(header, 0, None)).tolist() == [[0, 0, 0, 255]]


def test_a_window_of_the_header_counts_padding_like_any_value() -> None:
    """Padding is only left out where the range is looked for."""
    header = image(np.array([[0, 100]], dtype=np.uint16), PixelPaddingValue=100, WindowCenter=50.5, WindowWidth=101)
    assert _pixels(draw(header, 0, None)).tolist() == [[0, 255]]


@pytest.mark.parametrize(("slope", "expected"), [(0.5, [0, 100, 255]), (-2, [255, 155, 0])])
def test_8_bits_without_window_keep_their_range(slope: float, expected: list[int]) -> None:
    """Rescaled by a slope they are drawn as stored; a negative one turns brightness round."""
    header = image(np.array([[0, 100, 255]], dtype=np.uint8), RescaleSlope=slope, RescaleIntercept=7)
    assert _pixels(draw(header, 0, None)).tolist() == [expected]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floating_point_pixels_are_drawn(kind: type) -> None:
    """From the smallest to the largest number; what is no number is dark."""
    header = image(np.zeros((1, 5), dtype=np.uint16))
    del header.PixelData, header.PixelRepresentation, header.BitsStored, header.HighBit
    header.BitsAllocated = 8 * np.dtype(kind).itemsize
    values = np.array([[-1.0, 0.0, 1.0, np.nan, np.inf]], dtype=kind)
    name = "FloatPixelData" if kind is np.float32 else "DoubleFloatPixelData"
    setattr(header, name, values.tobytes())
    assert _pixels(draw(header, 0, None)).tolist() == [[0, 128, 255, 0, 255]]


def test_double_precision_to_its_limits_overflows_nowhere() -> None:
    """The difference of the largest and the smallest double is no double."""
    header = image(np.zeros((1, 3), dtype=np.uint16))
    del header.PixelData, header.PixelRepresentation, header.BitsStored, header.HighBit
    header.BitsAllocated = 64
    header.DoubleFloatPixelData = np.array([[-1.7e308, 0, 1.7e308]]).tobytes()
    assert _pixels(draw(header, 0, None)).tolist() == [[0, 128, 255]]
