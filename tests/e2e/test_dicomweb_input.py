"""The whole command on a DICOMweb server that cannot be asked: exit status 4, one line, and nothing is left."""

import json
from pathlib import Path

import pytest
from gate_run import Rig
from replay import GoldReplay

from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import ScriptedServer

ROW = {"id": "1", "question": "Is there a fracture?", "answer": "no", "question_type": "yes_no", "study_uid": "1.2.777"}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1/dicom-web", "the DICOMweb server cannot be reached"),
        ("https://pacs.example/dicom-web", "--allow-host pacs.example"),
        ("http://gate:s3cret@127.0.0.1:1/dicom-web", "set CLINHALLU_GATE_DICOMWEB_USER"),
    ],
)
def test_a_server_that_cannot_be_asked_is_one_line(rig: Rig, tmp_path: Path, address: str, said: str) -> None:
    """Neither a password nor a UID is in it, and no run folder is made."""
    (tmp_path / "ward.jsonl").write_text(json.dumps(ROW))
    with ScriptedServer(reply=GoldReplay(), model="examined") as server:
        served = ("--endpoint", server.base_url, "--model", server.model, "--judge", "oracle")
        data = ("--data", f"dicomweb+{address}#{tmp_path / 'ward.jsonl'}", "--thresholds", "thresholds/phantom.yaml")
        outcome = rig.run("suites/", *served, *data, env={SITE_KEY: str(tmp_path / "site.key")})
        assert not server.stats().counts
    assert outcome.status == 4
    told = [line for line in (outcome.out + outcome.err).splitlines() if line.startswith("ERROR")]
    assert len(told) == 1
    assert said in told[0]
    assert "s3cret" not in outcome.out + outcome.err
    assert "1.2.777" not in outcome.out + outcome.err
    assert not outcome.folder.exists()


def test_the_private_cache_is_no_part_of_a_run_folder(rig: Rig, tmp_path: Path) -> None:
    """Before anything is asked or made."""
    run = tmp_path / "run"
    with ScriptedServer(reply=GoldReplay(), model="examined") as server:
        served = ("--endpoint", server.base_url, "--model", server.model, "--data", "phantom", "--judge", "oracle")
        outcome = rig.run("suites/", *served, "--run-dir", str(run), "--private-cache", str(run / "cache"))
    assert outcome.status == 4
    assert "lies in the run folder" in outcome.out + outcome.err
    assert not run.exists()
