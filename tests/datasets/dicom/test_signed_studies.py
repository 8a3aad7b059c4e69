"""Gold that was signed for a DICOM study: it holds for every model, whatever part of the study a model is sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dicom_studies import save, uid
from gold_files import drafts, options, review, row

from clinhallu_gate.datasets.dataset import DataOptions
from clinhallu_gate.datasets.load import load_data
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gold.draft import draft_gold
from clinhallu_gate.gold.signing import sign_gold
from clinhallu_gate.testing import ScriptedServer


@pytest.fixture
def drafter() -> Iterator[ScriptedServer]:
    """A model that drafts for any row."""
    with ScriptedServer(reply=drafts, model="local") as server:
        yield server


def _written(folder: Path, **fields: Any) -> Path:  # noqa: ANN401 - any field of a row
    path = folder / "ward.jsonl"
    path.write_text(json.dumps(row(1, images=["film.dcm"], patient_id=None, **fields)) + "\n")
    return path


def test_a_signature_holds_however_many_images_a_model_takes(tmp_path: Path, drafter: ScriptedServer) -> None:
    """And not for other frames of the film by the row, nor for another film under its name."""
    save(tmp_path / "film.dcm", NumberOfFrames=9)
    manifest = _written(tmp_path)
    draft_gold(str(manifest), options(drafter))
    sign_gold(str(manifest), review(manifest, {"mrn-001": "approved"}), reviewer="Dr. N")
    for most in (1, 5, 9):
        loading = DataOptions(private_cache=tmp_path / "private", max_images=most)
        (dataset,) = load_data([str(manifest)], loading)
        (laid,) = dataset.gold_of.values()
        assert (len(dataset.instances[0].images), laid.source) == (most, "signed")
    loading = DataOptions(private_cache=tmp_path / "private")
    _written(tmp_path, frames=[2])
    with pytest.raises(BadInput, match="1 of 1 rows have gold that nobody signed"):
        load_data([str(manifest)], loading)
    _written(tmp_path)
    save(tmp_path / "film.dcm", NumberOfFrames=9, SOPInstanceUID=uid("another"))
    with pytest.raises(BadInput, match="1 of 1 rows have gold that nobody signed"):
        load_data([str(manifest)], loading)
