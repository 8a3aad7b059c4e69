"""A run looks at patients' files before anything is asked, and tells what it found without a value."""

import json
import shutil
from pathlib import Path

import pytest
from canaries import echo
from gate_run import Outcome, Rig
from pydicom.data import get_testdata_file

from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import ScriptedServer

FILES = ("CT_small.dcm", "MR_small.dcm")
#: What the headers of these files say of patients.
VALUES = ("CompressedSamples", "1CT1", "4MR1", "JFK IMAGING", "TOSHIBA", "20040119")


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients' DICOM files, and a question about each."""
    folder = tmp_path_factory.mktemp("local")
    rows = []
    for name in FILES:
        shutil.copy(str(get_testdata_file(name, download=False)), folder / name)
        rows.append({"id": name, "question": "Is it?", "answer": "no", "images": [name], "question_type": "yes_no"})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "policy.yaml").write_text(
        "schema_version: 1\ntarget: benchmark\nmax_unjudged: 1.0\ngates:\n  - {metric: answer_accuracy, min: 0.1}\n"
    )
    return folder


def _run(rig: Rig, patients: Path, *rest: str) -> Outcome:
    with ScriptedServer(reply=echo, model="echo") as server, ScriptedServer(reply=echo, model="judge") as judge:
        return rig.run(
            *("suites/test_answer_accuracy.py", "-n", "0", "--endpoint", server.base_url, "--model", server.model),
            *("--judge", judge.model, "--judge-endpoint", judge.base_url, "--no-decision"),
            *("--data", str(patients / "manifest.jsonl"), "--thresholds", str(patients / "policy.yaml"), *rest),
            env={SITE_KEY: str(patients / "site.key")},
        )


def test_what_headers_tell_is_said_at_the_start(rig: Rig, patients: Path) -> None:
    """On the terminal before the evaluation, in the manifest as counts, in the report as a note."""
    outcome = _run(rig, patients)
    said = outcome.out
    assert said.index("preflight (headers): 2 DICOM files, 0 of them marked as de-identified.") < said.index(
        "evaluating"
    )
    assert "names and numbers: PatientName (2), PatientID (2)" in said
    found = outcome.manifest["preflight"]
    assert (found["depth"], found["dicom_files"], found["burned_in_text"]) == ("headers", 2, None)
    assert found["attributes"]["PatientName"] == 2
    assert "preflight (headers): 2 DICOM files" in (outcome.folder / "report.html").read_text()
    told = (
        said + outcome.err + "".join(path.read_text("latin-1") for path in outcome.folder.rglob("*") if path.is_file())
    )
    assert [value for value in VALUES[:4] if value in told] == []


def test_how_closely_is_asked_for(rig: Rig, patients: Path) -> None:
    """The depth is one of three; what is only collected is not looked at."""
    outcome = _run(rig, patients, "--preflight", "none")
    assert outcome.status == 4
    assert "--preflight: 'none' is not a depth. Valid: headers, full, ocr." in outcome.out + outcome.err
    full = _run(rig, patients, "--preflight", "full")
    assert full.manifest["preflight"]["depth"] == "full"
    collected = _run(rig, patients, "--collect-only")
    assert collected.status == 0
    assert "preflight" not in collected.out
