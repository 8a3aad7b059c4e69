"""Gold that was signed for a study: it holds however many slices a model takes, and for no other study."""

from dataclasses import replace
from pathlib import Path

import pytest
from data_files import manifest
from dicom_studies import ASKED, save

from clinhallu_gate.datasets.load import DataOptions, Dataset, load_data
from clinhallu_gate.datasets.signed import SignedRow, signature, signed_file
from clinhallu_gate.errors import BadInput
from clinhallu_gate.records import GoldTrace

GOLD = GoldTrace(
    visual_recognition="As it is seen.", knowledge_recall="As it is known.", reasoning_integration="So it is yes."
)
ROW = {**ASKED, "images": ["ct"]}


def _load(path: Path, options: DataOptions) -> Dataset:
    return load_data([str(path)], options)[0]


@pytest.fixture
def signed(tmp_path: Path, options: DataOptions) -> Path:
    """A manifest with a series of seven slices, and a signature for it."""
    for number in range(1, 8):
        save(tmp_path / "ct" / f"{number}.dcm", number=number, place=float(number), RescaleIntercept=0, RescaleSlope=1)
    path = manifest(tmp_path, [ROW], images={})
    (laid,) = _load(path, options).gold_of.values()
    line = SignedRow(
        id=str(ROW["id"]),
        decision="approved",
        gold=GOLD,
        content_sha256=laid.content_sha256,
        sha256=signature(laid.content_sha256, GOLD),
        reviewer="Dr. N",
        signed="2026-01-31T12:00:00Z",
    )
    signed_file(path).write_text(f"{line.model_dump_json()}\n")
    return path


@pytest.mark.parametrize("most", [1, 2, 5, 7])
def test_a_signature_is_for_the_study(most: int, signed: Path, options: DataOptions) -> None:
    """A candidate that takes fewer slices is held against the same gold."""
    dataset = _load(signed, replace(options, max_images=most))
    assert len(dataset.instances[0].images) == most
    assert [laid.source for laid in dataset.gold_of.values()] == ["signed"]
    assert dataset.instances[0].gold == GOLD


def test_another_series_is_unsigned(signed: Path, options: DataOptions) -> None:
    """One slice more, or another one, is another study."""
    save(signed.parent / "ct" / "8.dcm", number=8, place=8.0)
    with pytest.raises(BadInput, match="1 of 1 rows have gold that nobody signed"):
        _load(signed, options)


@pytest.mark.parametrize("change", [{"frames": [1, 2]}, {"window": "lung"}], ids=["frames", "window"])
def test_what_a_row_asks_to_be_shown_is_signed(change: dict[str, object], signed: Path, options: DataOptions) -> None:
    """Other frames or another window show other things."""
    manifest(signed.parent, [{**ROW, **change}], images={})
    with pytest.raises(BadInput, match="1 of 1 rows have gold that nobody signed"):
        _load(signed, options)
