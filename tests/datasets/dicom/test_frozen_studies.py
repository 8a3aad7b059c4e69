"""A frozen list of studies: it holds however many slices a model takes, and for no other study."""

from dataclasses import replace
from pathlib import Path

import pytest
from data_files import manifest, png
from dicom_studies import ASKED, save

from clinhallu_gate.datasets.dataset import Selected
from clinhallu_gate.datasets.frozen_list import read_frozen
from clinhallu_gate.datasets.load import DataOptions, Dataset, load_data
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.freezing import freeze
from clinhallu_gate.pseudonym import site_key

ROW = {**ASKED, "images": ["ct", "plan.png"]}


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """A manifest with a series of twelve slices and a plain image, frozen."""
    folder = tmp_path / "ward"
    for number in range(1, 13):
        save(folder / "ct" / f"{number}.dcm", number=number, place=float(number), RescaleIntercept=0, RescaleSlope=1)
    path = manifest(folder, [ROW], images={"plan.png": png((1, 2, 3))})
    freeze([str(path)], tmp_path / "list.json")
    return path


def _load(path: Path, options: DataOptions, most: int = 5) -> Dataset:
    frozen = read_frozen(path.parent.parent / "list.json", site_key)
    return load_data([str(path)], replace(options, frozen=frozen, max_images=most))[0]


@pytest.mark.parametrize("most", [2, 4, 5, 9])
def test_a_list_is_of_studies(most: int, ward: Path, options: DataOptions) -> None:
    """A model that takes fewer slices, or more, is gated on the same list."""
    dataset = _load(ward, options, most)
    assert len(dataset.instances[0].images) == most
    assert dataset.selected == Selected(rows=1)


def test_another_slice_is_a_change(ward: Path, options: DataOptions) -> None:
    """Also one that would not be drawn."""
    save(ward.parent / "ct" / "13.dcm", number=13, place=13.0)
    with pytest.raises(BadInput, match="0 gone, 1 changed"):
        _load(ward, options)


@pytest.mark.parametrize("change", [{"frames": [1, 2]}, {"window": "lung"}], ids=["frames", "window"])
def test_what_a_row_asks_to_be_shown_is_frozen(change: dict[str, object], ward: Path, options: DataOptions) -> None:
    """Other frames or another window show other things."""
    manifest(ward.parent, [{**ROW, **change}], images={})
    with pytest.raises(BadInput, match="0 gone, 1 changed"):
        _load(ward, options)


def test_a_plain_image_beside_a_study_is_frozen(ward: Path, options: DataOptions) -> None:
    """By its pixels."""
    (ward.parent / "plan.png").write_bytes(png((1, 2, 4)))
    with pytest.raises(BadInput, match="0 gone, 1 changed"):
        _load(ward, options)
