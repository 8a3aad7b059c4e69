"""Gold of studies on a DICOMweb server: drafted, signed and loaded from a manifest of UIDs, each study fetched once."""

import json
from pathlib import Path

import pytest
from gold_files import QUICK, draft_text, review
from hostile import TwistedArchive

from clinhallu_gate._scripted.phantom_dicom import uid_rows, write_manifest
from clinhallu_gate.cli import main
from clinhallu_gate.datasets.load import DataOptions, load_data
from clinhallu_gate.gold.draft import DraftOptions, draft_gold
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.testing import ScriptedServer


@pytest.mark.usefixtures("options")
def test_gold_of_fetched_studies_is_drafted_and_signed(archive: TwistedArchive, tmp_path: Path) -> None:
    """The server is asked while drafts are made, and not again to sign or to gate."""
    bare = [{name: value for name, value in row.items() if "gold" not in name} for row in uid_rows(archive.studies)]
    rows = [{**row, "report": "An opacity."} for row in bare]
    manifest = write_manifest(tmp_path / "ward.jsonl", rows)
    spec = f"dicomweb+{archive.url}#{manifest}"
    with ScriptedServer(reply=lambda _request: draft_text(1), model="local") as drafter:
        asked = RunOptions(endpoints=(drafter.base_url,), model=drafter.model, model_revision="1")
        assert len(draft_gold(spec, DraftOptions(model=asked, retry=QUICK)).rows) == len(rows)
    fetched = len(archive.asked)
    assert fetched
    ids = [str(row.get("id") or row.get("source_id")) for row in rows]
    reviewed = review(manifest, dict.fromkeys(ids, "approved"))
    assert main(["sign-gold", spec, str(reviewed), "--reviewer", "Dr. N"]) == 0
    signed = (tmp_path / "ward.signed-gold.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in signed} == set(ids)
    (dataset,) = load_data([spec], DataOptions(private_cache=tmp_path / "ward.gold"))
    assert {laid.source for laid in dataset.gold_of.values()} == {"signed"}
    assert len(archive.asked) == fetched
