"""Folders of series: which files count, in which order, and which of many a model is shown."""

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from data_files import manifest, png, troubles
from dicom_studies import ASKED, save, uid
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import BasicTextSRStorage

from clinhallu_gate.datasets.dataset import Dataset
from clinhallu_gate.datasets.dicom.series import shares, spaced
from clinhallu_gate.datasets.load import DataOptions, load_data


def _load(folder: Path, options: DataOptions, *rows: dict[str, Any]) -> Dataset:
    return load_data([str(manifest(folder, rows, images={}))], options)[0]


def _files(folder: Path, options: DataOptions, **row: Any) -> list[str]:  # noqa: ANN401
    """Return the names of the files that are drawn for the folder ``ct``."""
    dataset = _load(folder, options, {**ASKED, "images": ["ct"], **row})
    return [Path(image.file).name for image in dataset.drawn]


def _troubles(folder: Path, options: DataOptions, **row: Any) -> list[str]:  # noqa: ANN401
    return troubles(manifest(folder, [{**ASKED, "images": ["ct"], **row}], images={}), options)


def test_slices_come_in_the_order_of_their_places(tmp_path: Path, options: DataOptions) -> None:
    """Along the normal of the slices, whatever their numbers and names say."""
    for name, number, place in (("a", 1, 30.0), ("b", 2, -5.5), ("c", 3, 12.0)):
        save(tmp_path / "ct" / name, number=number, place=place)
    assert _files(tmp_path, options) == ["b", "c", "a"]
    assert _files(tmp_path, options, frames=[3]) == ["a"]


def test_oblique_slices_have_a_normal_too(tmp_path: Path, options: DataOptions) -> None:
    """Sagittal slices: rows run from front to back, columns downwards, so the normal is from left to right."""
    sagittal = [0, 1, 0, 0, 0, -1]
    for name, x in (("a", 4), ("b", -4), ("c", 0)):
        save(
            tmp_path / "ct" / name,
            number=1,
            ImageOrientationPatient=sagittal,
            ImagePositionPatient=[x, 7, 7],
            SOPInstanceUID=uid(name),
        )
    assert _files(tmp_path, options) == ["a", "c", "b"]


@pytest.mark.parametrize("places", [(1.0, 1.0, 2.0), (None, 1.0, 2.0), (None, None, None)])
def test_numbers_order_what_places_do_not(places: Sequence[float | None], tmp_path: Path, options: DataOptions) -> None:
    """Several images in one place (echoes, phases), or none; as numbers, 10 after 9."""
    for number, place in zip((10, 9, 2), places, strict=True):
        save(tmp_path / "ct" / f"{number}", number=number, place=place)
    assert _files(tmp_path, options) == ["2", "9", "10"]


def test_slices_of_several_directions_are_ordered_by_number(tmp_path: Path, options: DataOptions) -> None:
    """As those of a localizer are."""
    for number, direction in enumerate(([1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]), 1):
        said = {"ImageOrientationPatient": direction, "ImagePositionPatient": [0, 0, -number]}
        save(tmp_path / "ct" / f"{number}", number=number, **said)
    assert _files(tmp_path, options) == ["1", "2", "3"]


@pytest.mark.parametrize("numbers", [(1, 1), (None, 1), (None, None)])
def test_a_series_without_order_is_refused(numbers: Sequence[int | None], tmp_path: Path, options: DataOptions) -> None:
    """Names of files are no order; one image needs none."""
    for place, number in enumerate(numbers):
        save(tmp_path / "ct" / f"{place}", number=number, SOPInstanceUID=uid(place))
    assert _troubles(tmp_path, options) == [
        "1: images[0]: 'ct' holds 2 images that neither position nor InstanceNumber orders; name the files themselves"
    ]
    (tmp_path / "ct" / "0").unlink()
    assert _files(tmp_path, options) == ["1"]


def test_of_a_long_series_some_are_drawn(tmp_path: Path, options: DataOptions) -> None:
    """As many as the model takes, evenly spaced; headers of all of them are read, and count for the preflight."""
    for number in range(1, 12):
        save(tmp_path / "ct" / f"{number}", number=number)
    dataset = _load(tmp_path, options, {**ASKED, "images": ["ct"]})
    assert [Path(image.file).name for image in dataset.drawn] == ["1", "4", "6", "9", "11"]
    assert len(dataset.files) == 11
    assert _files(tmp_path, options, frames=[2, 1]) == ["2", "1"]
    assert _troubles(tmp_path, options, frames=[12]) == ["1: frames[0]: 12 is no image. Valid: 1 to 11"]


def test_one_series_of_several_has_to_be_named(tmp_path: Path, options: DataOptions) -> None:
    """A study folder with folders in it; they are counted by modality. What holds no image is no series of images."""
    for series, modality in (("a", "CT"), ("b", "CT"), ("c", "MR")):
        for number in (1, 2):
            save(tmp_path / "ct" / series / f"{number}.dcm", series=series, number=number, Modality=modality)
    report = {"SOPClassUID": BasicTextSRStorage, "Modality": "SR", "Rows": None, "Columns": None, "PixelData": None}
    save(tmp_path / "ct" / "report.dcm", series="report", **report)
    uids = [uid("series", name) for name in "abc"]
    assert _troubles(tmp_path, options, phi=True) == [
        "1: images[0]: (not shown) needs the row's field series, as it holds 3 series (2 ct, 1 mr): (not shown)"
    ]
    (told,) = _troubles(tmp_path, options)
    assert uids[0][:20] in told
    dataset = _load(tmp_path, options, {**ASKED, "images": ["ct"], "series": uids[2]})
    assert [image.file for image in dataset.drawn] == ["ct/c/1.dcm", "ct/c/2.dcm"]
    (told,) = _troubles(tmp_path, options, series="1.2.3")
    assert "'ct' holds no series '1.2.3', but 3 series (2 ct, 1 mr)" in told
    for series in "bc":
        shutil.rmtree(tmp_path / "ct" / series)
    assert _files(tmp_path, options) == ["1.dcm", "2.dcm"]


def test_a_series_of_several_patients_is_no_study(tmp_path: Path, options: DataOptions) -> None:
    """Though all files claim one series."""
    save(tmp_path / "ct" / "1", number=1)
    save(tmp_path / "ct" / "2", number=2, PatientID="P2")
    assert _troubles(tmp_path, options) == [
        "1: images: are of 2 patients, as PatientID in their headers says. Valid: one"
    ]


def test_copies_of_an_image_count_once(tmp_path: Path, options: DataOptions) -> None:
    """Two files of one SOP instance that differ are a contradiction."""
    save(tmp_path / "ct" / "1", number=1)
    save(tmp_path / "ct" / "2", number=2)
    shutil.copy(tmp_path / "ct" / "1", tmp_path / "ct" / "copy")
    assert _files(tmp_path, options) == ["1", "2"]
    save(tmp_path / "ct" / "copy", number=1, SOPInstanceUID=uid("sop", "1", 1, None), StudyDescription="changed")
    assert _troubles(tmp_path, options) == [
        "1: images[0]: 'ct' holds two files of one SOP instance that differ: '1' and 'copy'"
    ]


def test_other_files_beside_a_series_are_ignored(tmp_path: Path, options: DataOptions) -> None:
    """Texts, pictures, what systems leave, a DICOMDIR; but what is called .dcm has to be DICOM."""
    save(tmp_path / "ct" / "1", number=1)
    for name in ("README", "DICOMDIR", "._1.dcm", ".DS_Store"):
        (tmp_path / "ct" / name).write_text("no DICOM")
    (tmp_path / "ct" / "key.png").write_bytes(png())
    assert _files(tmp_path, options) == ["1"]
    (tmp_path / "ct" / "2.DCM").write_text("no DICOM")
    (tmp_path / "ct" / "3.dcm").write_bytes((tmp_path / "ct" / "1").read_bytes()[:140])
    (told,) = _troubles(tmp_path, options)
    assert told.startswith(
        "1: images[0]: 'ct' holds 2 of 3 DICOM files that cannot be used: '2.DCM' is not a DICOM file"
    )
    (tmp_path / "ct" / "1").unlink()
    for name in ("2.DCM", "3.dcm"):
        (tmp_path / "ct" / name).unlink()
    assert _troubles(tmp_path, options) == ["1: images[0]: 'ct' holds no DICOM file"]


def test_links_in_a_folder_stay_below_the_manifests(tmp_path: Path, options: DataOptions) -> None:
    """One that leads out is refused, and so is a linked folder; one within is followed."""
    outside = save(tmp_path / "outside" / "1", number=1)
    data = tmp_path / "data"
    save(data / "ct" / "2", number=2)
    within = save(data / "other" / "3", number=3)
    (data / "ct" / "3").symlink_to(within)
    assert _files(data, options) == ["2", "3"]
    (data / "ct" / "1").symlink_to(outside)
    (told,) = _troubles(data, options)
    assert told.startswith("1: images[0]: 'ct' holds the link '1', which leads out of ")
    (data / "ct" / "1").unlink()
    (data / "ct" / "more").symlink_to(data / "other")
    assert _troubles(data, options) == ["1: images[0]: 'ct' holds a link to a folder, 'more'; name that folder itself"]
    (data / "ct2").symlink_to(tmp_path / "outside")
    (told,) = _troubles(data, options, images=["ct2"])
    assert told.startswith("1: images[0]: 'ct2' leads out of ")


@given(count=st.integers(1, 300), wanted=st.integers(1, 40))
def test_places_are_evenly_spaced(count: int, wanted: int) -> None:
    """Gaps differ by no more than one, and the first and the last are there."""
    places = spaced(count, wanted)
    assert len(places) == min(count, wanted)
    gaps = {two - one for one, two in pairwise(places)}
    assert all(gap > 0 for gap in gaps)
    if len(places) > 1:
        assert (places[0], places[-1]) == (0, count - 1)
        assert max(gaps) - min(gaps) <= 1


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=6), most=st.integers(1, 12))
def test_entries_share_fairly(counts: list[int], most: int) -> None:
    """Each gets an image, none more than it has or than the model takes; who has fewer than another has no more."""
    given_ = shares(counts, most)
    assert all(1 <= share <= count for share, count in zip(given_, counts, strict=True))
    assert sum(given_) == max(len(counts), min(most, sum(counts)))
    wanting = [share for share, count in zip(given_, counts, strict=True) if share < count]
    assert not wanting or max(given_) - min(wanting) <= 1
